"""What becomes of every kind of file that a dataset may hold: used as it sounds, skipped by name, or refused."""

import csv
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from distrack.audio import SAMPLE_RATE
from distrack.datasets import Index, Prepared, index, look, prepare
from distrack.errors import DatasetError

SECONDS = 0.5
GOOD = 30


def tone(rate: int = SAMPLE_RATE, *, seconds: float = 1.0) -> NDArray[np.float64]:
    """440 Hz, half of the full scale."""
    samples: NDArray[np.float64] = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    return samples


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two classes of so many good clips that one bad one is no more than a twentieth."""
    for kind in ("high", "low"):
        folder = tmp_path / "tree" / kind
        folder.mkdir(parents=True)
        soundfile.write(folder / "00.wav", tone(), SAMPLE_RATE)
        for number in range(1, GOOD):
            os.link(folder / "00.wav", folder / f"{number:02}.wav")
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
    # Nothing beside the tone: what 8 bit and Vorbis add is 30 dB below it.
    tone_only = tone(seconds=SECONDS).astype(np.float32)
    assert decibels(wave - tone_only) < decibels(tone_only) - 30


def test_a_sound_on_one_channel_of_two_is_half_as_loud(tree: Path) -> None:
    path = tree / "low/left.wav"
    soundfile.write(path, np.stack([tone(), np.zeros(SAMPLE_RATE)], axis=1), SAMPLE_RATE)
    wave = wave_of(prepared(tree), path)
    assert pitch(wave) == pytest.approx(440, abs=1)
    assert decibels(wave) == pytest.approx(20 * math.log10(0.25 / math.sqrt(2)), abs=0.1)


def test_a_short_file_is_filled_with_silence_and_a_long_one_cut(tree: Path) -> None:
    for name, seconds in (("short", 0.2), ("long", 3.0)):
        soundfile.write(tree / f"low/{name}.wav", tone(seconds=seconds), SAMPLE_RATE)
    made = prepared(tree)
    short, long = (wave_of(made, tree / f"low/{name}.wav") for name in ("short", "long"))
    assert np.abs(short[: round(0.2 * SAMPLE_RATE)]).max() > 0.4
    assert not short[round(0.2 * SAMPLE_RATE) :].any()
    np.testing.assert_allclose(long, tone(seconds=SECONDS), atol=1e-4)


def test_a_wav_that_broke_off_is_used_as_far_as_it_goes(tree: Path) -> None:
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


def test_a_name_that_is_no_text_is_skipped_by_name(tree: Path) -> None:
    path = tree / "low" / os.fsdecode(b"Latin-1: K\xe4uzchen.wav")
    (tree / "low/01.wav").rename(path)
    (skip,) = prepared(tree).skipped
    assert skip.path == path


def test_a_class_may_have_any_name(tree: Path) -> None:
    (tree / "low").rename(tree / "Eulen & Käuze's")
    assert prepared(tree).index.classes == ("Eulen & Käuze's", "high")


# Skipped, by name and with the reason


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
    outside = next(folder for folder in path.parents if folder.name in {"tree", "listed"}).parent / "private.wav"
    soundfile.write(outside, tone(), SAMPLE_RATE)
    path.symlink_to(outside)


def folder_that_leads_out(path: Path) -> None:
    path.symlink_to("/", target_is_directory=True)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (text, "unreadable"),
        (empty, "unreadable"),
        (header_alone, "empty"),
        (half_a_header, "unreadable|empty"),
        (zeros, "silent"),
        (constant, "silent"),
        (not_a_number, "not numbers"),
        (infinite, "not numbers"),
        (device, "leaves the dataset's folder"),
        (leads_nowhere, "leads nowhere"),
        (leads_to_itself, "leads nowhere"),
        (leads_out, "leaves the dataset's folder"),
        (folder_that_leads_out, "leaves the dataset's folder"),
    ],
)
def test_one_that_cannot_be_used_is_skipped_by_name(make: Callable[[Path], None], reason: str, tree: Path) -> None:
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
        assert "unreadable" in made.skipped[0].reason or "empty" in made.skipped[0].reason
    else:
        assert np.abs(wave_of(made, path)).max() < 0.6


def test_what_is_no_audio_is_left_alone(tree: Path) -> None:
    (tree / "low/notes.txt").write_text("recorded in May")
    (tree / "low/cover.jpg").write_bytes(b"\xff\xd8\xff")
    (tree / "low/._00.wav").write_bytes(b"Mac OS X")
    (tree / "low/folder.wav").mkdir()
    os.mkfifo(tree / "low/pipe.wav")
    (tree / "low/inside").symlink_to(tree / "high", target_is_directory=True)
    made = prepared(tree)
    assert made.skipped == ()
    assert len(made.index.clips) == 2 * GOOD


def test_a_link_within_the_folder_is_a_file(tree: Path) -> None:
    (tree / "low/link.wav").symlink_to(tree / "low/00.wav")
    assert pitch(wave_of(prepared(tree), tree / "low/link.wav")) == pytest.approx(440, abs=1)


# Refused


def test_more_than_a_twentieth_is_refused_with_the_count_of_every_kind(tree: Path) -> None:
    leads_nowhere(tree / "low/bad 1.wav")
    leads_out(tree / "low/bad 2.wav")
    text(tree / "low/bad 3.wav")
    zeros(tree / "high/bad 4.wav")
    with pytest.raises(DatasetError, match=r"^4 of 64 files under .* cannot be used, more than 5%: ") as refused:
        prepared(tree)
    assert "leads nowhere" in str(refused.value)
    assert "and 1 more" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_class_that_is_a_link_out_of_the_folder_is_refused_by_name(tree: Path) -> None:
    (tree / "low").rename(tree.parent / "elsewhere")
    (tree / "low").symlink_to(tree.parent / "elsewhere", target_is_directory=True)
    with pytest.raises(DatasetError, match="the class low is a symbolic link that leaves") as refused:
        prepared(tree)
    assert "--data-path" in str(refused.value)


def test_a_folder_that_is_reached_by_a_link_is_the_same(tree: Path) -> None:
    link = tree.parent / "link"
    link.symlink_to(tree, target_is_directory=True)
    assert len(prepared(link).rows) == 2 * GOOD


# With a list


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """UrbanSound8K with two classes: 60 clips in ten folds, and its list."""
    root = tmp_path / "listed"
    rows = [
        (f"{100 * fold + kind}-{kind}-{take}-0.wav", fold, kind, ("air_conditioner", "car_horn")[kind])
        for fold in range(1, 11)
        for kind in range(2)
        for take in range(3)
    ]
    for name, fold, _, _ in rows:
        (root / f"audio/fold{fold}").mkdir(parents=True, exist_ok=True)
        soundfile.write(root / f"audio/fold{fold}" / name, tone(), SAMPLE_RATE)
    (root / "metadata").mkdir()
    with (root / "metadata/UrbanSound8K.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("slice_file_name", "fold", "classID", "class"), *rows])
    return root


def listed_and_prepared(root: Path) -> Prepared:
    return prepare(index("URBANSOUND8K", root), seconds=SECONDS, cache_path=root.parent / "cache")


def test_a_listed_file_that_is_missing_is_skipped_and_one_unlisted_left_alone(listed: Path) -> None:
    gone = listed / "audio/fold3/300-0-1-0.wav"
    gone.rename(listed / "audio/fold3/mine.wav")
    leads_to_itself(listed / "audio/fold3/._loop")
    made = listed_and_prepared(listed)
    assert made.skipped == ((gone, "listed in UrbanSound8K.csv, but missing"),)
    assert made.index.unlisted == (listed / "audio/fold3/mine.wav",)
    assert len(made.rows) == 59


@pytest.mark.parametrize(
    ("make", "reason"),
    [(leads_nowhere, "but missing"), (leads_to_itself, "but missing"), (leads_out, "leaves"), (text, "unreadable")],
)
def test_a_listed_file_that_cannot_be_used_is_skipped_by_name(
    make: Callable[[Path], None], reason: str, listed: Path
) -> None:
    bad = listed / "audio/fold3/300-0-1-0.wav"
    bad.unlink()
    make(bad)
    made = listed_and_prepared(listed)
    (skip,) = made.skipped
    assert skip.path == bad
    assert reason in skip.reason


def test_too_many_missing_files_are_refused_with_the_count(listed: Path) -> None:
    for take in range(3):
        (listed / f"audio/fold3/300-0-{take}-0.wav").unlink()
    text(listed / "audio/fold4/400-0-0-0.wav")
    with pytest.raises(DatasetError, match=r"^4 of 60 files .* more than 5%: .*but missing"):
        listed_and_prepared(listed)


def test_a_fold_that_is_a_link_out_of_the_folder_is_skipped_by_name(listed: Path) -> None:
    (listed / "audio/fold3").rename(listed.parent / "elsewhere")
    (listed / "audio/fold3").symlink_to(listed.parent / "elsewhere", target_is_directory=True)
    with pytest.raises(DatasetError, match=r"^6 of 60 files .* leaves the dataset's folder"):
        listed_and_prepared(listed)


def test_links_to_everything_there_is_are_not_followed(listed: Path) -> None:
    (listed / "audio/all").symlink_to("/", target_is_directory=True)
    (listed / "audio/fold3/again").symlink_to(listed / "audio", target_is_directory=True)
    found = index("URBANSOUND8K", listed)
    assert (len(found.clips), found.skipped, found.unlisted) == (60, (), ())


def test_audio_that_is_a_link_out_of_the_folder_is_said(listed: Path) -> None:
    (listed / "audio").rename(listed.parent / "elsewhere")
    (listed / "audio").symlink_to(listed.parent / "elsewhere", target_is_directory=True)
    with pytest.raises(DatasetError, match=r"no audio found under .* a symbolic link that leaves the dataset's folder"):
        index("URBANSOUND8K", listed)
    # What else is there, which may be everything, is not looked through.
    (listed.parent / "elsewhere/deep").mkdir()
    (listed.parent / "elsewhere/deep/other.wav").touch()
    assert look("URBANSOUND8K", listed).unlisted == ()


# Many


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10,000 files in one folder: as a class of its own, and as a fold of UrbanSound8K with its list."""
    root = tmp_path_factory.mktemp("many")
    for folder in ("tree/few", "tree/many", "listed/audio/fold10", "listed/audio/fold1", "listed/metadata"):
        (root / folder).mkdir(parents=True)
    (root / "tree/few/0.wav").touch()
    (root / "tree/few/1.wav").touch()
    rows = []
    for number in range(10_000):
        os.link(root / "tree/few/0.wav", root / f"tree/many/{number}.wav")
        name, fold = f"{number}-{number % 2}-0-0.wav", 10 if number > 1 else 1
        os.link(root / "tree/few/0.wav", root / f"listed/audio/fold{fold}/{name}")
        rows.append((name, fold, number % 2, ("air_conditioner", "car_horn")[number % 2]))
    with (root / "listed/metadata/UrbanSound8K.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("slice_file_name", "fold", "classID", "class"), *rows])
    return root


@pytest.mark.parametrize(("name", "below", "count"), [("FOLDER", "tree", 10_002), ("URBANSOUND8K", "listed", 10_000)])
def test_ten_thousand_files_in_one_folder_are_indexed_in_less_than_two_seconds(
    name: str, below: str, count: int, many: Path
) -> None:
    began = time.process_time()
    found: Index = index(name, many / below)
    assert time.process_time() - began < 2
    assert len(found.clips) == count
