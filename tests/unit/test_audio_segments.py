"""A segment of a recording: at any rate, mono or stereo, from any place in it."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from distrack.errors import AudioError
from distrack.recording import Recording, read_segment

# Ratios that are whole, simple, and not; downwards and upwards.
RATES = [(8_000, 8_000), (8_000, 44_100), (11_025, 16_000), (44_100, 48_000), (48_000, 16_000), (192_000, 11_025)]


def sweep(rate: int, *, seconds: float = 2.0, start: float = 0.0) -> NDArray[np.float64]:
    """From 200 Hz up by 600 Hz a second; two channels, the second a quarter as loud."""
    now = start + np.arange(round(seconds * rate)) / rate
    left = 0.6 * np.sin(2 * np.pi * (200 + 300 * now) * now)
    return np.stack([left, left / 4], axis=1)


@pytest.mark.parametrize(("rate", "ending"), [(11_025, "wav"), (44_100, "flac"), (192_000, "wav")])
def test_a_segment_is_what_the_file_holds_there(rate: int, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"sweep.{ending}"
    soundfile.write(path, sweep(rate), rate, subtype="PCM_24")
    segment = read_segment(path, start=0.5, seconds=0.75)
    first, last = round(0.5 * rate), round(0.5 * rate) + round(0.75 * rate)
    assert (segment.sample_rate, segment.file_seconds) == (rate, 2.0)
    np.testing.assert_allclose(segment.wave, sweep(rate)[first:last].T, rtol=0, atol=1e-6)
    mono = read_segment(path, start=0.5, seconds=0.75, mono=True)
    np.testing.assert_allclose(mono.wave, sweep(rate)[first:last].mean(axis=1)[None], rtol=0, atol=1e-6)
    whole = read_segment(path)
    assert whole.wave.shape == (2, 2 * rate)


@pytest.mark.parametrize(("rate", "to"), RATES)
def test_another_rate_gives_the_same_sound_at_the_same_time(rate: int, to: int, tmp_path: Path) -> None:
    path = tmp_path / "sweep.wav"
    soundfile.write(path, sweep(rate), rate, subtype="FLOAT")
    segment = read_segment(path, start=0.4, seconds=0.5, sample_rate=to)
    assert segment.sample_rate == to
    expected = sweep(to, seconds=0.5, start=0.4).T
    assert segment.wave.shape == expected.shape
    # Edges too: what lies beside the segment was read with it.
    np.testing.assert_allclose(segment.wave, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("to", [8_000, 11_025, 48_000])
def test_a_start_just_after_the_beginning_is_as_exact(to: int, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "sweep.wav", sweep(44_100), 44_100, subtype="FLOAT")
    wave = read_segment(tmp_path / "sweep.wav", start=0.001, seconds=0.3, sample_rate=to).wave
    # 0.001 s are 44.1 of its samples: the segment begins with the 44th.
    np.testing.assert_allclose(wave, sweep(to, seconds=0.3, start=44 / 44_100).T, rtol=0, atol=2e-3)


def test_a_segment_ends_with_its_file_and_is_not_padded(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", sweep(16_000), 16_000)
    assert read_segment(tmp_path / "short.wav", start=1.5, seconds=5).wave.shape == (2, 8_000)
    assert read_segment(tmp_path / "short.wav", start=1.5, sample_rate=8_000).wave.shape == (2, 4_000)


def test_one_sample_is_a_segment(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "s.wav", sweep(16_000), 16_000, subtype="FLOAT")
    with pytest.raises(AudioError, match="silent: one constant value"):
        read_segment(tmp_path / "s.wav", start=1, seconds=1e-6)
    assert read_segment(tmp_path / "s.wav", start=1, seconds=2 / 16_000).wave.shape == (2, 2)


def test_less_than_a_sample_of_the_new_rate_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "s.wav", sweep(192_000), 192_000, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"no audio: .* less than one sample at 8000 Hz"):
        read_segment(tmp_path / "s.wav", start=2 - 2 / 192_000, seconds=1, sample_rate=8_000)


def test_a_float_file_beyond_full_scale_keeps_its_shape(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", 5 * sweep(16_000), 16_000, subtype="FLOAT")
    wave = read_segment(tmp_path / "loud.wav").wave
    assert np.abs(wave).max() == pytest.approx(1)
    np.testing.assert_allclose(wave / wave.max(), sweep(16_000).T / sweep(16_000).max(), atol=1e-5)


def test_more_than_two_channels_become_one(tmp_path: Path) -> None:
    six = np.tile(sweep(16_000)[:, :1], 6) * np.arange(6) / 6
    soundfile.write(tmp_path / "six.wav", six, 16_000, subtype="FLOAT")
    np.testing.assert_allclose(read_segment(tmp_path / "six.wav").wave[0], six.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(("channels", "mono", "taken"), [(2, True, 1), (2, False, None), (6, False, 1)])
def test_channels_that_cancel_each_other_are_not_mixed(
    tmp_path: Path, channels: int, mono: bool, taken: int | None
) -> None:
    one = sweep(16_000)[:, :1]
    soundfile.write(tmp_path / "opposite.wav", one * (-1.0) ** np.arange(channels), 16_000, subtype="FLOAT")
    segment = read_segment(tmp_path / "opposite.wav", mono=mono)
    assert segment.channel == taken
    assert len(segment.wave) == (2 if taken is None else 1)
    np.testing.assert_allclose(segment.wave[0], one[:, 0], atol=1e-6)


def test_a_segment_of_a_long_file_is_read_without_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "quarter of an hour.flac"
    with soundfile.SoundFile(path, "w", 1_000, 1, "PCM_16", format="FLAC") as file:
        for minute in range(15):
            file.write(np.sin(np.arange(60_000) * (0.1 + minute / 100)))
    tracemalloc.start()
    try:
        segment = read_segment(path, start=600, seconds=1)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()
    assert segment.file_seconds == 900
    np.testing.assert_allclose(segment.wave[0], np.sin(np.arange(1_000) * 0.2), atol=1e-3)
    with pytest.raises(AudioError, match="too long: 900 s from 0 s to its end"):
        read_segment(path)


@pytest.mark.parametrize(
    ("start", "seconds", "reason"),
    [
        (-1.0, 1.0, "cannot start at -1"),
        (float("nan"), 1.0, "cannot start at nan"),
        (2.0, 1.0, "cannot start at 2 s. The file ends at 2.000 s"),
        (1e300, 1.0, "cannot start at"),
        (0.0, 0.0, "more than 0"),
        (0.0, -1.0, "more than 0"),
        (0.0, float("nan"), "more than 0"),
        (0.0, 1e9, "at most 600 s"),
    ],
)
def test_a_segment_that_cannot_be_is_refused(start: float, seconds: float, reason: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "sweep.wav", sweep(16_000), 16_000)
    with pytest.raises(AudioError, match=reason):
        read_segment(tmp_path / "sweep.wav", start=start, seconds=seconds)


def test_bad_audio_is_refused(tmp_path: Path) -> None:
    silent, nan, empty, text = (tmp_path / f"{name}.wav" for name in ("silent", "nan", "empty", "text"))
    soundfile.write(silent, np.concatenate([np.zeros(8_000), sweep(8_000)[:, 0]]), 8_000)
    soundfile.write(nan, np.where(np.arange(8_000) == 7_000, np.nan, sweep(8_000)[:8_000, 0]), 8_000, subtype="FLOAT")
    soundfile.write(empty, np.zeros(0), 8_000)
    text.write_text("no audio")
    for path, reason in ((silent, "silent"), (nan, "not numbers"), (empty, "no audio"), (text, "cannot be read")):
        with pytest.raises(AudioError, match=reason):
            read_segment(path, seconds=0.9)
    assert read_segment(silent, start=1, seconds=1).wave.any()
    assert read_segment(nan, seconds=0.5).wave.any()


@pytest.mark.real_data
def test_music_is_read_from_the_middle(real_data: Path) -> None:
    for path in sorted((real_data / "music").glob("*.ogg")):
        samples, rate = soundfile.read(path, start=round(3.21 * 44_100), frames=20_000)
        segment = read_segment(path, start=3.21, seconds=20_000 / rate)
        # Vorbis frames overlap: where a decoder starts shows in the last bits of a few of its samples.
        np.testing.assert_allclose(
            segment.wave, samples.T / max(1, np.abs(samples).max()), atol=1e-3, err_msg=path.name
        )


@pytest.mark.parametrize("to", [None, 16_000, 44_101])
@pytest.mark.parametrize("mono", [False, True])
@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_a_part_of_many_blocks_is_that_of_a_single_one(
    to: int | None, mono: bool, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"sweep.{ending}"
    soundfile.write(path, sweep(44_100), 44_100)
    for start, seconds in ((0.0, None), (0.001, 0.5), (1.2, 5.0)):
        monkeypatch.setattr("distrack.recording.BLOCK", 1 << 19)
        whole = read_segment(path, start=start, seconds=seconds, sample_rate=to, mono=mono).wave
        monkeypatch.setattr("distrack.recording.BLOCK", 3_000)
        part = Recording(path, start=start, seconds=seconds, sample_rate=to, mono=mono)
        assert (part.channels, part.samples) == whole.shape
        np.testing.assert_allclose(np.concatenate(list(part.blocks()), axis=1), whole, atol=1e-6)


def test_what_depends_on_all_samples_is_found_in_any_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distrack.recording.BLOCK", 3_000)
    wave = sweep(16_000)
    path = tmp_path / "a.wav"
    soundfile.write(path, np.where(np.arange(32_000)[:, None] < 20_000, 0.5, 3.0) * wave, 16_000, subtype="FLOAT")
    segment = read_segment(path)
    assert np.abs(segment.wave).max() == pytest.approx(1)
    assert np.abs(segment.wave[:, :20_000]).max() == pytest.approx(0.3 / np.abs(3 * wave[20_000:]).max(), rel=1e-3)
    soundfile.write(path, np.round(wave * np.linspace(0, 32_767, 32_000)[:, None]), 16_000, subtype="FLOAT")
    assert read_segment(path).bits == 16
    late = np.where(np.arange(32_000)[:, None] < 31_000, 0.5, wave)
    soundfile.write(path, late, 16_000, subtype="FLOAT")
    assert read_segment(path).wave.shape == (2, 32_000)
    with pytest.raises(AudioError, match="silent"):
        read_segment(path, seconds=1.9)
    late[31_500] = np.nan
    soundfile.write(path, late, 16_000, subtype="FLOAT")
    with pytest.raises(AudioError, match="not numbers"):
        Recording(path)


def test_a_recording_takes_the_memory_of_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distrack.recording.BLOCK", 1 << 13)
    soundfile.write(tmp_path / "long.wav", np.tile(sweep(16_000), (10, 1)), 16_000)
    steps: list[tuple[int, int]] = []
    tracemalloc.start()
    try:
        part = Recording(tmp_path / "long.wav", sample_rate=22_050, progress=lambda *step: steps.append(step))
        sizes = [block.shape[1] for block in part.blocks()]
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert sum(sizes) == 20 * 22_050
    assert steps == sorted(steps)
    assert len(steps) > 100
    assert 0 < steps[0][0] < steps[-1][0] < steps[-1][1] == 3 * 20 * 16_000


def test_a_longer_part_is_read_where_that_is_asked_for(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", sweep(1_000, seconds=601), 1_000)
    assert Recording(tmp_path / "long.wav", longest=3_600.0).samples == 601_000
    with pytest.raises(AudioError, match="too long: 601 s from 0 s to its end"):
        Recording(tmp_path / "long.wav")
