"""The scattering transform: how loud each frequency band is, and how fast its loudness changes.

A first bank of wavelets splits a sound into bands. The envelope of each band, averaged over a fraction of a second, is
the first order. A second bank splits the envelopes by their rate of change; averaged, that is the second order. The
averages hardly depend on where in their window a sound happens, so that two draws of the same noise are near.

Source:
    Andén and Mallat, "Deep Scattering Spectrum", IEEE Transactions on Signal Processing 62, 2014, sections II to IV.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from distrack.arrays import Doubles, Integers

# Wavelets of an octave in the first bank and in the second one.
PER_OCTAVE = 8
PER_OCTAVE_OF_RATES = 1
# Hz of the lowest band, and seconds over which envelopes are averaged, about.
LOWEST = 30.0
AVERAGING = 0.75
# A response below this share of its maximum counts as zero.
_NOTHING = 1e-4
# Standard deviation of the averaging filter in cycles per sample, times the samples that it averages over.
_SPREAD = 0.1


class Band(NamedTuple):
    """A filter by its response where that is not zero.

    Attributes:
        first: number of the first bin, where 0 is the frequency 0; negative frequencies have negative numbers.
        response: gains from that bin on, ``[bins]``.
    """

    first: int
    response: Tensor

    @classmethod
    def of(cls, bins: Integers, response: Doubles) -> "Band":
        """A band from its gains at bins in ascending order, without those at which it is silent."""
        (inside,) = np.nonzero(np.abs(response) > _NOTHING * np.abs(response).max())
        low, high = int(inside[0]), int(inside[-1]) + 1
        return cls(int(bins[low]), torch.from_numpy(response[low:high].copy()).float())


class Bank(NamedTuple):
    """The filters of a transform for sounds of one length.

    Attributes:
        size: samples of the transformed sound with the silence around it.
        hop: samples from one average to the next; it divides the size.
        first: the bands of the sound.
        second: the bands of the envelopes.
        paths: for each band of the sound, the numbers of the bands that its envelope is split into.
        average: the filter that averages envelopes.
    """

    size: int
    hop: int
    first: tuple[Band, ...]
    second: tuple[Band, ...]
    paths: tuple[tuple[int, ...], ...]
    average: Band


class _Split(NamedTuple):
    """Filters that are applied at once: bins of a spectrum, the gains there, and the samples of the envelopes."""

    bins: Tensor
    gains: Tensor
    size: int

    def __call__(self, spectrum: Tensor) -> Tensor:
        """Spectra of the envelopes of all bands, ``[..., bands, size]``, from spectra, ``[..., bins]``."""
        envelopes: Tensor = torch.fft.ifft(spectrum[..., self.bins] * self.gains, self.size).abs()
        spectra: Tensor = torch.fft.fft(envelopes)
        return spectra


class Scattering:
    """The scattering coefficients of sounds of one length."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self._frames = bank.size // bank.hop
        # Bands whose envelopes have the same number of samples are computed together.
        together: dict[int, list[int]] = {}
        for number, band in enumerate(bank.first):
            together.setdefault(self._size(band), []).append(number)
        self._groups: list[tuple[_Split, list[tuple[list[int], _Split]]]] = []
        bands: list[int] = []
        paths: list[tuple[int, int]] = []
        for size, numbers in together.items():
            rates = []
            for rate, band in enumerate(bank.second):
                places = [place for place, number in enumerate(numbers) if rate in bank.paths[number]]
                rates.append((places, _split([band], size, min(size, self._size(band)))))
                paths += [(numbers[place], rate) for place in places]
            self._groups.append((_split([bank.first[number] for number in numbers], bank.size, size), rates))
            bands += numbers
        self._bands = sorted(range(len(bands)), key=bands.__getitem__)
        self._paths = sorted(range(len(paths)), key=paths.__getitem__)

    def __call__(self, wave: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients of first and second order.

        Shape:
            - wave: ``[..., samples]``, at most the bank's size; silence is added on both sides
            - returns: ``[..., bands, frames]`` and ``[..., paths, frames]``, paths in the order of the bank
        """
        before = (self.bank.size - wave.shape[-1]) // 2
        padded = torch.nn.functional.pad(wave, (before, self.bank.size - wave.shape[-1] - before))
        spectrum = torch.fft.fft(padded)
        first, second = [], []
        for split, rates in self._groups:
            envelopes = split(spectrum)
            first.append(self._average(envelopes))
            second += [self._average(part(envelopes[..., places, :]).squeeze(-2)) for places, part in rates if places]
        once = torch.cat(first, -2)
        twice = torch.cat([once[..., :0, :], *second], -2)
        return once[..., self._bands, :], twice[..., self._paths, :]

    def _size(self, band: Band) -> int:
        """Samples of a band's envelope: its spectrum is about twice as wide as the band."""
        size, least = self.bank.size, max(2 * len(band.response), 2 * self._frames)
        while size % 2 == 0 and size // 2 >= least:
            size //= 2
        return size

    def _average(self, spectrum: Tensor) -> Tensor:
        """Averages of envelopes, ``[..., bands, frames]``, from their spectra."""
        response, size = self.bank.average.response, spectrum.shape[-1]
        half = min(len(response) // 2, size // 2, self._frames // 2)
        middle = len(response) // 2
        passed = spectrum[..., : half + 1] * response[middle : middle + half + 1]
        averages: Tensor = torch.fft.irfft(passed, self._frames) * (self._frames / size)
        return averages


def _split(bands: Sequence[Band], available: int, size: int) -> _Split:
    """Filters for spectra of so many available bins.

    The bins of a band are moved to the frequency 0, which changes the phase of what passes and not its envelope.
    """
    longest = max(len(band.response) for band in bands)
    gains = torch.stack([torch.nn.functional.pad(band.response, (0, longest - len(band.response))) for band in bands])
    bins = torch.tensor([band.first for band in bands])[:, None] + torch.arange(longest)
    # A sound at a lower sample rate has no higher frequencies.
    gains = torch.where((bins >= -(available // 2)) & (bins < available - available // 2), gains, 0.0)
    return _Split(bins % available, gains * (size / available), size)


def morlet_bank(samples: int, sample_rate: int, *, averaging: float = AVERAGING) -> Bank:
    """Morlet wavelets for sounds of a length, eight bands an octave from 30 Hz on, and one rate an octave.

    Args:
        averaging: seconds that envelopes are averaged over; a power of two of samples near it is taken.
    """
    hop = 2 ** max(4, round(math.log2(averaging * sample_rate)))
    size = hop * (-(-samples // hop) + 2)
    narrowest = _SPREAD / hop
    bands = _centres(PER_OCTAVE, LOWEST / sample_rate)
    rates = _centres(PER_OCTAVE_OF_RATES, narrowest / _width(1.0, PER_OCTAVE_OF_RATES))
    return Bank(
        size=size,
        hop=hop,
        first=tuple(_morlet(size, centre, _width(centre, PER_OCTAVE)) for centre in bands),
        second=tuple(_morlet(size, rate, _width(rate, PER_OCTAVE_OF_RATES)) for rate in rates),
        paths=tuple(tuple(n for n, rate in enumerate(rates) if rate <= band / PER_OCTAVE) for band in bands),
        average=_gaussian(size, narrowest),
    )


def _centres(per_octave: int, lowest: float) -> list[float]:
    """Frequencies in cycles per sample, the highest first: as high as a wavelet can have without its mirror image."""
    highest = 1 / (1 + 2 ** (1 / per_octave))
    count = math.floor(per_octave * math.log2(highest / lowest)) + 1 if lowest < highest else 0
    return [highest * 2 ** (-k / per_octave) for k in range(count)]


def _width(centre: float, per_octave: int) -> float:
    """Standard deviation of the Gaussian of a wavelet that meets the next one at half of the power."""
    ratio = 2 ** (-1 / per_octave)
    return centre * (1 - ratio) / (1 + ratio) / math.sqrt(math.log(2))


def _morlet(size: int, centre: float, width: float) -> Band:
    """A Gaussian around a frequency, less as much of one around 0 that nothing passes at 0."""
    bins = np.arange(math.floor(min(centre, 0) * size - 5 * width * size), math.ceil((centre + 5 * width) * size) + 1)
    share = math.exp(-0.5 * (centre / width) ** 2)
    response = _bell(bins / size - centre, width) - share * _bell(bins / size, width)
    return Band.of(bins, response / response.max())


def _gaussian(size: int, width: float) -> Band:
    bins = np.arange(-math.ceil(5 * width * size), math.ceil(5 * width * size) + 1)
    return Band.of(bins, _bell(bins / size, width))


def _bell(distance: Doubles, width: float) -> Doubles:
    values: Doubles = np.exp(-0.5 * (distance / width) ** 2)
    return values
