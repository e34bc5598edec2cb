"""The waveform cache: every clip decoded once, kept as one memory-mapped array.

A cache entry is a folder named by a digest of what it was made from. It is filled beside its place under a lock and
moved there when whole, so that a reader sees all of it or nothing, a crash loses no decoded clip, and two processes
that want the same entry do the work once.
"""

import errno
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from distrack.audio import SAMPLE_RATE, Decoded, decibels, decode_clip
from distrack.datasets.contract import Index, Progress, Skipped
from distrack.errors import AudioError, DatasetError

_VERSION = 2
_CHUNK = 256
WORST_SHARE = 0.05


@dataclass(frozen=True)
class Prepared:
    """A dataset ready to be read: its usable clips, decoded.

    Attributes:
        index: the clips on disk, the unusable ones included.
        waveforms: memory-mapped samples in [-1, 1], a row for every clip of the index (zeros where unusable).
        facts: of every clip of the index, the seconds of its whole file and its RMS level in dBFS as it is used.
        rows: the usable clips, as rows of `waveforms`.
        skipped: the unusable ones.
        key: digest of what this was made from.
        folder: where it is kept; what is derived from the waveforms goes below it.

    Shape:
        - waveforms: ``[clips, samples]`` float32
        - facts: ``[clips, 2]`` float32
        - rows: ``[usable clips]`` int64
    """

    index: Index
    waveforms: NDArray[np.float32]
    facts: NDArray[np.float32]
    rows: NDArray[np.int64]
    skipped: tuple[Skipped, ...]
    key: str
    folder: Path

    @property
    def seconds(self) -> float:
        """Length of every clip."""
        return int(self.waveforms.shape[1]) / SAMPLE_RATE

    def read(self, rows: slice) -> NDArray[np.float32]:
        """Some waveforms, in memory that does not grow with what was read before, ``[n, samples]``."""
        return np.array(np.load(self.folder / "waveforms.npy", mmap_mode="r")[rows])

    def split_rows(self, split: str) -> NDArray[np.int64]:
        """Rows of the usable clips on one side of the split."""
        return np.array([row for row in self.rows if self.index.clips[row].split == split], dtype=np.int64)

    def labels(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Class indices of the given rows."""
        return np.array([self.index.clips[row].label for row in rows], dtype=np.int64)


def fingerprint(index: Index, *, seconds: float) -> str:
    """A digest of the files of an index, by name, size and time, and of how they are decoded.

    Raises:
        OSError: a file is gone.
    """
    digest = hashlib.sha256(f"{_VERSION} {SAMPLE_RATE} {seconds}\n".encode())
    for clip in index.clips:
        stat = clip.path.stat()
        digest.update(f"{clip.path} {stat.st_size} {stat.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:24]


def prepare(index: Index, *, seconds: float, cache_path: Path, progress: Progress | None = None) -> Prepared:
    """Decodes every clip of a valid index once; instant when that was done before.

    Args:
        index: the clips.
        seconds: fixed length of a clip.
        cache_path: folder of the caches.
        progress: told the clips done and their number.

    Raises:
        DatasetError: more than 5 % of the files cannot be used, a class is left without clips, or the disk is full.
    """
    index.validate()
    _refuse_bad(index, list(index.skipped))
    folder = cache_path / fingerprint(index, seconds=seconds)
    fill_once(folder, lambda partial: _decode_all(index, seconds, partial, progress))
    return _read(index, folder)


def prepared(index: Index, *, seconds: float, cache_path: Path) -> Prepared | None:
    """What `prepare` made of an index before, or None where it did not."""
    folder = cache_path / fingerprint(index, seconds=seconds)
    return _read(index, folder) if folder.is_dir() else None


def _read(index: Index, folder: Path) -> Prepared:
    skipped = [Skipped(Path(path), reason) for path, reason in json.loads((folder / "skipped.json").read_text())]
    _refuse_bad(index, [*index.skipped, *skipped])
    unusable = {skip.path for skip in skipped}
    rows = np.array([row for row, clip in enumerate(index.clips) if clip.path not in unusable], dtype=np.int64)
    waveforms = np.load(folder / "waveforms.npy", mmap_mode="r")
    facts = np.load(folder / "facts.npy", mmap_mode="r")
    return Prepared(index, waveforms, facts, rows, (*index.skipped, *skipped), folder.name, folder)


def fill_once(folder: Path, fill: Callable[[Path], None]) -> None:
    """Makes `folder` by `fill`, unless it is there: whole or not at all, by one process at a time.

    `fill` gets the path of the unfinished folder, which still holds what an interrupted call left there.

    Raises:
        DatasetError: the disk is full or the place is not writable.
    """
    if folder.is_dir():
        return
    partial = folder.with_name(folder.name + ".partial")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(folder.name + ".lock")):
            if folder.is_dir():
                return
            try:
                partial.mkdir(exist_ok=True)
                fill(partial)
                partial.replace(folder)
            except OSError:
                # While the lock is held: whoever waits for it starts on a clean place.
                shutil.rmtree(partial, ignore_errors=True)
                raise
    except OSError as error:
        raise DatasetError(
            f"cannot write the cache at {folder.parent}: {error.strerror or error}. "
            f"Make room there, or set DISTRACK_DATA_PATH to another place"
        ) from None


def _decode_all(index: Index, seconds: float, partial: Path, progress: Progress | None) -> None:
    count, samples = len(index.clips), round(seconds * SAMPLE_RATE)
    waveforms, facts, marks = (partial / name for name in ("waveforms.npy", "facts.npy", "done.npy"))
    reserve(waveforms, (count, samples), np.float32)
    reserve(facts, (count, 2), np.float32)
    reserve(marks, (count,), np.uint8)
    reasons_file = partial / "reasons.jsonl"

    def decode(row: int) -> Decoded | AudioError:
        try:
            return decode_clip(index.clips[row].path, seconds=seconds)
        except AudioError as error:
            return error

    waiting = np.flatnonzero(np.load(marks) == 0)
    chunks = [waiting[start : start + _CHUNK] for start in range(0, len(waiting), _CHUNK)]
    done = count - len(waiting)
    with ThreadPoolExecutor(os.cpu_count()) as pool, reasons_file.open("a", buffering=1) as reasons:
        # The next chunk is decoded while one is written.
        ahead = pool.map(decode, chunks[0]) if chunks else iter(())
        for number, chunk in enumerate(chunks):
            results = ahead
            ahead = pool.map(decode, chunks[number + 1]) if number + 1 < len(chunks) else iter(())
            samples_of, facts_of = np.zeros((len(chunk), samples), np.float32), np.zeros((len(chunk), 2), np.float32)
            for position, (row, result) in enumerate(zip(chunk, results, strict=True)):
                if isinstance(result, AudioError):
                    reasons.write(json.dumps([str(index.clips[row].path), str(result)]) + "\n")
                else:
                    samples_of[position] = result.wave
                    facts_of[position] = result.seconds, decibels(result.wave)
            # Samples and reasons (written line by line) reach the disk before the mark that says they are there.
            write_rows(waveforms, chunk, samples_of)
            write_rows(facts, chunk, facts_of)
            write_rows(marks, chunk, np.ones(len(chunk), np.uint8))
            done += len(chunk)
            if progress is not None:
                progress(done, count)
    skipped = dict(json.loads(line) for line in reasons_file.read_text().splitlines())
    (partial / "skipped.json").write_text(json.dumps(list(skipped.items())))
    # In this order: without the marks an interrupted call decodes again, without the reasons it would know no bad file.
    marks.unlink()
    reasons_file.unlink()


def write_rows(path: Path, rows: NDArray[np.int64] | slice, values: NDArray[np.generic]) -> None:
    """Puts values into rows of an array on disk, in memory that does not grow with the array.

    A memory map that stays open keeps every page that was touched.
    """
    array = np.lib.format.open_memmap(path, mode="r+")
    array[rows] = values
    array.flush()


def reserve(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    """Leaves what an interrupted call left at `path`, or makes an array of zeros; its room on the disk is taken now.

    A memory map that finds the disk full later is killed by the system instead of told.
    """
    try:
        np.lib.format.open_memmap(path, mode="r+")
    except (FileNotFoundError, ValueError):
        if shutil.disk_usage(path.parent).free < math.prod(shape) * np.dtype(dtype).itemsize:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
        np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _refuse_bad(index: Index, skipped: list[Skipped]) -> None:
    if not skipped:
        return
    listed = "; ".join(f"{skip.path.name}: {skip.reason}" for skip in skipped[:3])
    more = f"; and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    count = len(index.clips) + len(index.skipped)
    if len(skipped) > WORST_SHARE * count:
        raise DatasetError(
            f"{len(skipped)} of {count} files under {index.root} cannot be used, more than "
            f"{WORST_SHARE:.0%}: {listed}{more}. Mend or remove them"
        )
    unusable = {skip.path for skip in skipped}
    left = {(clip.label, clip.split) for clip in index.clips if clip.path not in unusable}
    for label, name in enumerate(index.classes):
        for split in ("train", "test"):
            if (label, split) not in left:
                raise DatasetError(f"no usable {split} clip is left of class {name} under {index.root}: {listed}{more}")
