"""A mix is the sum of two clips; a morph leads from one to the other."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distrack.decompose import Events, render
from distrack.decompose.combining import mix, morph
from distrack.decompose.transforms import room as with_room
from distrack.errors import EventsError
from tests.tones import RATE, many, tones
from tests.unit.decompose.listening import same


def note(**rest: Any) -> Events:
    return tones((0.2, 440, 0.5, 0.15), **rest)


def chord() -> Events:
    return tones((0.1, 220, 0.3, 0.2), (0.3, 330, 0.2, 0.1), (0.5, 550, 0.1, 0.05))


def test_a_mix_is_the_sum_of_both_clips_and_as_long_as_the_longer() -> None:
    other = tones((0.4, 700, 0.2, 0.1), seconds=1.5)
    mixed = mix(chord(), other)
    assert mixed.samples == other.samples
    expected = render(replace(chord(), samples=other.samples)) + render(other)
    np.testing.assert_allclose(render(mixed), expected, atol=1e-6)
    assert mix(chord(), other, seconds=0.5).samples == 2 * RATE
    assert same(mix(chord(), tones()), chord())


def test_a_mix_of_a_dry_clip_and_one_with_reverb_changes_neither(tmp_path: Path) -> None:
    room = np.random.default_rng(0).normal(size=400) * np.exp(-np.arange(400) / 50)
    soundfile.write(tmp_path / "room.wav", room, RATE, subtype="FLOAT")
    inside = with_room(note(), tmp_path / "room.wav", wet=0.6)
    # Without a room, a stored share of reverb has no effect.
    dry = replace(chord(), wet=np.ones(3, np.float32))
    expected = render(inside) + render(dry)
    for mixed in (mix(dry, inside), mix(inside, dry)):
        np.testing.assert_allclose(render(mixed), expected, atol=1e-5)
    soundfile.write(tmp_path / "other.wav", room[::-1], RATE, subtype="FLOAT")
    with pytest.raises(EventsError, match="two rooms"):
        mix(inside, with_room(note(), tmp_path / "other.wav"))


def test_seeds_may_differ_unless_the_sound_depends_on_them() -> None:
    seeded = [replace(note(), seed=seed) for seed in (1, 2)]
    assert mix(*seeded).seed == 1
    noisy = [replace(events, settings={"noisy": True}) for events in seeded]
    for combine in (mix, lambda a, b: morph(a, b, share=0.5)):
        with pytest.raises(EventsError, match=r"different seeds, 1 and 2: .*--seed 1"):
            combine(*noisy)


def test_a_morph_begins_and_ends_with_exactly_its_two_clips() -> None:
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
    # The same two in another order, and one that is near to neither.
    other = tones((0.9, 100, 0.1, 0.1), (0.52, 3_100, 0.4, 0.1), (0.2, 330, 0.4, 0.2))
    half = morph(one, other, share=0.5)
    assert len(half) == 3
    np.testing.assert_allclose(half.column("frequency"), [np.sqrt(440 * 330), np.sqrt(3_000 * 3_100), 100], rtol=1e-5)
    np.testing.assert_allclose(half.column("time"), [0.15, 0.51, 0.9], atol=1e-6)
    np.testing.assert_allclose(half.column("amplitude"), [0.4, 0.3, 0.05], atol=1e-6)
    # With tolerances of next to nothing, all events fade.
    apart = morph(one, other, share=0.25, near_seconds=1e-6, near_octaves=1e-6)
    assert len(apart) == 5
    np.testing.assert_allclose(render(apart), 0.75 * render(one) + 0.25 * render(other), atol=1e-6)


def test_the_matching_minimises_the_sum_of_distances() -> None:
    # Matching the nearest pair first, 0.38 to 0.30, would leave 0.20 and 0.58 to each other.
    one, other = tones((0.20, 440, 1, 0.1), (0.38, 440, 1, 0.1)), tones((0.58, 440, 1, 0.1), (0.30, 440, 1, 0.1))
    half = morph(one, other, share=0.5, near_seconds=0.2)
    assert half.column("time").tolist() == pytest.approx([0.25, 0.48])


def test_distant_events_are_not_matched() -> None:
    # The smallest sum of unlimited distances would pair 0 with -10, and 10 with 0.1.
    one, other = tones((0, 440, 1, 0.1), (10, 440, 1, 0.1)), tones((0.1, 440, 1, 0.1), (-10, 440, 1, 0.1))
    half = morph(one, other, share=0.5, near_seconds=1)
    assert half.column("time").tolist() == pytest.approx([0.05, 10, -10])
    assert len(morph(tones((0, 440, 1, 0.1)), tones((0.75, 440, 1, 0.1)), share=0.5, near_seconds=0.25)) == 2


def test_a_morph_fades_one_room_into_the_other() -> None:
    room = np.zeros((1, 200), np.float32)
    room[0, 100] = 1
    all_wet = np.ones(1, np.float32)
    near = replace(note(), room=np.ones((1, 1), np.float32), wet=all_wet)
    far = replace(note(), room=room, wet=all_wet)
    for one in (near, note()):
        expected = 0.75 * render(one) + 0.25 * render(far)
        np.testing.assert_allclose(render(morph(one, far, share=0.25)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("combine", "message"),
    [
        (lambda e: mix(e, note(rate=8_000)), "16000 and 8000 Hz.*--sample-rate 16000"),
        (lambda e: mix(e, note(channels=2)), "1 and 2 channels"),
        (lambda e: morph(e, note(kind_name="test-centred"), share=0.5), "different methods"),
        (lambda e: mix(e, replace(e, settings={"a": 1})), "differ in a"),
        (lambda e: mix(e, replace(e, shared={"d": np.ones(3, np.float32)})), "learned from it alone"),
        (lambda e: morph(e, e, share=1.5), "morph: share 1.5"),
        (lambda e: morph(many(3_000), e, share=0.5), "at most 2000"),
    ],
)
def test_clips_that_do_not_fit_are_refused(combine: Callable[[Any], object], message: str) -> None:
    with pytest.raises(EventsError, match=message):
        combine(chord())
