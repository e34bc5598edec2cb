"""Herding: tracks start from clips whose mean is near that of their class."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distrack.distill.initialisations.contract import INITIALISATIONS, Initialisation
from distrack.distill.initialisations.selection import selected
from distrack.images import RealImages


def herd(train: RealImages, count: int, seed: int) -> NDArray[np.int64]:
    """Clips whose mean comes as near to that of their class as it can, one clip after the other.

    Distances are those of the embeddings in one random network, as in the matching itself.

    Args:
        train: the training clips.
        count: how many of each class.
        seed: of the network, and of which clips are looked at in a class of more than 2,000.

    Shape:
        - returns: ``[classes * count]``, class by class, the first clips of each the best; where a class has fewer
          clips, all of them and then the same again

    Raises:
        ConfigError: a class has no training clips at all.

    Source:
        Welling, "Herding Dynamical Weights to Learn", ICML 2009; in this form, with the mean of the chosen in the
        place of weights, Chen, Welling and Smola, "Super-Samples from Kernel Herding", UAI 2010; theirs may repeat.
    """
    return selected(train, count, seed, lambda embeddings, wanted, _label: herded(embeddings, wanted))


def herded(embeddings: Tensor, count: int) -> list[int]:
    """Rows whose running mean is the nearest to the mean of all, none twice.

    Shape:
        - embeddings: ``[n, d]``, with n at least `count`
        - returns: `count` rows in the order in which they were chosen

    >>> herded(torch.tensor([[-3.0], [0.5], [-1.0], [5.0]]), 3)
    [1, 2, 3]
    """
    centred = embeddings - embeddings.mean(0)
    lengths = centred.square().sum(1)
    total, chosen = torch.zeros_like(centred[0]), list[int]()
    for _ in range(count):
        # The squared length of (total + row), but for what is the same for all rows.
        lengths_with = lengths + 2 * (centred @ total)
        lengths_with[chosen] = torch.inf
        chosen.append(int(lengths_with.argmin()))
        total += centred[chosen[-1]]
    return chosen


INITIALISATIONS.add("herding", Initialisation(herd, "clips whose mean is near the class's"))
