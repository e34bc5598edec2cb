"""Files: atomic writes (a reader sees the old or the new content, never a part of it) and names of files."""

import contextlib
import os
import re
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

_ENDING = ".part"
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
