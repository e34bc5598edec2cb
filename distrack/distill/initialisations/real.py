"""Real: tracks start from random clips."""

import numpy as np
from numpy.typing import NDArray

from distrack.distill.initialisations.contract import INITIALISATIONS, Initialisation
from distrack.distill.initialisations.selection import shuffled
from distrack.errors import ConfigError
from distrack.images import RealImages


def random_real(train: RealImages, count: int, seed: int) -> NDArray[np.int64]:
    """Positions of random clips of each class.

    Args:
        train: the training clips.
        count: number of clips of each class.
        seed: seed of the draws.

    Shape:
        - returns: ``[classes * count]``, class by class; a class with fewer clips has all of them, and then the same
          again

    Raises:
        ConfigError: a class has no training clips at all.
    """
    chosen = [np.resize(shuffled(train, label, seed), count) for label in range(train.classes)]
    return np.concatenate(chosen)


def random_selection(train: RealImages, ipc: int, seed: int) -> NDArray[np.int64]:
    """Positions of `ipc` random training clips of each class, class by class.

    Raises:
        ConfigError: a class has fewer clips.
    """
    for label in range(train.classes):
        clips = len(train.of_class(label))
        if clips < ipc:
            raise ConfigError(
                f"ipc {ipc}: class number {label} has only {clips} training clips; ask for at most that many tracks"
            )
    return np.concatenate([shuffled(train, label, seed)[:ipc] for label in range(train.classes)])


INITIALISATIONS.add("real", Initialisation(random_real, "random clips"))
