"""Pitched events as notes: a standard MIDI file for whatever plays or prints one."""

import io
import math
from typing import NamedTuple

import mido
import numpy as np

from distrack.decompose.events import Events
from distrack.errors import EventsError

# Half a millisecond at 120 beats a minute.
TICKS_PER_BEAT = 960
# The drums' channel, 10 of 16 as musicians count, has no pitch.
CHANNELS = tuple(channel for channel in range(16) if channel != 9)
# What instruments take a full bend for until they are told otherwise, in semitones.
BEND_RANGE = 2.0
SHORTEST = 0.01


class Midi(NamedTuple):
    """A MIDI file, and what became of the events.

    Attributes:
        content: of the file.
        notes: events that are in it.
        without_pitch: events left out as they have none, or none from 8 to 12,900 Hz, where MIDI has notes.
        unheard: events left out as they are muted, have no energy, or end before the beginning.
        detuned: notes at the nearest semitone only, as all channels were bent otherwise when they began.
    """

    content: bytes
    notes: int
    without_pitch: int
    unheard: int
    detuned: int


class _Note(NamedTuple):
    start: float
    end: float
    number: int
    cents: float
    velocity: int


def to_midi(events: Events, *, bpm: float = 120.0, bend_from: float | None = 5.0) -> Midi:
    """Events that have a pitch as notes.

    A note begins at its event's onset and ends when it has died away. Its velocity is the event's mean power against
    the loudest note's, by the square law that instruments share: velocity 127 is the loudest, 64 is 12 dB less. A bend
    tunes all that a channel plays, so that notes which are bent otherwise and sound together lie on channels of their
    own.

    Args:
        bpm: beats a minute; times in seconds are the same at any.
        bend_from: cents from the nearest semitone from which a note is bent to its pitch; None bends nothing.

    Raises:
        EventsError: an impossible tempo.

    Source:
        MIDI 1.0 Detailed Specification, MMA 1996; General MIDI Level 2, MMA 1999, for the range of a bend; DLS Level 1,
        MMA 1999, section 1.9, for velocity.
    """
    if not 4 <= bpm <= 1_000:
        raise EventsError(f"{bpm:g} beats a minute: 4 to 1000 can be written")
    box = events.how.boxes(events)
    start, end = np.maximum(box.onset, 0.0), np.maximum(box.end, np.maximum(box.onset, 0.0) + SHORTEST)
    heard = ~events.muted & (box.energy > 0) & (box.end > 0) & (box.onset < events.seconds)
    with np.errstate(divide="ignore"):
        exact = np.where(box.pitch > 0, 69 + 12 * np.log2(box.pitch.astype(np.float64) / 440), -1.0)
    pitched = (exact >= -0.5) & (exact < 127.5)
    power = box.energy.astype(np.float64) / np.maximum(box.end - box.start, SHORTEST)
    chosen = np.flatnonzero(heard & pitched)
    loudest = power[chosen].max(initial=0.0)
    notes = []
    for index in chosen:
        number = min(max(math.floor(exact[index] + 0.5), 0), 127)
        cents = 100 * float(exact[index] - number)
        # Power goes with the fourth power of velocity, amplitude with the square.
        velocity = min(max(round(127 * float(power[index] / loudest) ** 0.25), 1), 127)
        bent = bend_from is not None and abs(cents) >= bend_from
        notes.append(_Note(float(start[index]), float(end[index]), number, cents if bent else 0.0, velocity))
    messages, detuned = _played(sorted(notes))
    return Midi(_file(messages, bpm), len(notes), int((heard & ~pitched).sum()), int((~heard).sum()), detuned)


def _played(notes: list[_Note]) -> tuple[list[tuple[float, int, mido.Message]], int]:
    """Messages with their times in seconds and their order at equal times, and how many notes could not be bent."""
    messages: list[tuple[float, int, mido.Message]] = []
    bends = dict.fromkeys(CHANNELS, 0)
    sounding: dict[int, dict[int, _Note]] = {channel: {} for channel in CHANNELS}
    detuned = 0

    def stop(channel: int, note: _Note, time: float) -> None:
        messages.append((time, 0, mido.Message("note_off", channel=channel, note=note.number)))
        del sounding[channel][note.number]

    for note in notes:
        for channel in CHANNELS:
            for old in [old for old in sounding[channel].values() if old.end <= note.start]:
                stop(channel, old, old.end)
        bend = round(note.cents / (100 * BEND_RANGE) * 8192)
        tuned = [c for c in CHANNELS if bends[c] == bend or not sounding[c]]
        if not tuned:
            # Rather than bend what sounds already.
            detuned += 1
            tuned = [min(CHANNELS, key=lambda c: abs(bends[c] - bend))]
        channel = next((c for c in tuned if note.number not in sounding[c]), tuned[0])
        if (old_one := sounding[channel].get(note.number)) is not None:
            if old_one.start == note.start:
                # Struck at once they are one note, as long as the longer.
                sounding[channel][note.number] = note
                continue
            # A channel plays a note once: what sounds on ends as it is struck again.
            stop(channel, old_one, note.start)
        if not sounding[channel] and bends[channel] != bend:
            bends[channel] = bend
            messages.append((note.start, 1, mido.Message("pitchwheel", channel=channel, pitch=bend)))
        struck = mido.Message("note_on", channel=channel, note=note.number, velocity=note.velocity)
        messages.append((note.start, 2, struck))
        sounding[channel][note.number] = note
    for channel in CHANNELS:
        for old in list(sounding[channel].values()):
            stop(channel, old, old.end)
    return sorted(messages, key=lambda message: message[:2]), detuned


def _file(messages: list[tuple[float, int, mido.Message]], bpm: float) -> bytes:
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))])
    passed = 0
    for time, _, message in messages:
        tick = round(time * bpm / 60 * TICKS_PER_BEAT)
        track.append(message.copy(time=tick - passed))
        passed = tick
    buffer = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT, tracks=[track]).save(file=buffer)
    return buffer.getvalue()
