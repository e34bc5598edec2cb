"""Recordings that a person uploads in the browser: a dataset with one subfolder per class, or a single recording."""

import hashlib
import io
import itertools
import logging
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from distrack.datasets.archive import listing, unpack
from distrack.datasets.disk import writing_below
from distrack.datasets.look_alikes import look_alikes
from distrack.datasets.untrusted import Limits, member_path
from distrack.errors import DatasetError
from distrack.files import fill_once, remove_unfinished, write_atomically
from distrack.sound_file import DAMAGE, EXTENSIONS, UNREADABLE, opened

log = logging.getLogger(__name__)

_CHUNK = 256 * 1024
# Largest size of an upload, and most files in it.
_MOST_BYTES, _MOST_FILES = 2_000_000_000, 50_000
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_UNREADABLE = "{} is not an audio file we can read. Use WAV, FLAC, OGG or MP3."
_LAYOUT = "Upload a folder or a zip with one subfolder per class (dogs/1.wav, cats/1.wav), as FLAC, MP3, OGG or WAV"


class Preview(NamedTuple):
    """What an upload would become.

    Attributes:
        classes: number of recordings in each folder at the top.
        left_out: number of files that are not recordings.
        encoding: of the names of a zip that does not tell it, as it was found out or given; None where it is told.
        notes: sentences about names that look alike.
    """

    classes: dict[str, int]
    left_out: int
    encoding: str | None
    notes: tuple[str, ...]


def preview(files: Sequence[tuple[str, BinaryIO]], *, encoding: str | None = None) -> Preview:
    """What `store_upload` would make of these files; nothing is inflated or written. Errors as there."""
    if len(files) == 1 and _is_zip(files[0][1]):
        content = files[0][1]
        names, encoding = listing(
            content, "the upload", most_bytes=_MOST_BYTES, most_files=_MOST_FILES, encoding=encoding
        )
        content.seek(0)
    else:
        names = [member_path("the upload", name) for name, _ in files]
    targets = _targets(names)
    counts = Counter(target.parts[0] for target in targets.values())
    classes = {name: counts[name] for name in sorted(counts)}
    return Preview(classes, len(names) - len(targets), encoding, tuple(look_alikes(classes)))


def store_upload(
    name: str,
    files: Iterable[tuple[str, BinaryIO]],
    *,
    data_path: Path,
    encoding: str | None = None,
    most_bytes: int = _MOST_BYTES,
    most_files: int = _MOST_FILES,
) -> Path:
    """Stores uploaded files as the folder ``<data_path>/uploads/<name>``, which the dataset FOLDER can read.

    A folder around the class folders is removed. Hidden files and files that are not recordings are left out. The
    folder appears when it is whole.

    Args:
        name: letters, digits, dashes and underscores.
        files: one zip, or several files named with their folder, such as ``dogs/1.wav``.
        encoding: of the names of a zip that does not tell it; found out if None.
        most_bytes: largest size of all files, counted as they are written.
        most_files: largest number of files, including those that are left out.

    Raises:
        DatasetError: the name is not allowed or exists, the files have no class folders, are unsafe or exceed a limit,
            or the disk is full.
    """
    if not _NAME.fullmatch(name):
        raise DatasetError(
            f"{name!r} cannot be the name of a dataset. Use 1 to 60 letters, digits, dashes and underscores, "
            f"without accents"
        )
    target = data_path / "uploads" / name
    limits = Limits("the upload", most_bytes=most_bytes, most_files=most_files)

    def fill(unfinished: Path) -> None:
        raw = unfinished / ".raw"
        raw.mkdir()
        left_out = _write(files, raw, limits, encoding)
        left_out += _sort_by_class(raw, unfinished, left_out)
        shutil.rmtree(raw)
        log.info("%s: %d files are not audio and left out", target, left_out)

    with writing_below(target.parent):
        remove_unfinished(target.parent)
        if not fill_once(target, fill):
            raise DatasetError(f"a dataset named {name} exists. Choose another name, or remove {target}")
    return target


