"""Newton's steps from an atom of the grid to the best atom near it, in time, scale and frequency."""

import math
from typing import NamedTuple

import numpy as np
import scipy

from distrack.arrays import Complex, Doubles, Floats
from distrack.decompose.pursuit.atoms import DAMPED, GABOR, REACH, Atom, highest, sinusoid

# Samples are summed in blocks of this fraction of the atom's scale before the search, which then works on a few hundred
# numbers, however long the atom is.
FINE = 16
# Scales from an atom's time up to where the sound is summed: a wider atom of the same time has little beyond.
SUMMED = {GABOR: 6.0, DAMPED: REACH[DAMPED] * math.sqrt(3.0)}
# Most steps, and the greatest factor by which the scale changes.
STEPS, WIDEST = 8, 3.0
# The steps end when the energy grows by less than this factor.
CONVERGED = 1.0002
# A better onset of a decay is searched within this many scales of the current one.
AROUND = 0.5


class Baseband(NamedTuple):
    """A piece of sound, shifted so that one frequency lies at 0 Hz and summed in short blocks.

    Attributes:
        seconds: middle of each block, ``[blocks]``.
        counts: samples of each block that lie within the clip, ``[blocks]``.
        sums: sum of the shifted samples of each block, ``[channels, blocks]``.
        frequency: the frequency that was shifted to 0 Hz, in Hz.
    """

    seconds: Doubles
    counts: Doubles
    sums: Complex
    frequency: float


def refined(atom: Atom, residual: Floats, sample_rate: int, limit: float | None = None) -> tuple[Atom, float, float]:
    """The atom near a given one that removes about the most energy, and estimates of its energy and the given one's.

    The logarithm of the energy that a Gabor atom takes from another one is nearly a parabola, of known curvature, in
    time, frequency and logarithm of scale (Mallat and Zhang, "Matching Pursuits With Time-Frequency Dictionaries", IEEE
    Transactions on Signal Processing 41(12), 1993, appendix E, has the inner product): its gradient gives Newton's
    step. The scale stays within a factor of three. For the onset of a decay, every sample is tried.

    Args:
        limit: in Hz; the frequency stays below it.

    Shape:
        - residual: ``[channels, samples]``
    """
    if atom.shape == DAMPED:
        atom, _ = best_onset(atom, residual, sample_rate)
    band = baseband(atom, residual, sample_rate)
    best, step, energy = atom, *_newton_step(atom, band)
    given = energy
    reach = 1.0
    for _ in range(STEPS):
        candidate = _stepped(best, step, reach, origin=atom)
        if not 0 < candidate.frequency < (limit or highest(sample_rate)):
            break
        next_step, next_energy = _newton_step(candidate, band)
        if next_energy <= energy:
            reach /= 4
            continue
        converged = next_energy < CONVERGED * energy
        best, step, energy = candidate, next_step, next_energy
        if converged:
            break
    if atom.shape == DAMPED:
        best, energy = best_onset(best, residual, sample_rate)
    return best, energy, given


def baseband(atom: Atom, residual: Floats, sample_rate: int) -> Baseband:
    """The sound around an atom, shifted by its frequency, in blocks of a fraction of its scale."""
    width = max(int(atom.scale * sample_rate) // FINE, 1)
    reach = SUMMED[atom.shape] * atom.scale
    begin = math.ceil((atom.time - (reach if atom.shape == GABOR else 0.0)) * sample_rate)
    begin = max(begin, 0)
    end = min(math.floor((atom.time + reach) * sample_rate) + 1, residual.shape[1])
    blocks = -(-max(end - begin, 0) // width)
    sound = np.zeros((len(residual), blocks * width))
    sound[:, : end - begin] = residual[:, begin:end]
    cycles = atom.frequency / sample_rate
    rotation = np.exp(-2j * math.pi * cycles * np.arange(width))
    turns = np.exp(-2j * math.pi * ((cycles * (begin + width * np.arange(blocks))) % 1))
    cut = sound.reshape(len(residual), blocks, width)
    sums = (cut @ rotation.real + 1j * (cut @ rotation.imag)) * turns
    first = begin + width * np.arange(blocks)
    counts = np.minimum(end - first, width)
    return Baseband((first + (counts - 1) / 2) / sample_rate, counts.astype(np.float64), sums, atom.frequency)


def _newton_step(atom: Atom, band: Baseband) -> tuple[tuple[float, float, float], float]:
    """Newton's steps in time, logarithm of scale and frequency, and the energy that the atom removes."""
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


def best_onset(atom: Atom, residual: Floats, sample_rate: int) -> tuple[Atom, float]:
    """The decay whose onset, of all samples around the given one, removes the most energy, and that energy.

    One recursive filter, run backwards, gives the correlation c with a decay from each sample on. The real part at its
    best phase removes 2 (a |c|^2 - Re(q c^2)*) / (a^2 - |q|^2), where a is the complex decay's energy and q the sum of
    its squares.
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
    correlation = filtered[:, :onsets] * turning[:onsets].conj()
    # A decay that the end of the clip cuts has less energy of its own.
    lasting = end - begin - np.arange(onsets)
    own = (1 - decay ** (2 * lasting)) / (1 - decay**2)
    step = decay**2 * np.exp(4j * math.pi * cycles)
    squares = (1 - step**lasting) / (1 - step)
    apart = own * own - np.square(np.abs(squares))
    size = np.square(np.abs(correlation)).sum(axis=0)
    both = 2 * (own * size - (squares.conj() * np.square(correlation.conj()).sum(axis=0)).real)
    # For a decay of one sample, or at 0 Hz, cosine and sine are the same.
    energy = np.where(apart > 1e-3 * own * own, both / np.maximum(apart, 1e-3 * own * own), size / own)
    best = int(energy.argmax())
    return atom._replace(time=(begin + best) / sample_rate), float(energy[best])
