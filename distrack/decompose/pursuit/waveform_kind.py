"""The kind of event "waveform": a learned waveform at a time, pitch, length and level, and how it is played."""

import math

import numpy as np
import scipy

from distrack.arrays import Doubles, Floats, Integers, Mask
from distrack.decompose.events import KINDS, Box, Column, Events, Kind
from distrack.decompose.pursuit.atom_kinds import FIRST, FREQUENCY, TIME, tilt
from distrack.errors import EventsError

# Name of the shared array that holds the waveforms.
WAVEFORMS = "waveforms"
# Share of a waveform's energy outside of its box, on both sides together.
OUTSIDE = 0.05
# A factor this near to 1 is 1: float32 does not store it exactly.
SAME = 1e-5
# The most waveforms that a file may hold, and the longest, in seconds.
MOST_WAVEFORMS, LONGEST_WAVEFORM = 256, 1.0
# Points per sample that are computed exactly. The error of linear interpolation between them is -70 dB an octave below
# half the sample rate, and far lower below that.
FINER = 16
# Fewest periods in a grain, and fewest grains in a waveform.
PERIODS, GRAINS = 4, 4


class Waveforms(Kind):
    """Events that play one of the waveforms in `Events.shared`: ``[waveforms, samples]``, each of energy 1."""

    in_parts = True

    def columns(self, channels: int) -> tuple[Column, ...]:
        """Five numbers, six in stereo; the samples of the waveforms are stored beside them."""
        right = (Column("amplitude right", "", "amplitude of the right channel", -1e6, 1e6),) if channels == 2 else ()
        return (
            Column("time", "s", "when the waveform begins", -1e5, 1e5),
            Column("scale", "s", "length of the waveform", 1e-5, 600.0, "geometric"),
            Column("frequency", "Hz", "frequency of its strongest partial", 1e-2, 1e7, "geometric"),
            Column("amplitude", "", "factor on a waveform whose energy is 1", -1e6, 1e6),
            *right,
            Column("waveform", "", "number of the learned waveform", 0, MOST_WAVEFORMS - 1, "whole"),
        )

    def check(self, events: Events) -> None:
        """Refuses missing waveforms too, and waveforms that are too many or too long."""
        waveforms = events.shared.get(WAVEFORMS)
        if waveforms is None or waveforms.ndim != 2 or 0 in waveforms.shape:
            raise EventsError("waveforms: the events share none, so they cannot be played")
        if len(waveforms) > MOST_WAVEFORMS or waveforms.shape[1] > LONGEST_WAVEFORM * events.sample_rate + 1:
            raise EventsError(
                f"waveforms: {len(waveforms)} of {waveforms.shape[1]} samples: at most {MOST_WAVEFORMS} of "
                f"{LONGEST_WAVEFORM:g} s can be played"
            )
        super().check(events)
        numbers = _numbers(events)
        if len(events) and numbers.max() >= len(waveforms):
            row, most = int(numbers.argmax()), len(waveforms) - 1
            raise EventsError(f"event {row}: its waveform {numbers[row]} is not between 0 and {most}")

    def synthesise(self, events: Events, gains: Floats) -> Floats:
        """The sum of all events, each from the sample nearest to its time; partials above half the rate are silent."""
        return self.part(events, gains, 0, events.samples)

    def part(self, events: Events, gains: Floats, first: int, last: int) -> Floats:
        """A part of the sum, for which only the events that sound in it are computed."""
        wave, rate = np.zeros((events.channels, last - first)), events.sample_rate
        waveforms = events.shared[WAVEFORMS]
        own = main_partials(waveforms)
        ratios, longer = self._factors(events)
        numbers = _numbers(events)
        amplitudes = events.parameters[:, FIRST:-1].astype(np.float64) * gains[:, None]
        time = events.column("time").astype(np.float64)
        near = (time * rate < last + 1) & ((time + events.column("scale")) * rate > first - 2)
        for row in np.flatnonzero(near & (amplitudes != 0).any(axis=1)):
            frequency = own[numbers[row]]
            if frequency * ratios[row] >= 0.5:
                continue
            sound = played(waveforms[numbers[row]], ratio=ratios[row], longer=longer[row], frequency=frequency)
            start = first_sample(float(events.parameters[row, TIME]), rate)
            begin, end = max(start, first), min(start + len(sound), last)
            if begin < end:
                wave[:, begin - first : end - first] += np.outer(amplitudes[row], sound[begin - start : end - start])
        return wave.astype(np.float32)

    def _factors(self, events: Events) -> tuple[Doubles, Doubles]:
        """Pitch and length of each event relative to those of the learned waveform, ``[events]`` each."""
        waveforms, rate = events.shared[WAVEFORMS], events.sample_rate
        ratios = events.column("frequency") / (main_partials(waveforms)[_numbers(events)] * rate)
        longer = events.column("scale") / (waveforms.shape[1] / rate)
        ratios, longer = (np.where(np.abs(factor - 1) < SAME, 1.0, factor) for factor in (ratios, longer))
        return ratios, longer

    def boxes(self, events: Events) -> Box:
        """A box holds all but a twentieth of the waveform's energy, in time and in frequency."""
        waveforms, rate = events.shared[WAVEFORMS], events.sample_rate
        numbers = _numbers(events)
        begin, end = _middle(np.square(waveforms.astype(np.float64)))
        low, high = _middle(np.square(np.abs(np.fft.rfft(waveforms, axis=1))))
        ratios, longer = self._factors(events)
        time = events.column("time").astype(np.float64)
        start = time + longer * begin[numbers] / rate
        hertz = ratios * rate / waveforms.shape[1]
        power = np.square(events.parameters[:, FIRST:-1].astype(np.float64)).sum(axis=1) * longer
        pitch = events.column("frequency")
        audible = (pitch < rate / 2) & (time < events.seconds) & (time + events.column("scale") > 0)
        end_time = time + longer * end[numbers] / rate
        columns = (start, end_time, start, low[numbers] * hertz, high[numbers] * hertz, pitch, power * audible)
        return Box(*(np.asarray(column, np.float32) for column in columns))

    def coloured(self, events: Events, which: Mask, octaves: float) -> Floats:
        """Tilts the selected events as atoms are tilted: 6 dB per octave of pitch for every octave of `octaves`."""
        rows = events.parameters.copy()
        energy = self.boxes(events).energy.astype(np.float64) * which
        if not energy.sum() > 0:
            return rows
        gain = tilt(energy, rows[:, FREQUENCY].astype(np.float64), octaves)
        rows[which, FIRST:-1] *= gain[which, None].astype(np.float32)
        return self.clipped(rows)


