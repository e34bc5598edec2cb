"""Atoms: sinusoids under a Gaussian or under an exponential decay."""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from distrack.arrays import Complex, Doubles, Floats

GABOR, DAMPED = 0, 1
# Distance from the time of an atom to where it is cut, in scales: -108 dB of a Gaussian's peak, -104 dB of a decay's.
REACH = {GABOR: 5.0, DAMPED: 12.0}
# The same up to where all but a few millionths of the energy lie.
CORE = {GABOR: 3.5, DAMPED: 6.5}
# Most samples that are computed at once, which bounds memory; and how many samples of a sinusoid are computed with
# exponentials, of which the others are rotations.
PIECE, ROTATED = 1 << 18, 256


class Atom(NamedTuple):
    """An atom without its amplitudes and phases.

    Attributes:
        shape: `GABOR` (a Gaussian around its time) or `DAMPED` (a decay from its time on).
        time: centre of the Gaussian, or onset of the decay, in seconds.
        scale: standard deviation of the Gaussian, or time in which the decay falls to 1/e, in seconds.
        frequency: in Hz.
    """

    shape: int
    time: float
    scale: float
    frequency: float

    def stored(self) -> "Atom":
        """The atom with its numbers rounded to float32, as they are stored."""
        time, scale, frequency = (float(np.float32(value)) for value in self[1:])
        return Atom(self.shape, time, scale, frequency)

    def support(self, sample_rate: int, samples: int, reach: Mapping[int, float] = REACH) -> slice:
        """The samples of a clip in which the atom sounds; an empty slice if there are none."""
        seconds = reach[self.shape] * self.scale
        begin = self.time - seconds if self.shape == GABOR else self.time
        start = min(max(math.ceil(begin * sample_rate), 0), samples)
        stop = min(math.floor((self.time + seconds) * sample_rate) + 1, samples)
        return slice(start, max(start, stop))

    def waveform(self, where: slice, sample_rate: int) -> Complex:
        """Envelope, 1 at the atom's time, times a complex sinusoid whose phase is 0 there.

        Shape:
            - where: a part of the atom's support
            - returns: ``[samples]``
        """
        wave = sinusoid(self.frequency / sample_rate, self._first_phase(where, sample_rate), where.stop - where.start)
        wave *= self._envelope(where, sample_rate)
        return wave

    def sound(self, amplitudes: Complex, where: slice, sample_rate: int) -> Doubles:
        """Real part of `waveform` times each channel's complex amplitude, without computing the imaginary part.

        Shape:
            - amplitudes: ``[channels]``
            - returns: ``[channels, samples]``
        """
        count = where.stop - where.start
        rotations, block = _rotated(self.frequency / sample_rate, self._first_phase(where, sample_rate), count)
        turned = amplitudes[:, None] * rotations
        parts = np.stack([turned.real, turned.imag], axis=-1) @ np.stack([block.real, -block.imag])
        wave: Doubles = parts.reshape(len(amplitudes), -1)[:, :count]
        return wave * self._envelope(where, sample_rate)

    def _first_phase(self, where: slice, sample_rate: int) -> float:
        """Phase of the first sample, in cycles."""
        return float((where.start / sample_rate - self.time) * self.frequency)

    def _envelope(self, where: slice, sample_rate: int) -> Doubles:
        distance = np.arange(where.start, where.stop) / sample_rate - self.time
        distance *= 1 / self.scale
        if self.shape == GABOR:
            distance *= distance
            distance *= 0.5
        return np.exp(-distance)


def highest(sample_rate: int) -> float:
    """Highest frequency of a fitted atom, in Hz: just below half the sample rate, where atoms are silent."""
    return sample_rate / 2 * (1 - 1e-6)


def pieces(where: slice) -> Iterator[slice]:
    """A slice in parts of bounded length."""
    for start in range(where.start, where.stop, PIECE):
        yield slice(start, min(start + PIECE, where.stop))


def sinusoid(frequency: float, phase: float, count: int) -> Complex:
    """A complex sinusoid: one short block of it, rotated again and again, as exponentials take the most time.

    Args:
        frequency: in cycles per sample.
        phase: of the first sample, in cycles.

    >>> bool(np.allclose(sinusoid(0.01, 0.25, 1000)[[0, 25, 975]], [1j, -1, 1]))
    True
    """
    rotations, block = _rotated(frequency, phase, count)
    return (rotations[:, None] * block).ravel()[:count]


def _rotated(frequency: float, phase: float, count: int) -> tuple[Complex, Complex]:
    """Rotation of each block, and the samples of a block at phase 0."""
    rotations = np.exp(2j * math.pi * ((phase + frequency * ROTATED * np.arange(-(-count // ROTATED))) % 1))
    return rotations, np.exp(2j * math.pi * frequency * np.arange(ROTATED))


def fitted(sound: Doubles, waveform: Complex) -> Complex:
    """The complex amplitudes for which the real part of a waveform comes nearest to a sound.

    Cosine and sine are fitted together: over a few periods they are not orthogonal, and at 0 Hz the sine vanishes.

    Shape:
        - sound: ``[channels, samples]``
        - waveform: ``[samples]``
        - returns: ``[channels]``
    """
    parts = np.stack([waveform.real, -waveform.imag])
    gram, right = parts @ parts.T, parts @ sound.T
    cosine, sine = np.linalg.lstsq(gram, right, rcond=1e-9)[0]
    amplitudes: Complex = cosine + 1j * sine
    return amplitudes


def stored(amplitudes: Complex) -> tuple[Floats, Complex]:
    """Absolute values and phases in float32, ``[..., 2]``, and the complex numbers that these stand for."""
    pairs = np.stack([np.abs(amplitudes), np.angle(amplitudes)], axis=-1).astype(np.float32)
    return pairs, as_complex(pairs)


def as_complex(pairs: Floats) -> Complex:
    """Complex amplitudes of stored absolute values and phases, ``[..., 2]``."""
    wide = pairs.astype(np.float64)
    amplitudes: Complex = wide[..., 0] * np.exp(1j * wide[..., 1])
    return amplitudes
