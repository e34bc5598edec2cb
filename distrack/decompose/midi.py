"""Converts events with a pitch to the notes of a standard MIDI file."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from distrack.decompose.events import Events
from distrack.errors import EventsError

if TYPE_CHECKING:  # every decomposition imports this module, few write notes
    import mido

# A tick is half a millisecond at 120 beats per minute.
TICKS_PER_BEAT = 960
# All channels but that of the drums, which has no pitch (number 10 when counted from 1).
CHANNELS = tuple(channel for channel in range(16) if channel != 9)
# Semitones of a full pitch bend, unless an instrument is set otherwise.
BEND_RANGE = 2.0
# Shortest note, in seconds.
SHORTEST = 0.01


class Midi(NamedTuple):
    """A MIDI file, and how many events became notes.

    Attributes:
        without_pitch: events left out because they have no pitch in the range of MIDI, 8 to 12,900 Hz.
        silent: events left out because they are muted, have no energy, or lie outside the clip.
        detuned: notes that are only near their pitch, because all channels were bent to other pitches at their onset.
    """

    content: bytes
    notes: int
    without_pitch: int
    silent: int
    detuned: int


class _Note(NamedTuple):
    start: float
    end: float
    number: int
    cents: float
    velocity: int


def to_midi(events: Events, *, bpm: float = 120.0, bend_from: float | None = 5.0) -> Midi:
    """Converts events with a pitch to notes.

    A note begins at the onset of its event and ends when the event has died away. Its velocity follows from the mean
    power of the event by the square law that instruments share: 127 for the loudest note, 64 for a note 12 dB below it.
    A pitch bend applies to all notes of a channel, so notes with different bends that sound together are put on
    different channels.

    Args:
        bpm: beats per minute of the file; it does not change the times in seconds.
        bend_from: a note this many cents or more from the nearest semitone is bent to its pitch; None bends no note.

    Raises:
        EventsError: an impossible tempo.

    Source:
        MIDI 1.0 Detailed Specification, MMA 1996; General MIDI Level 2, MMA 1999, for the range of a bend; DLS Level 1,
        MMA 1999, section 1.9, for velocity.
    """
    if not 4 <= bpm <= 1_000:
        raise EventsError(f"{bpm:g} beats per minute: it must lie between 4 and 1000")
    box = events.kind.boxes(events)
    start, end = np.maximum(box.onset, 0.0), np.maximum(box.end, np.maximum(box.onset, 0.0) + SHORTEST)
    audible = ~events.muted & (box.energy > 0) & (box.end > 0) & (box.onset < events.seconds)
    with np.errstate(divide="ignore"):
        exact = np.where(box.pitch > 0, 69 + 12 * np.log2(box.pitch.astype(np.float64) / 440), -1.0)
    pitched = (exact >= -0.5) & (exact < 127.5)
    power = box.energy.astype(np.float64) / np.maximum(box.end - box.start, SHORTEST)
    selected = np.flatnonzero(audible & pitched)
    loudest = power[selected].max(initial=0.0)
    notes = []
    for index in selected:
        number = min(max(math.floor(exact[index] + 0.5), 0), 127)
        cents = 100 * float(exact[index] - number)
        # Amplitude is proportional to the square of the velocity, power to its fourth power.
        velocity = min(max(round(127 * float(power[index] / loudest) ** 0.25), 1), 127)
        bent = bend_from is not None and abs(cents) >= bend_from
        notes.append(_Note(float(start[index]), float(end[index]), number, cents if bent else 0.0, velocity))
    messages, detuned = _messages(sorted(notes))
    return Midi(_file(messages, bpm), len(notes), int((audible & ~pitched).sum()), int((~audible).sum()), detuned)


def _messages(notes: list[_Note]) -> tuple[list[tuple[float, int, mido.Message]], int]:
    """Messages with their times in seconds and their order at equal times, and the number of notes not bent."""
    import mido

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
            # A bend would change the pitch of notes that already sound.
            detuned += 1
            tuned = [min(CHANNELS, key=lambda c: abs(bends[c] - bend))]
        channel = next((c for c in tuned if note.number not in sounding[c]), tuned[0])
        if (old_one := sounding[channel].get(note.number)) is not None:
            if old_one.start == note.start:
                # Equal notes at the same time are one note, as long as the longer.
                sounding[channel][note.number] = note
                continue
            # A channel plays a note only once at a time: the old note ends where the new one begins.
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
    import mido

    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))])
    last_tick = 0
    for time, _, message in messages:
        tick = round(time * bpm / 60 * TICKS_PER_BEAT)
        track.append(message.copy(time=tick - last_tick))
        last_tick = tick
    buffer = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT, tracks=[track]).save(file=buffer)
    return buffer.getvalue()
