"""The loss of a fit: the distance between the spectrograms of the clip and of the sum of all events."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from distrack.decompose.quality import SIZES

# Bins of the lowest band; each higher band has twice as many as the one below.
LOWEST_BAND = 4


class SpectralLoss:
    """Distances from one clip at four window lengths, over all bins and octave by octave.

    The distance of magnitudes measures what is audible. The distance of complex spectra, at a lower weight, keeps the
    phases: without it the reconstruction drifts away from the waveform of the clip.

    Args:
        clip: ``[channels, samples]``
        phases, bands: weights as in `SplatConfig`.

    Source:
        Yamamoto, Song and Kim, "Parallel WaveGAN", ICASSP 2020, eq. 4 and 6, for the distance over several windows.
    """

    def __init__(self, clip: Tensor, *, phases: float, bands: float) -> None:
        self.phases, self.bands = phases, bands
        self.spectra = [spectrum(clip, size) for size in SIZES]
        self.magnitudes = [one.abs() for one in self.spectra]

    def __call__(self, wave: Tensor) -> Tensor:
        """A scalar; 0 for the clip itself.

        Shape:
            - wave: ``[channels, samples]``
        """
        total = torch.zeros(())
        for size, real, target in zip(SIZES, self.spectra, self.magnitudes, strict=True):
            other = spectrum(wave, size)
            norm = target.square().sum().sqrt()
            distance = (other.abs() - target).square().sum((0, 2))
            total = total + _root(distance.sum()) / norm
            if self.phases:
                parts = torch.view_as_real(other) - torch.view_as_real(real)
                total = total + self.phases * _root(parts.square().sum()) / norm
            if self.bands:
                power = target.square().sum((0, 2))
                edges = _edges(len(power))
                # The second term keeps bands 60 dB below the whole clip from counting.
                shares = [
                    _root(distance[low:high].sum()) / (power[low:high].sum().sqrt() + 1e-3 * norm)
                    for low, high in pairwise(edges)
                ]
                total = total + self.bands * torch.stack(shares).mean()
        return total / len(SIZES)


def spectrum(wave: Tensor, size: int) -> Tensor:
    """STFT with a Hann window of `size` samples and a hop of a quarter of it, in the frames of `quality`.

    Shape:
        - wave: ``[channels, samples]``
        - returns: ``[channels, bins, frames]``, complex
    """
    padded = torch.nn.functional.pad(wave, (size // 2, size // 2 + size))
    window = torch.hann_window(size)
    result: Any = torch.stft(padded, size, size // 4, window=window, center=False, return_complex=True)
    complex_frames: Tensor = result
    return complex_frames


def _edges(bins: int) -> list[int]:
    edges = [0, LOWEST_BAND]
    while 2 * edges[-1] < bins - 1:
        edges.append(2 * edges[-1])
    return [*edges, bins]


def _root(power: Tensor) -> Tensor:
    return (power + 1e-20).sqrt()
