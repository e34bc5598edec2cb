"""Distances between spectrograms of a clip and of events: the loss of a fit, and the events it can do without."""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from distrack.arrays import Floats, Integers
from distrack.decompose.events import Events
from distrack.decompose.quality import SIZES
from distrack.perception import DISTANCES, Distance

# Bins of the lowest band; each higher band has twice as many as the one below.
LOWEST_BAND = 4
# Window by which the importance of events is measured, and most events times samples for which all spectrograms fit in
# memory; beyond it, energy alone decides.
SIZE, MOST_COMPARED = 1024, 1 << 23


class SpectralLoss:
    """Distances from one clip at four window lengths, over all bins and octave by octave.

    The distance of magnitudes measures what is audible. The distance of complex spectra, at a lower weight, keeps the
    phases: without it the reconstruction drifts away from the waveform of the clip.

    Args:
        clip: ``[channels, samples]``
        phases, bands: weights as in `SplatConfig`.
        magnitudes: weight of the distance of magnitudes.

    Source:
        Yamamoto, Song and Kim, "Parallel WaveGAN", ICASSP 2020, eq. 4 and 6, for the distance over several windows.
    """

    def __init__(self, clip: Tensor, *, phases: float, bands: float, magnitudes: float = 1.0) -> None:
        self.phases, self.bands, self.weight = phases, bands, magnitudes
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
            total = total + self.weight * _root(distance.sum()) / norm
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


def spectral_loss(clip: Tensor, _sample_rate: int, phases: float, bands: float) -> Distance:
    """The loss "spectral"."""
    return SpectralLoss(clip, phases=phases, bands=bands)


def perceptual_loss(name: str, clip: Tensor, sample_rate: int, phases: float, bands: float) -> Distance:
    """A perceptual distance, with the phases and the bands of the spectral loss at their weights."""
    distance = DISTANCES[name](clip, sample_rate)
    rest = SpectralLoss(clip, phases=phases, bands=bands, magnitudes=0.0)
    return lambda wave: distance(wave) + rest(wave)


def least_important(events: Events, wave: Floats, count: int) -> Integers:
    """The `count` events without which the sum stays nearest to the clip, by the distance of spectrograms.

    They are selected one after another, each without those selected before it: of two events that stand for the same
    sound, only one is selected.

    Shape:
        - wave: ``[channels, samples]``, the clip
        - returns: ``[count]``, numbers of events, the least important first
    """
    if len(events) * wave.size > MOST_COMPARED:
        return np.argsort(events.kind.boxes(events).energy, kind="stable")[:count]
    gains = np.eye(len(events), dtype=np.float32)
    alone = [spectrum(torch.from_numpy(events.kind.synthesise(events, one)), SIZE) for one in gains]
    target = spectrum(torch.from_numpy(wave), SIZE).abs()
    together = spectrum(torch.from_numpy(events.kind.synthesise(events, gains.sum(0))), SIZE)
    remaining, selected = list(range(len(events))), []
    for _ in range(min(count, len(remaining))):
        distances = [float(((together - alone[number]).abs() - target).square().sum()) for number in remaining]
        least = remaining.pop(int(np.argmin(distances)))
        together = together - alone[least]
        selected.append(least)
    return np.array(selected, np.int64)


def spectrum(wave: Tensor, size: int) -> Tensor:
    """STFT with a Hann window of `size` samples and a hop of a quarter of it, in the frames of `quality`.

    Shape:
        - wave: ``[channels, samples]``
        - returns: ``[channels, bins, frames]``, complex
    """
    padded = torch.nn.functional.pad(wave, (size // 2, size // 2 + size))
    window = torch.hann_window(size)
    frames: Tensor = torch.stft(padded, size, size // 4, window=window, center=False, return_complex=True)
    return frames


def _edges(bins: int) -> list[int]:
    edges = [0, LOWEST_BAND]
    while 2 * edges[-1] < bins - 1:
        edges.append(2 * edges[-1])
    return [*edges, bins]


def _root(power: Tensor) -> Tensor:
    return (power + 1e-20).sqrt()
