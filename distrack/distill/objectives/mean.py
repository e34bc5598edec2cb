"""Distribution matching by means: the first moment of the embeddings."""

import torch
from torch import Tensor

from distrack.distill.objectives.contract import OBJECTIVES, Objective


def match_means(real: Tensor, synthetic: Tensor, draw: torch.Generator) -> Tensor:  # noqa: ARG001
    """Squared distance between the mean embeddings (distribution matching); a `Distance`.

    A single row of `real` may be the mean of many clips.

    Source:
        Zhao and Bilen, "Dataset Condensation with Distribution Matching", WACV 2023, eq. 3.

    >>> match_means(torch.ones(1, 3, 2), torch.zeros(1, 5, 2), torch.Generator()).tolist()
    [2.0]
    """
    return (real.mean(1) - synthetic.mean(1)).square().sum(1)


OBJECTIVES.add("mean", Objective(match_means, real="mean", summary="mean (class means)"))
