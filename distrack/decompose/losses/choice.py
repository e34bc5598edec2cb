"""The names of all losses, known before torch is imported: distances of spectrograms, and perceptual ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from distrack.perception import DISTANCES
from distrack.registry import Place, Registry

if TYPE_CHECKING:
    from torch import Tensor

    from distrack.perception import Distance

# (clip ``[channels, samples]``, its sample rate in Hz, `phases` and `bands` as in `SplatConfig`) -> the loss of a fit.
LOSSES: Registry[Callable[[Tensor, int, float, float], Distance]] = Registry("loss")


def _perceptual(name: str, clip: Tensor, sample_rate: int, phases: float, bands: float) -> Distance:
    from distrack.decompose.losses.spectral import perceptual_loss

    return perceptual_loss(name, clip, sample_rate, phases, bands)


LOSSES.add("spectral", Place("distrack.decompose.losses.spectral", "spectral_loss"), title="Spectrograms")
for _name in DISTANCES:
    LOSSES.add(_name, partial(_perceptual, _name), title=DISTANCES.title(_name))
