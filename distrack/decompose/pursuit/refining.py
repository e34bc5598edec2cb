"""From the grid's atom to the best one near it, in time, scale and frequency."""

import math
from typing import NamedTuple

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from distrack.decompose.pursuit.atoms import DAMPED, GABOR, REACH, Atom, highest, sinusoid

# Of a scale: what is summed up before the search, which is over some hundred numbers then, whatever the atom's length.
FINE = 16
STEPS, WIDEST = 8, 3.0
# Scales around an onset in which a better one is looked for.
AROUND = 0.5

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Complex = NDArray[np.complex128]


class Baseband(NamedTuple):
    """A stretch of sound, turned so that one frequency is at 0 Hz, in sums of short blocks.

    Attributes:
        seconds: middle of each block, ``[blocks]``.
        counts: samples in each that lie within the clip, ``[blocks]``.
        sums: ``[channels, blocks]``.
        frequency: that is at 0 Hz.
    """

    seconds: Doubles
    counts: Doubles
    sums: Complex
    frequency: float


def refined(atom: Atom, residual: Floats, sample_rate: int) -> tuple[Atom, float]:
    """The atom near a given one that takes about the most energy away, and how much.

    The logarithm of the energy that a Gabor atom takes from another one is nearly a parabola, of known curvature, in
    time, frequency and logarithm of scale (Mallat and Zhang, "Matching Pursuits With Time-Frequency Dictionaries", IEEE
    Transactions on Signal Processing 41(12), 1993, appendix E, has the inner product): its gradient gives Newton's
    step. The scale stays within a factor of three. A decay's onset is looked for at every sample.

    Shape:
        - residual: ``[channels, samples]``
    """
    if atom.shape == DAMPED:
        atom, _ = struck(atom, residual, sample_rate)
    band = baseband(atom, residual, sample_rate)
    best, slope, energy = atom, *_slope(atom, band)
    reach = 1.0
    for _ in range(STEPS):
        tried = _stepped(best, slope, reach, origin=atom)
        if not 0 < tried.frequency < highest(sample_rate):
            break
        ahead, taken = _slope(tried, band)
        if taken <= energy:
            reach /= 4
            continue
        enough = taken < 1.0002 * energy
        best, slope, energy = tried, ahead, taken
        if enough:
            break
    return struck(best, residual, sample_rate) if atom.shape == DAMPED else (best, energy)


