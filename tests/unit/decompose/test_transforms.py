"""Edits of one clip change the sound as they say, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from distrack.arrays import Floats
from distrack.decompose import EDITS, Edit, Events, apply, render, soloed, storage
from distrack.decompose.combining import mix, morph
from distrack.decompose.transforms import (
    colour,
    copy,
    decay,
    gain,
    move,
    mute,
    quantise,
    remove,
    stretch,
    stretch_clip,
    transpose,
    unmute,
    wet,
)
from distrack.errors import EventsError
from tests.tones import RATE, many, tones
from tests.unit.decompose.listening import decay_time, onset, pitch, same

# Of the second kind, the time of an event is not its onset.
both_kinds = pytest.mark.parametrize("kind", ["test-tone", "test-centred"])


def note(**rest: Any) -> Events:
    return tones((0.2, 440, 0.5, 0.15), **rest)


def chord() -> Events:
    return tones((0.1, 220, 0.3, 0.2), (0.3, 330, 0.2, 0.1), (0.5, 550, 0.1, 0.05))


def onsets(events: Events) -> Floats:
    return events.kind.boxes(events).onset


def test_twelve_semitones_double_the_pitch() -> None:
    assert pitch(render(note())) == pytest.approx(440, abs=0.5)
    up = render(transpose(note(), semitones=12))
    assert pitch(up) == pytest.approx(880, abs=1)
    assert pitch(render(transpose(note(), semitones=-7))) == pytest.approx(440 * 2 ** (-7 / 12), abs=0.5)
    assert decay_time(up) == pytest.approx(decay_time(render(note())), abs=0.005)


@both_kinds
@pytest.mark.parametrize("seconds", [0.25, -0.125, 0.0003])
def test_an_event_moves_by_the_given_time(seconds: float, kind: str) -> None:
    events = tones((0.5, 440, 0.5, 0.15), kind_name=kind)
    assert onset(render(move(events, seconds=seconds))) - onset(render(events)) == pytest.approx(seconds, abs=0.0005)


def test_an_event_moved_out_of_the_clip_is_silent() -> None:
    assert not render(move(note(), seconds=2)).any()
    assert np.abs(render(move(note(), seconds=-3))).max() < 1e-6


def test_muting_silences_and_unmuting_restores() -> None:
    silent = mute(chord())
    assert not render(silent).any()
    np.testing.assert_array_equal(render(unmute(silent)), render(chord()))
    np.testing.assert_array_equal(render(mute(chord(), [0, 2])), render(remove(chord(), [0, 2])))


@pytest.mark.parametrize("channels", [1, 2])
def test_gain_is_in_decibels_and_applies_to_every_channel(channels: int) -> None:
    events = note(channels=channels)
    np.testing.assert_allclose(render(gain(events, db=-20)), 0.1 * render(events), rtol=1e-5, atol=1e-9)
    np.testing.assert_array_equal(render(gain(events, [], db=-20)), render(events))


@both_kinds
def test_a_stretched_event_lasts_longer_at_its_pitch_from_its_onset(kind: str) -> None:
    events = tones((0.3, 440, 0.5, 0.03), kind_name=kind)
    long = render(stretch(events, factor=3))
    assert onset(long) == pytest.approx(onset(render(events)), abs=0.0005)
    assert decay_time(long) == pytest.approx(3 * decay_time(render(events)), rel=0.03)
    assert pitch(long) == pytest.approx(440, abs=1)


@both_kinds
def test_stretching_about_an_anchor_keeps_the_proportions_of_onsets(kind: str) -> None:
    events = tones((0.2, 300, 0.3, 0.05), (0.3, 400, 0.3, 0.05), (0.5, 500, 0.3, 0.05), kind_name=kind)
    before = onsets(events)
    slow = stretch(events, [1, 2], factor=1.5, anchor=0.25)
    expected = [before[0], 0.25 + 1.5 * (before[1] - 0.25), 0.25 + 1.5 * (before[2] - 0.25)]
    np.testing.assert_allclose(onsets(slow), expected, atol=1e-6)
    assert slow.samples == events.samples


def test_a_whole_clip_is_stretched_with_its_events() -> None:
    slow = stretch_clip(chord(), factor=2)
    assert slow.samples == 2 * chord().samples
    np.testing.assert_allclose(slow.column("time"), 2 * chord().column("time"), atol=1e-6)
    np.testing.assert_allclose(render(stretch_clip(slow, factor=0.5)), render(chord()), atol=2e-3)


def test_decay_and_colour_keep_onset_and_pitch() -> None:
    slow = render(decay(tones((0.2, 440, 0.5, 0.04)), factor=2))
    assert decay_time(slow) == pytest.approx(0.08 * np.log(10), rel=0.03)
    assert onset(slow) == pytest.approx(onset(render(note())), abs=0.001)
    bright = np.abs(np.fft.rfft(render(colour(note(), octaves=1))[0]))
    plain = np.abs(np.fft.rfft(render(note())[0]))
    assert bright[880] / bright[440] == pytest.approx(2 * plain[880] / plain[440], rel=0.05)


@both_kinds
def test_onsets_snap_to_a_grid(kind: str) -> None:
    events = tones((0.27, 300, 0.3, 0.02), (0.61, 400, 0.3, 0.02), (0.74, 500, 0.3, 0.02), kind_name=kind)
    before = onsets(events)
    on_grid = quantise(events, grid=0.125)
    np.testing.assert_allclose(onsets(on_grid), np.round(before / 0.125) * 0.125, atol=1e-6)
    np.testing.assert_allclose(onsets(quantise(events, bpm=120, division=4)), onsets(on_grid), atol=1e-6)
    assert same(quantise(events, grid=0.4, bpm=120, division=4), quantise(events, bpm=120, division=4))
    assert same(quantise(events), quantise(events, grid=0.25))
    half = quantise(events, grid=0.125, strength=0.5)
    np.testing.assert_allclose(onsets(half), (onsets(on_grid) + before) / 2, atol=1e-6)
    later = quantise(events, [0], grid=0.5, offset=0.1)
    np.testing.assert_allclose(onsets(later), [0.1, before[1], before[2]], atol=1e-6)
    assert same(quantise(events, grid=0.125, strength=0), events)


def test_a_copy_sounds_the_same_later() -> None:
    once, twice = render(note()), render(copy(note(), seconds=0.5))
    later = np.concatenate([np.zeros((1, 8_000), np.float32), once[:, :-8_000]], axis=1)
    np.testing.assert_allclose(twice, once + later, atol=1e-4)
    assert len(copy(chord(), [1], seconds=0)) == 4


# Arguments with which each edit of one clip changes something.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "random-events": {"seed": 3},
    "random-times": {"seed": 3},
    "mute": {},
    "unmute": {},
    "gain": {"db": -6},
    "move": {"seconds": 0.1},
    "stretch": {"factor": 2, "anchor": 0.5},
    "stretch-clip": {"factor": 2},
    "transpose": {"semitones": 3},
    "decay": {"factor": 0.5},
    "colour": {"octaves": -1},
    "quantise": {"bpm": 100, "division": 2},
    "copy": {"seconds": 0.3},
    "remove": {},
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_edit_changes_the_selected_events_only_and_leaves_the_given_ones_alone(name: str) -> None:
    events = replace(many(10), muted=np.arange(10) == 4)
    before = storage.to_bytes(events)
    which = (1, 4, 7) if EDITS[name].selects else None
    changed = apply(events, [Edit(name=name, which=which, arguments=ARGUMENTS[name])])
    assert storage.to_bytes(events) == before
    assert storage.to_bytes(changed) != before
    if len(changed) == 10 and EDITS[name].selects:
        others = [0, 2, 3, 5, 6, 8, 9]
        np.testing.assert_array_equal(changed.parameters[others], events.parameters[others])


def test_every_edit_of_one_clip_is_tested() -> None:
    assert set(ARGUMENTS) | {"wet"} == {name for name in EDITS if EDITS[name].takes == "nothing"}


@pytest.mark.parametrize(
    "change",
    [
        *(lambda e, name=name: apply(e, [Edit(name=name, arguments=ARGUMENTS[name])]) for name in ARGUMENTS),
        lambda e: mix(e, e),
        lambda e: morph(e, e, share=0.5),
        lambda e: soloed(e, None),
    ],
)
def test_a_clip_without_events_can_be_edited(change: Callable[[Events], Events]) -> None:
    changed = change(tones())
    assert len(changed) == 0
    assert not render(changed).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: gain(e, db=float("nan")), "gain: db nan"),
        (lambda e: gain(e, db=500), "gain: db 500"),
        (gain, "gain: db Field required"),
        (lambda e: move(e, seconds=1e9), "move: seconds"),
        (lambda e: move(e, seconds=float("inf")), "move: seconds inf"),
        (lambda e: stretch(e, factor=0), "stretch: factor 0"),
        (lambda e: stretch(e, factor=-1), "stretch: factor -1"),
        (lambda e: stretch_clip(replace(e, samples=100 * RATE), factor=7), "700 s long"),
        (lambda e: transpose(e, semitones=cast(float, "much")), "transpose: semitones 'much'"),
        (lambda e: quantise(e, grid=0), "quantise: grid 0"),
        (lambda e: quantise(e, grid=0.1, strength=2), "quantise: strength 2"),
        (lambda e: wet(e, share=0.5), "choose a reverb first"),
    ],
)
def test_an_impossible_edit_is_refused(change: Callable[[Any], object], message: str) -> None:
    with pytest.raises(EventsError, match=message):
        change(chord())
