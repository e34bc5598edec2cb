"""The contract of initialisations, and their registry."""

from collections.abc import Callable

from distrack.arrays import Integers
from distrack.registry import Registry

Initialisation = Callable[..., Integers | None]
"""Positions of the clips that the tracks start from; None if they start from noise.

Args:
    train: the real training clips, as `distrack.images.RealImages`.
    count: number of clips of each class.
    settings: those of the initialisation's own config, by name.

Shape:
    - returns: ``[classes * count]`` int64, class by class; a class with fewer clips has all of them, and then the same
      again

Raises:
    ConfigError: a class has no training clips at all.
"""
INITIALISATIONS: Registry[Initialisation] = Registry("initialisation")
