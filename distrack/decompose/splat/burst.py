"""Bursts of band-limited noise: the same number always gives the same noise, at any time between two samples."""

from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Envelope = Literal["gamma", "gaussian"]
# Time constants after which an envelope has fallen by 80 dB: x exp(1 - x), and exp(-(x - 4)^2 / 2).
ENDS: dict[Envelope, float] = {"gamma": 12.5, "gaussian": 8.3}
PEAK = 4.0
SHORTEST, AT_ONCE = 64, 1 << 20
LONGEST_KEPT = 1 << 16
# Noise in float32 counts whole numbers exactly up to here.
MOST_NUMBERS = 1 << 24


class Bursts(NamedTuple):
    """Noise with a Gaussian band in log-frequency under an envelope in time.

    Attributes:
        onset: in seconds.
        number: which noise, a whole number.
        lasting: time constant of the envelope in seconds.
        centre: of the band, in Hz.
        width: deviation of the band, in octaves.
        level: RMS at the envelope's peak.
        gains: into each channel.

    Shape:
        - gains: ``[events, channels]``
        - all others: ``[events]``
    """

    onset: Tensor
    number: Tensor
    lasting: Tensor
    centre: Tensor
    width: Tensor
    level: Tensor
    gains: Tensor


def burst(bursts: Bursts, *, sample_rate: int, samples: int, seed: int, envelope: Envelope) -> Tensor:
    """The sum of all bursts in float32, with gradients to all numbers but `number`.

    What of a band lies above half the sample rate is silent.

    Shape:
        - returns: ``[channels, samples]``
    """
    summed: Tensor = _Sum.apply(*bursts, sample_rate, samples, seed, envelope)
    return summed


