"""Matching objectives: how far apart two sets of embeddings are."""

from collections.abc import Callable

from torch import Tensor

from distrack.registry import Registry

Objective = Callable[[Tensor, Tensor], Tensor]
OBJECTIVES: Registry[Objective] = Registry("objective")


@OBJECTIVES.register("mean")
def match_means(real: Tensor, synthetic: Tensor) -> Tensor:
    """Squared distance between the mean embeddings (distribution matching).

    Args:
        real: embeddings of real clips, class by class.
        synthetic: embeddings of synthetic tracks, class by class.

    Shape:
        - real: ``[classes, n, d]``; a single row may be the mean of many, computed before
        - synthetic: ``[classes, m, d]``
        - returns: ``[classes]``

    Source:
        Zhao and Bilen, "Dataset Condensation with Distribution Matching", WACV 2023, eq. 3.

    >>> import torch
    >>> match_means(torch.ones(1, 3, 2), torch.zeros(1, 5, 2)).tolist()
    [2.0]
    """
    return (real.mean(1) - synthetic.mean(1)).square().sum(1)
