"""The kind of event "waveform": a learned waveform at a time, pitch, length and level."""

import math

import numpy as np

from distrack.arrays import Doubles, Floats, Integers, Mask
from distrack.decompose.events import KINDS, Box, Column, Events, Kind, check_ranges
from distrack.decompose.pursuit.playback import played
from distrack.errors import EventsError

# Name of the shared array that holds the waveforms.
WAVEFORMS = "waveforms"
# Share of a waveform's energy outside of its box, on both sides together.
OUTSIDE = 0.05
RANGES = {"time": (-1e5, 1e5), "scale": (1e-5, 600.0), "frequency": (1e-2, 1e7), "amplitude": (-1e6, 1e6)}
TIME, SCALE, FREQUENCY, FIRST = range(4)
# A factor this near to 1 is 1: float32 does not store it exactly.
SAME = 1e-5
# The most waveforms that a file may hold, and the longest, in seconds.
MOST_WAVEFORMS, LONGEST_WAVEFORM = 256, 1.0


class Waveforms(Kind):
    """Events that play one of the waveforms in `Events.shared`: ``[waveforms, samples]``, each of energy 1."""

    def columns(self, channels: int) -> tuple[Column, ...]:
        """Five numbers, six in stereo; the samples of the waveforms are stored beside them."""
        right = (Column("amplitude right", "", "amplitude of the right channel"),) if channels == 2 else ()
        return (
            Column("time", "s", "when the waveform begins"),
            Column("scale", "s", "length of the waveform"),
            Column("frequency", "Hz", "frequency of its strongest partial"),
            Column("amplitude", "", "factor on a waveform whose energy is 1"),
            *right,
            Column("waveform", "", "number of the learned waveform"),
        )

    def check(self, events: Events) -> None:
        """Refuses numbers outside their ranges, missing waveforms, and waveforms that are too many or too long.

        Raises:
            EventsError: the message names the event, the column and the range, or the limit.
        """
        waveforms = events.shared.get(WAVEFORMS)
        if waveforms is None or waveforms.ndim != 2 or 0 in waveforms.shape:
            raise EventsError("waveforms: the events share none, so they cannot be played")
        if len(waveforms) > MOST_WAVEFORMS or waveforms.shape[1] > LONGEST_WAVEFORM * events.sample_rate + 1:
            raise EventsError(
                f"waveforms: {len(waveforms)} of {waveforms.shape[1]} samples: at most {MOST_WAVEFORMS} of "
                f"{LONGEST_WAVEFORM:g} s can be played"
            )
        ranges = RANGES | {"amplitude right": RANGES["amplitude"], "waveform": (0, len(waveforms) - 1)}
        check_ranges(events, ranges, whole="waveform")

    def synthesise(self, events: Events, gains: Floats) -> Floats:
        """The sum of all events, each from the sample nearest to its time; partials above half the rate are silent."""
        wave = np.zeros((events.channels, events.samples))
        waveforms = events.shared[WAVEFORMS]
        own = main_partials(waveforms)
        ratios, longer = self._factors(events)
        numbers = _numbers(events)
        amplitudes = events.parameters[:, FIRST:-1].astype(np.float64) * gains[:, None]
        for row in np.flatnonzero((amplitudes != 0).any(axis=1)):
            start = first_sample(float(events.parameters[row, TIME]), events.sample_rate)
            frequency = own[numbers[row]]
            if start >= events.samples or frequency * ratios[row] >= 0.5:
                continue
            sound = played(waveforms[numbers[row]], ratio=ratios[row], longer=longer[row], frequency=frequency)
            first, last = max(start, 0), min(start + len(sound), events.samples)
            if first < last:
                wave[:, first:last] += np.outer(amplitudes[row], sound[first - start : last - start])
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

    def stretched(self, events: Events, which: Mask, factor: float) -> Floats:
        """The waveform is played from more grains or fewer, at the same pitch."""
        rows = events.parameters.copy()
        rows[which, SCALE] *= factor
        return _clipped(rows)

    def transposed(self, events: Events, which: Mask, semitones: float) -> Floats:
        """All partials move by the same ratio; those above half the sample rate are silent."""
        rows = events.parameters.copy()
        rows[which, FREQUENCY] *= 2 ** (semitones / 12)
        return _clipped(rows)

    def decayed(self, events: Events, which: Mask, factor: float) -> Floats:
        """The same as `stretched`: the time of a waveform is its onset."""
        return self.stretched(events, which, factor)

    def coloured(self, events: Events, which: Mask, octaves: float) -> Floats:
        """Tilts the selected events as atoms are tilted: 6 dB per octave of pitch for every octave of `octaves`."""
        rows = events.parameters.copy()
        energy = self.boxes(events).energy.astype(np.float64) * which
        if not energy.sum() > 0:
            return rows
        pitch = np.log2(rows[:, FREQUENCY].astype(np.float64))
        gain = 2 ** np.clip(octaves * (pitch - (energy * pitch).sum() / energy.sum()), -30, 30)
        gain *= math.sqrt(energy.sum() / (energy * gain**2).sum())
        rows[which, FIRST:-1] *= gain[which, None].astype(np.float32)
        return _clipped(rows)

    def interpolated(self, one: Floats, other: Floats, share: float) -> Floats:
        """Linear in time and amplitude, geometric in length and pitch; the waveform is that of the nearer row.

        Shape:
            - all: ``[events, columns]``
        """
        if share in {0.0, 1.0}:
            return (other if share else one).copy()
        first, last = one.astype(np.float64), other.astype(np.float64)
        rows = first + share * (last - first)
        for place in (SCALE, FREQUENCY):
            rows[:, place] = first[:, place] ** (1 - share) * last[:, place] ** share
        rows[:, -1] = (first if share < 0.5 else last)[:, -1]
        return _clipped(rows.astype(np.float32))


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


def _clipped(rows: Floats) -> Floats:
    """Rows with each number clipped to its range, so that every change gives events that can be rendered."""
    for place, name in enumerate(("time", "scale", "frequency")):
        rows[:, place] = np.clip(rows[:, place], *RANGES[name])
    rows[:, FIRST:-1] = np.clip(rows[:, FIRST:-1], *RANGES["amplitude"])
    return rows


KINDS.add("waveform", Waveforms())
