"""A rendered file holds the rendered samples; a place that cannot be written to is an error that leaves nothing."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distrack.decompose import Events, Rendered, render, render_part, render_to, soloed
from distrack.decompose.rendering import save, write_sound
from distrack.decompose.transforms import gain, mute, remove
from distrack.errors import EventsError
from tests.tones import RATE, tones


def note(**rest: Any) -> Events:
    return tones((0.2, 440, 0.5, 0.15), **rest)


def test_a_soloed_event_sounds_alone_even_if_it_was_muted() -> None:
    chord = tones((0.1, 220, 0.3, 0.2), (0.3, 330, 0.2, 0.1), (0.5, 550, 0.1, 0.05))
    muted = mute(chord, [1])
    parts = [render(soloed(muted, [number])) for number in range(3)]
    np.testing.assert_allclose(sum(parts), render(chord), atol=1e-6)
    np.testing.assert_array_equal(parts[1], render(remove(chord, [0, 2])))


def chord_in_a_room(*, channels: int) -> Events:
    chord = tones((0.1, 220, 0.3, 0.2), (0.3, 330, 0.2, 0.1), (0.9, 550, 0.1, 0.3), channels=channels)
    draw = np.random.default_rng(0)
    room = draw.normal(size=(channels, 3_000)).astype(np.float32) * np.float32(0.01)
    return replace(chord, room=room, wet=np.array([0.2, 1.0, 0.5], np.float32), muted=np.array([False, True, False]))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("wet", [None, 0.3])
def test_parts_in_a_room_are_those_of_the_whole_with_its_tail(channels: int, wet: float | None) -> None:
    events = chord_in_a_room(channels=channels)
    if wet is not None:  # the same share for all events
        events = replace(events, wet=np.full(3, wet, np.float32))
    whole = render(events, tail=True)
    edges = [0, 1, 500, 4_000, RATE - 10, RATE + 10, whole.shape[1]]
    parts = [render_part(events, first, last) for first, last in pairwise(edges)]
    assert [part.shape[1] for part in parts] == np.diff(edges).tolist()
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-6)
    assert render_part(events, whole.shape[1], whole.shape[1] + 9).shape == (channels, 0)
    sound = Rendered(events, tail=True)
    assert sound.shape == whole.shape
    np.testing.assert_allclose(sound[:, 4_000:], whole[:, 4_000:], atol=1e-6)
    np.testing.assert_allclose(Rendered(events)[:, :], render(events), atol=1e-6)


def test_a_sound_of_many_blocks_is_written_whole_and_scaled_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distrack.stored_sound.BLOCK", 1_000)
    events = gain(chord_in_a_room(channels=2), db=20)
    whole = render(events, tail=True)
    written = render_to(events, tmp_path / "blocks.flac", tail=True)
    samples, _ = soundfile.read(tmp_path / "blocks.flac", always_2d=True)
    assert written.gain == pytest.approx(1 / np.abs(whole).max(), rel=1e-5)
    np.testing.assert_allclose(samples.T / written.gain, whole, atol=2e-6)
    write_sound(whole, RATE, tmp_path / "array.flac")
    np.testing.assert_allclose(soundfile.read(tmp_path / "array.flac", always_2d=True)[0], samples, atol=2e-6)


@pytest.mark.parametrize(("ending", "rate"), [("flac", 8_000), ("flac", 192_000), ("wav", 22_050), ("wav", 768_000)])
def test_a_file_holds_the_samples_in_24_bits(ending: str, rate: int, tmp_path: Path) -> None:
    events = tones((0.05, 440, 0.5, 0.1), (0.1, 900, 0.1, 0.1), seconds=0.3, rate=rate, channels=2)
    path = tmp_path / f"sound.{ending}"
    written = render_to(events, path)
    samples, file_rate = soundfile.read(path, always_2d=True)
    assert (file_rate, soundfile.info(path).subtype) == (rate, "PCM_24")
    assert (written.gain, written.seconds) == (1.0, 0.3)
    np.testing.assert_allclose(samples.T, render(events), atol=2**-23)
    assert [path.name for path in tmp_path.iterdir()] == [f"sound.{ending}"]


@pytest.mark.parametrize("db", [8, 20])
def test_a_sound_that_would_clip_is_scaled_by_the_returned_gain(db: float, tmp_path: Path) -> None:
    events = gain(note(), db=db)
    peak = float(np.abs(render(events)).max())
    written = render_to(events, tmp_path / "loud.flac")
    samples, _ = soundfile.read(tmp_path / "loud.flac")
    assert peak > 1.1
    assert written.gain == pytest.approx(1 / peak, rel=1e-6)
    np.testing.assert_allclose(samples / written.gain, render(events)[0], atol=2**-23 * peak)


def test_the_tail_of_the_room_is_written_if_it_is_wanted(tmp_path: Path) -> None:
    inside = replace(note(), room=np.full((1, 1_601), 1 / 1_601, np.float32), wet=np.ones(1, np.float32))
    assert render_to(inside, tmp_path / "a.flac", tail=True).seconds == pytest.approx(1.1)
    assert render_to(inside, tmp_path / "a.flac").seconds == 1.0
    assert soundfile.info(tmp_path / "a.flac").frames == RATE


def test_a_place_that_cannot_be_written_to_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "folder.flac").mkdir()
    (tmp_path / "folder.mid").mkdir()
    for name, message in (
        ("x.mp3", r"written as \.flac or \.wav, not as \.mp3"),
        ("x", "no ending"),
        ("none/x.flac", "cannot be written"),
        ("folder.flac", "cannot be written"),
    ):
        with pytest.raises(EventsError, match=message):
            render_to(note(), tmp_path / name)
    for name, message in (("x.doc", "not as .doc"), ("none/x.mid", "cannot be written"), ("folder.mid", "written")):
        with pytest.raises(EventsError, match=message):
            save(note(), tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.flac", "folder.mid"]
    with pytest.raises(EventsError, match="FLAC cannot hold 700000 Hz"):
        render_to(note(rate=700_000), tmp_path / "fast.flac")
