"""What a fit lowers: the distance between the spectrograms of the clip and of the sum of all events."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from distrack.decompose.quality import SIZES

# Bins of the lowest band; each next one has twice as many.
LOWEST_BAND = 4


class SpectralLoss:
    """Distances from one clip, at four window lengths, all bins together and octave by octave.

    A magnitude's distance says what is heard; that of the complex spectrum, at a lower weight, keeps phases, without
    which the reconstruction would drift from the wave. The sum of all events is judged, never one alone.

    Args:
        clip: ``[channels, samples]``
        phases, bands: weights as in `SplatConfig`.

    Source:
        Yamamoto, Song and Kim, "Parallel WaveGAN", ICASSP 2020, eq. 4 and 6, for the distance over several windows.
    """

    def __init__(self, clip: Tensor, *, phases: float, bands: float) -> None:
        self.phases, self.bands = phases, bands
        self.clip = [spectrum(clip, size) for size in SIZES]
        self.magnitudes = [one.abs() for one in self.clip]

    def __call__(self, wave: Tensor) -> Tensor:
        """A scalar, 0 of the clip itself."""
        total = torch.zeros(())
        for size, real, wanted in zip(SIZES, self.clip, self.magnitudes, strict=True):
            found = spectrum(wave, size)
            whole = wanted.square().sum().sqrt()
            apart = (found.abs() - wanted).square().sum((0, 2))
            total = total + _root(apart.sum()) / whole
            if self.phases:
                parts = torch.view_as_real(found) - torch.view_as_real(real)
                total = total + self.phases * _root(parts.square().sum()) / whole
            if self.bands:
                power = wanted.square().sum((0, 2))
                edges = _edges(len(power))
                # A band 60 dB below the whole is not worth a float.
                shares = [
                    _root(apart[low:high].sum()) / (power[low:high].sum().sqrt() + 1e-3 * whole)
                    for low, high in pairwise(edges)
                ]
                total = total + self.bands * torch.stack(shares).mean()
        return total / len(SIZES)


def spectrum(wave: Tensor, size: int) -> Tensor:
    """Hann STFT, hop a quarter, framed as `quality` has it: ``[channels, bins, frames]``."""
    padded = torch.nn.functional.pad(wave, (size // 2, size // 2 + size))
    window = torch.hann_window(size)
    found: Any = torch.stft(padded, size, size // 4, window=window, center=False, return_complex=True)
    framed: Tensor = found
    return framed


def _edges(bins: int) -> list[int]:
    edges = [0, LOWEST_BAND]
    while 2 * edges[-1] < bins - 1:
        edges.append(2 * edges[-1])
    return [*edges, bins]


def _root(power: Tensor) -> Tensor:
    return (power + 1e-20).sqrt()
