"""Files and folders: atomic writes (a reader sees the old or the new content, never a part), names and sizes."""

import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

# Numbers of the errors of a disk without room.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_ENDING = ".part"
_UNFINISHED = ".partial"
_LOCK_POLL = 0.2
# Letters of a name that is part of a longer one: four bytes each at most, and file systems stop at 255.
_LONGEST_NAME = 48


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yields a temporary path beside `target`; what was written there replaces `target` when the block succeeds.

    The block makes a file or a folder. A folder replaces only an empty one. The temporary path carries the numbers of
    the process and the thread, so that several writers do not disturb each other. It is removed when the block fails.

    Raises:
        OSError: the temporary file or folder cannot replace the target.
    """
    part = target.with_name(f".{target.name[:_LONGEST_NAME]}.{os.getpid()}.{threading.get_ident()}{_ENDING}")
    try:
        yield part
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            if part.is_dir():
                shutil.rmtree(part)
            part.unlink(missing_ok=True)
        raise


def write_atomically(target: Path, content: bytes | str) -> None:
    """Replaces the content of a file in one step. Text is written as UTF-8.

    Raises:
        OSError: the disk is full or the folder is gone; the old content is still whole.
    """
    with replacing(target) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def digest_of_file(path: Path) -> str:
    """The SHA-256 digest of a file's content.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def class_stems(classes: Sequence[str]) -> list[str]:
    """For each class a stem of file names that is safe on every system; no two are alike.

    >>> class_stems(["a/b", "..", "A-B", "two words"])
    ['a-b', 'class', 'A-B-2', 'two-words']
    """
    stems: list[str] = []
    for label, name in enumerate(classes):
        stem = re.sub(r"[^\w.-]+", "-", name).strip("-.")[:_LONGEST_NAME] or "class"
        # Some file systems do not tell upper from lower case.
        while stem.casefold() in map(str.casefold, stems):
            stem += f"-{label}"
        stems.append(stem)
    return stems


def remove_abandoned_parts(folder: Path) -> None:
    """Removes temporary files below a folder whose writers were killed, and those of this process."""
    for part in folder.rglob(f".*{_ENDING}"):
        writer = part.name.split(".")[-3]
        if writer == str(os.getpid()) or not (writer.isdecimal() and psutil.pid_exists(int(writer))):
            with contextlib.suppress(OSError):
                part.unlink()


@contextmanager
def locked(path: Path, *, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Holds a lock file; other processes and other threads that want the same lock wait.

    Args:
        path: the lock file; it stays when the lock is released.
        waiting: called several times a second while another holds the lock. An error that it raises ends the waiting.

    Raises:
        OSError: the lock file cannot be written.
    """
    lock = FileLock(path)
    while True:
        try:
            lock.acquire(timeout=_LOCK_POLL)
            break
        except Timeout:
            if waiting is not None:
                waiting()
    try:
        yield
    finally:
        lock.release()


def fill_once(
    folder: Path,
    fill: Callable[[Path], None],
    *,
    resume: bool = False,
    waiting: Callable[[], None] | None = None,
) -> bool:
    """Makes a folder: `fill` writes into an unfinished folder beside it, which is renamed when it is whole.

    A folder that exists is left as it is. One process fills the folder at a time; others wait for it.

    Args:
        fill: gets the path of the unfinished folder.
        resume: hand `fill` the content that an interrupted call left, where there is some. By default it gets an empty
            folder. A full disk leaves nothing in either case.
        waiting: called several times a second while another process fills the folder.

    Returns:
        whether this call made the folder.

    Raises:
        OSError: the disk is full or the place is not writable.
    """
    if folder.is_dir():
        return False
    partial = folder.with_name(f".{folder.name}{_UNFINISHED}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(_lock_of(partial), waiting=waiting):
        if folder.is_dir():
            return False
        if not resume:
            shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir(exist_ok=True)
            fill(partial)
            partial.replace(folder)
        except BaseException as error:
            # While the lock is held: a process that waits for it starts on a clean place.
            if not resume or isinstance(error, OSError):
                shutil.rmtree(partial, ignore_errors=True)
            raise
    return True


def remove_unfinished(parent: Path) -> None:
    """Removes the unfinished folders in `parent` that killed calls of `fill_once` left; those in use stay."""
    for partial in parent.glob(f".*{_UNFINISHED}"):
        with contextlib.suppress(OSError, Timeout), FileLock(_lock_of(partial), timeout=0):
            shutil.rmtree(partial)


def _lock_of(partial: Path) -> Path:
    return partial.with_suffix(".lock")


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as comma-separated values, a line each."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def ordered_tensors(content: bytes) -> bytes:
    """A safetensors file with its header in alphabetical order; the library writes metadata in random order."""
    size = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + size]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[8 + size :]


def files_text(count: int) -> str:
    """A number of files in words.

    >>> files_text(1), files_text(1_200)
    ('1 file', '1,200 files')
    """
    return "1 file" if count == 1 else f"{count:,} files"


def size_text(count: float) -> str:
    """A number of bytes in the largest unit that fits.

    >>> size_text(1_230_000_000), size_text(35_000_000), size_text(16_400)
    ('1.2 GB', '35 MB', '16 kB')
    """
    for unit in ("bytes", "kB", "MB"):
        if count < 999.5:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
