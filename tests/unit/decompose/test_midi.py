"""MIDI files play the notes of the events, and every event that is left out is counted."""

import io
from collections.abc import Iterator
from typing import NamedTuple

import mido
import numpy as np
import pytest

from distrack.decompose import Events, storage, to_midi
from distrack.decompose.transforms import gain, mute
from distrack.errors import EventsError
from tests.tones import many, tones


class Note(NamedTuple):
    start: float
    end: float
    pitch: float
    velocity: int
    channel: int


def played(content: bytes) -> list[Note]:
    """The notes that an instrument plays, with times in seconds and with their bent pitches."""
    return sorted(_played(mido.MidiFile(file=io.BytesIO(content))))


def _played(file: mido.MidiFile) -> Iterator[Note]:
    now, bends = 0.0, [0] * 16
    sounding: dict[tuple[int, int], tuple[float, int, float]] = {}
    for message in file:
        now += message.time
        if message.type == "pitchwheel":
            # A bend must not change the pitch of a note that already sounds.
            assert not [key for key in sounding if key[0] == message.channel]
            bends[message.channel] = message.pitch
        elif message.type == "note_on":
            assert message.velocity > 0
            assert (message.channel, message.note) not in sounding
            pitch = 440 * 2 ** ((message.note - 69 + 2 * bends[message.channel] / 8192) / 12)
            sounding[message.channel, message.note] = now, message.velocity, pitch
        elif message.type == "note_off":
            start, velocity, pitch = sounding.pop((message.channel, message.note))
            yield Note(start, now, pitch, velocity, message.channel)
    assert not sounding


def cents(pitch: float, wanted: float) -> float:
    return float(1200 * np.log2(pitch / wanted))


@pytest.mark.parametrize("bpm", [60.0, 120.0, 97.3])
def test_notes_have_the_times_and_pitches_of_their_events(bpm: float) -> None:
    events = tones((0.1, 440, 0.2, 0.1), (0.35, 261.63, 0.4, 0.2), (0.8, 110, 0.1, 0.05))
    midi = to_midi(events, bpm=bpm)
    assert (midi.notes, midi.without_pitch, midi.silent, midi.detuned) == (3, 0, 0, 0)
    notes = played(midi.content)
    assert [note.start for note in notes] == pytest.approx([0.1, 0.35, 0.8], abs=0.001)
    # A tone lasts three decays.
    assert [note.end - note.start for note in notes] == pytest.approx([0.3, 0.6, 0.15], abs=0.001)
    for note, wanted in zip(notes, (440, 261.63, 110), strict=True):
        assert abs(cents(note.pitch, wanted)) < 5


@pytest.mark.parametrize("frequency", [27.3, 333.0, 451.0, 452.893, 3_900.0, 12_800.0])
def test_a_note_is_bent_to_a_pitch_between_semitones(frequency: float) -> None:
    events = tones((0.1, frequency, 0.2, 0.1), rate=48_000)
    (bent,) = played(to_midi(events, bend_from=0).content)
    (plain,) = played(to_midi(events, bend_from=None).content)
    assert abs(cents(bent.pitch, frequency)) < 0.1
    assert abs(cents(plain.pitch, frequency)) <= 50.01
    assert cents(plain.pitch, 440) == pytest.approx(100 * round(cents(plain.pitch, 440) / 100), abs=1e-6)


def test_a_few_cents_are_not_bent() -> None:
    near, far = (tones((0.1, 440 * 2 ** (off / 1200), 0.2, 0.1)) for off in (3, 8))
    assert played(to_midi(near).content)[0].pitch == 440
    assert cents(played(to_midi(far).content)[0].pitch, 440) == pytest.approx(8, abs=0.1)


def test_velocity_follows_loudness() -> None:
    loud = tones((0.1, 440, 0.4, 0.1), (0.4, 550, 0.1, 0.1), (0.7, 660, 0.0001, 0.1))
    velocities = [note.velocity for note in played(to_midi(loud).content)]
    # A quarter of the amplitude, -12 dB, is half of the velocity; no velocity is 0, which would end a note.
    assert velocities == [127, pytest.approx(64, abs=1), 2]
    assert played(to_midi(gain(loud, db=-30)).content) == played(to_midi(loud).content)


