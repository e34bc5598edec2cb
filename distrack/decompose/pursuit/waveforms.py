"""Learnt waveforms as events: each at a place of its own, at its own pitch or at another."""

import math

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from distrack.decompose.contract import KINDS, Box, Column, Floats, Kind
from distrack.decompose.events import Events
from distrack.errors import EventsError

# Of a waveform's energy, what lies outside of its box on both sides together.
_OUTSIDE = 0.05
_MOST_RATIO = 64.0


class Waveforms(Kind):
    """Waveforms that all events share; a place, a pitch and an amplitude of each."""

    def columns(self, channels: int) -> tuple[Column, ...]:
        """Four numbers, and one more for a second channel."""
        right = (Column("amplitude right", "", "the same of the right channel"),) if channels == 2 else ()
        return (
            Column("time", "s", "where it begins"),
            Column("frequency", "Hz", "at which its strongest partial is heard; another one plays it faster or slower"),
            Column("amplitude", "", "of a waveform whose energy is 1"),
            *right,
            Column("waveform", "", "which of those that were learnt"),
        )

    def check(self, events: Events) -> None:
        """Waveforms that are there, at pitches that can be played.

        Raises:
            EventsError: says what is not.
        """
        waveforms = events.kept.get("waveforms")
        if waveforms is None or waveforms.ndim != 2 or 0 in waveforms.shape:
            raise EventsError("waveforms: there are none")
        number = events.column("waveform")
        if ((number < 0) | (number >= len(waveforms)) | (number != np.round(number))).any():
            raise EventsError(f"waveform: it must be a whole number below {len(waveforms)}")
        frequency = events.column("frequency")
        if (frequency <= 0).any():
            raise EventsError("frequency: it must be above 0")

    def synthesise(self, events: Events, gains: Floats) -> Floats:
        """The sum of all; one that is transposed is played faster or slower, and one beyond its range is silent."""
        found = np.zeros((events.channels, events.samples))
        numbers = events.column("waveform").astype(int)
        ratios = self._ratios(events)
        for number, ratio, row, gain in zip(numbers, ratios, events.parameters, gains, strict=True):
            if gain == 0 or not 1 / _MOST_RATIO <= ratio <= _MOST_RATIO:
                continue
            played = _played(events.kept["waveforms"][number], ratio)
            place = round(float(row[0]) * events.sample_rate)
            first, last = max(place, 0), min(place + len(played), events.samples)
            if first < last:
                amplitude = gain * row[2 : 2 + events.channels].astype(np.float64)
                found[:, first:last] += np.outer(amplitude, played[first - place : last - place])
        return found.astype(np.float32)

    def _ratios(self, events: Events) -> NDArray[np.float64]:
        natural = pitches(events.kept["waveforms"], events.sample_rate)[events.column("waveform").astype(int)]
        ratios = events.column("frequency").astype(np.float64) / natural
        # What was only rounded is played as it was learnt.
        return np.where(np.abs(ratios - 1) < 1e-5, 1.0, ratios)

    def boxes(self, events: Events) -> Box:
        """From where it begins to where 95 % of its energy is over; its band likewise."""
        waveforms = events.kept["waveforms"]
        number = events.column("waveform").astype(int)
        begin, end = _middle(np.square(waveforms.astype(np.float64)))
        power = np.square(np.abs(np.fft.rfft(waveforms, axis=1)))
        low, high = _middle(power)
        ratio, rate = self._ratios(events), events.sample_rate
        time = events.column("time").astype(np.float64)
        hertz = rate / waveforms.shape[1]
        amplitudes = events.parameters[:, 2 : 2 + events.channels].astype(np.float64)
        columns = (
            time + begin[number] / rate / ratio,
            time + end[number] / rate / ratio,
            time + begin[number] / rate / ratio,
            low[number] * hertz * ratio,
            high[number] * hertz * ratio,
            events.column("frequency"),
            np.square(amplitudes).sum(axis=1) / ratio,
        )
        return Box(*(column.astype(np.float32) for column in columns))

    def stretched(self, events: Events, which: NDArray[np.bool_], factor: float) -> Floats:  # noqa: ARG002
        """Learnt waveforms cannot last longer at the same pitch.

        Raises:
            EventsError: always.
        """
        raise EventsError("learnt waveforms keep their length: take the clip apart into Gabor atoms to stretch it")

    def decayed(self, events: Events, which: NDArray[np.bool_], factor: float) -> Floats:  # noqa: ARG002
        """Learnt waveforms cannot decay otherwise.

        Raises:
            EventsError: always.
        """
        raise EventsError("learnt waveforms keep their decay: take the clip apart into damped atoms to change it")

    def transposed(self, events: Events, which: NDArray[np.bool_], semitones: float) -> Floats:
        """Played faster or slower, so that they are shorter or longer too."""
        parameters = events.parameters.copy()
        parameters[which, 1] *= 2 ** (semitones / 12)
        return parameters

    def coloured(self, events: Events, which: NDArray[np.bool_], octaves: float) -> Floats:
        """Events become louder by 6 dB for each octave that they lie above the chosen ones' middle, times `octaves`."""
        parameters = events.parameters.copy()
        energy = self.boxes(events).energy.astype(np.float64) * which
        if not energy.sum() > 0:
            return parameters
        pitch = np.log2(events.parameters[:, 1].astype(np.float64))
        gain = 2 ** np.clip(octaves * (pitch - (energy * pitch).sum() / energy.sum()), -20, 20)
        gain *= math.sqrt(energy.sum() / (energy * gain**2).sum())
        parameters[which, 2 : 2 + events.channels] *= gain[which, None]
        return parameters

    def between(self, one: Floats, other: Floats, share: float) -> Floats:
        """The nearer one's waveform, at a pitch between by ratio."""
        if share in (0.0, 1.0):
            return (other if share else one).copy()
        found = one + np.float32(share) * (other - one)
        found[:, 1] = one[:, 1] * (other[:, 1] / one[:, 1]) ** share
        found[:, -1] = (one if share < 0.5 else other)[:, -1]
        return found.astype(np.float32)


def pitches(waveforms: Floats, sample_rate: int) -> NDArray[np.float64]:
    """The frequency of each waveform's strongest partial, in Hz, never 0."""
    length = max(4 * waveforms.shape[1], 4096)
    spectrum = np.abs(np.fft.rfft(waveforms.astype(np.float64), length, axis=1))
    bins = np.maximum(spectrum[:, 1:].argmax(axis=1) + 1, 1)
    found: NDArray[np.float64] = (bins * sample_rate / length).astype(np.float32).astype(np.float64)
    return found


def _played(waveform: Floats, ratio: float) -> NDArray[np.float64]:
    if ratio == 1.0:
        return waveform.astype(np.float64)
    length = max(round(len(waveform) / ratio), 1)
    found: NDArray[np.float64] = scipy.signal.resample(waveform.astype(np.float64), length)
    return found


def _middle(power: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where all but a little of each row's power begins and ends."""
    share = np.cumsum(power, axis=1) / np.maximum(power.sum(axis=1, keepdims=True), 1e-30)
    return (share < _OUTSIDE / 2).sum(axis=1), (share < 1 - _OUTSIDE / 2).sum(axis=1)


KINDS.add("waveform", Waveforms())
