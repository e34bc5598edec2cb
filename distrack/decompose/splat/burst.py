"""Bursts of band-limited noise. Equal numbers give equal noise, also when a burst begins between two samples."""

from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distrack.arrays import Floats, Integers

Envelope = Literal["gamma", "gaussian"]
# Time constants until the envelope has fallen by 80 dB; the envelopes are x exp(1 - x) and exp(-(x - 4)^2 / 2).
ENDS: dict[Envelope, float] = {"gamma": 12.5, "gaussian": 8.3}
# Centre of the Gaussian envelope, in time constants.
PEAK = 4.0
# Fewest samples of a burst, and most numbers that are computed at once.
SHORTEST, AT_ONCE = 64, 1 << 20
# Longest noise whose spectrum is cached, in samples.
LONGEST_CACHED = 1 << 16
# A float32 holds every whole number up to here.
MOST_NUMBERS = 1 << 24


class Bursts(NamedTuple):
    """Bursts of noise with a Gaussian band in log-frequency, under an envelope in time.

    Attributes:
        onset: in seconds.
        number: number of the noise, a whole number.
        time_constant: of the envelope, in seconds.
        centre: of the band, in Hz.
        width: standard deviation of the band, in octaves.
        level: RMS at the peak of the envelope.
        gains: gain into each channel.

    Shape:
        - gains: ``[events, channels]``
        - all others: ``[events]``
    """

    onset: Tensor
    number: Tensor
    time_constant: Tensor
    centre: Tensor
    width: Tensor
    level: Tensor
    gains: Tensor


def burst(bursts: Bursts, *, sample_rate: int, samples: int, seed: int, envelope: Envelope) -> Tensor:
    """The sum of all bursts in float32, differentiable with respect to all but `number`.

    The part of a band above half the sample rate is silent.

    Shape:
        - returns: ``[channels, samples]``
    """
    summed: Tensor = _Sum.apply(*bursts, sample_rate, samples, seed, envelope)
    return summed


