"""The kinds of event "gabor", "damped" and "atoms": what is stored of an atom, how it sounds, and how it changes."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distrack.arrays import Complex, Doubles, Floats, Integers, Mask
from distrack.decompose.events import KINDS, Box, Column, Events, Kind
from distrack.decompose.pursuit.atoms import DAMPED, GABOR, REACH, as_complex
from distrack.decompose.pursuit.coded import codes_of, from_stream, to_stream
from distrack.decompose.pursuit.rounding import BitRounding
from distrack.decompose.pursuit.sound import summed
from distrack.decompose.pursuit.steps import Steps

# A Gaussian is audible up to this many standard deviations from its centre; a decay is at -40 dB after so many scales.
AUDIBLE, DECAYED = 2.0, 4.6
# An atom with fewer periods than these is heard as a click without a pitch.
PERIODS = 4.0
# Columns of a row; the amplitude of the first channel stands at `FIRST`, its phase after it.
TIME, SCALE, FREQUENCY, FIRST = range(4)


class Atoms(Kind):
    """Sinusoids under an envelope: 5 numbers each, 7 in stereo.

    Args:
        shape: `GABOR` or `DAMPED`, the shape of all atoms; None if each row stores its own shape as one more number.
    """

    in_parts = True

    def __init__(self, shape: int | None) -> None:
        self.shape = shape

    def columns(self, channels: int) -> tuple[Column, ...]:
        """Time, scale and frequency, then amplitude and phase of each channel, then the shape if rows store it."""
        columns = [
            Column("time", "s", "centre of a Gaussian, onset of a decay", -1e5, 1e5),
            Column("scale", "s", "standard deviation of a Gaussian, time of a decay to 1/e", 1e-5, 1e3, "geometric"),
            Column("frequency", "Hz", "frequency of the sinusoid", 0.0, 1e7, "geometric"),
            Column("amplitude", "", "amplitude at that time; 1 is full scale", -1e6, 1e6),
            Column("phase", "rad", "phase of the cosine at that time", -1e6, 1e6, "angle"),
        ]
        if channels == 2:
            columns += [
                Column("amplitude right", "", "amplitude of the right channel", -1e6, 1e6),
                Column("phase right", "rad", "phase of the right channel", -1e6, 1e6, "angle"),
            ]
        if self.shape is None:
            columns.append(Column("shape", "", "0 for a Gaussian, 1 for a decay", GABOR, DAMPED, "whole"))
        return tuple(columns)

    def shapes(self, parameters: Floats) -> Integers:
        """`GABOR` or `DAMPED` for each row, ``[events]``."""
        if self.shape is None:
            return parameters[:, -1].astype(np.int64)
        return np.full(len(parameters), self.shape)

    def coded(self, events: Events) -> bytes | None:
        """A stream of codes, for Gabor atoms."""
        if self.shape != GABOR or events.steps is None:
            return None
        steps = Steps(*events.steps)
        codes = codes_of(events.parameters, BitRounding(steps, events.sample_rate))
        return None if codes is None else to_stream(codes, steps)

    def decoded(self, content: bytes, *, channels: int, sample_rate: int) -> tuple[Floats, tuple[int, ...]]:
        """Gabor atoms from their stream."""
        if self.shape != GABOR:
            return super().decoded(content, channels=channels, sample_rate=sample_rate)
        return from_stream(content, channels=channels, sample_rate=sample_rate)

    def synthesise(self, events: Events, gains: Floats) -> Floats:
        """The sum of all atoms. One at or above half the sample rate is silent: it would alias to a lower pitch."""
        return self.part(events, gains, 0, events.samples)

    def part(self, events: Events, gains: Floats, first: int, last: int) -> Floats:
        """A part of the sum, for which only the atoms that sound in it are computed."""
        amplitudes = amplitudes_of(events.parameters, events.channels) * gains[:, None]
        audible = (events.parameters[:, FREQUENCY] < events.sample_rate / 2) & (amplitudes != 0).any(axis=1)
        shapes = self.shapes(events.parameters)[audible]
        rows = events.parameters[audible, :FIRST].astype(np.float64)
        clip = (events.sample_rate, events.samples)
        return summed(shapes, rows, amplitudes[audible], *clip, first=first, last=last)

    def boxes(self, events: Events) -> Box:
        """A Gaussian from two deviations before its centre to two after it, a decay until it is at -40 dB.

        The band holds most of the energy: two deviations of a Gaussian's spectrum, three half-widths of a decay's
        resonance. The onset of a Gaussian is where its box begins.
        """
        time, scale, frequency = events.parameters[:, :FIRST].T.astype(np.float64)
        damped = self.shapes(events.parameters) == DAMPED
        start = np.where(damped, time, time - AUDIBLE * scale)
        end = np.where(damped, time + DECAYED * scale, time + AUDIBLE * scale)
        spread = np.where(damped, 3.0, math.sqrt(2)) / (2 * math.pi * scale)
        pitch = np.where(frequency * (end - start) >= PERIODS, frequency, 0)
        energy = self._energies(events, time, scale, frequency, damped)
        low, high = np.maximum(frequency - spread, 0), frequency + spread
        return Box(*(column.astype(np.float32) for column in (start, end, start, low, high, pitch, energy)))

    def _energies(self, events: Events, time: Doubles, scale: Doubles, frequency: Doubles, damped: Mask) -> Doubles:
        """Sum of each atom's squared samples over the clip, in closed form.

        The term of twice the frequency does not average out for an atom of few periods, so it is added too.
        """
        energy = np.zeros(len(events))
        rate, last = events.sample_rate, events.seconds
        # Samples from the onset of a decay to its first sample in the clip, and how many samples it has there.
        start = np.maximum(np.ceil(time * rate), 0)
        begin = start - time * rate
        stop = np.minimum(np.floor((time + REACH[DAMPED] * scale) * rate) + 1, events.samples)
        count = np.maximum(stop - start, 0)
        falling, turning = 2 / (scale * rate), 2 / (scale * rate) - 4j * math.pi * frequency / rate
        for channel in amplitudes_of(events.parameters, events.channels).T:
            turn = np.where(np.abs(channel) > 0, channel / np.maximum(np.abs(channel), 1e-30), 0) ** 2
            decay = _geometric(falling, begin, count) + (turn * _geometric(turning, begin, count)).real
            share = (_erf((last - time) / scale) - _erf(-time / scale)) / 2
            swing = turn.real * np.exp(-((2 * math.pi * frequency * scale) ** 2))
            gauss = math.sqrt(math.pi) * share * (1 + swing) * scale * rate
            energy += np.square(np.abs(channel)) * np.where(damped, decay, gauss) / 2
        return np.where(frequency < rate / 2, np.maximum(energy, 0), 0.0)

    def decayed(self, events: Events, which: Mask, factor: float) -> Floats:
        """The envelope becomes longer by `factor`; the centre of a Gaussian moves so that its onset stays."""
        rows = self.stretched(events, which, factor)
        gaussian = which & (self.shapes(rows) == GABOR)
        rows[gaussian, TIME] += AUDIBLE * (rows[gaussian, SCALE] - events.parameters[gaussian, SCALE])
        return self.clipped(rows)

    def coloured(self, events: Events, which: Mask, octaves: float) -> Floats:
        """Tilts the selected atoms: 6 dB per octave of pitch for every octave of `octaves`.

        One sinusoid has no brightness apart from its pitch, so the sum of the selected atoms changes. The tilt turns
        about their mean pitch in octaves, weighted by energy, and leaves the sum of their energies as it was.
        """
        rows = events.parameters.copy()
        energy = self.boxes(events).energy.astype(np.float64) * which
        if not energy.sum() > 0:
            return rows
        gain = tilt(energy, np.maximum(rows[:, FREQUENCY].astype(np.float64), 1.0), octaves)
        for channel in range(events.channels):
            rows[which, FIRST + 2 * channel] *= gain[which]
        return self.clipped(rows)


def amplitudes_of(parameters: Floats, channels: int) -> Complex:
    """Amplitude and phase of each channel as one complex number, ``[events, channels]``."""
    return as_complex(parameters[:, FIRST : FIRST + 2 * channels].reshape(len(parameters), channels, 2))


def _erf(values: Doubles) -> Doubles:
    """The error function; importing SciPy's takes longer than this one for a thousand atoms."""
    return np.array([math.erf(value) for value in values.tolist()])


def _geometric(rate: NDArray[Any], begin: Doubles, count: Doubles) -> NDArray[Any]:
    """In each row, the sum of exp(-rate (begin + n)) over n from 0 up to `count`."""
    total: NDArray[Any] = np.exp(-rate * begin) * (1 - np.exp(-rate * count)) / (1 - np.exp(-rate))
    return total


def tilt(energy: Doubles, frequency: Doubles, octaves: float) -> Doubles:
    """Gains that tilt a sum of events about its mean pitch in octaves and leave the sum of their energies as it was.

    Shape:
        - all: ``[events]``
    """
    pitch = np.log2(frequency)
    gain: Doubles = 2 ** np.clip(octaves * (pitch - (energy * pitch).sum() / energy.sum()), -30, 30)
    gain *= math.sqrt(energy.sum() / (energy * gain**2).sum())
    return gain


KINDS.add("gabor", Atoms(GABOR))
KINDS.add("damped", Atoms(DAMPED))
KINDS.add("atoms", Atoms(None))
