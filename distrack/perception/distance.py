"""Perceptual distances of a sound from a clip, relative to the clip: losses of fits, and figures of quality."""

from collections.abc import Callable

import torch
from torch import Tensor

from distrack.arrays import Floats
from distrack.perception.auditory import AuditoryImage
from distrack.perception.scattering import Scattering, morlet_bank
from distrack.registry import Registry

# Scattering coefficients below this share of the mean of the clip's first order count little.
_FAINT = 0.1
# Weight of the second order, which differs more than the first one between two draws of the same noise.
_SECOND_ORDER = 0.4
# Samples that are compared at once: memory does not grow with the length of the clip.
_PART = 1 << 19

# A function of a sound, ``[channels, samples]``; a scalar that is 0 for the clip itself.
Distance = Callable[[Tensor], Tensor]
# (clip ``[channels, samples]``, its sample rate in Hz) -> the distance of other sounds from it.
DISTANCES: Registry[Callable[[Tensor, int], Distance]] = Registry("perceptual distance")


@DISTANCES.register("scattering", title="Scattering (texture)")
def scattering_distance(clip: Tensor, sample_rate: int) -> Distance:
    """Relative distance of the logarithms of scattering coefficients, first and second order.

    The logarithm lets distances grow with an interval of pitch where those of spectrograms saturate at a tone.

    Source:
        Andén, Lostanlen and Mallat, "Joint Time-frequency Scattering for Audio Classification", arXiv 1512.02125,
        section 2, for the logarithm of coefficients.
    """
    transform = Scattering(morlet_bank(clip.shape[-1], sample_rate))
    unit = _FAINT * transform(clip)[0].mean().detach() + 1e-20

    def coefficients(wave: Tensor) -> Tensor:
        first, second = (torch.log1p(order.clamp(min=0) / unit) for order in transform(wave))
        return torch.cat([first, _SECOND_ORDER * second], -2)

    return _relative(coefficients, clip)


@DISTANCES.register("auditory", title="Auditory image (pitch)")
def auditory_distance(clip: Tensor, sample_rate: int) -> Distance:
    """Relative distance of auditory images."""
    image, unit = AuditoryImage(clip.shape[-1], sample_rate), clip.abs().max() + 1e-20
    return _relative(lambda wave: image(wave / unit), clip)


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
    total = weight = 0.0
    for first in range(0, clip.shape[-1], _PART):
        one, other = (torch.from_numpy(wave[:, first : first + _PART]) for wave in (clip, sound))
        energy = float(one.square().sum())
        if energy > 0:
            with torch.no_grad():
                total += energy * float(DISTANCES[name](one, sample_rate)(other))
            weight += energy
    return total / weight if weight else 0.0


def _relative(coefficients: Callable[[Tensor], Tensor], clip: Tensor) -> Distance:
    """Distance from the coefficients of a clip, in units of their norm."""
    target = coefficients(clip).detach()
    norm = target.norm() + 1e-20
    return lambda wave: ((coefficients(wave) - target).square().sum() + 1e-20).sqrt() / norm
