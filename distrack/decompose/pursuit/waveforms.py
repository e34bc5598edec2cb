"""Waveforms that were learnt, as events: which one, when, at which pitch, how long, how loud."""

import math

import numpy as np
from numpy.typing import NDArray

from distrack.decompose.decomposer import KINDS, Box, Column, Floats, Kind
from distrack.decompose.events import Events
from distrack.decompose.pursuit.playing import played
from distrack.errors import EventsError

KEPT = "waveforms"
# Of a waveform's energy, what lies outside of its box, on both sides together.
OUTSIDE = 0.05
RANGES = {"time": (-1e5, 1e5), "scale": (1e-5, 600.0), "frequency": (1e-2, 1e7), "amplitude": (-1e6, 1e6)}
TIME, SCALE, FREQUENCY, FIRST = range(4)
# Float32 keeps factors of 1 only nearly.
SAME = 1e-5

Mask = NDArray[np.bool_]
Doubles = NDArray[np.float64]


# Of what may be learnt, and of what a file may ask for.
MOST_WAVEFORMS, LONGEST_WAVEFORM = 256, 1.0


class Waveforms(Kind):
    """Waveforms that all events share, in `Events.kept`: ``waveforms``, ``[waveforms, samples]``, each of energy 1."""

    def columns(self, channels: int) -> tuple[Column, ...]:
        """Five numbers, six in stereo; the waveforms' samples are stored beside them."""
        right = (Column("amplitude right", "", "the same, of the right channel"),) if channels == 2 else ()
        return (
            Column("time", "s", "where it begins"),
            Column("scale", "s", "how long it is"),
            Column("frequency", "Hz", "of its strongest partial"),
            Column("amplitude", "", "of a waveform whose energy is 1"),
            *right,
            Column("waveform", "", "which of those that were learnt"),
        )

    def check(self, events: Events) -> None:
        """Refuses numbers out of their ranges, and waveforms that are not there.

        Raises:
            EventsError: which number of which event, and what it may be.
        """
        waveforms = events.kept.get(KEPT)
        if waveforms is None or waveforms.ndim != 2 or 0 in waveforms.shape:
            raise EventsError("waveforms: none are kept beside the events")
        if len(waveforms) > MOST_WAVEFORMS or waveforms.shape[1] > LONGEST_WAVEFORM * events.sample_rate + 1:
            raise EventsError(
                f"waveforms: {len(waveforms)} of {waveforms.shape[1]} samples: at most {MOST_WAVEFORMS} of "
                f"{LONGEST_WAVEFORM:g} s can be played"
            )
        for place, column in enumerate(self.columns(events.channels)):
            low, high = RANGES.get(column.name.split()[0], (0, len(waveforms) - 1))
            values = events.parameters[:, place]
            wrong = (values < low) | (values > high)
            if column.name == "waveform":
                wrong |= values != np.floor(values)
            if wrong.any():
                row = int(wrong.argmax())
                raise EventsError(f"event {row}: its {column.name} {values[row]:g} is not between {low:g} and {high:g}")

    def synthesise(self, events: Events, gains: Floats) -> Floats:
        """The sum of all, each from the sample nearest to its time; partials beyond half of the rate are silent."""
        wave = np.zeros((events.channels, events.samples))
        waveforms = events.kept[KEPT]
        own = main_partials(waveforms)
        ratios, longer = self._factors(events)
        numbers = _numbers(events)
        amplitudes = events.parameters[:, FIRST:-1].astype(np.float64) * gains[:, None]
        for row in np.flatnonzero((amplitudes != 0).any(axis=1)):
            start = begins(float(events.parameters[row, TIME]), events.sample_rate)
            frequency = own[numbers[row]]
            if start >= events.samples or frequency * ratios[row] >= 0.5:
                continue
            sound = played(waveforms[numbers[row]], ratio=ratios[row], longer=longer[row], frequency=frequency)
            first, last = max(start, 0), min(start + len(sound), events.samples)
            if first < last:
                wave[:, first:last] += np.outer(amplitudes[row], sound[first - start : last - start])
        return wave.astype(np.float32)

    def _factors(self, events: Events) -> tuple[Doubles, Doubles]:
        """Ratios of pitch and of length to those of the waveform as it was learnt, ``[events]`` each."""
        waveforms, rate = events.kept[KEPT], events.sample_rate
        ratios = events.column("frequency") / (main_partials(waveforms)[_numbers(events)] * rate)
        longer = events.column("scale") / (waveforms.shape[1] / rate)
        ratios, longer = (np.where(np.abs(factor - 1) < SAME, 1.0, factor) for factor in (ratios, longer))
        return ratios, longer

    def boxes(self, events: Events) -> Box:
        """All but a twentieth of a waveform's energy, in time and in frequency."""
        waveforms, rate = events.kept[KEPT], events.sample_rate
        numbers = _numbers(events)
        begin, end = _middle(np.square(waveforms.astype(np.float64)))
        low, high = _middle(np.square(np.abs(np.fft.rfft(waveforms, axis=1))))
        ratios, longer = self._factors(events)
        time = events.column("time").astype(np.float64)
        start = time + longer * begin[numbers] / rate
        hertz = ratios * rate / waveforms.shape[1]
        power = np.square(events.parameters[:, FIRST:-1].astype(np.float64)).sum(axis=1) * longer
        pitch = events.column("frequency")
        heard = (pitch < rate / 2) & (time < events.seconds) & (time + events.column("scale") > 0)
        end_time = time + longer * end[numbers] / rate
        found = (start, end_time, start, low[numbers] * hertz, high[numbers] * hertz, pitch, power * heard)
        return Box(*(np.asarray(column, np.float32) for column in found))

    def stretched(self, events: Events, which: Mask, factor: float) -> Floats:
        """Longer waveforms, of more grains or fewer, at the same pitch."""
        rows = events.parameters.copy()
        rows[which, SCALE] *= factor
        return _held(rows)

    def transposed(self, events: Events, which: Mask, semitones: float) -> Floats:
        """All partials by the same ratio, for as long as before; those beyond half of the sample rate are silent."""
        rows = events.parameters.copy()
        rows[which, FREQUENCY] *= 2 ** (semitones / 12)
        return _held(rows)

    def decayed(self, events: Events, which: Mask, factor: float) -> Floats:
        """As stretched: a waveform's time is where it begins."""
        return self.stretched(events, which, factor)

    def coloured(self, events: Events, which: Mask, octaves: float) -> Floats:
        """As of atoms: louder by 6 dB for every octave above the chosen ones' middle and every octave asked for."""
        rows = events.parameters.copy()
        energy = self.boxes(events).energy.astype(np.float64) * which
        if not energy.sum() > 0:
            return rows
        pitch = np.log2(rows[:, FREQUENCY].astype(np.float64))
        gain = 2 ** np.clip(octaves * (pitch - (energy * pitch).sum() / energy.sum()), -30, 30)
        gain *= math.sqrt(energy.sum() / (energy * gain**2).sum())
        rows[which, FIRST:-1] *= gain[which, None].astype(np.float32)
        return _held(rows)

    def between(self, one: Floats, other: Floats, share: float) -> Floats:
        """Straight in time and amplitude, by ratio in length and pitch; the nearer one's waveform.

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
        return _held(rows.astype(np.float32))


def begins(time: float, sample_rate: int) -> int:
    """The sample nearest to a time."""
    return round(time * sample_rate)


def main_partials(waveforms: Floats) -> Doubles:
    """Frequency of each waveform's strongest partial, in cycles per sample; above 0 and below a half.

    >>> tone = np.sin(2 * np.pi * 0.1 * np.arange(400, dtype=np.float32))
    >>> main_partials(tone[None]).round(3)
    array([0.1])
    """
    count = max(8 * waveforms.shape[1], 4096)
    window = np.hanning(waveforms.shape[1] + 2)[1:-1]
    # One at a time: the spectra of many long ones would not fit.
    sizes = (np.abs(np.fft.rfft(waveform * window, count)) for waveform in waveforms.astype(np.float64))
    return np.array([(size[1:-1].argmax() + 1) / count for size in sizes])


def _numbers(events: Events) -> NDArray[np.int64]:
    return events.column("waveform").astype(np.int64)


def _middle(power: Doubles) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where all but a little of each row's power begins and ends."""
    share = np.cumsum(power, axis=1) / np.maximum(power.sum(axis=1, keepdims=True), 1e-30)
    return (share < OUTSIDE / 2).sum(axis=1), (share < 1 - OUTSIDE / 2).sum(axis=1) + 1


def _held(rows: Floats) -> Floats:
    """Within what can be rendered: a change that leads out of it goes as far as it can."""
    for place, name in enumerate(("time", "scale", "frequency")):
        rows[:, place] = np.clip(rows[:, place], *RANGES[name])
    rows[:, FIRST:-1] = np.clip(rows[:, FIRST:-1], *RANGES["amplitude"])
    return rows


KINDS.add("waveform", Waveforms())
