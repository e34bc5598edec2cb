"""Gaussian: tracks start from random draws with the mean and the covariance of their class, not from any clip."""

import torch

from distrack.distill.initialisations.contract import INITIALISATIONS, Combinations
from distrack.distill.initialisations.selection import shuffled
from distrack.images import RealImages
from distrack.randomness import generator

# Clips of a class that its mean and covariance are taken from, at most.
_MOST_CLIPS = 200


@INITIALISATIONS.register("gaussian", title="Class statistics (no clip)")
def from_statistics(train: RealImages, count: int, seed: int) -> Combinations:
    """Draws tracks from a normal distribution with the mean and the covariance of up to 200 clips of the class.

    A draw is the mean of the clips and a sum of their distances from it, each times a number of a standard normal
    distribution and divided by the root of the clips' number less one. Of many clips each has a small share; a class of
    two or three clips cannot hide them.
    """
    clips, shares = [], []
    for label in range(train.classes):
        positions = shuffled(train, label, seed)[:_MOST_CLIPS]
        normal = torch.randn(count, len(positions), generator=generator(seed, "class statistics", label))
        apart = normal - normal.mean(1, keepdim=True)
        shares.append(1 / len(positions) + apart / max(1, len(positions) - 1) ** 0.5)
        clips.append(positions)
    return Combinations(tuple(clips), tuple(shares))