def test_events_without_a_pitch_are_left_out_and_counted() -> None:
    events = mute(
        tones(
            (0.1, 10, 0.4, 0.1),
            (0.2, 440, 0.4, 0.1),
            (0.3, 19_000, 0.4, 0.1),
            (0.4, 550, 0.4, 0.1),
            (0.5, 660, 0.0, 0.1),
            (-2.0, 770, 0.4, 0.1),
            (9.0, 880, 0.4, 0.1),
            rate=48_000,
        ),
        [3],
    )
    midi = to_midi(events)
    assert (midi.notes, midi.without_pitch, midi.silent) == (1, 2, 4)
    (note,) = played(midi.content)
    assert note.start == pytest.approx(0.2, abs=0.001)


def test_a_note_that_began_before_the_clip_begins_with_it() -> None:
    (note,) = played(to_midi(tones((-0.1, 440, 0.4, 0.1))).content)
    assert note.start == 0
    assert note.end == pytest.approx(0.2, abs=0.001)


def test_notes_with_different_bends_are_on_different_channels() -> None:
    wanted = [440 * 2 ** ((step + off) / 12) for step, off in ((0, 0.2), (4, -0.3), (7, 0.4), (0, -0.25))]
    midi = to_midi(tones(*[(0.1, frequency, 0.2, 0.2) for frequency in wanted]))
    notes = played(midi.content)
    assert midi.detuned == 0
    assert len({note.channel for note in notes}) == 4
    assert 9 not in {note.channel for note in notes}
    for note, frequency in zip(sorted(notes, key=lambda note: note.pitch), sorted(wanted), strict=True):
        assert abs(cents(note.pitch, frequency)) < 0.5


def test_notes_that_no_channel_can_bend_are_counted() -> None:
    frequencies = [200 * 2 ** ((step + 0.02 * step) / 12) for step in range(20)]
    midi = to_midi(tones(*[(0.1, frequency, 0.2, 0.2) for frequency in frequencies]), bend_from=0)
    notes = played(midi.content)
    assert (midi.notes, len(notes), midi.detuned) == (20, 20, 5)
    off = [abs(cents(note.pitch, f)) for note, f in zip(sorted(notes, key=lambda n: n.pitch), frequencies, strict=True)]
    assert max(off) <= 100
    # All channels but that of the drums.
    assert {note.channel for note in notes} == set(range(16)) - {9}
    assert sorted(off)[14] < 0.5


def test_a_note_that_still_sounds_is_struck_again() -> None:
    again = tones(*[(0.05 * index, 440, 0.2, 0.3) for index in range(18)])
    notes = played(to_midi(again).content)
    assert [note.start for note in notes] == pytest.approx([0.05 * index for index in range(18)], abs=0.001)
    at_once = tones((0.1, 440, 0.2, 0.1), *[(0.1, 440, 0.2, 0.3)] * 17)
    assert max(note.end for note in played(to_midi(at_once).content)) == pytest.approx(1.0, abs=0.001)


@pytest.mark.parametrize("seed", range(2))
def test_random_events_give_a_valid_file(seed: int) -> None:
    events = many(300, seed=seed)
    midi = to_midi(events)
    assert midi.notes + midi.without_pitch + midi.silent == 300
    assert len(played(midi.content)) == midi.notes
    assert to_midi(events).content == midi.content


def test_no_events_are_an_empty_file() -> None:
    assert played(to_midi(tones()).content) == []


@pytest.mark.parametrize("bpm", [0, -5, float("nan"), 5_000])
def test_an_impossible_tempo_is_refused(bpm: float) -> None:
    with pytest.raises(EventsError, match="beats per minute"):
        to_midi(tones(), bpm=bpm)


def test_events_stay_as_they_were() -> None:
    events: Events = many(5)
    before = storage.to_bytes(events)
    to_midi(events)
    assert storage.to_bytes(events) == before