def store_recording(name: str, content: bytes, *, data_path: Path) -> Path:
    """Stores one recording as the file ``<data_path>/recordings/<name>-<digest>``, the same recording once.

    Raises:
        DatasetError: it is no audio by its name or its content, or the disk is full.
    """
    path = PurePosixPath(name)
    if path.suffix.lower() not in EXTENSIONS:
        raise DatasetError(_UNREADABLE.format(path.name))
    length_and_rate(path.name, io.BytesIO(content))
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem)[:40] or "recording"
    folder = data_path / "recordings"
    target = folder / f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}{path.suffix.lower()}"
    with writing_below(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(target, content)
    return target


def length_and_rate(name: str, file: Path | BinaryIO) -> tuple[float, int]:
    """Seconds and sample rate of a recording.

    Raises:
        DatasetError: the file is missing, or is no audio.
    """
    if isinstance(file, Path) and not file.exists():
        raise DatasetError(f"There is no file {file}.")
    try:
        with opened(file) as sound:
            return sound.frames / max(sound.samplerate, 1), int(sound.samplerate)
    except DAMAGE:
        raise DatasetError(_UNREADABLE.format(name)) from None


def _write(files: Iterable[tuple[str, BinaryIO]], raw: Path, limits: Limits, encoding: str | None) -> int:
    """Writes the recordings, or all files of a zip, and returns how many were left out."""
    files = iter(files)
    first = list(itertools.islice(files, 2))
    if len(first) == 1 and _is_zip(first[0][1]):
        zipped = raw.with_name("the upload.zip")
        limits.write(zipped, _chunks(first[0][1]))
        unpack(zipped, raw, most_bytes=limits.most_bytes, most_files=limits.most_files, encoding=encoding)
        zipped.unlink()
        return 0
    for name, file in itertools.chain(first, files):
        limits.count_member()
        path = member_path(limits.what, name)
        if _is_recording(path):
            limits.write(raw / path, _chunks(file))
    return limits.members - limits.files


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    return iter(partial(file.read, _CHUNK), b"")


def _is_zip(file: BinaryIO) -> bool:
    head = file.read(4)
    file.seek(-len(head), 1)
    return head in (b"PK\3\4", b"PK\5\6", b"PK\7\10")


def _is_recording(path: PurePosixPath) -> bool:
    """By its name; a recording in a format that is not read is one too, so that the dataset can tell of it."""
    hidden = any(part.startswith(".") for part in path.parts)
    return path.suffix.lower() in EXTENSIONS | UNREADABLE and not hidden


def _sort_by_class(raw: Path, ready: Path, left_out: int) -> int:
    """Moves the recordings of `raw` to subfolders of `ready`, one per class, and returns how many were left out."""
    all_files = [PurePosixPath(path.relative_to(raw).as_posix()) for path in raw.rglob("*") if path.is_file()]
    targets = _targets(all_files, left_out)
    for path, target in targets.items():
        (ready / target).parent.mkdir(parents=True, exist_ok=True)
        (raw / path).rename(ready / target)
    return len(all_files) - len(targets)


def _targets(names: Sequence[PurePosixPath], left_out: int = 0) -> dict[PurePosixPath, PurePosixPath]:
    """Where each recording of an upload belongs, without a folder around the class folders.

    Raises:
        DatasetError: there is no recording, one is in no class folder, or there is one class only.
    """
    targets = {path: path for path in names if _is_recording(path)}
    if not targets:
        raise DatasetError(f"no audio in the upload ({left_out + len(names)} other files). {_LAYOUT}")
    while len({path.parts[0] for path in targets.values()}) == 1 and all(
        len(path.parts) > 2 for path in targets.values()
    ):
        targets = {path: PurePosixPath(*target.parts[1:]) for path, target in targets.items()}
    loose = sorted(str(path) for path, target in targets.items() if len(target.parts) == 1)
    if loose:
        raise DatasetError(f"{len(loose)} files are not in a class folder, such as {loose[0]!r}. {_LAYOUT}")
    classes = sorted({target.parts[0] for target in targets.values()})
    if len(classes) < 2:
        raise DatasetError(f"the upload has only one class, {classes[0]!r}, but at least two are needed. {_LAYOUT}")
    return targets
