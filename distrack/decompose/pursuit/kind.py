"""Atoms as events: what is stored of one, how it sounds, where it is."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from distrack.decompose.decomposer import KINDS, Box, Column, Floats, Kind
from distrack.decompose.events import Events
from distrack.decompose.pursuit.atoms import DAMPED, GABOR, REACH, Atom, as_complex, pieces
from distrack.errors import EventsError

# Standard deviations from a Gaussian's centre to where it is heard, and scales until a decay is at -40 dB.
HEARD, DIES = 2.0, 4.6
# Fewer periods than these, while it is heard, are a click and no pitch.
PERIODS = 4.0
RANGES = {"time": (-1e5, 1e5), "scale": (1e-5, 1e3), "frequency": (0.0, 1e7), "amplitude": (-1e6, 1e6)}
TIME, SCALE, FREQUENCY, FIRST = range(4)

Mask = NDArray[np.bool_]
Doubles = NDArray[np.float64]


class Atoms(Kind):
    """Sinusoids under an envelope: 5 numbers each, 7 in stereo.

    Args:
        shape: `GABOR` or `DAMPED`, of all of them; with None each has its own, as one number more.
    """

    def __init__(self, shape: int | None) -> None:
        self.shape = shape

    def columns(self, channels: int) -> tuple[Column, ...]:
        """Time, scale and frequency of all channels, amplitude and phase of each, and the shape where it differs."""
        found = [
            Column("time", "s", "centre of a Gaussian, onset of a decay"),
            Column("scale", "s", "standard deviation of a Gaussian, time of a decay to 1/e"),
            Column("frequency", "Hz", "of the sinusoid"),
            Column("amplitude", "", "at that time; 1 is full scale"),
            Column("phase", "rad", "of the cosine at that time"),
        ]
        if channels == 2:
            found += [
                Column("amplitude right", "", "the same, of the right channel"),
                Column("phase right", "rad", "the same, of the right channel"),
            ]
        return (*found, Column("shape", "", "0 a Gaussian, 1 a decay")) if self.shape is None else tuple(found)

    def check(self, events: Events) -> None:
        """Refuses numbers out of their ranges.

        Raises:
            EventsError: which number of which event, and what it may be.
        """
        for place, column in enumerate(self.columns(events.channels)):
            low, high = RANGES.get(column.name.split()[0], (-1e6, 1e6))
            values = events.parameters[:, place]
            wrong = (values < low) | (values > high)
            if column.name == "shape":
                low, high = GABOR, DAMPED
                wrong = ~np.isin(values, (GABOR, DAMPED))
            if wrong.any():
                row = int(wrong.argmax())
                raise EventsError(f"event {row}: its {column.name} {values[row]:g} is not between {low:g} and {high:g}")

    def shapes(self, parameters: Floats) -> NDArray[np.int64]:
        """`GABOR` or `DAMPED` of each, ``[events]``."""
        if self.shape is None:
            return parameters[:, -1].astype(np.int64)
        return np.full(len(parameters), self.shape)

    def synthesise(self, events: Events, gains: Floats) -> Floats:
        """The sum of all atoms; one at or above half of the sample rate is silent, as it would be heard elsewhere."""
        wave = np.zeros((events.channels, events.samples))
        amplitudes = amplitudes_of(events.parameters, events.channels) * gains[:, None]
        audible = (events.parameters[:, FREQUENCY] < events.sample_rate / 2) & (amplitudes != 0).any(axis=1)
        shapes = self.shapes(events.parameters)
        for row in np.flatnonzero(audible):
            atom = Atom(int(shapes[row]), *(float(value) for value in events.parameters[row, :FIRST]))
            for where in pieces(atom.support(events.sample_rate, events.samples)):
                wave[:, where] += atom.sound(amplitudes[row], where, events.sample_rate)
        return wave.astype(np.float32)

    def boxes(self, events: Events) -> Box:
        """A Gaussian from two deviations before its centre to two after, a decay until it is at -40 dB.

        The band holds most of the energy: two deviations of a Gaussian, three half-widths of a decay's resonance. The
        onset of a Gaussian is where its box begins.
        """
        time, scale, frequency = events.parameters[:, :FIRST].T.astype(np.float64)
        damped = self.shapes(events.parameters) == DAMPED
        start = np.where(damped, time, time - HEARD * scale)
        end = np.where(damped, time + DIES * scale, time + HEARD * scale)
        spread = np.where(damped, 3.0, math.sqrt(2)) / (2 * math.pi * scale)
        pitch = np.where(frequency * (end - start) >= PERIODS, frequency, 0)
        energy = self._energies(events, time, scale, frequency, damped)
        found = (start, end, start, np.maximum(frequency - spread, 0), frequency + spread, pitch, energy)
        return Box(*(column.astype(np.float32) for column in found))

    def _energies(self, events: Events, time: Doubles, scale: Doubles, frequency: Doubles, damped: Mask) -> Doubles:
        """Sums of the squared atoms over the clip; the cosine's own period matters where there are few."""
        found = np.zeros(len(events))
        rate, last = events.sample_rate, events.seconds
        # Of a decay: samples from the onset to the first one that is heard, and how many there are.
        start = np.maximum(np.ceil(time * rate), 0)
        begin = start - time * rate
        count = np.clip(np.floor((time + REACH[DAMPED] * scale) * rate) + 1, start, events.samples) - start
        falling, turning = 2 / (scale * rate), 2 / (scale * rate) - 4j * math.pi * frequency / rate
        for channel in amplitudes_of(events.parameters, events.channels).T:
            turn = np.where(np.abs(channel) > 0, channel / np.maximum(np.abs(channel), 1e-30), 0) ** 2
            decay = _geometric(falling, begin, count) + (turn * _geometric(turning, begin, count)).real
            share = (erf((last - time) / scale) - erf(-time / scale)) / 2
            swing = turn.real * np.exp(-((2 * math.pi * frequency * scale) ** 2))
            gauss = math.sqrt(math.pi) * share * (1 + swing) * scale * rate
            found += np.square(np.abs(channel)) * np.where(damped, decay, gauss) / 2
        return np.where(frequency < rate / 2, np.maximum(found, 0), 0.0)

    def stretched(self, events: Events, which: Mask, factor: float) -> Floats:
        """The envelope is longer."""
        rows = events.parameters.copy()
        rows[which, SCALE] *= factor
        return held(rows)

    def transposed(self, events: Events, which: Mask, semitones: float) -> Floats:
        """Another frequency under the same envelope; beyond half of the sample rate it is silent."""
        rows = events.parameters.copy()
        rows[which, FREQUENCY] *= 2 ** (semitones / 12)
        return held(rows)

    def decayed(self, events: Events, which: Mask, factor: float) -> Floats:
        """The envelope is longer; the centre of a Gaussian moves so that its onset stays."""
        rows = self.stretched(events, which, factor)
        gaussian = which & (self.shapes(rows) == GABOR)
        rows[gaussian, TIME] += HEARD * (rows[gaussian, SCALE] - events.parameters[gaussian, SCALE])
        return held(rows)

    def coloured(self, events: Events, which: Mask, octaves: float) -> Floats:
        """Each atom is louder by 6 dB for every octave above the chosen ones' middle and every octave asked for.

        A sinusoid alone has no colour but its pitch: what becomes brighter or darker is the chosen ones' sum. Their
        middle is the mean of their pitches in octaves, weighted by energy, and the sum of their energies stays.
        """
        rows = events.parameters.copy()
        energy = self.boxes(events).energy.astype(np.float64) * which
        if not energy.sum() > 0:
            return rows
        pitch = np.log2(np.maximum(rows[:, FREQUENCY].astype(np.float64), 1.0))
        middle = (energy * pitch).sum() / energy.sum()
        gain = 2 ** np.clip(octaves * (pitch - middle), -30, 30)
        gain *= math.sqrt(energy.sum() / (energy * gain**2).sum())
        for channel in range(events.channels):
            rows[which, FIRST + 2 * channel] *= gain[which]
        return held(rows)

    def between(self, one: Floats, other: Floats, share: float) -> Floats:
        """Straight in time and amplitude, by ratio in scale and frequency; phases the short way; the nearer shape.

        Shape:
            - all: ``[events, columns]``
        """
        if share in {0.0, 1.0}:
            return (other if share else one).copy()
        first, last = one.astype(np.float64), other.astype(np.float64)
        rows = first + share * (last - first)
        for place in (SCALE, FREQUENCY):
            start, end = (np.maximum(side[:, place], 1e-3 if place == FREQUENCY else 1e-5) for side in (first, last))
            rows[:, place] = start ** (1 - share) * end**share
        for place in range(FIRST + 1, rows.shape[1] - (self.shape is None), 2):
            turn = np.remainder(last[:, place] - first[:, place] + np.pi, 2 * np.pi) - np.pi
            rows[:, place] = first[:, place] + share * turn
        if self.shape is None:
            rows[:, -1] = first[:, -1] if share < 0.5 else last[:, -1]
        return held(rows.astype(np.float32))


def amplitudes_of(parameters: Floats, channels: int) -> NDArray[np.complex128]:
    """Amplitude and phase as one complex number, ``[events, channels]``."""
    return as_complex(parameters[:, FIRST : FIRST + 2 * channels].reshape(len(parameters), channels, 2))


def _geometric(rate: NDArray[Any], begin: Doubles, count: Doubles) -> NDArray[Any]:
    """The sum of exp(-rate (begin + n)) over so many n, in each row."""
    found: NDArray[Any] = np.exp(-rate * begin) * (1 - np.exp(-rate * count)) / (1 - np.exp(-rate))
    return found


def held(rows: Floats) -> Floats:
    """Within what can be rendered: a change that leads out of it goes as far as it can."""
    for place, name in enumerate(RANGES):
        rows[:, place] = np.clip(rows[:, place], *RANGES[name])
    return rows


KINDS.add("gabor", Atoms(GABOR))
KINDS.add("damped", Atoms(DAMPED))
KINDS.add("atoms", Atoms(None))
