"""Every kind of file that a dataset may hold: it is used as it sounds, skipped by name, or refused."""

import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from distrack.audio import SAMPLE_RATE
from distrack.datasets import Prepared, index, prepare
from distrack.errors import DatasetError

SECONDS = 0.5
GOOD = 30


def tone(rate: int = SAMPLE_RATE, *, seconds: float = 1.0, phase: float = 0.0) -> NDArray[np.float64]:
    """440 Hz, half of the full scale."""
    now = np.arange(round(seconds * rate)) / rate
    samples: NDArray[np.float64] = 0.5 * np.sin(2 * np.pi * (440 * now + phase))
    return samples


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two classes of so many good clips that one bad one is no more than a twentieth."""
    for side, kind in enumerate(("high", "low")):
        folder = tmp_path / "tree" / kind
        folder.mkdir(parents=True)
        for number in range(GOOD):
            phase = (1 + number + GOOD * side) / (2 * GOOD + 1)
            soundfile.write(folder / f"{number:02}.wav", tone(phase=phase), SAMPLE_RATE)
    return tmp_path / "tree"


def prepared(tree: Path) -> Prepared:
    return prepare(index("FOLDER", tree), seconds=SECONDS, cache_path=tree.parent / "cache")


def wave_of(made: Prepared, path: Path) -> NDArray[np.float32]:
    (row,) = [row for row in made.rows if made.index.clips[row].path == path]
    return np.array(made.waveforms[row])


def pitch(wave: NDArray[np.float32]) -> float:
    """Where the spectrum is highest, in Hz."""
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 8 * len(wave)))
    return float(spectrum.argmax()) * SAMPLE_RATE / (8 * len(wave))


def decibels(wave: NDArray[np.float32]) -> float:
    return 10 * math.log10(float(np.mean(np.square(wave))) + 1e-12)


# Used as they sound


@pytest.mark.parametrize(
    ("subtype", "channels", "rate", "ending"),
    [
        ("PCM_16", 2, 44_100, "wav"),
        ("PCM_16", 6, 48_000, "wav"),
        ("PCM_U8", 1, 16_000, "wav"),
        ("PCM_U8", 1, 8_000, "wav"),
        ("PCM_24", 1, 44_100, "wav"),
        ("PCM_24", 2, 96_000, "flac"),
        ("PCM_32", 1, 22_050, "wav"),
        ("FLOAT", 1, 16_000, "wav"),
        ("DOUBLE", 2, 48_000, "wav"),
        ("FLOAT", 1, 96_000, "wav"),
        ("PCM_16", 1, 192_000, "wav"),
        ("ULAW", 1, 8_000, "wav"),
        ("VORBIS", 2, 44_100, "ogg"),
    ],
)
def test_every_format_sounds_as_it_was(subtype: str, channels: int, rate: int, ending: str, tree: Path) -> None:
    path = tree / "low" / f"other.{ending}"
    soundfile.write(path, np.tile(tone(rate)[:, None], channels), rate, subtype=subtype)
    made = prepared(tree)
    assert made.skipped == ()
    wave = wave_of(made, path)
    assert wave.shape == (round(SECONDS * SAMPLE_RATE),)
    assert pitch(wave) == pytest.approx(440, abs=1)
    assert decibels(wave) == pytest.approx(20 * math.log10(0.5 / math.sqrt(2)), abs=0.5)
    # 8 bit and Vorbis add noise, at least 30 dB below the tone.
    tone_only = tone(seconds=SECONDS).astype(np.float32)
    assert decibels(wave - tone_only) < decibels(tone_only) - 30


def test_a_sound_on_one_channel_of_two_is_half_as_loud(tree: Path) -> None:
    path = tree / "low/left.wav"
    soundfile.write(path, np.stack([tone(), np.zeros(SAMPLE_RATE)], axis=1), SAMPLE_RATE)
    wave = wave_of(prepared(tree), path)
    assert pitch(wave) == pytest.approx(440, abs=1)
    assert decibels(wave) == pytest.approx(20 * math.log10(0.25 / math.sqrt(2)), abs=0.1)


def test_a_short_file_is_padded_with_silence_and_a_long_one_cut(tree: Path) -> None:
    for name, seconds in (("short", 0.2), ("long", 3.0)):
        soundfile.write(tree / f"low/{name}.wav", tone(seconds=seconds), SAMPLE_RATE)
    made = prepared(tree)
    short, long = (wave_of(made, tree / f"low/{name}.wav") for name in ("short", "long"))
    assert np.abs(short[: round(0.2 * SAMPLE_RATE)]).max() > 0.4
    assert not short[round(0.2 * SAMPLE_RATE) :].any()
    np.testing.assert_allclose(long, tone(seconds=SECONDS), atol=1e-4)


def test_a_wav_that_broke_off_is_used_up_to_its_end(tree: Path) -> None:
    path = tree / "low/cut.wav"
    soundfile.write(path, tone(), SAMPLE_RATE)
    path.write_bytes(path.read_bytes()[: 44 + 2 * round(0.3 * SAMPLE_RATE)])
    wave = wave_of(prepared(tree), path)
    there = round(0.3 * SAMPLE_RATE)
    np.testing.assert_allclose(wave[:there], tone()[:there], atol=1e-4)
    assert not wave[there:].any()


@pytest.mark.parametrize(
    "name",
    [
        "with space.wav",
        " .wav",
        "it's.wav",
        'a "quoted" one.wav',
        "Käuzchen.wav",
        "ふくろう.wav",
        "e\u0301tude.wav",
        "C#4, 50% & more; $HOME.wav",
        "-rf.wav",
        "[1].wav",
        "back\\slash.wav",
        "UPPER.WAV",
    ],
)
def test_a_file_may_have_any_name(name: str, tree: Path) -> None:
    path = tree / "low" / name
    with path.open("wb") as file:
        soundfile.write(file, tone(), SAMPLE_RATE, format="WAV")
    for _ in range(2):  # from the cache it is the same
        made = prepared(tree)
        assert made.skipped == ()
        assert pitch(wave_of(made, path)) == pytest.approx(440, abs=1)


def test_a_file_whose_name_is_not_text_is_used(tree: Path) -> None:
    path = tree / "low" / os.fsdecode(b"Latin-1: K\xe4uzchen.wav")
    (tree / "low/01.wav").rename(path)
    assert wave_of(prepared(tree), path).any()


def test_a_class_may_have_any_name(tree: Path) -> None:
    (tree / "low").rename(tree / "Eulen & Käuze's")
    assert prepared(tree).index.classes == ("Eulen & Käuze's", "high")


# Skipped by name, with the reason


def text(path: Path) -> None:
    path.write_text("not audio")


def empty(path: Path) -> None:
    path.touch()


def header_alone(path: Path) -> None:
    soundfile.write(path, np.zeros(0), SAMPLE_RATE)


def half_a_header(path: Path) -> None:
    soundfile.write(path, tone(), SAMPLE_RATE)
    path.write_bytes(path.read_bytes()[:20])


def zeros(path: Path) -> None:
    soundfile.write(path, np.zeros(SAMPLE_RATE), SAMPLE_RATE)


def constant(path: Path) -> None:
    soundfile.write(path, np.full(SAMPLE_RATE, 0.3), 8_000)


def not_a_number(path: Path) -> None:
    samples = tone()
    samples[100] = np.nan
    soundfile.write(path, samples, SAMPLE_RATE, subtype="FLOAT")


def infinite(path: Path) -> None:
    samples = tone()
    samples[100] = np.inf
    soundfile.write(path, samples, SAMPLE_RATE, subtype="FLOAT")


def device(path: Path) -> None:
    path.symlink_to("/proc/self/mem")


def leads_nowhere(path: Path) -> None:
    path.symlink_to(path.parent / "gone.wav")


def leads_to_itself(path: Path) -> None:
    path.symlink_to(path)


def leads_out(path: Path) -> None:
    outside = next(folder for folder in path.parents if folder.name == "tree").parent / "private.wav"
    soundfile.write(outside, tone(), SAMPLE_RATE)
    path.symlink_to(outside)


def folder_that_leads_out(path: Path) -> None:
    path.symlink_to("/", target_is_directory=True)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (text, "cannot be read"),
        (empty, "cannot be read"),
        (header_alone, "no audio"),
        (half_a_header, "cannot be read|no audio"),
        (zeros, "silent"),
        (constant, "silent"),
        (not_a_number, "not numbers"),
        (infinite, "not numbers"),
        (device, "out of the dataset's folder"),
        (leads_nowhere, "leads nowhere"),
        (leads_to_itself, "leads nowhere"),
        (leads_out, "out of the dataset's folder"),
        (folder_that_leads_out, "out of the dataset's folder"),
    ],
)
def test_a_file_that_cannot_be_used_is_skipped_by_name(make: Callable[[Path], None], reason: str, tree: Path) -> None:
    bad = tree / "low/bad.wav"
    make(bad)
    for _ in range(2):  # from the cache it is the same
        made = prepared(tree)
        (skip,) = made.skipped
        assert skip.path == bad
        assert any(part in skip.reason for part in reason.split("|")), skip.reason
        assert "\n" not in skip.reason
        assert len(made.rows) == 2 * GOOD
        assert bad not in {made.index.clips[row].path for row in made.rows}


@pytest.mark.parametrize("ending", ["flac", "ogg", "mp3"])
def test_a_compressed_file_that_broke_off_is_used_or_skipped_but_never_noise(ending: str, tree: Path) -> None:
    path = tree / f"low/cut.{ending}"
    soundfile.write(path, tone(seconds=4), SAMPLE_RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 20])
    made = prepared(tree)
    if made.skipped:
        assert [skip.path for skip in made.skipped] == [path]
        assert "cannot be read" in made.skipped[0].reason or "no audio" in made.skipped[0].reason
    else:
        assert np.abs(wave_of(made, path)).max() < 0.6


def test_other_files_are_ignored(tree: Path) -> None:
    (tree / "low/notes.txt").write_text("recorded in May")
    (tree / "low/cover.jpg").write_bytes(b"\xff\xd8\xff")
    (tree / "low/._00.wav").write_bytes(b"Mac OS X")
    (tree / "low/folder.wav").mkdir()
    os.mkfifo(tree / "low/pipe.wav")
    (tree / "low/inside").symlink_to(tree / "high", target_is_directory=True)
    made = prepared(tree)
    assert made.skipped == ()
    assert len(made.index.clips) == 2 * GOOD


def test_a_link_within_the_folder_is_a_copy(tree: Path) -> None:
    (tree / "low/link.wav").symlink_to(tree / "low/00.wav")
    made = prepared(tree)
    assert [skip.path for skip in made.copies] == [tree / "low/link.wav"]
    assert wave_of(made, tree / "low/00.wav").any()


# Refused


def test_more_than_a_twentieth_is_refused_with_the_count(tree: Path) -> None:
    leads_nowhere(tree / "low/bad 1.wav")
    leads_out(tree / "low/bad 2.wav")
    text(tree / "low/bad 3.wav")
    zeros(tree / "high/bad 4.wav")
    with pytest.raises(DatasetError, match=r"^4 of 64 files in .* cannot be used, more than 5%") as refused:
        prepared(tree)
    assert "leads nowhere" in str(refused.value)
    assert "and 1 more" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_class_that_is_a_link_out_of_the_folder_is_refused_by_name(tree: Path) -> None:
    (tree / "low").rename(tree.parent / "elsewhere")
    (tree / "low").symlink_to(tree.parent / "elsewhere", target_is_directory=True)
    with pytest.raises(DatasetError, match="the class low is a symbolic link out of") as refused:
        prepared(tree)
    assert "--data-path" in str(refused.value)


def test_a_folder_that_is_reached_by_a_link_is_the_same(tree: Path) -> None:
    link = tree.parent / "link"
    link.symlink_to(tree, target_is_directory=True)
    assert len(prepared(link).rows) == 2 * GOOD
