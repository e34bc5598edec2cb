"""The contract of initialisations, and their registry."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distrack.registry import Registry

# (training clips, tracks per class, seed, the settings by name) -> positions of training clips, class by class; None
# for noise.
Select = Callable[..., NDArray[np.int64] | None]


class Initialisation(NamedTuple):
    """A way to choose the clips that the tracks start from.

    Attributes:
        select: chooses the clips.
        summary: what the tracks start from, in a few words; its label in menus.
    """

    select: Select
    summary: str


INITIALISATIONS: Registry[Initialisation] = Registry("initialisation")
