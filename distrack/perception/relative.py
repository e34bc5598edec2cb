"""The perceptual distances, relative to the clip that sounds are compared with."""

from collections.abc import Callable

import torch
from torch import Tensor

from distrack.perception.auditory import AuditoryImage
from distrack.perception.distance import Distance
from distrack.perception.scattering import Scattering, morlet_bank

# Scattering coefficients below this share of the mean of the clip's first order count little.
_FAINT = 0.1
# Weight of the second order, which differs more than the first one between two draws of the same noise.
_SECOND_ORDER = 0.4


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


def auditory_distance(clip: Tensor, sample_rate: int) -> Distance:
    """Relative distance of auditory images."""
    image, unit = AuditoryImage(clip.shape[-1], sample_rate), clip.abs().max() + 1e-20
    return _relative(lambda wave: image(wave / unit), clip)


def _relative(coefficients: Callable[[Tensor], Tensor], clip: Tensor) -> Distance:
    """Distance from the coefficients of a clip, in units of their norm."""
    target = coefficients(clip).detach()
    norm = target.norm() + 1e-20
    return lambda wave: ((coefficients(wave) - target).square().sum() + 1e-20).sqrt() / norm