def baseband(atom: Atom, residual: Floats, sample_rate: int) -> Baseband:
    """What there is around an atom, in blocks of a fraction of its scale."""
    width = max(int(atom.scale * sample_rate) // FINE, 1)
    reach = REACH[atom.shape] * atom.scale * math.sqrt(WIDEST)
    begin = math.ceil((atom.time - (reach if atom.shape == GABOR else 0.0)) * sample_rate)
    begin = max(begin, 0)
    end = min(math.floor((atom.time + reach) * sample_rate) + 1, residual.shape[1])
    blocks = -(-max(end - begin, 0) // width)
    sound = np.zeros((len(residual), blocks * width))
    sound[:, : end - begin] = residual[:, begin:end]
    cycles = atom.frequency / sample_rate
    once = np.exp(-2j * math.pi * cycles * np.arange(width))
    turns = np.exp(-2j * math.pi * ((cycles * (begin + width * np.arange(blocks))) % 1))
    cut = sound.reshape(len(residual), blocks, width)
    sums = (cut @ once.real + 1j * (cut @ once.imag)) * turns
    first = begin + width * np.arange(blocks)
    counts = np.minimum(end - first, width)
    return Baseband((first + (counts - 1) / 2) / sample_rate, counts.astype(np.float64), sums, atom.frequency)


def _slope(atom: Atom, band: Baseband) -> tuple[tuple[float, float, float], float]:
    """Newton's steps in time, logarithm of scale and frequency, and the energy that the atom takes."""
    away = (band.seconds - atom.time) / atom.scale
    envelope = np.exp(-0.5 * away * away) if atom.shape == GABOR else np.exp(-away)
    offset = atom.frequency - band.frequency
    turned = envelope * np.exp(-2j * math.pi * offset * band.seconds)
    powers = np.stack([np.ones_like(away), away, away * away])
    none, first, second = powers @ (band.sums * turned).T
    own, own_first, own_second = powers @ (envelope * envelope * band.counts)
    size = float(np.square(np.abs(none)).sum())
    if not size > 0 or not own > 0:
        return (0.0, 0.0, 0.0), 0.0

    def along(moment: Complex) -> float:
        return 2 * float((none.conj() * moment).real.sum()) / size

    if atom.shape == GABOR:
        time = atom.scale * (along(first) - 2 * float(own_first / own))
        scale = along(second) - 2 * float(own_second / own)
        frequency = along(-2j * math.pi * atom.scale * first) / (4 * math.pi**2 * atom.scale**2)
    else:
        # Over a ratio r of scales the energy is 4 r / (1 + r)^2, over frequencies a resonance, 1 / (1 + (pi df s)^2).
        time = 0.0
        scale = 2 * (along(first) - 2 * float(own_first / own))
        frequency = along(-2j * math.pi * atom.scale * first) / (2 * math.pi**2 * atom.scale**2)
    return (time, scale, frequency), 2 * size / float(own)


def _stepped(atom: Atom, step: tuple[float, float, float], reach: float, *, origin: Atom) -> Atom:
    time, scale, frequency = (reach * value for value in step)
    low, high = origin.scale / WIDEST, origin.scale * WIDEST
    return Atom(
        atom.shape,
        atom.time + float(np.clip(time, -atom.scale, atom.scale)),
        min(max(atom.scale * math.exp(float(np.clip(scale, -0.5, 0.5))), low), high),
        atom.frequency + float(np.clip(frequency, -0.25 / atom.scale, 0.25 / atom.scale)),
    )


def struck(atom: Atom, residual: Floats, sample_rate: int) -> tuple[Atom, float]:
    """A decay with the onset, of all samples around its own, that takes most energy away, and how much.

    Correlations c with decays from every sample on are one recursive filter, run backwards. The real part at its best
    phase takes 2 (a |c|^2 - Re(q c^2)*) / (a^2 - |q|^2), where a is the complex decay's energy and q the sum of its
    squares.
    """
    samples = residual.shape[1]
    around = AROUND * atom.scale
    begin = max(math.ceil((atom.time - around) * sample_rate), 0)
    last = min(math.floor((atom.time + around) * sample_rate), samples - 1)
    end = min(math.floor((atom.time + around + REACH[DAMPED] * atom.scale) * sample_rate) + 1, samples)
    if last < begin:
        return atom, 0.0
    cycles, onsets = atom.frequency / sample_rate, last - begin + 1
    turning = sinusoid(-cycles, 0.0, end - begin)
    decay = math.exp(-1 / (atom.scale * sample_rate))
    filtered = scipy.signal.lfilter([1.0], [1.0, -decay], (residual[:, begin:end] * turning)[:, ::-1], axis=1)[:, ::-1]
    found = filtered[:, :onsets] * turning[:onsets].conj()
    # A decay that the clip's end cuts has less energy of its own.
    lasting = end - begin - np.arange(onsets)
    own = (1 - decay ** (2 * lasting)) / (1 - decay**2)
    step = decay**2 * np.exp(4j * math.pi * cycles)
    squares = (1 - step**lasting) / (1 - step)
    apart = own * own - np.square(np.abs(squares))
    size = np.square(np.abs(found)).sum(axis=0)
    both = 2 * (own * size - (squares.conj() * np.square(found.conj()).sum(axis=0)).real)
    # Of one sample, or at 0 Hz, cosine and sine are the same.
    energy = np.where(apart > 1e-3 * own * own, both / np.maximum(apart, 1e-3 * own * own), size / own)
    best = int(energy.argmax())
    return atom._replace(time=(begin + best) / sample_rate), float(energy[best])
