"""The waveform cache: decoded once, whole or not at all, whatever is killed, full or broken."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from distrack.audio import SAMPLE_RATE
from distrack.datasets.cache import Prepared, prepare
from distrack.datasets.contract import DATASETS, Index
from distrack.errors import DatasetError
from distrack.settings import PROJECT

SECONDS = 0.1
# More than one chunk of the cache, so that a kill finds some clips done and others not.
MANY = 600

# Prepares the folder argv[1] in the cache argv[2]; argv[3] says what happens in the middle of it.
CHILD = """
import hashlib, json, os, resource, signal, sys
from pathlib import Path
from distrack.datasets import DATASETS, prepare
from distrack.errors import DatasetError

root, cache, then = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
decoded = []

def progress(done, total):
    decoded.append(done)
    if then == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if then == "pause" and done < total:
        print("paused", flush=True)
        sys.stdin.readline()
    if then == "hang" and done == total:
        signal.pause()

if then == "disk full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
print("asking", flush=True)
try:
    prepared = prepare(DATASETS["FOLDER"].index(root), seconds=0.1, cache_path=cache, progress=progress)
except DatasetError as error:
    sys.exit(str(error))
print(json.dumps([hashlib.sha256(prepared.waveforms.tobytes()).hexdigest(), len(decoded)]))
"""


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
    """Makes so many clips of one class unreadable, of those that train."""
    victims = [clip.path for clip in folder_index(root).clips if clip.split == "train"][:count]
    for path in victims:
        path.write_text("not audio")
    return victims


def launch(root: Path, cache: Path, then: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(root), str(cache), then],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(child: subprocess.Popen[str]) -> str:
    """The next line of a child."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def digest(prepared: Prepared) -> str:
    return hashlib.sha256(prepared.waveforms.tobytes()).hexdigest()


def left_in(cache: Path) -> list[str]:
    """What stands in the cache beside locks."""
    return sorted(path.name for path in cache.glob("*") if path.suffix != ".lock")


def test_every_clip_becomes_the_row_of_its_index(tmp_path: Path) -> None:
    prepared = prepared_in(tmp_path / "cache", tones(tmp_path / "tones", 20))
    assert prepared.waveforms.shape == (20, 1_600)
    assert prepared.waveforms.dtype == np.float32
    assert prepared.seconds == SECONDS
    for row, clip in enumerate(prepared.index.clips):
        samples, _ = soundfile.read(clip.path, dtype="float32")
        np.testing.assert_array_equal(prepared.waveforms[row], samples)
    train, test = prepared.split_rows("train"), prepared.split_rows("test")
    assert sorted([*train, *test]) == list(range(20))
    assert prepared.labels(test).tolist() == [prepared.index.clips[row].label for row in test]


def test_a_second_call_decodes_nothing(tmp_path: Path) -> None:
    root, cache = tones(tmp_path / "tones", 20), tmp_path / "cache"
    first = digest(prepared_in(cache, root))
    for path in root.rglob("*.wav"):
        stat = path.stat()
        path.write_bytes(b"?" * stat.st_size)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert digest(prepared_in(cache, root)) == first


