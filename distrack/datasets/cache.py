"""The waveform cache: every clip decoded once, in one memory-mapped array.

A cache entry is a folder named by a digest of the files and the way they are decoded. It appears when it is whole; an
interrupted preparation continues with the clips that are not decoded yet.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distrack.arrays import Floats
from distrack.audio import SAMPLE_RATE, Decoded, decibels, decode_clip
from distrack.datasets.clips import Index, Skipped
from distrack.datasets.copies import DIGEST_SIZE, digest_of, distinct
from distrack.datasets.disk import reserve, write_rows, writing_below
from distrack.datasets.packed import PackedClips, source_of
from distrack.errors import AudioError, DatasetError
from distrack.files import files_text, fill_once
from distrack.progress import Progress, unwatched

_VERSION = 4
_CHUNK = 256
# Share of the files that may be unusable.
MOST_UNUSABLE = 0.05


@dataclass(frozen=True)
class Prepared:
    """A dataset with decoded clips.

    Attributes:
        index: the clips on disk, usable or not, with their split.
        waveforms: memory-mapped samples in [-1, 1], a row for every clip of the index; zeros for unusable clips.
        facts: for every clip of the index, the duration of its whole file in seconds, the RMS level of the decoded
            clip in dBFS, the number of the channel that was taken alone (0 for the mean of all), and the bits of float
            samples that are whole numbers (0 for other samples), ``[clips, 4]``.
        rows: rows of `waveforms` that hold usable clips, no two of the same sound, ``[usable clips]``.
        skipped: files that are not used, each with the reason; copies of other clips are among them.
        copies: those that are left out because another clip of their class has the same sound.
        conflicts: those that are left out because their sound is in several classes.
        folder: the folder of the cache entry; features of the waveforms are stored below it. Its name is a digest of
            the files and the way they were decoded.
    """

    index: Index
    waveforms: NDArray[np.float32]
    facts: NDArray[np.float32]
    rows: NDArray[np.int64]
    skipped: tuple[Skipped, ...]
    copies: tuple[Skipped, ...]
    conflicts: tuple[Skipped, ...]
    folder: Path

    @property
    def seconds(self) -> float:
        """Length of every clip."""
        return int(self.waveforms.shape[1]) / SAMPLE_RATE

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for readers of a result: those of the index, and what decoding found."""
        notes = list(self.index.notes)
        for clips, reason in (
            (self.copies, "the class has the same sound in another file"),
            (self.conflicts, "their sound is in several classes"),
        ):
            if clips:
                example = f"{clips[0].path.name} is {clips[0].reason}"
                notes.append(f"{files_text(len(clips))} left out, because {reason}: {example}")
        if alone := int((self.facts[self.rows, 2] > 0).sum()):
            notes.append(f"the channels of {files_text(alone)} cancel each other: the loudest channel is used")
        if scaled := int((self.facts[self.rows, 3] > 0).sum()):
            notes.append(f"the float samples of {files_text(scaled)} are whole numbers: they are divided by full scale")
        return tuple(notes)

    def read(self, rows: slice) -> NDArray[np.float32]:
        """A copy of some rows of the waveforms, ``[n, samples]``; memory for rows read before is given back."""
        return np.array(np.load(self.folder / "waveforms.npy", mmap_mode="r")[rows])

    def split_rows(self, split: str) -> NDArray[np.int64]:
        """Rows of the usable clips of one split."""
        return np.array([row for row in self.rows if self.index.clips[row].split == split], dtype=np.int64)

    def labels(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Class indices of the given rows."""
        return np.array([self.index.clips[row].label for row in rows], dtype=np.int64)


def fingerprint(index: Index, *, seconds: float) -> str:
    """A digest of the files of an index (names, sizes, times) and of the way they are decoded.

    Raises:
        OSError: a file is missing.
    """
    digest = hashlib.sha256(f"{_VERSION} {SAMPLE_RATE} {seconds}\n".encode())
    for path in [source_of(index.root)] if index.packed else [clip.path for clip in index.clips]:
        stat = path.stat()
        digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:24]


def prepare(index: Index, *, seconds: float, cache_path: Path, progress: Progress = unwatched) -> Prepared:
    """Decodes every clip of an index, or opens the cache where that was done before.

    Args:
        seconds: length of a clip; longer files are cut, shorter ones padded with zeros.

    Raises:
        DatasetError: the index is not valid, more than 5% of the files are unusable, a class is left without usable
            clips, or the disk is full.
    """
    index.validate()
    _check_usable(index, index.skipped)
    folder = cache_path / fingerprint(index, seconds=seconds)
    fill_cache(folder, lambda unfinished: _decode_all(index, seconds, unfinished, progress))
    return _read(index, folder)


def prepared(index: Index, *, seconds: float, cache_path: Path) -> Prepared | None:
    """The result of an earlier `prepare`, or None where there is none."""
    folder = cache_path / fingerprint(index, seconds=seconds)
    return _read(index, folder) if folder.is_dir() else None


def _read(index: Index, folder: Path) -> Prepared:
    undecodable = [Skipped(Path(path), reason) for path, reason in json.loads((folder / "skipped.json").read_text())]
    skipped = (*index.skipped, *undecodable)
    _check_usable(index, skipped)
    unusable = {skip.path for skip in undecodable}
    usable = [row for row, clip in enumerate(index.clips) if clip.path not in unusable]
    index, rows, copies, conflicts = distinct(index, usable, np.load(folder / "digests.npy"))
    skipped = (*skipped, *copies, *conflicts)
    if copies or conflicts:
        _check_classes(index, skipped)
    waveforms = np.load(folder / "waveforms.npy", mmap_mode="r")
    facts = np.load(folder / "facts.npy", mmap_mode="r")
    return Prepared(index, waveforms, facts, rows, skipped, copies, conflicts, folder)


def decoded(index: Index, *, seconds: float, cache_path: Path) -> tuple[Floats, Floats, list[tuple[str, str]]] | None:
    """What `prepare` stored of every clip of an index: waveforms, facts, and the clips that could not be decoded.

    Returns:
        None where the clips were not decoded
    """
    folder = cache_path / fingerprint(index, seconds=seconds)
    if not folder.is_dir():
        return None
    waveforms, facts = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("waveforms", "facts"))
    return waveforms, facts, [(path, reason) for path, reason in json.loads((folder / "skipped.json").read_text())]


def fill_cache(folder: Path, fill: Callable[[Path], None]) -> None:
    """Makes a folder of the cache, whole or not at all, in one process at a time; a folder that exists stays as it is.

    `fill` writes into the folder that it gets, which holds what an interrupted call left there.

    Raises:
        DatasetError: the disk is full or the place is not writable.
    """
    with writing_below(folder.parent):
        fill_once(folder, fill, resume=True)


def _decode_all(index: Index, seconds: float, unfinished: Path, progress: Progress) -> None:
    count, samples = len(index.clips), round(seconds * SAMPLE_RATE)
    names = ("waveforms.npy", "facts.npy", "digests.npy", "done.npy")
    waveforms, facts, digests, marks = (unfinished / name for name in names)
    reserve(waveforms, (count, samples), np.float32)
    reserve(facts, (count, 4), np.float32)
    reserve(digests, (count, DIGEST_SIZE), np.uint8)
    reserve(marks, (count,), np.uint8)
    reasons_file = unfinished / "reasons.jsonl"

    packed = PackedClips(index.root, seconds=seconds) if index.packed else None

    def decode(row: int) -> Decoded | AudioError:
        if packed is not None:
            return packed[row]
        try:
            return decode_clip(index.clips[row].path, seconds=seconds)
        except AudioError as error:
            return error

    waiting = np.flatnonzero(np.load(marks) == 0)
    with ThreadPoolExecutor(os.cpu_count()) as pool, reasons_file.open("a", buffering=1) as reasons:
        for start in range(0, len(waiting), _CHUNK):
            chunk = waiting[start : start + _CHUNK]
            chunk_samples, chunk_facts = (np.zeros((len(chunk), size), np.float32) for size in (samples, 4))
            chunk_digests = np.zeros((len(chunk), DIGEST_SIZE), np.uint8)
            for position, (row, result) in enumerate(zip(chunk, pool.map(decode, chunk), strict=True)):
                if isinstance(result, AudioError):
                    reasons.write(json.dumps([str(index.clips[row].path), str(result)]) + "\n")
                else:
                    chunk_samples[position] = result.wave
                    chunk_digests[position] = digest_of(result.wave)
                    chunk_facts[position] = (
                        result.seconds,
                        decibels(result.wave),
                        result.channel or 0,
                        result.bits or 0,
                    )
            # The mark that a clip is decoded is written last, after its samples and its reason.
            write_rows(waveforms, chunk, chunk_samples)
            write_rows(facts, chunk, chunk_facts)
            write_rows(digests, chunk, chunk_digests)
            write_rows(marks, chunk, np.ones(len(chunk), np.uint8))
            progress(count - len(waiting) + start + len(chunk), count)
    skipped = dict(json.loads(line) for line in reasons_file.read_text().splitlines())
    (unfinished / "skipped.json").write_text(json.dumps(list(skipped.items())))
    # In this order: a call that is interrupted in between finds no marks and decodes again, with all reasons.
    marks.unlink()
    reasons_file.unlink()


def _check_usable(index: Index, skipped: Sequence[Skipped]) -> None:
    count = len(index.clips) + len(index.skipped)
    if len(skipped) > MOST_UNUSABLE * count:
        raise DatasetError(
            f"{len(skipped)} of {count} files in {index.root} cannot be used, more than {MOST_UNUSABLE:.0%}. "
            f"Fix or remove them ({_listed(skipped)})"
        )
    if skipped:
        _check_classes(index, skipped)


def _check_classes(index: Index, skipped: Sequence[Skipped]) -> None:
    unusable = {skip.path for skip in skipped}
    usable = {(clip.label, clip.split) for clip in index.clips if clip.path not in unusable}
    for label, name in enumerate(index.classes):
        for split in ("train", "test"):
            if (label, split) not in usable:
                of_class = {clip.path for clip in index.clips if clip.label == label}
                reasons = [skip for skip in skipped if skip.path in of_class] or skipped
                raise DatasetError(f"no usable {split} clip of class {name} in {index.root} ({_listed(reasons)})")


def _listed(skipped: Sequence[Skipped]) -> str:
    listed = "; ".join(f"{skip.path.name}: {skip.reason}" for skip in skipped[:3])
    return listed + (f"; and {len(skipped) - 3} more" if len(skipped) > 3 else "")
