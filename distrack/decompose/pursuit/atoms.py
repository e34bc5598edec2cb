"""Atoms: sinusoids under a Gaussian or under an exponential decay, as complex waveforms whose phase is free."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

GABOR, DAMPED = 0, 1
# Beyond so many scales from its centre or onset an atom is below -105 dB of its peak.
_REACH = {GABOR: 5.0, DAMPED: 12.0}
# Energy of an envelope of scale 1, over all time.
_NORM = {GABOR: math.sqrt(math.pi), DAMPED: 0.5}
_BLOCK = 256

Complex = NDArray[np.complex128]
Doubles = NDArray[np.float64]


class Atom(NamedTuple):
    """What an atom is but for its amplitude and phase.

    Attributes:
        shape: `GABOR`, a Gaussian around its time, or `DAMPED`, a decay from its time on.
        time: of its centre or onset, in seconds.
        scale: standard deviation of the Gaussian, or time of the decay to 1/e, in seconds.
        frequency: in Hz.
    """

    shape: int
    time: float
    scale: float
    frequency: float

    def rounded(self) -> "Atom":
        """As it is stored."""
        time, scale, frequency = (float(np.float32(value)) for value in self[1:])
        return Atom(self.shape, time, scale, frequency)

    def support(self, sample_rate: int, samples: int, *, share: float = 1.0) -> slice:
        """The samples of a clip that it is heard in; none where it lies outside.

        Args:
            share: of its length around its centre, or from its onset on.
        """
        reach = share * _REACH[self.shape] * self.scale
        first = math.ceil((self.time - (reach if self.shape == GABOR else 0.0)) * sample_rate)
        last = math.floor((self.time + reach) * sample_rate) + 1
        first = min(max(first, 0), samples)
        return slice(first, max(min(last, samples), first))

    def distances(self, where: slice, sample_rate: int) -> Doubles:
        """Seconds from its centre or onset, of the samples of a support."""
        return np.arange(where.start, where.stop) / sample_rate - self.time

    def envelope(self, distances: Doubles) -> Doubles:
        """Its size where it is not 0, 1 at its centre or onset.

        Shape:
            - distances: ``[samples]`` seconds, of a support
        """
        relative = distances / self.scale
        return np.exp(-0.5 * relative * relative) if self.shape == GABOR else np.exp(-relative)

    def waveform(self, where: slice, sample_rate: int) -> Complex:
        """Envelope times a complex sinusoid whose phase is 0 at the atom's time, ``[samples]`` of a support."""
        distances = self.distances(where, sample_rate)
        if not len(distances):
            return np.zeros(0, np.complex128)
        turning = phasor(self.frequency / sample_rate, float(distances[0]) * self.frequency, len(distances))
        return self.envelope(distances) * turning

    def energy(self, sample_rate: int) -> float:
        """Of the complex waveform, sum of squared samples over all time."""
        return _NORM[self.shape] * self.scale * sample_rate


def phasor(cycles: float, first: float, length: int) -> Complex:
    """A complex sinusoid; blocks of it are one block turned, which is ten times faster than so many exponentials.

    Args:
        cycles: per sample.
        first: phase of the first sample, in cycles.
        length: in samples.
    """
    turns = np.exp(2j * math.pi * (first + cycles * _BLOCK * np.arange(-(-length // _BLOCK))))
    block = np.exp(2j * math.pi * cycles * np.arange(_BLOCK))
    return np.outer(turns, block).ravel()[:length]


def amplitude(real: Doubles, waveform: Complex) -> Complex:
    """By what a waveform is best multiplied so that its real part comes nearest to a sound, least squares.

    Shape:
        - real: ``[channels, samples]``
        - waveform: ``[samples]``
        - returns: ``[channels]``
    """
    # Real parts alone are two real unknowns: cosine and sine of any length, not orthogonal where periods are few.
    cosine, sine = np.ascontiguousarray(waveform.real), -waveform.imag
    cc, ss, cs = float(cosine @ cosine), float(sine @ sine), float(cosine @ sine)
    xc, xs = real @ cosine, real @ sine
    determinant = cc * ss - cs * cs
    if determinant > 1e-9 * max(cc, ss) ** 2:
        return np.asarray(((xc * ss - xs * cs) + 1j * (xs * cc - xc * cs)) / determinant, np.complex128)
    # One of them vanishes: at 0 Hz, or half of the sample rate.
    if max(cc, ss) == 0:
        return np.zeros(len(real), np.complex128)
    return np.asarray(xc / cc if cc >= ss else 1j * xs / ss, np.complex128)


def rounded(found: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Amplitude and phase as they are stored."""
    size, phase = np.abs(found).astype(np.float32), np.angle(found).astype(np.float32)
    return np.asarray(size.astype(np.float64) * np.exp(1j * phase.astype(np.float64)), np.complex128)