def test_progress_counts_every_clip_once(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    index = folder_index(tones(tmp_path / "tones", 20))
    for _ in range(2):
        prepare(index, seconds=SECONDS, cache_path=tmp_path / "cache", progress=lambda *of: seen.append(of))
    assert seen == [(20, 20)]


def test_a_changed_file_is_decoded_anew(tmp_path: Path) -> None:
    root, cache = tones(tmp_path / "tones", 20), tmp_path / "cache"
    before = prepared_in(cache, root)
    changed = before.index.clips[7].path
    shutil.copyfile(before.index.clips[8].path, changed)
    after = prepared_in(cache, root)
    assert after.key != before.key
    np.testing.assert_array_equal(after.waveforms[7], before.waveforms[8])


def test_another_length_and_a_new_file_have_caches_of_their_own(tmp_path: Path) -> None:
    root, cache = tones(tmp_path / "tones", 20), tmp_path / "cache"
    index = folder_index(root)
    keys = {prepare(index, seconds=seconds, cache_path=cache).key for seconds in (0.05, 0.1)}
    keys.add(prepared_in(cache, tones(root, 21)).key)
    assert len(keys) == 3


def test_killed_between_chunks_it_goes_on_where_it_was(tmp_path: Path) -> None:
    root, cache = tones(tmp_path / "tones", MANY), tmp_path / "cache"
    bad = spoil(root, 3)
    with launch(root, cache, "die") as child:
        assert child.wait(timeout=60) == -signal.SIGKILL
    index, seen = folder_index(root), list[tuple[int, int]]()
    resumed = prepare(index, seconds=SECONDS, cache_path=cache, progress=lambda *of: seen.append(of))
    assert seen == [(512, MANY), (MANY, MANY)], "the first 256 clips were decoded before the kill"
    whole = prepared_in(tmp_path / "other cache", root)
    assert digest(resumed) == digest(whole)
    assert resumed.rows.tolist() == whole.rows.tolist()
    assert sorted(skip.path for skip in resumed.skipped) == sorted(bad)


def test_killed_at_any_moment_the_next_call_ends_as_if_it_was_not(tmp_path: Path) -> None:
    root, cache = tones(tmp_path / "tones", MANY), tmp_path / "cache"
    with launch(root, cache, "hang") as child:
        deadline = time.monotonic() + 60
        while not list(cache.glob("*.partial/*.npy")) and time.monotonic() < deadline:
            pass
        child.kill()
        assert child.wait() == -signal.SIGKILL
    assert [Path(name).suffix for name in left_in(cache)] == [".partial"]
    assert digest(prepared_in(cache, root)) == digest(prepared_in(tmp_path / "other cache", root))
    assert [Path(name).suffix for name in left_in(cache)] == [""]


def test_two_processes_that_want_the_same_decode_it_once(tmp_path: Path) -> None:
    root, cache = tones(tmp_path / "tones", MANY), tmp_path / "cache"
    with launch(root, cache, "pause") as one:
        assert [said(one), said(one)] == ["asking", "paused"]
        with launch(root, cache, "") as other:
            assert said(other) == "asking"
            with pytest.raises(subprocess.TimeoutExpired):  # it waits for the first to finish
                other.wait(timeout=1)
            ends = [child.communicate("\n\n", timeout=120)[0] for child in (one, other)]
    reports = [json.loads(end.splitlines()[-1]) for end in ends]
    assert one.returncode == other.returncode == 0
    assert reports[0][0] == reports[1][0] == digest(prepared_in(cache, root))
    assert [chunks for _, chunks in reports] == [3, 0]


def test_a_full_disk_is_said_and_leaves_nothing_half_made(tmp_path: Path) -> None:
    root, cache = tones(tmp_path / "tones", MANY), tmp_path / "cache"
    with launch(root, cache, "disk full") as child:
        _, complaint = child.communicate(timeout=60)
    assert child.returncode == 1
    assert f"cannot write the cache at {cache}" in complaint
    assert "DISTRACK_DATA_PATH" in complaint
    assert len(complaint.strip().splitlines()) == 1
    assert left_in(cache) == []
    assert len(prepared_in(cache, root).rows) == MANY


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match="cannot write the cache"):
        prepared_in(tmp_path / "file" / "cache", tones(tmp_path / "tones", 20))


def test_a_few_bad_files_are_listed_and_left_out(tmp_path: Path) -> None:
    root = tones(tmp_path / "tones", 40)
    bad = spoil(root, 2)
    for _ in range(2):  # from the cache it is the same
        prepared = prepared_in(tmp_path / "cache", root)
        assert sorted(skip.path for skip in prepared.skipped) == sorted(bad)
        assert all("unreadable" in skip.reason for skip in prepared.skipped)
        rows = {prepared.index.clips[row].path for row in prepared.rows}
        assert rows == {clip.path for clip in prepared.index.clips} - set(bad)
        assert not set(prepared.split_rows("train")) - set(prepared.rows)


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
    with pytest.raises(DatasetError, match=f"no usable test clip is left of class high .*{only.name}"):
        prepared_in(tmp_path / "cache", root)
