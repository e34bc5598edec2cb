"""A small kind of event for tests: a decaying sinusoid and its octave."""

from dataclasses import replace

import numpy as np
import pytest

from distrack.arrays import Floats, Mask
from distrack.decompose import KINDS, Box, Column, Events, Kind
from distrack.errors import EventsError

NAME = "test-tone"
RATE = 16_000


class Tone(Kind):
    """From its time on: amplitude * exp(-t / decay) * (sin + bright * sin of the octave), a level for each channel."""

    def columns(self, channels: int) -> tuple[Column, ...]:
        both = (
            Column("time", "s", "onset"),
            Column("frequency", "Hz", "pitch; none below 20"),
            Column("amplitude", "", "amplitude at the onset"),
            Column("decay", "s", "time in which it falls by 8.7 dB"),
            Column("bright", "", "relative amplitude of the octave"),
        )
        return both if channels == 1 else (*both, Column("amplitude_right", "", "amplitude of the second channel"))

    def check(self, events: Events) -> None:
        if (events.column("decay") <= 0).any() or (events.column("frequency") <= 0).any():
            raise EventsError("decay and frequency: they must be above 0")

    def synthesise(self, events: Events, gains: Floats) -> Floats:
        wave = np.zeros((events.channels, events.samples))
        now = np.arange(events.samples) / events.sample_rate
        noise = np.random.default_rng(events.seed) if events.settings.get("noisy") else None
        for row, gain in zip(events.parameters.astype(np.float64), gains, strict=True):
            time, frequency, _, decay, bright = row[:5]
            since = np.maximum(now - time, 0.0)
            sound = np.sin(2 * np.pi * frequency * since) + bright * np.sin(4 * np.pi * frequency * since)
            if noise is not None:
                sound += noise.normal(size=len(sound))
            sound *= np.exp(-since / decay) * (now >= time)
            for channel, amplitude in enumerate([row[2], *row[5:]]):
                wave[channel] += gain * amplitude * sound
        return wave.astype(np.float32)

    def boxes(self, events: Events) -> Box:
        time, frequency, decay = (events.column(name) for name in ("time", "frequency", "decay"))
        power = events.column("amplitude") ** 2
        if events.channels == 2:
            power = power + events.column("amplitude_right") ** 2
        energy = power * (1 + events.column("bright") ** 2) * decay / 4 * events.sample_rate
        pitch = np.where(frequency >= 20, frequency, 0)
        return Box(time, time + 3 * decay, time, frequency, 2 * frequency, pitch, energy.astype(np.float32))

    def stretched(self, events: Events, which: Mask, factor: float) -> Floats:
        return self._times(events, "decay", which, factor)

    def transposed(self, events: Events, which: Mask, semitones: float) -> Floats:
        return self._times(events, "frequency", which, 2 ** (semitones / 12))

    def decayed(self, events: Events, which: Mask, factor: float) -> Floats:
        return self._times(events, "decay", which, factor)

    def coloured(self, events: Events, which: Mask, octaves: float) -> Floats:
        return self._times(events, "bright", which, 2**octaves)

    def interpolated(self, one: Floats, other: Floats, share: float) -> Floats:
        rows = (1 - share) * one + share * other
        rows[:, [1, 3]] = one[:, [1, 3]] ** (1 - share) * other[:, [1, 3]] ** share
        return rows.astype(np.float32)

    def _times(self, events: Events, name: str, which: Mask, factor: float) -> Floats:
        return events.with_column(name, events.column(name) * np.where(which, factor, 1.0)).parameters


class Centred(Tone):
    """A tone whose time is one decay after its onset, as the time of a Gabor atom is after its onset."""

    def synthesise(self, events: Events, gains: Floats) -> Floats:
        return super().synthesise(self._struck(events), gains)

    def boxes(self, events: Events) -> Box:
        return super().boxes(self._struck(events))

    def _struck(self, events: Events) -> Events:
        return events.with_column("time", events.column("time") - events.column("decay"))


def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers both kinds for the duration of one test."""
    for name, kind in ((NAME, Tone()), ("test-centred", Centred())):
        monkeypatch.setitem(KINDS._entries, name, kind)
        monkeypatch.setitem(KINDS._names, name.replace("-", ""), name)


def tones(
    *rows: tuple[float, float, float, float],
    seconds: float = 1.0,
    rate: int = RATE,
    channels: int = 1,
    kind_name: str = NAME,
) -> Events:
    """Events from rows of (time, frequency, amplitude, decay), each with an octave of a tenth; channels are equal."""
    parameters = np.array([[*row, 0.1, row[2]][: 4 + channels] for row in rows], np.float32).reshape(-1, 4 + channels)
    return Events.of(kind_name, parameters, sample_rate=rate, samples=round(seconds * rate), channels=channels)


def many(count: int, *, seed: int = 0, seconds: float = 1.0, channels: int = 1) -> Events:
    """Random tones in a second, with random wet shares; a fifth of them is muted."""
    draw = np.random.default_rng(seed)
    rows = np.stack(
        [
            draw.uniform(0, 0.9, count),
            np.exp(draw.uniform(np.log(60), np.log(6_000), count)),
            draw.uniform(0.01, 0.2, count),
            draw.uniform(0.01, 0.3, count),
        ],
        axis=1,
    )
    events = tones(*[(a, b, c, d) for a, b, c, d in rows], seconds=seconds, channels=channels)
    return replace(events, wet=draw.uniform(size=count).astype(np.float32), muted=draw.uniform(size=count) < 0.2)
