"""Perceptual distances of a sound from a clip, relative to the clip: losses of fits, and figures of quality."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from distrack.arrays import Floats
from distrack.registry import Place, Registry

if TYPE_CHECKING:
    from torch import Tensor

# A function of a sound, ``[channels, samples]``; a scalar that is 0 for the clip itself.
Distance = Callable[["Tensor"], "Tensor"]
# (clip ``[channels, samples]``, its sample rate in Hz) -> the distance of other sounds from it.
DISTANCES: Registry[Callable[[Tensor, int], Distance]] = Registry("perceptual distance")
DISTANCES.add("scattering", Place("distrack.perception.relative", "scattering_distance"), title="Scattering (texture)")
DISTANCES.add("auditory", Place("distrack.perception.relative", "auditory_distance"), title="Auditory image (pitch)")
# Samples that are compared at once: memory does not grow with the length of the clip.
_PART = 1 << 19


def distance(name: str, clip: Floats, sound: Floats, sample_rate: int) -> float:
    """The distance of a sound from a clip, part by part where they are long; 0 for a silent clip.

    Args:
        name: as registered in `DISTANCES`.

    Shape:
        - both: ``[channels, samples]``

    Raises:
        ValueError: they differ in shape.
    """
    if clip.shape != sound.shape:
        raise ValueError(f"a clip of shape {clip.shape} cannot be compared with a sound of {sound.shape}")
    # Imported here because the names of the distances are known without torch.
    import torch

    total = weight = 0.0
    for first in range(0, clip.shape[-1], _PART):
        one, other = (torch.from_numpy(wave[:, first : first + _PART]) for wave in (clip, sound))
        energy = float(one.square().sum())
        if energy > 0:
            with torch.no_grad():
                total += energy * float(DISTANCES[name](one, sample_rate)(other))
            weight += energy
    return total / weight if weight else 0.0
