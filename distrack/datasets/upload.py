"""Recordings that a person uploads in the browser: one, or a folder with a subfolder a class; whole or not at all."""

import hashlib
import itertools
import logging
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from filelock import FileLock

from distrack.audio import EXTENSIONS
from distrack.datasets.archive import Allowance, member_path, refuse_place, unpack
from distrack.errors import DatasetError

log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_LAYOUT = (
    "Lay it out as one folder a class with wav, flac, ogg or mp3 files in it (dogs/1.wav, cats/1.wav), "
    "and upload these folders or one zip of them"
)


def store_upload(
    name: str,
    files: Iterable[tuple[str, BinaryIO]],
    *,
    data_path: Path,
    most_bytes: int = 2_000_000_000,
    most_files: int = 50_000,
) -> Path:
    """Keeps what was uploaded as ``<data_path>/uploads/<name>``, for the dataset FOLDER to read.

    A folder around the class folders is taken off. What is not audio, and hidden files, are left out.

    Args:
        name: letters, digits, dashes and underscores.
        files: one zip, or several files that are named with their folder: ``dogs/1.wav``.
        data_path: where all datasets are.
        most_bytes: how much may be written, counted as it is written.
        most_files: how many files there may be, those left out included.

    Returns:
        the folder.

    Raises:
        DatasetError: the name cannot be used or is taken, it is not laid out by class, not safe, too much, or the disk
            is full.
    """
    if not _NAME.fullmatch(name):
        raise DatasetError(
            f"an upload cannot be named {name!r}: use 1 to 60 letters, digits, dashes and underscores, without accents"
        )
    uploads = data_path / "uploads"
    target = uploads / name
    # One at a time, in one place: what a killed process left there goes with the next upload.
    partial = uploads / ".partial"
    try:
        uploads.mkdir(parents=True, exist_ok=True)
        with FileLock(uploads / ".lock"):
            if target.exists():
                raise DatasetError(f"an upload named {name} is there already: choose another name, or remove {target}")
            shutil.rmtree(partial, ignore_errors=True)
            try:
                raw, ready = partial / "raw", partial / "ready"
                raw.mkdir(parents=True)
                left_out = _write(files, raw, Allowance("the upload", most_bytes=most_bytes, most_files=most_files))
                left_out += _sort(raw, ready, left_out)
                ready.replace(target)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        refuse_place(uploads, error)
    log.info("%s: %d files are not audio and left out", target, left_out)
    return target


def store_recording(name: str, content: bytes, *, data_path: Path) -> Path:
    """Keeps one recording as ``<data_path>/recordings/<name>-<digest>``; the same one is kept once.

    Returns:
        the file.

    Raises:
        DatasetError: it is not named like audio, or the disk is full.
    """
    path = PurePosixPath(name)
    if path.suffix.lower() not in EXTENSIONS:
        raise DatasetError(f"{path.name} is not audio: {', '.join(sorted(EXTENSIONS))} can be read")
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem)[:40] or "recording"
    folder = data_path / "recordings"
    target = folder / f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}{path.suffix.lower()}"
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(target)
    except OSError as error:
        refuse_place(folder, error)
    return target


def _write(files: Iterable[tuple[str, BinaryIO]], raw: Path, allowance: Allowance) -> int:
    """Writes what is audio, or all that is in a zip, and says how many files it left out."""
    files = iter(files)
    first = list(itertools.islice(files, 2))
    if len(first) == 1 and _is_zip(first[0][1]):
        zipped = raw.with_name("the upload.zip")
        allowance.write(first[0][1], zipped)
        unpack(zipped, raw, most_bytes=allowance.most_bytes, most_files=allowance.most_files)
        return 0
    for name, file in itertools.chain(first, files):
        allowance.count_member()
        path = member_path(allowance.what, name)
        if _is_audio(path):
            allowance.write(file, raw / path)
    return allowance.members - allowance.files


def _is_zip(file: BinaryIO) -> bool:
    head = file.read(4)
    file.seek(-len(head), 1)
    return head in (b"PK\3\4", b"PK\5\6", b"PK\7\10")


def _is_audio(path: PurePosixPath) -> bool:
    return path.suffix.lower() in EXTENSIONS and not any(part.startswith(".") for part in path.parts)


def _sort(raw: Path, ready: Path, left_out: int) -> int:
    """Moves the audio of `raw` to `ready`, a subfolder a class, and says how many files it left out."""
    all_files = [PurePosixPath(path.relative_to(raw).as_posix()) for path in raw.rglob("*") if path.is_file()]
    where = {path: path for path in all_files if _is_audio(path)}
    if not where:
        raise DatasetError(f"there is no audio in the upload ({left_out + len(all_files)} other files). {_LAYOUT}")
    while len({path.parts[0] for path in where.values()}) == 1 and all(len(path.parts) > 2 for path in where.values()):
        where = {path: PurePosixPath(*inner.parts[1:]) for path, inner in where.items()}
    loose = sorted(str(path) for path, inner in where.items() if len(inner.parts) == 1)
    if loose:
        raise DatasetError(f"{len(loose)} files of the upload are in no class folder, such as {loose[0]!r}. {_LAYOUT}")
    classes = sorted({inner.parts[0] for inner in where.values()})
    if len(classes) < 2:
        raise DatasetError(f"the upload has one class only, {classes[0]!r}: at least two are needed. {_LAYOUT}")
    for path, inner in where.items():
        (ready / inner).parent.mkdir(parents=True, exist_ok=True)
        (raw / path).rename(ready / inner)
    return len(all_files) - len(where)
