"""Rooms: reverb equals a plain convolution at the measured level, and a file that cannot be a room is refused."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile

from distrack.arrays import Doubles
from distrack.decompose import Edit, Events, apply, known_rooms, render, room_named, storage
from distrack.decompose.rooms import read_room, room_note
from distrack.decompose.transforms import room as with_room
from distrack.errors import ConfigError, EventsError
from tests.tones import RATE, many, tones


def audible(count: int = 12, seconds: float = 1.0, channels: int = 1) -> Events:
    events = many(count, seconds=seconds, channels=channels)
    return replace(events, muted=np.zeros(count, np.bool_), wet=np.zeros(count, np.float32))


def impulse(rate: int, *, channels: int = 1, level: float = 1.0, seconds: float = 0.3) -> Doubles:
    samples = np.zeros((round(rate * seconds), channels))
    samples[0] = level
    return samples


def decaying(rate: int, *, seconds: float = 0.4, channels: int = 1, before: float = 0.01) -> Doubles:
    """Decaying noise below 3 kHz, which every rate from 8 kHz on can represent, after `before` seconds of silence."""
    count = round(96_000 * (seconds + before))
    noise = np.random.default_rng(5).normal(size=(count, channels))
    since = np.arange(count)[:, None] / 96_000 - before
    shaped = noise * np.exp(-since / 0.05) * (since > 0)
    smooth = scipy.signal.sosfiltfilt(scipy.signal.butter(8, 2_500, fs=96_000, output="sos"), shaped, axis=0)
    return np.asarray(scipy.signal.resample_poly(smooth, rate // 500, 192, axis=0))


@pytest.mark.parametrize(
    ("rate", "channels", "room_channels"),
    [(8_000, 1, 1), (16_000, 1, 2), (22_050, 2, 1), (44_100, 2, 2), (48_000, 1, 1), (96_000, 2, 1), (192_000, 1, 2)],
)
def test_an_impulse_as_the_room_changes_nothing(rate: int, channels: int, room_channels: int, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "impulse.wav", impulse(rate, channels=room_channels), rate, subtype="FLOAT")
    events = audible(channels=channels)
    dry = render(events)
    assert np.abs(dry).max() > 0.1
    for wet in (1.0, 0.4, 0.0):
        np.testing.assert_allclose(render(with_room(events, tmp_path / "impulse.wav", wet=wet)), dry, rtol=0, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2])
def test_reverb_is_a_convolution(channels: int, tmp_path: Path) -> None:
    room = decaying(RATE, channels=channels)
    soundfile.write(tmp_path / "room.wav", room, RATE, subtype="FLOAT")
    events = audible(channels=channels)
    expected = scipy.signal.fftconvolve(render(events).astype(np.float64), room.T.astype(np.float32), axes=1)
    wet = with_room(events, tmp_path / "room.wav")
    whole = render(wet, tail=True)
    assert whole.shape == expected.shape
    np.testing.assert_allclose(whole, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    # Without the tail, the sound ends with the clip.
    np.testing.assert_array_equal(render(wet), whole[:, : events.samples])


def test_each_event_has_its_own_share_of_the_room(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "room.wav", decaying(RATE), RATE, subtype="FLOAT")
    both = tones((0.1, 300, 0.3, 0.1), (0.5, 900, 0.2, 0.05))
    one, other = (replace(both, muted=np.array(muted)) for muted in ([False, True], [True, False]))
    mixed = with_room(
        with_room(both, tmp_path / "room.wav", wet=0.25, which=[1]), tmp_path / "room.wav", wet=1, which=[0]
    )
    assert mixed.wet.tolist() == [1.0, 0.25]
    room = read_room(tmp_path / "room.wav", sample_rate=RATE, channels=1)
    expected = scipy.signal.fftconvolve(render(one) + 0.25 * render(other), room, axes=1)[:, :RATE] + 0.75 * render(
        other
    )
    np.testing.assert_allclose(render(mixed), expected, rtol=0, atol=1e-5)
    # The share of a muted event does not matter.
    alone = replace(mixed, muted=np.array([False, True]))
    np.testing.assert_allclose(
        render(alone), scipy.signal.fftconvolve(render(one), room, axes=1)[:, :RATE], rtol=0, atol=1e-5
    )


def test_removing_the_room_restores_the_dry_sound(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "room.wav", decaying(RATE), RATE, subtype="FLOAT")
    events = audible()
    back = with_room(with_room(events, tmp_path / "room.wav", wet=0.7), None)
    np.testing.assert_array_equal(render(back), render(events))


@pytest.mark.parametrize("rate", [8_000, 22_000, 44_000, 48_000, 192_000])
def test_a_room_sounds_equal_and_as_loud_from_a_file_of_any_rate(rate: int, tmp_path: Path) -> None:
    # Samples of the same continuous response h(t) at two rates, each divided by its rate, have the same gain.
    for at in (rate, RATE):
        soundfile.write(tmp_path / f"{at}.wav", decaying(at) / at * RATE, at, subtype="FLOAT")
    events = audible(seconds=0.8)
    expected, sound = (render(with_room(events, tmp_path / f"{at}.wav"), tail=True) for at in (RATE, rate))
    length = min(expected.shape[1], sound.shape[1])
    difference = np.linalg.norm(sound[:, :length] - expected[:, :length]) / np.linalg.norm(expected)
    assert difference < 0.01
    # The sum of the samples is the gain of low frequencies.
    low = [read_room(tmp_path / f"{at}.wav", sample_rate=RATE, channels=1).sum() for at in (RATE, rate)]
    assert low[1] == pytest.approx(low[0], abs=0.002 * np.abs(decaying(RATE)).sum())


@pytest.mark.parametrize("level", [0.01, 1.0, 3.0])
def test_the_level_of_the_room_is_kept(level: float, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", impulse(44_100, level=level), 44_100, subtype="FLOAT")
    events = audible()
    np.testing.assert_allclose(
        render(with_room(events, tmp_path / "loud.wav")), level * render(events), rtol=0, atol=1e-5 * level
    )


def test_a_delay_stays_a_delay(tmp_path: Path) -> None:
    late = np.zeros(44_100)
    late[4_410] = 1.0
    soundfile.write(tmp_path / "late.wav", late, 44_100, subtype="PCM_24")
    events = tones((0.1, 440, 0.5, 0.1), seconds=0.5)
    dry, wet = render(events)[0], render(with_room(events, tmp_path / "late.wav"))[0]
    np.testing.assert_allclose(wet[1_600:], dry[:-1_600], rtol=0, atol=2e-3)
    assert np.abs(wet[:2_900]).max() < 2e-3


def test_a_sound_right_after_the_beginning_loses_nothing_at_another_rate(tmp_path: Path) -> None:
    """The low-pass of the resampler would put half of it before the beginning."""
    for first in (1, 2, 5):
        samples = np.zeros(1_000)
        samples[first] = 1
        soundfile.write(tmp_path / f"{first}.wav", samples, 44_100, subtype="FLOAT")
        room = read_room(tmp_path / f"{first}.wav", sample_rate=RATE, channels=1)
        assert room.sum() == pytest.approx(1, abs=0.002)


def test_a_room_may_be_longer_than_the_clip(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", decaying(RATE, seconds=4), RATE, subtype="FLOAT")
    events = with_room(tones((0, 440, 0.5, 0.01), seconds=0.05), tmp_path / "long.wav")
    assert render(events).shape == (1, 800)
    assert render(events, tail=True).shape == (1, 800 + round(4.01 * RATE) - 1)
    one = with_room(tones((0, 440, 0.5, 0.01), seconds=1 / RATE), tmp_path / "long.wav")
    assert render(one).shape == (1, 1)


def test_muting_all_is_silence_in_a_room_too(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "room.wav", decaying(RATE), RATE, subtype="FLOAT")
    events = with_room(replace(audible(), muted=np.ones(12, np.bool_)), tmp_path / "room.wav")
    assert not render(events, tail=True).any()


def test_an_events_file_contains_its_room(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "room.wav", decaying(RATE, channels=2), RATE, subtype="FLOAT")
    events = with_room(audible(channels=2), tmp_path / "room.wav", wet=0.3)
    content = storage.to_bytes(events)
    (tmp_path / "room.wav").unlink()
    np.testing.assert_array_equal(render(storage.from_bytes(content)), render(events))


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "room.wav"
    soundfile.write(path, impulse(RATE), RATE, subtype="FLOAT")
    first = read_room(path, sample_rate=RATE, channels=1)
    soundfile.write(path, impulse(RATE, level=0.5), RATE, subtype="FLOAT")
    os.utime(path, ns=(1, 1))
    assert read_room(path, sample_rate=RATE, channels=1)[0, 0] == pytest.approx(first[0, 0] / 2)


# Files that cannot be a room


def text(path: Path) -> None:
    path.write_text("not a room")


def empty(path: Path) -> None:
    soundfile.write(path, np.zeros(0), RATE)


def silent(path: Path) -> None:
    soundfile.write(path, np.zeros(RATE), RATE)


def not_a_number(path: Path) -> None:
    soundfile.write(path, np.where(np.arange(100) == 50, np.nan, 1.0), RATE, subtype="FLOAT")


def too_long(path: Path) -> None:
    samples = np.zeros(61 * 2_000, np.int16)
    samples[0] = 30_000
    soundfile.write(path, samples, 2_000)


def six_channels(path: Path) -> None:
    soundfile.write(path, np.ones((100, 6)) / 2, RATE)


def nothing(path: Path) -> None:
    path.unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (text, "(?i)read"),
        (empty, "(?i)no audio|empty"),
        (silent, "(?i)silent"),
        (not_a_number, "not numbers"),
        (too_long, "61 s"),
        (six_channels, "6 channels"),
        (nothing, "(?i)read"),
    ],
)
def test_a_file_that_cannot_be_a_room_is_named_in_the_error(
    make: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "room.wav"
    make(path)
    with pytest.raises(EventsError, match=message) as error:
        with_room(audible(), path)
    assert "room.wav" in str(error.value)


@pytest.mark.parametrize("wet", [-0.1, 1.1, float("nan")])
def test_a_share_lies_between_0_and_1(wet: float, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "room.wav", impulse(RATE), RATE)
    with pytest.raises(EventsError, match="wet"):
        with_room(audible(), tmp_path / "room.wav", wet=wet)


# By name


def test_rooms_have_the_names_of_their_files(tmp_path: Path) -> None:
    for name in ("hall.wav", "churches/nave.FLAC", "plate.wav", "plate.flac", "notes.txt", "._hall.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    rooms = known_rooms(tmp_path)
    assert sorted(rooms) == ["churches/nave", "hall", "plate.flac", "plate.wav", "room"]
    assert rooms["churches/nave"] == tmp_path / "churches/nave.FLAC"
    assert room_named("hall", rooms) == tmp_path / "hall.wav"
    with pytest.raises(ConfigError, match=r"unknown room 'hal'\. Did you mean hall"):
        room_named("hal", rooms)


def test_two_rooms_are_included_and_the_hall_sounds_longer(tmp_path: Path) -> None:
    rooms = known_rooms(None)
    assert sorted(rooms) == ["hall", "room"]
    hall, room = (read_room(rooms[name], sample_rate=16_000, channels=2) for name in ("hall", "room"))
    assert hall.shape[1] > 4 * room.shape[1]
    with pytest.raises(EventsError, match="there is no folder"):
        known_rooms(tmp_path / "none")


@pytest.mark.real_data
def test_measured_rooms_keep_their_level(real_data: Path) -> None:
    rooms = known_rooms(real_data / "room_impulse_responses")
    assert "hall" in rooms
    events = audible(4, channels=2)
    for name, path in rooms.items():
        samples, rate = soundfile.read(path, always_2d=True)
        at_file = replace(events, sample_rate=rate, samples=rate)
        wet = render(with_room(at_file, path), tail=True)
        expected = scipy.signal.fftconvolve(render(at_file), samples.T, axes=1)
        np.testing.assert_allclose(wet, expected, rtol=0, atol=1e-5 * np.abs(expected).max(), err_msg=name)
        power = np.square(render(with_room(events, path), tail=True)).mean(axis=1)
        slower = np.square(expected).mean(axis=1)
        np.testing.assert_allclose(power, slower, rtol=0.1, err_msg=name)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("gain", [0.01, 1.0, 40.0])
def test_a_room_of_energy_1_leaves_noise_as_loud_as_it_was(channels: int, gain: float, tmp_path: Path) -> None:
    """Measured responses amplify by 15 to 32 dB, so that a little reverb is nearly all that is heard."""
    soundfile.write(tmp_path / "room.wav", gain * decaying(44_100, channels=channels), 44_100, subtype="FLOAT")
    room = read_room(tmp_path / "room.wav", sample_rate=RATE, channels=channels, level="energy")
    noise = np.random.default_rng(0).normal(size=(1, 4 * RATE))
    wet = scipy.signal.fftconvolve(noise, room, axes=1)
    assert 10 * np.log10(np.square(wet).sum() / len(room) / np.square(noise).sum()) == pytest.approx(0, abs=0.5)


def test_an_edit_that_was_stored_without_a_level_sounds_as_it_did(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "room.wav", 9 * decaying(RATE), RATE, subtype="FLOAT")
    events, rooms = audible(), {"room": tmp_path / "room.wav"}
    before = apply(events, [Edit(name="room", source="room", arguments={"wet": 0.3})], rooms=rooms)
    as_is = apply(events, [Edit(name="room", source="room", arguments={"wet": 0.3, "level": "as-is"})], rooms=rooms)
    energy = apply(events, [Edit(name="room", source="room", arguments={"wet": 0.3, "level": "energy"})], rooms=rooms)
    np.testing.assert_array_equal(render(before), render(as_is))
    assert np.abs(render(energy)).max() < 0.5 * np.abs(render(before)).max()


@pytest.mark.parametrize(("bits", "full"), [(16, 32_767), (24, 2**23 - 1), (32, 2**31)])
def test_float_samples_that_are_whole_numbers_are_divided_by_full_scale(bits: int, full: int, tmp_path: Path) -> None:
    fractions = decaying(RATE)
    fractions = np.round(fractions / np.abs(fractions).max() * full)
    soundfile.write(tmp_path / "room.wav", fractions, RATE, subtype="FLOAT")
    room = read_room(tmp_path / "room.wav", sample_rate=RATE, channels=1)
    assert np.abs(room).max() == pytest.approx(1.0, abs=1e-3)
    assert room_note(tmp_path / "room.wav").startswith(f"room room.wav: its float samples are whole numbers of {bits}")


def test_a_loud_room_of_fractions_stays_as_it_is(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "room.wav", 20 * decaying(RATE), RATE, subtype="FLOAT")
    assert room_note(tmp_path / "room.wav") == ""
    room = read_room(tmp_path / "room.wav", sample_rate=RATE, channels=1)
    np.testing.assert_allclose(room[0], 20 * decaying(RATE)[:, 0].astype(np.float32), rtol=1e-5)


def test_channels_of_a_room_that_cancel_each_other_are_not_mixed(tmp_path: Path) -> None:
    one = decaying(RATE)
    soundfile.write(tmp_path / "room.wav", np.hstack([one, -one]), RATE, subtype="FLOAT")
    room = read_room(tmp_path / "room.wav", sample_rate=RATE, channels=1)
    np.testing.assert_allclose(room[0], one[:, 0].astype(np.float32), rtol=1e-5)
