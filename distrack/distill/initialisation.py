"""Initialisation: what the tracks are before the first step."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from distrack.distill.images import RealImages
from distrack.distill.randomness import generator
from distrack.errors import ConfigError
from distrack.registry import Registry

Initialisation = Callable[[RealImages, int, int], Tensor]
INITIALISATIONS: Registry[Initialisation] = Registry("initialisation")


@INITIALISATIONS.register("noise")
def gaussian_noise(train: RealImages, ipc: int, seed: int) -> Tensor:
    """Standard normal noise in the normalised image.

    Shape:
        - returns: ``[classes * ipc, 1, bands, frames]``, class by class
    """
    return torch.randn(train.classes * ipc, 1, *train.shape, generator=generator(seed, "noise"))


@INITIALISATIONS.register("real")
def random_real(train: RealImages, ipc: int, seed: int) -> Tensor:
    """Random real clips of each class, none twice.

    Shape:
        - returns: ``[classes * ipc, 1, bands, frames]``, class by class

    Raises:
        ConfigError: a class has fewer clips than tracks were asked for.
    """
    return train.batch(random_selection(train, ipc, seed), torch.device("cpu"))


def random_selection(train: RealImages, ipc: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Positions of `ipc` random training clips of each class, class by class.

    Raises:
        ConfigError: a class has fewer clips than that.
    """
    chosen = []
    for label in range(train.classes):
        members = train.of_class(label)
        if len(members) < ipc:
            raise ConfigError(
                f"ipc {ipc}: class number {label} has only {len(members)} training clips; "
                f"ask for at most that many tracks"
            )
        order = torch.randperm(len(members), generator=generator(seed, "selection", label)).numpy()
        chosen.append(members[order[:ipc]])
    return np.concatenate(chosen)
