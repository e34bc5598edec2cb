"""Atomic writes: a reader of a file sees its old content or its new content, never a part."""

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

_ENDING = ".part"


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yields a temporary path beside `target`; what was written there replaces `target` when the block succeeds.

    The temporary file carries the numbers of the process and the thread, so that several writers do not disturb each
    other. It is removed when the block fails.

    Raises:
        OSError: the temporary file cannot replace the target.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}{_ENDING}")
    try:
        yield part
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def write_atomically(target: Path, content: bytes | str) -> None:
    """Replaces the content of a file in one step. Text is written as UTF-8.

    Raises:
        OSError: the disk is full or the folder is gone; the old content is still whole.
    """
    with replacing(target) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def remove_abandoned_parts(folder: Path) -> None:
    """Removes temporary files below a folder whose writers were killed, and those of this process."""
    for part in folder.rglob(f".*{_ENDING}"):
        writer = part.name.split(".")[-3]
        if writer == str(os.getpid()) or not (writer.isdecimal() and psutil.pid_exists(int(writer))):
            with contextlib.suppress(OSError):
                part.unlink()
