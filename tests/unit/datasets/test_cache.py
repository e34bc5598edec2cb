"""The waveform cache: decoded once, whole or not at all, whatever is killed, full or broken."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from distrack.audio import SAMPLE_RATE
from distrack.datasets import cache as cache_module
from distrack.datasets.cache import Prepared, prepare, prepared
from distrack.datasets.clips import Index
from distrack.datasets.contract import DATASETS
from distrack.errors import DatasetError
from distrack.settings import PROJECT

SECONDS = 0.1
# Clips that are decoded together in these tests; three times as many are there, so that a kill finds some done.
CHUNK = 8
COUNT = 3 * CHUNK

# Prepares the folder argv[1] in the cache argv[2], and is killed after argv[3] clips.
CHILD = f"""
import os, signal, sys
from pathlib import Path
from distrack.datasets import DATASETS, cache, prepare

def progress(done, total):
    if done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

cache._CHUNK = {CHUNK}
prepare(DATASETS["FOLDER"].index(Path(sys.argv[1])), seconds={SECONDS}, cache_path=Path(sys.argv[2]), progress=progress)
"""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_CHUNK", CHUNK)


def tones(root: Path, count: int) -> Path:
    """Two classes of short tones, each of its own frequency."""
    time_axis = np.arange(round(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    for number in range(count):
        folder = root / ("high" if number % 2 else "low")
        folder.mkdir(parents=True, exist_ok=True)
        wave = 0.5 * np.sin(2 * np.pi * (100 + 10 * number) * time_axis)
        soundfile.write(folder / f"{number:04}.wav", wave, SAMPLE_RATE)
    return root


def folder_index(root: Path) -> Index:
    return DATASETS["FOLDER"].index(root)


def prepared_in(cache: Path, root: Path) -> Prepared:
    return prepare(folder_index(root), seconds=SECONDS, cache_path=cache)


def spoil(root: Path, count: int) -> list[Path]:
    """Makes some training clips unreadable."""
    paths = [clip.path for clip in folder_index(root).clips if clip.split == "train"][:count]
    for path in paths:
        path.write_text("not audio")
    return paths


def digest(prepared: Prepared) -> str:
    return hashlib.sha256(prepared.waveforms.tobytes()).hexdigest()


def left_in(cache: Path) -> list[str]:
    """What is in the cache except locks."""
    return sorted(path.name for path in cache.glob("*") if path.suffix != ".lock")


def test_every_clip_becomes_the_row_of_its_index(tmp_path: Path) -> None:
    made = prepared_in(tmp_path / "cache", tones(tmp_path / "tones", 20))
    assert made.waveforms.shape == (20, 1_600)
    assert made.waveforms.dtype == np.float32
    assert made.seconds == SECONDS
    for row, clip in enumerate(made.index.clips):
        samples, _ = soundfile.read(clip.path, dtype="float32")
        np.testing.assert_array_equal(made.waveforms[row], samples)
    train, test = made.split_rows("train"), made.split_rows("test")
    assert sorted([*train, *test]) == list(range(20))
    assert made.labels(test).tolist() == [made.index.clips[row].label for row in test]


def test_a_second_call_decodes_nothing(tmp_path: Path) -> None:
    root, cache = tones(tmp_path / "tones", 20), tmp_path / "cache"
    assert prepared(folder_index(root), seconds=SECONDS, cache_path=cache) is None
    first = digest(prepared_in(cache, root))
    for path in root.rglob("*.wav"):
        stat = path.stat()
        path.write_bytes(b"?" * stat.st_size)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert digest(prepared_in(cache, root)) == first


def test_progress_counts_every_clip_once(tmp_path: Path) -> None:
    reports: list[tuple[int, int]] = []
    index = folder_index(tones(tmp_path / "tones", 20))
    for _ in range(2):
        prepare(index, seconds=SECONDS, cache_path=tmp_path / "cache", progress=lambda *report: reports.append(report))
    assert reports == [(8, 20), (16, 20), (20, 20)]


def test_a_changed_file_is_decoded_again(tmp_path: Path) -> None:
    root, cache = tones(tmp_path / "tones", 20), tmp_path / "cache"
    before = prepared_in(cache, root)
    changed = before.index.clips[7].path
    shutil.copyfile(before.index.clips[8].path, changed)
    after = prepared_in(cache, root)
    assert after.folder != before.folder
    np.testing.assert_array_equal(after.waveforms[7], before.waveforms[8])


def test_another_length_and_a_new_file_have_their_own_cache(tmp_path: Path) -> None:
    root, cache = tones(tmp_path / "tones", 20), tmp_path / "cache"
    index = folder_index(root)
    keys = {prepare(index, seconds=seconds, cache_path=cache).folder for seconds in (0.05, 0.1)}
    keys.add(prepared_in(cache, tones(root, 21)).folder)
    assert len(keys) == 3


@pytest.mark.parametrize("killed_after", [CHUNK, COUNT])
def test_a_killed_preparation_is_continued_and_ends_as_if_it_was_not_killed(killed_after: int, tmp_path: Path) -> None:
    root, cache = tones(tmp_path / "tones", COUNT), tmp_path / "cache"
    bad = spoil(root, 1)
    command = [sys.executable, "-c", CHILD, str(root), str(cache), str(killed_after)]
    assert subprocess.run(command, cwd=PROJECT, check=False).returncode == -signal.SIGKILL
    assert [Path(name).suffix for name in left_in(cache)] == [".partial"]
    index, reports = folder_index(root), list[tuple[int, int]]()
    resumed = prepare(index, seconds=SECONDS, cache_path=cache, progress=lambda *report: reports.append(report))
    assert reports == [(done, COUNT) for done in range(killed_after + CHUNK, COUNT + 1, CHUNK)]
    whole = prepared_in(tmp_path / "other cache", root)
    assert digest(resumed) == digest(whole)
    assert resumed.rows.tolist() == whole.rows.tolist()
    assert [skip.path for skip in resumed.skipped] == bad
    assert [Path(name).suffix for name in left_in(cache)] == [""]


def test_two_that_want_the_same_decode_it_once(tmp_path: Path) -> None:
    index, cache = folder_index(tones(tmp_path / "tones", COUNT)), tmp_path / "cache"
    decoding, go, results = threading.Event(), threading.Event(), list[str]()

    def first_progress(_done: int, _total: int) -> None:
        decoding.set()
        assert go.wait(30)

    def decode(progress: Callable[[int, int], None]) -> None:
        results.append(digest(prepare(index, seconds=SECONDS, cache_path=cache, progress=progress)))

    first = threading.Thread(target=decode, args=(first_progress,))
    second = threading.Thread(target=decode, args=(lambda *_: pytest.fail("decoded twice"),))
    first.start()
    assert decoding.wait(30)
    second.start()
    second.join(0.5)  # it waits
    assert (second.is_alive(), results) == (True, [])
    go.set()
    for thread in (first, second):
        thread.join(30)
    assert len(results) == 2
    assert len(set(results)) == 1


def test_a_full_disk_is_reported_and_leaves_nothing_half_made(
    tmp_path: Path,
    refusal: Callable[[Callable[[], object]], str],
    full_disk: Callable[[], AbstractContextManager[None]],
) -> None:
    root, cache = tones(tmp_path / "tones", COUNT), tmp_path / "cache"
    with full_disk():
        message = refusal(lambda: prepared_in(cache, root))
    assert f"the disk is full at {cache}" in message
    assert "DISTRACK_DATA_PATH" in message
    assert left_in(cache) == []
    assert len(prepared_in(cache, root).rows) == COUNT


def test_a_cache_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match="cannot write in"):
        prepared_in(tmp_path / "file" / "cache", tones(tmp_path / "tones", 20))


def test_a_few_bad_files_are_listed_and_left_out(tmp_path: Path) -> None:
    root = tones(tmp_path / "tones", 40)
    bad = spoil(root, 2)
    for _ in range(2):  # from the cache it is the same
        made = prepared_in(tmp_path / "cache", root)
        assert sorted(skip.path for skip in made.skipped) == sorted(bad)
        assert all("cannot be read" in skip.reason for skip in made.skipped)
        rows = {made.index.clips[row].path for row in made.rows}
        assert rows == {clip.path for clip in made.index.clips} - set(bad)
        assert not set(made.split_rows("train")) - set(made.rows)


def test_more_than_a_twentieth_of_bad_files_is_refused_with_names_and_counts(tmp_path: Path) -> None:
    root = tones(tmp_path / "tones", 40)
    bad = spoil(root, 5)
    for _ in range(2):
        with pytest.raises(DatasetError, match=r"5 of 40 files .* more than 5%") as refused:
            prepared_in(tmp_path / "cache", root)
        assert sum(path.name in str(refused.value) for path in bad) == 3
        assert "and 2 more" in str(refused.value)
    for path in bad:
        path.unlink()
    assert len(prepared_in(tmp_path / "cache", root).rows) == 35


def test_a_class_whose_only_test_clip_is_bad_is_refused_by_name(tmp_path: Path) -> None:
    root = tones(tmp_path / "tones", 60)
    for path in sorted((root / "high").iterdir())[5:]:
        path.unlink()
    index = folder_index(root)
    (only,) = [clip.path for clip in index.clips if clip.split == "test" and index.classes[clip.label] == "high"]
    only.write_text("not audio")
    with pytest.raises(DatasetError, match=f"no usable test clip of class high .*{only.name}"):
        prepared_in(tmp_path / "cache", root)


def test_files_whose_channels_cancel_each_other_are_counted_and_said(tmp_path: Path) -> None:
    root = tones(tmp_path / "tones", COUNT)
    for name in ("low/0000.wav", "low/0002.wav"):
        wave, rate = soundfile.read(root / name)
        soundfile.write(root / name, np.stack([wave, -wave], axis=1), rate)
    result = prepare(DATASETS["FOLDER"].index(root), seconds=SECONDS, cache_path=tmp_path / "cache")
    assert len(result.rows) == COUNT
    assert result.notes[-1] == "the channels of 2 files cancel each other: the loudest channel is used"
    assert np.flatnonzero(result.facts[:, 2]).size == 2
    assert result.facts[result.rows, 1].min() > -20


def test_float_samples_that_are_whole_numbers_keep_their_level_and_are_said(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "tree" / name).mkdir(parents=True)
        for number in range(5):
            wave = np.random.default_rng(number + 5 * (name == "a")).uniform(-0.01, 0.01, 8_000)
            soundfile.write(
                tmp_path / "tree" / name / f"{number}.wav", np.round(32_767 * wave), 16_000, subtype="FLOAT"
            )
    made = prepare(DATASETS["FOLDER"].index(tmp_path / "tree"), seconds=0.5, cache_path=tmp_path / "cache")
    assert made.facts[:, 1] == pytest.approx(-44.8, abs=0.3)
    assert made.notes == ("the float samples of 10 files are whole numbers: they are divided by full scale",)