def played(waveform: Floats, *, ratio: float, longer: float, frequency: float) -> Doubles:
    """The waveform itself if both factors are 1; otherwise a sum of grains cut from it.

    Grains overlap by half. Each comes from the same relative position of the waveform that it goes to, shifted by whole
    periods so that all grains are in phase. Partials above half the sample rate are left out.

    Args:
        ratio: new pitch divided by old pitch.
        longer: new length divided by old length.
        frequency: frequency of the main partial, in cycles per sample, at which grains are in phase.

    Shape:
        - waveform: ``[samples]``
        - returns: ``[longer * samples]``, at least 1

    Source:
        After pitch-synchronous overlap-add: Moulines and Charpentier, "Pitch-synchronous waveform processing techniques
        for text-to-speech synthesis using diphones", Speech Communication 9, 1990.
    """
    if ratio == 1 and longer == 1:
        return waveform.astype(np.float64)
    length = max(round(len(waveform) * longer), 1)
    fine = _finer(waveform, highest=0.5 / ratio)
    period = 1 / (frequency * ratio)
    grain = max(PERIODS * period, min(len(waveform) / ratio, length) / GRAINS, 2.0)
    hop = grain / 2
    total, weights = np.zeros(length), np.zeros(length)
    for number in range(math.ceil(length / hop) + 1):
        middle = number * hop
        begin, end = max(math.ceil(middle - hop), 0), min(math.floor(middle + hop) + 1, length)
        if begin >= end:
            continue
        place = np.arange(begin, end)
        # At the old pitch the waveform has length / longer samples; the new pitch plays `ratio` of them per sample.
        moved = round((middle - middle / longer / ratio) / period) * period
        window = 0.5 + 0.5 * np.cos(np.pi * np.clip((place - middle) / hop, -1, 1))
        total[begin:end] += window * np.interp(ratio * (place - moved), fine[0], fine[1], left=0.0, right=0.0)
        weights[begin:end] += window
    return total / np.maximum(weights, 1e-9)


def _finer(waveform: Floats, *, highest: float) -> tuple[Doubles, Doubles]:
    """The waveform at points between its samples, low-passed at `highest` cycles per sample: positions and values."""
    count = scipy.fft.next_fast_len(2 * len(waveform), real=True)
    spectrum = scipy.fft.rfft(waveform.astype(np.float64), count)
    spectrum[np.arange(len(spectrum)) / count >= highest] = 0
    values = scipy.fft.irfft(spectrum, count * FINER) * FINER
    places = np.arange(len(waveform) * FINER) / FINER
    return places, values[: len(places)]


def first_sample(time: float, sample_rate: int) -> int:
    """The sample nearest to a time in seconds."""
    return round(time * sample_rate)


def main_partials(waveforms: Floats) -> Doubles:
    """Frequency of each waveform's strongest partial, in cycles per sample, above 0 and below 0.5: ``[waveforms]``.

    >>> tone = np.sin(2 * np.pi * 0.1 * np.arange(400, dtype=np.float32))
    >>> main_partials(tone[None]).round(3)
    array([0.1])
    """
    count = max(8 * waveforms.shape[1], 4096)
    window = np.hanning(waveforms.shape[1] + 2)[1:-1]
    # One waveform at a time: the spectra of many long ones would not fit in memory.
    sizes = (np.abs(np.fft.rfft(waveform * window, count)) for waveform in waveforms.astype(np.float64))
    return np.array([(size[1:-1].argmax() + 1) / count for size in sizes])


def _numbers(events: Events) -> Integers:
    return events.column("waveform").astype(np.int64)


def _middle(power: Doubles) -> tuple[Integers, Integers]:
    """First and last position of the middle of each row, which holds all but `OUTSIDE` of its power."""
    share = np.cumsum(power, axis=1) / np.maximum(power.sum(axis=1, keepdims=True), 1e-30)
    return (share < OUTSIDE / 2).sum(axis=1), (share < 1 - OUTSIDE / 2).sum(axis=1) + 1


KINDS.add("waveform", Waveforms())
