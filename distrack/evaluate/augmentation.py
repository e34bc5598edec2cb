"""Augmentation of images while an evaluator trains: shifts, gain, noise, mixup. Never applied to test clips."""

import torch
from torch import Tensor

_TIME_SHIFT = 1 / 8
_BAND_SHIFT = 1 / 20
_GAIN = 0.3
_NOISE = 0.1


def augment(images: Tensor, draw: torch.Generator, *, shift_bands: bool = True) -> Tensor:
    """Each image shifted in time and frequency (the edge repeated), made louder or softer, and a little noisy.

    Args:
        images: normalised.
        draw: what the random numbers come from.
        shift_bands: whether to shift in frequency: not where bands are no pitches, or where another pitch is another
            class.

    Shape:
        - images, returns: ``[n, 1, bands, frames]``
    """
    images = _shifted(images, 3, round(_TIME_SHIFT * images.shape[3]), draw)
    if shift_bands:
        images = _shifted(images, 2, round(_BAND_SHIFT * images.shape[2]), draw)
    gain = torch.randn(len(images), 1, 1, 1, generator=draw).to(images.device)
    noise = torch.randn(images.shape, generator=draw).to(images.device)
    return images + _GAIN * gain + _NOISE * noise


def _shifted(images: Tensor, dim: int, furthest: int, draw: torch.Generator) -> Tensor:
    count, size = len(images), images.shape[dim]
    offsets = torch.randint(-furthest, furthest + 1, (count, 1), generator=draw)
    source = (torch.arange(size) - offsets).clamp(0, size - 1).to(images.device)
    index = source.view(count, 1, 1, size) if dim == 3 else source.view(count, 1, size, 1)
    return images.gather(dim, index.expand_as(images))


def mixup(images: Tensor, targets: Tensor, alpha: float, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each example blended with another one, and their targets in the same proportion.

    Shape:
        - images: ``[n, 1, bands, frames]``
        - targets: ``[n, classes]``, a distribution in each row

    Source:
        Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
    """
    # A Beta variate is a ratio of Gamma variates; torch draws those with a generator of our own.
    gammas = torch._standard_gamma(torch.full((2, len(images)), alpha), generator=draw)
    share = (gammas[0] / gammas.sum(0)).to(images.device)
    share = torch.maximum(share, 1 - share)
    partner = torch.randperm(len(images), generator=draw).to(images.device)
    blend = share.view(-1, 1, 1, 1)
    images = blend * images + (1 - blend) * images[partner]
    return images, share[:, None] * targets + (1 - share[:, None]) * targets[partner]
