"""Rounding of atoms during the search, to float32 or to few bits: what is subtracted from a clip is what is stored."""

import cmath
import math
from functools import cache
from typing import Protocol

import numpy as np

from distrack.arrays import Complex, Floats
from distrack.decompose.pursuit.atoms import Atom, as_complex, highest
from distrack.decompose.pursuit.steps import Steps

# Octaves of the shortest and the longest scale, from 2^-16 s on.
SHORTEST, LONGEST = -16, 9
# Octave of the amplitude that stands for silence: -193 dB, far below the last bit of a recording. And of the greatest.
SILENT, LOUDEST = -32, 19


class Rounding(Protocol):
    """Replaces the numbers of an atom by those that are stored. A search calls it before it subtracts an atom."""

    def atom(self, atom: Atom) -> Atom:
        """The atom with its time, scale and frequency as stored; its amplitudes are fitted after that."""

    def amplitudes(self, amplitudes: Complex) -> tuple[Floats, Complex]:
        """Absolute values and phases as stored, and the complex numbers that these stand for.

        Shape:
            - amplitudes: ``[channels]``
            - returns: ``[channels, 2]`` and ``[channels]``
        """


class FloatRounding:
    """Rounds to float32."""

    def atom(self, atom: Atom) -> Atom:
        return atom.stored()

    def amplitudes(self, amplitudes: Complex) -> tuple[Floats, Complex]:
        # Of one or two channels, Python computes sooner than NumPy.
        pairs = np.array([cmath.polar(each) for each in amplitudes.tolist()], np.float32)
        return pairs, np.array([cmath.rect(size, angle) for size, angle in pairs.tolist()])


class BitRounding:
    """Rounds Gabor atoms to the numbers that codes stand for; each code is a whole number.

    All numbers are those of float32. They are powers of 2 times a whole number or times an entry of a short table, so
    that a code stands for the same number on every machine.
    """

    def __init__(self, steps: Steps, sample_rate: int) -> None:
        self.steps, self.highest = steps, highest(sample_rate)

    def atom(self, atom: Atom) -> Atom:
        return self.placed(*self.place(atom))

    def amplitudes(self, amplitudes: Complex) -> tuple[Floats, Complex]:
        sizes, angles = np.abs(amplitudes), np.angle(amplitudes)
        numbers = zip(sizes.ravel().tolist(), angles.ravel().tolist(), strict=True)
        pairs = [self.loud(*self.loudness(size, angle)) for size, angle in numbers]
        rounded = np.array(pairs, np.float32).reshape(*sizes.shape, 2)
        return rounded, as_complex(rounded)

    def place(self, atom: Atom) -> tuple[int, int, int]:
        """Codes of the scale, the frequency and the time nearest to those of an atom."""
        fine = self.steps.scale
        scale = _within(round(math.log2(atom.scale) * (1 << fine)), SHORTEST << fine, ((LONGEST + 1) << fine) - 1)
        time, frequency = self.steps_at(scale)
        cycles = _within(round(atom.frequency / frequency), 0, math.floor(self.highest / frequency))
        return scale, cycles, round(atom.time / time)

    def placed(self, scale: int, frequency: int, time: int) -> Atom:
        """The atom that codes stand for."""
        time_step, frequency_step = self.steps_at(scale)
        seconds, hertz = (float(np.float32(value)) for value in (time * time_step, frequency * frequency_step))
        return Atom(0, seconds, _power(scale, self.steps.scale), hertz)

    def steps_at(self, scale: int) -> tuple[float, float]:
        """The steps of the time, in seconds, and of the frequency, in Hz, at the code of a scale."""
        octave = scale >> self.steps.scale
        return math.ldexp(1.0, octave - self.steps.time), math.ldexp(1.0, -octave - self.steps.frequency)

    def loudness(self, size: float, angle: float) -> tuple[int, int]:
        """Codes of the amplitude and of the phase nearest to given ones; a silent atom has phase 0."""
        fine, silent = self.steps.amplitude, SILENT << self.steps.amplitude
        level = round(math.log2(size) * (1 << fine)) if size > 0 else silent
        level = _within(level, silent, ((LOUDEST + 1) << fine) - 1)
        turn = round(angle / (2 * math.pi) * (1 << self.steps.phase)) % (1 << self.steps.phase)
        return level, turn if level > silent else 0

    def loud(self, level: int, turn: int) -> tuple[float, float]:
        """The amplitude and the phase, between -pi and pi, that codes stand for."""
        size = 0.0 if level <= SILENT << self.steps.amplitude else _power(level, self.steps.amplitude)
        signed = turn - (turn >> (self.steps.phase - 1) << self.steps.phase)
        return size, float(np.float32(signed * 2 * math.pi / (1 << self.steps.phase)))


def _power(code: int, fine: int) -> float:
    """2 to the power of ``code / 2^fine``."""
    return math.ldexp(_octave(fine)[code & ((1 << fine) - 1)], code >> fine)


@cache
def _octave(fine: int) -> tuple[float, ...]:
    """The numbers from 1 up to 2 in ``2^fine`` equal ratios."""
    return tuple(np.exp2(np.arange(1 << fine) / (1 << fine)).astype(np.float32).tolist())


def _within(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)
