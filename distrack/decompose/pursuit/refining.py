"""From the nearest atom of a grid to the best one between: a few Newton steps in time, scale and frequency."""

import math

import numpy as np
from numpy.typing import NDArray

from distrack.decompose.pursuit.atoms import GABOR, Atom

_STEPS = 4
# What is farther out than this share of an atom's length adds less than a thousandth.
_SHARE = 0.7
_TURNS = 2
# Scales may leave the grid's by so much.
_MOST_STRETCH = 2.0

Doubles = NDArray[np.float64]


def refined(atom: Atom, real: Doubles, sample_rate: int) -> Atom:
    """The atom near a given one that takes most energy away.

    The logarithm of an atom's squared correlation with a sound that is itself such an atom is a parabola of known
    width in time, logarithm of scale, and frequency; its gradient over that curvature is the Newton step.

    Shape:
        - real: ``[channels, samples]``, the residual

    Source:
        Mallat and Zhang, "Matching pursuits with time-frequency dictionaries", IEEE Transactions on Signal Processing
        41(12), 1993, for the dictionary; the step is ours.
    """
    if atom.shape == GABOR:
        return _climbed(atom, real, sample_rate)
    # An onset is no parabola: it is searched for, and the rest is climbed on both sides of that.
    for _ in range(_TURNS):
        atom = _struck(_climbed(atom, real, sample_rate), real, sample_rate)
    return _climbed(atom, real, sample_rate)


def _climbed(atom: Atom, real: Doubles, sample_rate: int) -> Atom:
    best, gain, step = atom, *_gain(atom, real, sample_rate)
    reach, least = 1.0, atom.scale / _MOST_STRETCH
    for _ in range(_STEPS):
        time, scale, frequency = step
        scaled = best.scale * math.exp(float(np.clip(reach * scale, -0.5, 0.5)))
        tried = Atom(
            atom.shape,
            best.time + reach * float(np.clip(time, -best.scale, best.scale)),
            min(max(scaled, least), atom.scale * _MOST_STRETCH),
            best.frequency + reach * float(np.clip(frequency, -0.5 / best.scale, 0.5 / best.scale)),
        )
        if not 0 < tried.frequency < sample_rate / 2:
            break
        found, ahead = _gain(tried, real, sample_rate)
        if found <= gain:
            reach /= 4
            continue
        enough = found < gain * 1.001
        best, gain, step = tried, found, ahead
        if enough:
            break
    return best


def _gain(atom: Atom, real: Doubles, sample_rate: int) -> tuple[float, tuple[float, float, float]]:
    """Energy that the atom correlates with, and the step to a better one."""
    where = atom.support(sample_rate, real.shape[1], share=_SHARE)
    wave = atom.waveform(where, sample_rate)
    moments = np.empty((3, 2, len(wave)))
    moments[0, 0], moments[0, 1] = wave.real, -wave.imag
    distances = atom.distances(where, sample_rate) / atom.scale
    np.multiply(moments[0], distances, out=moments[1])
    np.multiply(moments[1], distances, out=moments[2])
    parts = np.tensordot(moments, real[:, where], axes=(2, 1))
    none, first, second = parts[:, 0] + 1j * parts[:, 1]
    energy = float(np.square(np.abs(none)).sum())
    if energy <= 0:
        return 0.0, (0.0, 0.0, 0.0)

    def slope(derivative: NDArray[np.complex128]) -> float:
        return 2 * float((none.conj() * derivative).real.sum()) / energy

    # Each is the gradient, in units of the atom's own scale, over the curvature.
    if atom.shape == GABOR:
        in_time, in_scale = slope(first) * atom.scale, slope(second - none / 2)
        in_frequency = slope(-2j * math.pi * first) / (4 * math.pi**2 * atom.scale)
    else:
        in_time, in_scale = 0.0, 2 * slope(first - none / 2)
        in_frequency = slope(-2j * math.pi * first) / (2 * math.pi**2 * atom.scale)
    return energy / atom.energy(sample_rate), (in_time, in_scale, in_frequency)


def _struck(atom: Atom, real: Doubles, sample_rate: int) -> Atom:
    """The onset near a given one that takes most energy away, to half a sample."""
    gain, _ = _gain(atom, real, sample_rate)
    width = atom.scale / 4
    while width * sample_rate > 0.5:
        for shift in (-width, width):
            tried = atom._replace(time=atom.time + shift)
            found, _ = _gain(tried, real, sample_rate)
            if found > gain:
                atom, gain = tried, found
                break
        else:
            width /= 2
    return atom
