"""Edits are what they say, in sound; they are stored, replayed and undone; and two clips become one."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from distrack.decompose import (
    EDITS,
    Edit,
    Events,
    History,
    apply,
    colour,
    copy,
    decay,
    gain,
    in_box,
    in_pitch,
    mask,
    mix,
    morph,
    move,
    mute,
    quantise,
    remove,
    render,
    render_to,
    soloed,
    storage,
    stretch,
    stretch_clip,
    strongest,
    transpose,
    unmute,
    wet,
    with_room,
)
from distrack.errors import ConfigError, EventsError
from tests.tones import RATE, many, registered, tones

Floats = NDArray[np.float32]


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch)


def note(**rest: Any) -> Events:
    return tones((0.2, 440, 0.5, 0.15), **rest)


def chord() -> Events:
    return tones((0.1, 220, 0.3, 0.2), (0.3, 330, 0.2, 0.1), (0.5, 550, 0.1, 0.05))


def pitch(wave: Floats) -> float:
    """Where the spectrum is highest, in Hz."""
    spectrum = np.abs(np.fft.rfft(wave[0] * np.hanning(wave.shape[1]), 1 << 18))
    return float(spectrum.argmax()) * RATE / (1 << 18)


def onset(wave: Floats) -> float:
    """When a tenth of the peak is passed, in seconds."""
    return float(np.argmax(np.abs(wave[0]) > 0.1 * np.abs(wave).max())) / RATE


def seconds_down(wave: Floats, *, decibels: float = 20) -> float:
    """From the onset until the envelope has fallen by so much for good."""
    above = np.flatnonzero(np.abs(wave[0]) > np.abs(wave).max() * 10 ** (-decibels / 20))
    return float(above[-1] - above[0]) / RATE


def same(one: Events, other: Events) -> bool:
    return storage.to_bytes(one) == storage.to_bytes(other)


# What an edit does to the sound


def test_twelve_semitones_double_the_pitch() -> None:
    assert pitch(render(note())) == pytest.approx(440, abs=0.5)
    assert pitch(render(transpose(note(), semitones=12))) == pytest.approx(880, abs=1)
    assert pitch(render(transpose(note(), semitones=-7))) == pytest.approx(440 * 2 ** (-7 / 12), abs=0.5)
    assert seconds_down(render(transpose(note(), semitones=12))) == pytest.approx(
        seconds_down(render(note())), abs=0.005
    )


@pytest.mark.parametrize("kind", ["test-tone", "test-centred"])
@pytest.mark.parametrize("seconds", [0.25, -0.125, 0.0003])
def test_an_event_moves_by_what_was_said(seconds: float, kind: str) -> None:
    events = tones((0.5, 440, 0.5, 0.15), kind=kind)
    moved = onset(render(move(events, seconds=seconds)))
    assert moved - onset(render(events)) == pytest.approx(seconds, abs=0.0005)


def test_what_leaves_the_clip_is_not_heard() -> None:
    assert not render(move(note(), seconds=2)).any()
    assert np.abs(render(move(note(), seconds=-3))).max() < 1e-6


def test_muting_all_is_silence_and_unmuting_gives_it_back() -> None:
    silent = mute(chord())
    assert not render(silent).any()
    np.testing.assert_array_equal(render(unmute(silent)), render(chord()))
    np.testing.assert_array_equal(render(mute(chord(), [0, 2])), render(remove(chord(), [0, 2])))


@pytest.mark.parametrize("channels", [1, 2])
def test_gain_is_in_decibels_and_of_every_channel(channels: int) -> None:
    events = note(channels=channels)
    np.testing.assert_allclose(render(gain(events, db=-20)), 0.1 * render(events), rtol=1e-5, atol=1e-9)
    np.testing.assert_array_equal(render(gain(events, [], db=-20)), render(events))


@pytest.mark.parametrize("kind", ["test-tone", "test-centred"])
def test_a_stretched_event_lasts_longer_at_its_pitch_from_its_onset(kind: str) -> None:
    events = tones((0.3, 440, 0.5, 0.03), kind=kind)
    long = stretch(events, factor=3)
    assert onset(render(long)) == pytest.approx(onset(render(events)), abs=0.0005)
    assert seconds_down(render(long)) == pytest.approx(3 * seconds_down(render(events)), rel=0.03)
    assert pitch(render(long)) == pytest.approx(440, abs=1)


@pytest.mark.parametrize("kind", ["test-tone", "test-centred"])
def test_onsets_keep_their_proportions_about_an_anchor(kind: str) -> None:
    events = tones((0.2, 300, 0.3, 0.05), (0.3, 400, 0.3, 0.05), (0.5, 500, 0.3, 0.05), kind=kind)
    before = events.kind.boxes(events).onset
    slow = stretch(events, [1, 2], factor=1.5, anchor=0.25)
    expected = [before[0], 0.25 + 1.5 * (before[1] - 0.25), 0.25 + 1.5 * (before[2] - 0.25)]
    np.testing.assert_allclose(slow.kind.boxes(slow).onset, expected, atol=1e-6)
    assert slow.samples == events.samples


def test_a_whole_clip_is_stretched_with_all_in_it() -> None:
    slow = stretch_clip(chord(), factor=2)
    assert slow.samples == 2 * chord().samples
    np.testing.assert_allclose(slow.column("time"), 2 * chord().column("time"), atol=1e-6)
    back = stretch_clip(slow, factor=0.5)
    np.testing.assert_allclose(render(back), render(chord()), atol=2e-3)


def test_decay_and_colour_leave_onset_and_pitch() -> None:
    slow = decay(tones((0.2, 440, 0.5, 0.04)), factor=2)
    assert seconds_down(render(slow)) == pytest.approx(0.08 * np.log(10), rel=0.03)
    assert onset(render(slow)) == pytest.approx(onset(render(note())), abs=0.001)
    bright = np.abs(np.fft.rfft(render(colour(note(), octaves=1))[0]))
    plain = np.abs(np.fft.rfft(render(note())[0]))
    assert bright[880] / bright[440] == pytest.approx(2 * plain[880] / plain[440], rel=0.05)


@pytest.mark.parametrize("kind", ["test-tone", "test-centred"])
def test_onsets_are_drawn_to_a_grid(kind: str) -> None:
    events = tones((0.27, 300, 0.3, 0.02), (0.61, 400, 0.3, 0.02), (0.74, 500, 0.3, 0.02), kind=kind)
    before = events.kind.boxes(events).onset

    def onsets(changed: Events) -> Floats:
        return changed.kind.boxes(changed).onset

    on_grid = quantise(events, grid=0.125)
    np.testing.assert_allclose(onsets(on_grid), np.round(before / 0.125) * 0.125, atol=1e-6)
    np.testing.assert_allclose(onsets(quantise(events, bpm=120, division=4)), onsets(on_grid), atol=1e-6)
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


def test_a_soloed_event_is_heard_alone_even_if_it_was_muted() -> None:
    muted = mute(chord(), [1])
    parts = [render(soloed(muted, [index])) for index in range(3)]
    np.testing.assert_allclose(sum(parts), render(chord()), atol=1e-6)
    np.testing.assert_array_equal(parts[1], render(remove(chord(), [0, 2])))


def test_events_that_are_edited_stay_as_they_were() -> None:
    for name, arguments in EDITS_OF_ONE.items():
        events = replace(many(10), muted=np.arange(10) == 4)
        before = storage.to_bytes(events)
        which = (1, 4, 7) if EDITS[name].selects else None
        changed = apply(events, [Edit(name=name, which=which, arguments=arguments)])
        assert storage.to_bytes(events) == before
        assert storage.to_bytes(changed) != before, name
        if len(changed) == 10 and EDITS[name].selects:
            untouched = [0, 2, 3, 5, 6, 8, 9]
            np.testing.assert_array_equal(changed.parameters[untouched], events.parameters[untouched])


EDITS_OF_ONE: dict[str, dict[str, Any]] = {
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


def test_every_edit_of_one_clip_is_tested_above() -> None:
    assert set(EDITS_OF_ONE) | {"wet"} == {name for name in EDITS if EDITS[name].takes == "nothing"}


@pytest.mark.parametrize(
    "change",
    [
        mute,
        lambda e: gain(e, db=3),
        lambda e: move(e, seconds=1),
        lambda e: stretch(e, factor=2, anchor=1),
        lambda e: stretch_clip(e, factor=2),
        lambda e: transpose(e, semitones=1),
        lambda e: quantise(e, grid=0.1),
        lambda e: copy(e, seconds=1),
        remove,
        lambda e: mix(e, e),
        lambda e: morph(e, e, share=0.5),
        lambda e: soloed(e, None),
        lambda e: unmute(e, in_box(e)),
        lambda e: unmute(e, in_pitch(e)),
        lambda e: unmute(e, strongest(e, 3)),
    ],
)
def test_no_events_may_be_edited_too(change: Callable[[Events], Events]) -> None:
    changed = change(tones())
    assert len(changed) == 0
    assert not render(changed).any()


# What is refused


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: gain(e, db=float("nan")), "gain: db nan"),
        (lambda e: gain(e, db=500), "gain: db 500"),
        (gain, "gain: db: Field required"),
        (lambda e: move(e, seconds=1e9), "move: seconds"),
        (lambda e: move(e, seconds=float("inf")), "move: seconds inf"),
        (lambda e: stretch(e, factor=0), "stretch: factor 0"),
        (lambda e: stretch(e, factor=-1), "stretch: factor -1"),
        (lambda e: stretch_clip(replace(e, samples=100 * RATE), factor=7), "700 s long"),
        (lambda e: transpose(e, semitones=cast(float, "much")), "transpose: semitones much"),
        (quantise, "either grid"),
        (lambda e: quantise(e, grid=0.1, bpm=100), "either grid"),
        (lambda e: quantise(e, grid=0), "quantise: grid 0"),
        (lambda e: quantise(e, grid=0.1, strength=2), "quantise: strength 2"),
        (lambda e: wet(e, share=0.5), "no room"),
        (lambda e: mute(e, [3]), "no event 3: the 3 events"),
        (lambda e: mute(e, [-1]), "no event -1"),
        (lambda e: mute(e, cast("list[int]", [0.5])), "whole numbers"),
        (lambda e: mute(e, np.array([[0]])), "whole numbers"),
        (lambda e: mute(e, [True, False]), "truth values of shape"),
        (lambda e: in_box(e, start=2, end=1), "ends before it begins"),
        (lambda e: in_pitch(e, low=float("nan")), "ends before it begins"),
        (lambda e: strongest(e, -1), "0 or more"),
        (lambda e: mix(e, note(rate=8_000)), "16000 and 8000 Hz: .*--sample-rate 16000"),
        (lambda e: mix(e, note(channels=2)), "1 and 2 channels"),
        (lambda e: morph(e, note(kind="test-centred"), share=0.5), "test-tone and test-centred events"),
        (lambda e: mix(e, replace(e, settings={"a": 1})), "differ in a"),
        (lambda e: mix(e, replace(e, shared={"d": np.ones(3, np.float32)})), "different waveforms"),
        (lambda e: morph(e, e, share=1.5), "morph: share 1.5"),
        (lambda e: morph(many(3_000), e, share=0.5), "at most 2000"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(change: Callable[[Any], object], said: str) -> None:
    with pytest.raises(EventsError, match=said):
        change(chord())


# Which events


def test_events_are_chosen_by_number_and_by_truth() -> None:
    assert mask(chord(), None).tolist() == [True, True, True]
    assert mask(chord(), [2, 0, 0]).tolist() == [True, False, True]
    assert mask(chord(), np.array([True, False, False])).tolist() == [True, False, False]
    assert mask(chord(), []).tolist() == [False, False, False]


def test_events_are_chosen_by_box_pitch_and_loudness() -> None:
    events = tones((0.1, 220, 0.3, 0.1), (0.3, 330, 0.1, 0.1), (0.8, 10, 0.2, 0.1), (0.9, 550, 0.3, 0.1))
    # They last three decays, and their octave is part of them.
    assert in_box(events, start=0.45, end=0.5).tolist() == [False, True, False, False]
    assert in_box(events, low=450, high=500).tolist() == [False, True, False, False]
    assert in_box(events, start=0.85, end=0.85).tolist() == [False, False, True, False]
    assert in_box(events).all()
    assert in_pitch(events).tolist() == [True, True, False, True]
    assert in_pitch(events, low=330, high=550).tolist() == [False, True, False, True]
    assert strongest(events, 2).tolist() == [True, False, False, True]
    assert strongest(events, 0).sum() == 0
    assert strongest(events, 9).all()
    # Of equals the first.
    assert strongest(tones(*[(0.1, 220, 0.3, 0.1)] * 20), 3).tolist() == [True] * 3 + [False] * 17


# Two clips


def test_a_mix_is_the_sum_of_both_and_as_long_as_the_longer() -> None:
    other = tones((0.4, 700, 0.2, 0.1), seconds=1.5)
    mixed = mix(chord(), other)
    assert mixed.samples == other.samples
    expected = render(replace(chord(), samples=other.samples)) + render(other)
    np.testing.assert_allclose(render(mixed), expected, atol=1e-6)
    assert mix(chord(), other, seconds=0.5).samples == 2 * RATE
    assert same(mix(chord(), tones()), chord())


def test_a_mix_of_a_dry_clip_and_one_in_a_room_leaves_each_as_it_was(tmp_path: Path) -> None:
    room = np.random.default_rng(0).normal(size=400) * np.exp(-np.arange(400) / 50)
    soundfile.write(tmp_path / "room.wav", room, RATE, subtype="FLOAT")
    inside = with_room(note(), tmp_path / "room.wav", wet=0.6)
    # What was stored of a share without a room says nothing.
    dry = replace(chord(), wet=np.ones(3, np.float32))
    expected = render(inside) + render(dry)
    for mixed in (mix(dry, inside), mix(inside, dry)):
        np.testing.assert_allclose(render(mixed), expected, atol=1e-5)
    soundfile.write(tmp_path / "other.wav", room[::-1], RATE, subtype="FLOAT")
    with pytest.raises(EventsError, match="two rooms"):
        mix(inside, with_room(note(), tmp_path / "other.wav"))


def test_seeds_may_differ_where_they_are_not_heard() -> None:
    both = [replace(note(), seed=seed) for seed in (1, 2)]
    assert mix(*both).seed == 1
    noisy = [replace(events, settings={"noisy": True}) for events in both]
    for combine in (mix, lambda a, b: morph(a, b, share=0.5)):
        with pytest.raises(EventsError, match=r"different seeds, 1 and 2: .*--seed 1"):
            combine(*noisy)


def test_a_morph_begins_and_ends_with_its_two_clips_exactly() -> None:
    one, other = many(8, seed=1), many(11, seed=2, seconds=1.5)
    assert same(morph(one, other, share=0), one)
    assert same(morph(one, other, share=1), other)
    for share, end in ((1e-6, one), (1 - 1e-6, other)):
        near = render(morph(one, other, share=share))
        assert abs(near.shape[1] - end.samples) <= 1
        length = min(near.shape[1], end.samples)
        np.testing.assert_allclose(near[:, :length], render(end)[:, :length], atol=1e-3)


def test_matched_events_glide_and_the_others_fade() -> None:
    one = tones((0.1, 440, 0.4, 0.1), (0.5, 3_000, 0.2, 0.1))
    # In another order, and with one more that nothing is near.
    other = tones((0.9, 100, 0.1, 0.1), (0.52, 3_100, 0.4, 0.1), (0.2, 330, 0.4, 0.2))
    half = morph(one, other, share=0.5)
    assert len(half) == 3
    np.testing.assert_allclose(half.column("frequency"), [np.sqrt(440 * 330), np.sqrt(3_000 * 3_100), 100], rtol=1e-5)
    np.testing.assert_allclose(half.column("time"), [0.15, 0.51, 0.9], atol=1e-6)
    np.testing.assert_allclose(half.column("amplitude"), [0.4, 0.3, 0.05], atol=1e-6)
    # Where nothing counts as near, all of them fade.
    apart = morph(one, other, share=0.25, near_seconds=1e-6, near_octaves=1e-6)
    assert len(apart) == 5
    expected = 0.75 * render(one) + 0.25 * render(other)
    np.testing.assert_allclose(render(apart), expected, atol=1e-6)


def test_the_matching_is_the_best_one_and_not_the_first_that_fits() -> None:
    # The nearest first would give 0.38 to 0.30, and leave 0.20 and 0.58 to each other.
    one, other = tones((0.20, 440, 1, 0.1), (0.38, 440, 1, 0.1)), tones((0.58, 440, 1, 0.1), (0.30, 440, 1, 0.1))
    half = morph(one, other, share=0.5, near_seconds=0.2)
    assert half.column("time").tolist() == pytest.approx([0.25, 0.48])


def test_a_pair_that_is_none_does_not_keep_another_apart() -> None:
    # The least sum of all distances would pair 0 with -10, and 10 with 0.1: far pairs count as what they are, none.
    one, other = tones((0, 440, 1, 0.1), (10, 440, 1, 0.1)), tones((0.1, 440, 1, 0.1), (-10, 440, 1, 0.1))
    half = morph(one, other, share=0.5, near_seconds=1)
    assert half.column("time").tolist() == pytest.approx([0.05, 10, -10])
    assert len(morph(tones((0, 440, 1, 0.1)), tones((0.75, 440, 1, 0.1)), share=0.5, near_seconds=0.25)) == 2


def test_a_morph_between_rooms_fades_one_into_the_other() -> None:
    room = np.zeros((1, 200), np.float32)
    room[0, 100] = 1
    all_wet = np.ones(1, np.float32)
    near = replace(note(), room=np.ones((1, 1), np.float32), wet=all_wet)
    far = replace(note(), room=room, wet=all_wet)
    expected = 0.75 * render(near) + 0.25 * render(far)
    np.testing.assert_allclose(render(morph(near, far, share=0.25)), expected, atol=1e-5)
    dry = 0.75 * render(note()) + 0.25 * render(far)
    np.testing.assert_allclose(render(morph(note(), far, share=0.25)), dry, atol=1e-5)


# Stored, replayed, undone


def test_edits_are_replayed_from_json() -> None:
    edits = [
        Edit(name="Transpose", which=(0,), arguments={"semitones": 12}),
        Edit(name="stretch_clip", arguments={"factor": 1.5}),
        Edit(name="mix", source="other", arguments={"seconds": 0.1}),
        Edit(name="remove", which=(1,)),
    ]
    stored = json.dumps([edit.model_dump(mode="json") for edit in edits])
    again = [Edit.model_validate(edit) for edit in json.loads(stored)]
    assert again == edits
    other = note()
    expected = remove(mix(stretch_clip(transpose(chord(), [0], semitones=12), factor=1.5), other, seconds=0.1), [1])
    assert same(apply(chord(), again, others={"other": other}), expected)
    assert same(apply(chord(), []), chord())


def test_a_room_is_an_edit_too(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tiny.wav", np.array([0.5, 0.25, 0.1]), RATE, subtype="FLOAT")
    rooms = {"tiny": tmp_path / "tiny.wav"}
    inside = [
        Edit(name="room", source="tiny", arguments={"wet": 0.5}),
        Edit(name="wet", which=(0,), arguments={"share": 1}),
    ]
    changed = apply(chord(), inside, rooms=rooms)
    assert changed.wet.tolist() == [1.0, 0.5, 0.5]
    assert changed.room is not None
    assert changed.room[0].tolist() == pytest.approx([0.5, 0.25, 0.1])
    assert same(apply(changed, [Edit(name="room")]), chord())


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({"name": "explode"}, "unknown edit 'explode'"),
        ({"name": "gain"}, "gain: db: Field required"),
        ({"name": "gain", "arguments": {"db": "loud"}}, "gain: db loud"),
        ({"name": "gain", "arguments": {"db": 3, "which": [0]}}, "gain: which"),
        ({"name": "gain", "arguments": {"db": 3}, "source": "x"}, "needs no source"),
        ({"name": "mix"}, "needs other events"),
        ({"name": "mix", "source": "x", "which": [0]}, "leave which out"),
        ({"name": "stretch-clip", "which": [0], "arguments": {"factor": 2}}, "leave which out"),
    ],
)
def test_an_edit_that_was_stored_wrongly_is_refused(stored: dict[str, Any], said: str) -> None:
    with pytest.raises((EventsError, ConfigError), match=said):
        Edit.model_validate(stored)
    with pytest.raises((EventsError, ConfigError), match=said):
        History.from_json(json.dumps({"done": [stored]}))


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"done": 5}', '{"done": [{}]}', '{"x": 1}', "[" * 100_000, '{"done":[{"name":"mute","which":[-1]}]}'],
)
def test_a_history_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(EventsError, match="edits cannot be read"):
        History.from_json(text)


def test_an_edit_that_does_not_fit_says_which_it_is() -> None:
    edits = [Edit(name="mute", which=(0,)), Edit(name="mute", which=(7,))]
    with pytest.raises(EventsError, match="edit 2: which: there is no event 7"):
        apply(chord(), edits)
    with pytest.raises(EventsError, match="edit 1: there are no events called 'x': there are: a, b"):
        apply(chord(), [Edit(name="mix", source="x")], others={"b": note(), "a": note()})
    with pytest.raises(EventsError, match="edit 1: no rooms: set IMPULSE_RESPONSE_PATH"):
        apply(chord(), [Edit(name="room", source="hall")])


def test_what_was_done_is_undone_and_done_again() -> None:
    first, second = Edit(name="transpose", arguments={"semitones": 2}), Edit(name="mute", which=(1,))
    start = History()
    both = start.do(first).do(second)
    assert both.done == (first, second)
    assert both.undo().done == (first,)
    assert both.undo().redo() == both
    assert both.undo().undo().redo().redo() == both
    assert start.undo() == start.redo() == start
    # Something new after an undo: what was undone is gone.
    assert both.undo().do(first).redo().done == (first, first)
    assert same(apply(chord(), both.undo().undo().done), chord())
    assert History.from_json(both.undo().model_dump_json()) == both.undo()


def test_every_edit_says_what_it_does_and_what_it_may_be_given() -> None:
    for name in EDITS:
        kind = EDITS[name]
        assert kind.about.endswith("."), name
        schema = kind.arguments.model_json_schema()
        assert schema["additionalProperties"] is False
        for argument in schema.get("properties", {}).values():
            numbers = [part for part in argument.get("anyOf", [argument]) if part.get("type") in {"number", "integer"}]
            assert all(("minimum" in n or "exclusiveMinimum" in n) and "maximum" in n for n in numbers), name


# Files of sound


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("ending", ["flac", "wav"])
def test_a_file_of_sound_holds_the_samples_in_24_bits(ending: str, rate: int, tmp_path: Path) -> None:
    events = tones((0.05, 440, 0.5, 0.1), (0.1, 900, 0.1, 0.1), seconds=0.3, rate=rate, channels=2)
    written = render_to(events, tmp_path / f"sound.{ending}")
    samples, found = soundfile.read(written.path, always_2d=True)
    assert (found, soundfile.info(written.path).subtype) == (rate, "PCM_24")
    assert (written.gain, written.seconds) == (1.0, 0.3)
    np.testing.assert_allclose(samples.T, render(events), atol=2**-23)
    assert [path.name for path in tmp_path.iterdir()] == [f"sound.{ending}"]


@pytest.mark.parametrize("db", [8, 20])
def test_what_would_clip_is_scaled_by_a_gain_that_is_said(db: float, tmp_path: Path) -> None:
    events = gain(note(), db=db)
    peak = float(np.abs(render(events)).max())
    written = render_to(events, tmp_path / "loud.flac")
    samples, _ = soundfile.read(written.path)
    assert peak > 1.1
    assert written.gain == pytest.approx(1 / peak, rel=1e-6)
    np.testing.assert_allclose(samples / written.gain, render(events)[0], atol=2**-23 * peak)


def test_a_tail_is_written_too(tmp_path: Path) -> None:
    inside = replace(note(), room=np.full((1, 1_601), 1 / 1_601, np.float32), wet=np.ones(1, np.float32))
    assert render_to(inside, tmp_path / "a.flac", tail=True).seconds == pytest.approx(1.1)
    assert render_to(inside, tmp_path / "a.flac").seconds == 1.0
    assert soundfile.info(tmp_path / "a.flac").frames == RATE


def test_a_place_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.flac").mkdir()
    for path, said in (
        (tmp_path / "x.mp3", r"written as \.flac or \.wav, not as \.mp3"),
        (tmp_path / "x", "no ending"),
        (tmp_path / "none/x.flac", "cannot be written"),
        (tmp_path / "folder.flac", "cannot be written"),
    ):
        with pytest.raises(EventsError, match=said):
            render_to(note(), path)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.flac"]
    with pytest.raises(EventsError, match="FLAC cannot hold 700000 Hz"):
        render_to(note(rate=700_000), tmp_path / "fast.flac")
