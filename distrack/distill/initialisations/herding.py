"""Herding: tracks start from clips whose mean is near that of their class."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distrack.distill.initialisations.contract import INITIALISATIONS, Initialisation
from distrack.distill.initialisations.selection import selected
from distrack.images import RealImages


def herd(train: RealImages, count: int, seed: int) -> NDArray[np.int64]:
    """Positions of clips of each class whose mean is near to that of the class, chosen one after the other.

    Distances are taken between the embeddings in one random network, as in the matching itself.

    Args:
        train: the training clips.
        count: number of clips of each class.
        seed: seed of the network, and of the choice of candidates in a class of more than 2,000 clips.

    Shape:
        - returns: ``[classes * count]``, class by class and in the order of choice; a class with fewer clips has all of
          them, and then the same again

    Raises:
        ConfigError: a class has no training clips at all.

    Source:
        Welling, "Herding Dynamical Weights to Learn", ICML 2009; in this form, with the mean of the chosen clips in
        place of weights, Chen, Welling and Smola, "Super-Samples from Kernel Herding", UAI 2010, who allow repetitions.
    """
    return selected(train, count, seed, lambda embeddings, wanted, _label: herded(embeddings, wanted))


def herded(embeddings: Tensor, count: int) -> list[int]:
    """Different rows whose running mean is the nearest to the mean of all rows.

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
        # The squared length of (total + row), without the term that is the same for all rows.
        lengths_with = lengths + 2 * (centred @ total)
        lengths_with[chosen] = torch.inf
        chosen.append(int(lengths_with.argmin()))
        total += centred[chosen[-1]]
    return chosen


INITIALISATIONS.add("herding", Initialisation(herd, "herding (match the class mean)"))