def white(number: int, *, seed: int, length: int) -> Floats:
    """White noise of variance 1, uniformly distributed, that depends on its number and the seed only.

    A shorter noise of the same number is the beginning of a longer one.

    Source:
        Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014: the mixing of SplitMix64.
    """
    state = _mixed(np.array([seed], np.uint64))
    state = _mixed(state + np.uint64(number))
    steps = np.arange(1, length + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    drawn = _mixed(state + steps) >> np.uint64(40)
    noise: Floats = ((drawn.astype(np.float64) + 0.5) / 2**23 - 1.0).astype(np.float32) * np.float32(3**0.5)
    return noise


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _spectrum(number: int, seed: int, length: int) -> Tensor:
    return _cached_spectrum(number, seed, length) if length <= LONGEST_CACHED else _new_spectrum(number, seed, length)


# A fit needs the same spectra at every step.
@lru_cache(maxsize=512)
def _cached_spectrum(number: int, seed: int, length: int) -> Tensor:
    return _new_spectrum(number, seed, length)


def _new_spectrum(number: int, seed: int, length: int) -> Tensor:
    spectrum: Tensor = torch.fft.rfft(torch.from_numpy(white(number, seed=seed, length=length)))
    return spectrum


def _lengths(bursts: Bursts, *, sample_rate: int, samples: int, envelope: Envelope) -> Integers:
    """Length in samples at which each burst is rendered, a power of two; 0 for a silent one or one outside the clip."""
    needed = np.ceil(bursts.time_constant.detach().numpy() * ENDS[envelope] * sample_rate) + 2
    place = bursts.onset.detach().numpy() * sample_rate
    audible = (bursts.level.detach().numpy() > 0) & (place < samples) & (place + needed > 0)
    longest = max(SHORTEST, 1 << int(samples - 1).bit_length())
    sizes = 2 ** np.ceil(np.log2(np.clip(needed, SHORTEST, longest)))
    return np.where(audible, sizes, 0).astype(np.int64)


def _sounds(bursts: Bursts, *, length: int, sample_rate: int, seed: int, envelope: Envelope) -> Tensor:
    """Each burst alone, from the last sample before its onset: ``[events, length]``."""
    spectra = torch.stack([_spectrum(int(number), seed, length) for number in bursts.number.tolist()])
    after = (bursts.onset.detach() * sample_rate).floor() - bursts.onset * sample_rate
    frequency = torch.arange(length // 2 + 1, dtype=torch.float32) * (sample_rate / length)
    frequency[0] = 1e-3
    centre, width = bursts.centre.float()[:, None], bursts.width.float()[:, None]
    band = torch.exp(-0.5 * ((torch.log2(frequency) - torch.log2(centre)) / width).square())
    # Power of the whole band: its silent part above half the sample rate does not make the rest louder.
    spread = bursts.width * np.log(2.0)
    power = bursts.centre * np.sqrt(np.pi) * spread * torch.exp(spread.square() / 4) / (sample_rate / 2)
    scale = (bursts.level / power.sqrt()).float()[:, None]
    turn = torch.arange(length // 2 + 1, dtype=torch.float32) * (2 * torch.pi / length)
    ramp = torch.polar(torch.ones(()), turn * after.float()[:, None])
    noise: Tensor = torch.fft.irfft(spectra * (band * scale) * ramp, n=length)
    past = torch.arange(length, dtype=torch.float32) + after.float()[:, None]
    past = (past * (1 / (sample_rate * bursts.time_constant)).float()[:, None]).clamp(min=0)
    shape = past * torch.exp(1 - past) if envelope == "gamma" else torch.exp(-0.5 * (past - PEAK).square()) * (past > 0)
    return noise * shape


class _Sum(torch.autograd.Function):
    """Sum over groups of events of equal length. The backward pass renders the events again, to save memory."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        *numbers, sample_rate, samples, seed, envelope = given
        bursts = Bursts(*numbers)
        ctx.save_for_backward(*numbers)
        ctx.settings = sample_rate, samples, seed, envelope
        total = torch.zeros(bursts.gains.shape[1], samples)
        for which, length in _groups(bursts, sample_rate=sample_rate, samples=samples, envelope=envelope):
            group = Bursts(*(number[which] for number in numbers))
            waves = _sounds(group, length=length, sample_rate=sample_rate, seed=seed, envelope=envelope)
            for wave, gains, place in zip(waves, group.gains.float(), _places(group, sample_rate), strict=True):
                first, last = max(0, place), min(samples, place + length)
                if first < last:
                    total[:, first:last].addcmul_(gains[:, None], wave[None, first - place : last - place])
        return total

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> Any:
        sample_rate, samples, seed, envelope = ctx.settings
        numbers = ctx.saved_tensors
        gradients = [torch.zeros_like(number) for number in numbers]
        groups = _groups(Bursts(*numbers), sample_rate=sample_rate, samples=samples, envelope=envelope)
        for which, length in groups:
            group = Bursts(*(number[which].detach() for number in numbers))
            gradient = torch.zeros(len(which), len(above[0]), length)
            for row, place in enumerate(_places(group, sample_rate)):
                first, last = max(0, place), min(samples, place + length)
                if first < last:
                    gradient[row, :, first - place : last - place] = above[0][:, first:last]
            with torch.enable_grad():
                inputs = [number.requires_grad_() for place, number in enumerate(group) if place != 1]
                waves = _sounds(group, length=length, sample_rate=sample_rate, seed=seed, envelope=envelope)
                total = ((waves[:, None] * gradient).sum(2) * group.gains.float()).sum()
                slopes = torch.autograd.grad(total, inputs)
            for place, slope in zip((0, 2, 3, 4, 5, 6), slopes, strict=True):
                gradients[place][which] = slope
        return gradients[0], None, *gradients[2:], None, None, None, None


def _groups(bursts: Bursts, *, sample_rate: int, samples: int, envelope: Envelope) -> list[tuple[Tensor, int]]:
    """Numbers of the events of equal length, in groups of bounded size, and that length in samples."""
    lengths = _lengths(bursts, sample_rate=sample_rate, samples=samples, envelope=envelope)
    groups = []
    for length in np.unique(lengths[lengths > 0]).tolist():
        which = torch.from_numpy(np.flatnonzero(lengths == length))
        groups += [(part, length) for part in which.split(max(1, AT_ONCE // (4 * length)))]
    return groups


def _places(bursts: Bursts, sample_rate: int) -> list[int]:
    """The last sample before the onset of each event."""
    places: list[int] = (bursts.onset.detach() * sample_rate).floor().long().tolist()
    return places
