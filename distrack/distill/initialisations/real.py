"""Real: tracks start from random clips."""

import numpy as np

from distrack.arrays import Integers
from distrack.distill.initialisations.contract import INITIALISATIONS
from distrack.distill.initialisations.selection import shuffled
from distrack.errors import ConfigError
from distrack.images import RealImages


@INITIALISATIONS.register("real", title="Random clips")
def random_real(train: RealImages, count: int, seed: int) -> Integers:
    """Random clips of each class; see `Initialisation`."""
    return np.concatenate([np.resize(shuffled(train, label, seed), count) for label in range(train.classes)])


def random_selection(train: RealImages, ipc: int, seed: int) -> Integers:
    """As `random_real`, for callers that need `ipc` different clips of each class.

    Raises:
        ConfigError: a class has fewer clips.
    """
    for label in range(train.classes):
        clips = len(train.of_class(label))
        if clips < ipc:
            problem = f"ipc {ipc}: class number {label} has only {clips} training clips"
            raise ConfigError(f"{problem}. Use at most that many tracks, or initialise from noise")
    return np.concatenate([shuffled(train, label, seed)[:ipc] for label in range(train.classes)])
