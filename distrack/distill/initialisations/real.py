"""Real: tracks start from random clips."""

import numpy as np

from distrack.arrays import Integers
from distrack.distill.initialisations.contract import INITIALISATIONS
from distrack.distill.initialisations.selection import shuffled
from distrack.images import RealImages


def random_real(train: RealImages, count: int, seed: int) -> Integers:
    """Random clips of each class; see `Initialisation`."""
    return np.concatenate([np.resize(shuffled(train, label, seed), count) for label in range(train.classes)])


INITIALISATIONS.add("real", random_real, title="Random clips")
