"""Atoms as events: what is stored of one, how it sounds, and how it changes."""

import math

import numpy as np
from numpy.typing import NDArray

from distrack.decompose.contract import KINDS, Box, Column, Floats, Kind
from distrack.decompose.events import Events
from distrack.decompose.pursuit.atoms import DAMPED, GABOR, Atom
from distrack.errors import EventsError

# From so many scales before a Gaussian's centre it is heard, to so many after it; of a decay, to -40 dB.
_HEARD, _DIES = 2.0, 4.6
# Below so many periods while it is heard, an atom is a click without a pitch.
_PERIODS = 4.0
_SHORTEST, _LONGEST = 1e-5, 600.0


class Atoms(Kind):
    """Sinusoids under an envelope.

    Args:
        shape: of all of them; None stores it of each, 0 for a Gaussian and 1 for a decay.
    """

    def __init__(self, shape: int | None) -> None:
        self.shape = shape

    def columns(self, channels: int) -> tuple[Column, ...]:
        """Five numbers, two more for a second channel, and one more where shapes differ."""
        found = [
            Column("time", "s", "centre of a Gaussian, onset of a decay"),
            Column("scale", "s", "standard deviation of a Gaussian, time of a decay to 1/e"),
            Column("frequency", "Hz", "of the sinusoid"),
            Column("amplitude", "", "at the centre or the onset, of full scale"),
            Column("phase", "rad", "of the cosine at that time"),
        ]
        if channels == 2:
            found += [
                Column("amplitude right", "", "the same of the right channel"),
                Column("phase right", "rad", "the same of the right channel"),
            ]
        return (*found, *([Column("shape", "", "0 a Gaussian, 1 a decay")] if self.shape is None else []))

    def check(self, events: Events) -> None:
        """Scales, frequencies and shapes within their ranges.

        Raises:
            EventsError: names the number.
        """
        scale, frequency = events.column("scale"), events.column("frequency")
        if ((scale < _SHORTEST) | (scale > _LONGEST)).any():
            raise EventsError(f"scale: it must lie between {_SHORTEST:g} and {_LONGEST:g} s")
        if (frequency < 0).any():
            raise EventsError("frequency: it must not be negative")
        if not np.isin(self._shapes(events.parameters), (GABOR, DAMPED)).all():
            raise EventsError("shape: 0 is a Gaussian, 1 a decay, and there is no other")

    def _shapes(self, parameters: Floats) -> NDArray[np.float32]:
        return parameters[:, -1] if self.shape is None else np.full(len(parameters), self.shape, np.float32)

    def synthesise(self, events: Events, gains: Floats) -> Floats:
        """The sum of all atoms; those at or above half of the sample rate are silent."""
        found = np.zeros((events.channels, events.samples))
        amplitudes = complex_amplitudes(events.parameters, events.channels)
        shapes = self._shapes(events.parameters)
        for row, shape, amplitude, gain in zip(events.parameters, shapes, amplitudes, gains, strict=True):
            atom = Atom(int(shape), *(float(value) for value in row[:3]))
            if gain == 0 or atom.frequency >= events.sample_rate / 2:
                continue
            where = atom.support(events.sample_rate, events.samples)
            waveform = atom.waveform(where, events.sample_rate)
            found[:, where] += (gain * amplitude[:, None] * waveform).real
        return found.astype(np.float32)

    def boxes(self, events: Events) -> Box:
        """A Gaussian's from two deviations before its centre to two after; a decay's to -40 dB."""
        time, scale, frequency = events.parameters[:, :3].T.astype(np.float64)
        damped = self._shapes(events.parameters) == DAMPED
        onset = np.where(damped, time, time - _HEARD * scale)
        end = np.where(damped, time + _DIES * scale, time + _HEARD * scale)
        spread = np.where(damped, 3.0, 2.0) / (2 * math.pi * scale)
        pitched = frequency * (end - onset) >= _PERIODS
        norm = np.where(damped, 0.5, math.sqrt(math.pi)) * scale * events.sample_rate / 2
        power = np.square(np.abs(complex_amplitudes(events.parameters, events.channels))).sum(axis=1)
        audible = frequency < events.sample_rate / 2
        columns = (
            onset,
            end,
            onset,
            np.maximum(frequency - spread, 0),
            frequency + spread,
            np.where(pitched, frequency, 0),
            np.where(audible, power * norm, 0),
        )
        return Box(*(column.astype(np.float32) for column in columns))

    def stretched(self, events: Events, which: NDArray[np.bool_], factor: float) -> Floats:
        """Longer envelopes."""
        return self._scaled(events, which, factor)

    def transposed(self, events: Events, which: NDArray[np.bool_], semitones: float) -> Floats:
        """Other frequencies."""
        parameters = events.parameters.copy()
        parameters[which, 2] *= 2 ** (semitones / 12)
        return parameters

    def decayed(self, events: Events, which: NDArray[np.bool_], factor: float) -> Floats:
        """Longer envelopes; the centre of a Gaussian moves so that its beginning stays."""
        parameters = self._scaled(events, which, factor)
        gaussian = which & (self._shapes(events.parameters) == GABOR)
        parameters[gaussian, 0] += _HEARD * (parameters[gaussian, 1] - events.parameters[gaussian, 1])
        return parameters

    def _scaled(self, events: Events, which: NDArray[np.bool_], factor: float) -> Floats:
        parameters = events.parameters.copy()
        parameters[which, 1] = np.clip(parameters[which, 1] * factor, _SHORTEST, _LONGEST)
        return parameters

    def coloured(self, events: Events, which: NDArray[np.bool_], octaves: float) -> Floats:
        """Atoms become louder by 6 dB for each octave that they lie above the chosen ones' middle, times `octaves`.

        The middle is the mean pitch weighted by energy, and the energy of the chosen ones together stays.
        """
        parameters = events.parameters.copy()
        energy = self.boxes(events).energy.astype(np.float64) * which
        if not energy.sum() > 0:
            return parameters
        pitch = np.log2(np.maximum(events.parameters[:, 2].astype(np.float64), 1.0))
        middle = (energy * pitch).sum() / energy.sum()
        gain = 2 ** np.clip(octaves * (pitch - middle), -20, 20)
        gain *= math.sqrt(energy.sum() / (energy * gain**2).sum())
        for number, column in enumerate(self.columns(events.channels)):
            if column.name.startswith("amplitude"):
                parameters[which, number] *= gain[which]
        return parameters

    def between(self, one: Floats, other: Floats, share: float) -> Floats:
        """Phases turn the shorter way; scale and frequency go by ratio."""
        if share in (0.0, 1.0):
            return (other if share else one).copy()
        found = one + np.float32(share) * (other - one)
        for column in (1, 2):
            start, end = np.maximum(one[:, column], 1e-6), np.maximum(other[:, column], 1e-6)
            found[:, column] = start * (end / start) ** share
        for column in range(4, one.shape[1] - (self.shape is None), 2):
            turn = (other[:, column] - one[:, column] + math.pi) % (2 * math.pi) - math.pi
            found[:, column] = one[:, column] + share * turn
        if self.shape is None:
            found[:, -1] = one[:, -1] if share < 0.5 else other[:, -1]
        return found.astype(np.float32)


def complex_amplitudes(parameters: Floats, channels: int) -> NDArray[np.complex128]:
    """Amplitude and phase of every atom in every channel as one number, ``[events, channels]``."""
    pairs = parameters[:, 3 : 3 + 2 * channels].astype(np.float64).reshape(len(parameters), channels, 2)
    found: NDArray[np.complex128] = pairs[..., 0] * np.exp(1j * pairs[..., 1])
    return found


KINDS.add("gabor", Atoms(GABOR))
KINDS.add("damped", Atoms(DAMPED))
KINDS.add("atoms", Atoms(None))
