"""Atoms: sinusoids under a Gaussian or under an exponential decay."""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

GABOR, DAMPED = 0, 1
# Scales from the time of an atom to where it is cut: -108 dB of a Gaussian's peak, -104 dB of a decay's.
REACH = {GABOR: 5.0, DAMPED: 12.0}
# And to where all but a few millionths of its energy lie.
CORE = {GABOR: 3.5, DAMPED: 6.5}
# Energy of an envelope of scale 1.
NORM = {GABOR: math.sqrt(math.pi), DAMPED: 0.5}
# Samples computed at once, which bounds memory; and of the sinusoid that is computed once and then turned.
PIECE, TURN = 1 << 18, 256

Doubles = NDArray[np.float64]
Complex = NDArray[np.complex128]


class Atom(NamedTuple):
    """An atom but for its amplitudes and phases.

    Attributes:
        shape: `GABOR`, around its time, or `DAMPED`, from its time on.
        time: of the Gaussian's centre, or of the onset, in seconds.
        scale: the Gaussian's standard deviation, or the time of a decay to 1/e, in seconds.
        frequency: in Hz.
    """

    shape: int
    time: float
    scale: float
    frequency: float

    def stored(self) -> "Atom":
        """As float32 keeps it."""
        time, scale, frequency = (float(np.float32(value)) for value in self[1:])
        return Atom(self.shape, time, scale, frequency)

    def support(self, sample_rate: int, samples: int, reach: Mapping[int, float] = REACH) -> slice:
        """The samples of a clip that it sounds in; an empty slice if there are none."""
        return self._slice(reach[self.shape] * self.scale, sample_rate, samples)

    def _slice(self, reach: float, sample_rate: int, samples: int) -> slice:
        begin = self.time - reach if self.shape == GABOR else self.time
        start = min(max(math.ceil(begin * sample_rate), 0), samples)
        stop = min(math.floor((self.time + reach) * sample_rate) + 1, samples)
        return slice(start, max(start, stop))

    def waveform(self, where: slice, sample_rate: int) -> Complex:
        """Envelope, 1 at the atom's time, and a complex sinusoid whose phase is 0 there.

        Shape:
            - where: of the atom's support
            - returns: ``[samples]``
        """
        wave = sinusoid(self.frequency / sample_rate, self._begin(where, sample_rate), where.stop - where.start)
        wave *= self._envelope(where, sample_rate)
        return wave

    def sound(self, amplitudes: Complex, where: slice, sample_rate: int) -> Doubles:
        """The real part of the waveform at some amplitudes, ``[channels, samples]``; without the imaginary one."""
        count = where.stop - where.start
        turns, once = _turned(self.frequency / sample_rate, self._begin(where, sample_rate), count)
        several = amplitudes[:, None] * turns
        parts = np.stack([several.real, several.imag], axis=-1) @ np.stack([once.real, -once.imag])
        found: Doubles = parts.reshape(len(amplitudes), -1)[:, :count]
        return found * self._envelope(where, sample_rate)

    def _begin(self, where: slice, sample_rate: int) -> float:
        """Phase of the first sample, in cycles."""
        return float((where.start / sample_rate - self.time) * self.frequency)

    def _envelope(self, where: slice, sample_rate: int) -> Doubles:
        since = np.arange(where.start, where.stop) / sample_rate - self.time
        since *= 1 / self.scale
        if self.shape == GABOR:
            since *= since
            since *= 0.5
        found: Doubles = np.exp(-since)
        return found


def highest(sample_rate: int) -> float:
    """The highest frequency of an atom that is fitted: below half of the rate, where it would be silent, in float32."""
    return sample_rate / 2 * (1 - 1e-6)


def pieces(where: slice) -> Iterator[slice]:
    """A slice in parts of bounded length."""
    for start in range(where.start, where.stop, PIECE):
        yield slice(start, min(start + PIECE, where.stop))


def sinusoid(frequency: float, phase: float, count: int) -> Complex:
    """A complex sinusoid: a short one, turned again and again, as exponentials are what costs.

    Args:
        frequency: in cycles per sample.
        phase: of the first sample, in cycles.

    >>> bool(np.allclose(sinusoid(0.01, 0.25, 1000)[[0, 25, 975]], [1j, -1, 1]))
    True
    """
    turns, once = _turned(frequency, phase, count)
    found: Complex = (turns[:, None] * once).ravel()[:count]
    return found


def _turned(frequency: float, phase: float, count: int) -> tuple[Complex, Complex]:
    turns = np.exp(2j * math.pi * ((phase + frequency * TURN * np.arange(-(-count // TURN))) % 1))
    return turns, np.exp(2j * math.pi * frequency * np.arange(TURN))


def fitted(sound: Doubles, waveform: Complex) -> Complex:
    """The complex amplitudes with which the real part of a waveform comes nearest to a sound.

    Cosine and sine of few periods are not orthogonal, and at 0 Hz one of them is nothing: they are fitted together.

    Shape:
        - sound: ``[channels, samples]``
        - waveform: ``[samples]``
        - returns: ``[channels]``
    """
    parts = np.stack([waveform.real, -waveform.imag])
    gram, right = parts @ parts.T, parts @ sound.T
    cosine, sine = np.linalg.lstsq(gram, right, rcond=1e-9)[0]
    found: Complex = cosine + 1j * sine
    return found


def stored(amplitudes: Complex) -> tuple[NDArray[np.float32], Complex]:
    """Amplitudes as size and phase in float32, ``[..., 2]``, and the complex numbers that these are."""
    pairs = np.stack([np.abs(amplitudes), np.angle(amplitudes)], axis=-1).astype(np.float32)
    return pairs, as_complex(pairs)


def as_complex(pairs: NDArray[np.float32]) -> Complex:
    """Complex amplitudes of stored sizes and phases, ``[..., 2]``."""
    wide = pairs.astype(np.float64)
    found: Complex = wide[..., 0] * np.exp(1j * wide[..., 1])
    return found
