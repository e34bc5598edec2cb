"""Herding: tracks start from clips whose mean is near that of their class."""

import torch
from torch import Tensor

from distrack.arrays import Integers
from distrack.distill.initialisations.contract import INITIALISATIONS
from distrack.distill.initialisations.selection import selected
from distrack.images import RealImages


def herd(train: RealImages, count: int, seed: int) -> Integers:
    """Clips of each class whose mean is near to that of the class, in the order of choice; see `Initialisation`.

    Distances are taken between the embeddings in one random network, as in the matching itself. The seed gives the
    network and, in a class of more than 2,000 clips, the candidates.

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


INITIALISATIONS.add("herding", herd, title="Herding (match the class mean)")