def white(number: int, *, seed: int, length: int) -> NDArray[np.float32]:
    """Evenly distributed noise of variance 1 that depends on nothing but its number and the seed.

    A longer one begins as a shorter one does.

    Source:
        Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014: the mixing of SplitMix64.
    """
    state = _mixed(np.array([seed], np.uint64))
    state = _mixed(state + np.uint64(number))
    steps = np.arange(1, length + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    drawn = _mixed(state + steps) >> np.uint64(40)
    noise: NDArray[np.float32] = ((drawn.astype(np.float64) + 0.5) / 2**23 - 1.0).astype(np.float32) * np.float32(
        3**0.5
    )
    return noise


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _spectrum(number: int, seed: int, length: int) -> Tensor:
    return _kept_spectrum(number, seed, length) if length <= LONGEST_KEPT else _new_spectrum(number, seed, length)


# A fit asks for the same spectra at every step.
@lru_cache(maxsize=512)
def _kept_spectrum(number: int, seed: int, length: int) -> Tensor:
    return _new_spectrum(number, seed, length)


def _new_spectrum(number: int, seed: int, length: int) -> Tensor:
    spectrum: Tensor = torch.fft.rfft(torch.from_numpy(white(number, seed=seed, length=length)))
    return spectrum


def _lengths(bursts: Bursts, *, sample_rate: int, samples: int, envelope: Envelope) -> NDArray[np.int64]:
    """Samples that each burst is made of, a power of two; 0 of one that is silent or outside of the clip."""
    needed = np.ceil(bursts.lasting.detach().numpy() * ENDS[envelope] * sample_rate) + 2
    place = bursts.onset.detach().numpy() * sample_rate
    heard = (bursts.level.detach().numpy() > 0) & (place < samples) & (place + needed > 0)
    longest = max(SHORTEST, 1 << int(samples - 1).bit_length())
    sizes = 2 ** np.ceil(np.log2(np.clip(needed, SHORTEST, longest)))
    return np.where(heard, sizes, 0).astype(np.int64)


def _sounds(bursts: Bursts, *, length: int, sample_rate: int, seed: int, envelope: Envelope) -> Tensor:
    """The bursts alone, from the last sample before their onset, ``[events, length]``."""
    spectra = torch.stack([_spectrum(int(number), seed, length) for number in bursts.number.tolist()])
    after = (bursts.onset.detach() * sample_rate).floor() - bursts.onset * sample_rate
    frequency = torch.arange(length // 2 + 1, dtype=torch.float32) * (sample_rate / length)
    frequency[0] = 1e-3
    centre, width = bursts.centre.float()[:, None], bursts.width.float()[:, None]
    band = torch.exp(-0.5 * ((torch.log2(frequency) - torch.log2(centre)) / width).square())
    # Power of the whole band, above half the sample rate too: what is silent there makes the rest no louder.
    spread = bursts.width * np.log(2.0)
    power = bursts.centre * np.sqrt(np.pi) * spread * torch.exp(spread.square() / 4) / (sample_rate / 2)
    scale = (bursts.level / power.sqrt()).float()[:, None]
    turn = torch.arange(length // 2 + 1, dtype=torch.float32) * (2 * torch.pi / length)
    ramp = torch.polar(torch.ones(()), turn * after.float()[:, None])
    noise: Tensor = torch.fft.irfft(spectra * (band * scale) * ramp, n=length)
    past = torch.arange(length, dtype=torch.float32) + after.float()[:, None]
    past = (past * (1 / (sample_rate * bursts.lasting)).float()[:, None]).clamp(min=0)
    shape = past * torch.exp(1 - past) if envelope == "gamma" else torch.exp(-0.5 * (past - PEAK).square()) * (past > 0)
    return noise * shape


class _Sum(torch.autograd.Function):
    """Sum over events of like length, a few at once; the backward direction renders them again."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        *numbers, sample_rate, samples, seed, envelope = given
        bursts = Bursts(*numbers)
        ctx.save_for_backward(*numbers)
        ctx.settings = sample_rate, samples, seed, envelope
        heard = torch.zeros(bursts.gains.shape[1], samples)
        for which, length in _groups(bursts, sample_rate=sample_rate, samples=samples, envelope=envelope):
            some = Bursts(*(number[which] for number in numbers))
            waves = _sounds(some, length=length, sample_rate=sample_rate, seed=seed, envelope=envelope)
            for wave, gains, place in zip(waves, some.gains.float(), _places(some, sample_rate), strict=True):
                first, last = max(0, place), min(samples, place + length)
                if first < last:
                    heard[:, first:last].addcmul_(gains[:, None], wave[None, first - place : last - place])
        return heard

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> Any:
        sample_rate, samples, seed, envelope = ctx.settings
        numbers = ctx.saved_tensors
        found = [torch.zeros_like(number) for number in numbers]
        groups = _groups(Bursts(*numbers), sample_rate=sample_rate, samples=samples, envelope=envelope)
        for which, length in groups:
            some = Bursts(*(number[which].detach() for number in numbers))
            wanted = torch.zeros(len(which), len(above[0]), length)
            for row, place in enumerate(_places(some, sample_rate)):
                first, last = max(0, place), min(samples, place + length)
                if first < last:
                    wanted[row, :, first - place : last - place] = above[0][:, first:last]
            with torch.enable_grad():
                inputs = [number.requires_grad_() for place, number in enumerate(some) if place != 1]
                waves = _sounds(some, length=length, sample_rate=sample_rate, seed=seed, envelope=envelope)
                total = ((waves[:, None] * wanted).sum(2) * some.gains.float()).sum()
                slopes = torch.autograd.grad(total, inputs)
            for place, slope in zip((0, 2, 3, 4, 5, 6), slopes, strict=True):
                found[place][which] = slope
        return found[0], None, *found[2:], None, None, None, None


def _groups(bursts: Bursts, *, sample_rate: int, samples: int, envelope: Envelope) -> list[tuple[Tensor, int]]:
    lengths = _lengths(bursts, sample_rate=sample_rate, samples=samples, envelope=envelope)
    found = []
    for length in np.unique(lengths[lengths > 0]).tolist():
        which = torch.from_numpy(np.flatnonzero(lengths == length))
        found += [(some, length) for some in which.split(max(1, AT_ONCE // (4 * length)))]
    return found


def _places(bursts: Bursts, sample_rate: int) -> list[int]:
    places: list[int] = (bursts.onset.detach() * sample_rate).floor().long().tolist()
    return places
