"""The contract of initialisations, and their registry."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from distrack.arrays import Integers
from distrack.registry import Registry


class Combinations(NamedTuple):
    """Tracks that are weighted sums of clips of their class.

    Attributes:
        clips: positions of the clips of each class, ``[n]``.
        shares: the weights of each class, ``[count, n]``.
    """

    clips: tuple[Integers, ...]
    shares: tuple[Tensor, ...]


Initialisation = Callable[..., Integers | Combinations | None]
"""Positions of the clips that the tracks start from, or what they are sums of; None if they start from noise.

Args:
    train: the real training clips, as `distrack.images.RealImages`.
    count: number of clips of each class.
    settings: those of the initialisation's own config, by name.

Shape:
    - returns: positions ``[classes * count]`` int64, class by class; a class with fewer clips has all of them, and then
      the same again

Raises:
    ConfigError: a class has no training clips at all.
"""
INITIALISATIONS: Registry[Initialisation] = Registry("initialisation")
