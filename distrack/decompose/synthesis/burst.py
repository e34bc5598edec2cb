"""Bursts of band-limited noise. Equal numbers give equal noise, also when a burst begins between two samples."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distrack.arrays import Floats
from distrack.decompose.synthesis.clip import Clip, Envelope

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


def burst(bursts: Bursts, clip: Clip) -> Tensor:
    """The sum of all bursts in float32, differentiable with respect to all but `number`.

    The part of a band above half the sample rate is silent.

    Shape:
        - returns: ``[channels, samples]``
    """
    summed: Tensor = _Sum.apply(*bursts, clip)
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
    return ((drawn.astype(np.float64) + 0.5) / 2**23 - 1.0).astype(np.float32) * np.float32(3**0.5)


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _spectrum(number: int, seed: int, length: int) -> Tensor:
    spectrum: Tensor = torch.fft.rfft(torch.from_numpy(white(number, seed=seed, length=length)))
    return spectrum


# A fit needs the same spectra at every step.
_cached_spectrum = lru_cache(maxsize=512)(_spectrum)


def _sounds(bursts: Bursts, length: int, clip: Clip) -> Tensor:
    """Each burst alone, from the last sample before its onset: ``[events, length]``."""
    spectrum_of = _cached_spectrum if length <= LONGEST_CACHED else _spectrum
    spectra = torch.stack([spectrum_of(int(number), clip.seed, length) for number in bursts.number.tolist()])
    sample_rate = clip.sample_rate
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
    shape = (
        past * torch.exp(1 - past)
        if clip.envelope == "gamma"
        else torch.exp(-0.5 * (past - PEAK).square()) * (past > 0)
    )
    return noise * shape


class _Sum(torch.autograd.Function):
    """Sum over groups of events of equal length. The backward pass renders the events again, to save memory."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        *numbers, clip = given
        ctx.save_for_backward(*numbers)
        ctx.clip = clip
        bursts = Bursts(*numbers)
        total = torch.zeros(bursts.gains.shape[1], clip.samples)
        for _, group, length in _groups(bursts, clip):
            waves = _sounds(group, length, clip)
            for row, inside, part in _spans(group, length, clip):
                total[:, inside].addcmul_(group.gains[row].float()[:, None], waves[row, None, part])
        return total

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> Any:
        clip, numbers = ctx.clip, ctx.saved_tensors
        gradients = [torch.zeros_like(number) for number in numbers]
        for which, group, length in _groups(Bursts(*numbers), clip):
            gradient = torch.zeros(len(which), len(above[0]), length)
            for row, inside, part in _spans(group, length, clip):
                gradient[row, :, part] = above[0][:, inside]
            with torch.enable_grad():
                inputs = [number.requires_grad_() for place, number in enumerate(group) if place != 1]
                total = ((_sounds(group, length, clip)[:, None] * gradient).sum(2) * group.gains.float()).sum()
                slopes = torch.autograd.grad(total, inputs)
            for place, slope in zip((0, 2, 3, 4, 5, 6), slopes, strict=True):
                gradients[place][which] = slope
        return gradients[0], None, *gradients[2:], None


def _groups(bursts: Bursts, clip: Clip) -> Iterator[tuple[Tensor, Bursts, int]]:
    """Events of equal length, in groups of bounded size: their numbers, their bursts, and that length in samples.

    Lengths are powers of two. An event that is silent or outside the clip is in no group.
    """
    bursts = Bursts(*(number.detach() for number in bursts))
    needed = np.ceil(bursts.time_constant.numpy() * ENDS[clip.envelope] * clip.sample_rate) + 2
    place = bursts.onset.numpy() * clip.sample_rate
    audible = (bursts.level.numpy() > 0) & (place < clip.samples) & (place + needed > 0)
    longest = max(SHORTEST, 1 << int(clip.samples - 1).bit_length())
    sizes = 2 ** np.ceil(np.log2(np.clip(needed, SHORTEST, longest)))
    lengths = np.where(audible, sizes, 0).astype(np.int64)
    for length in np.unique(lengths[audible]).tolist():
        which = torch.from_numpy(np.flatnonzero(lengths == length))
        for part in which.split(max(1, AT_ONCE // (4 * length))):
            yield part, Bursts(*(number[part] for number in bursts)), length


def _spans(bursts: Bursts, length: int, clip: Clip) -> Iterator[tuple[int, slice, slice]]:
    """For each event in the clip: its row, the samples of the clip in which it sounds, and its own samples there."""
    places = (bursts.onset.detach() * clip.sample_rate).floor().long().tolist()
    for row, place in enumerate(places):
        first, last = max(0, place), min(clip.samples, place + length)
        if first < last:
            yield row, slice(first, last), slice(first - place, last - place)
