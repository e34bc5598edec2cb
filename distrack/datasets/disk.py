"""The disk that data is written to: whether there is room, and errors of the system as errors a person can act on."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distrack.errors import DatasetError
from distrack.files import size_text

# Left free for other programs.
_RESERVE = 50_000_000
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def require_room(folder: Path, size: int) -> None:
    """Checks that `size` bytes fit on the disk of a folder, with some left for other programs.

    Raises:
        DatasetError: they do not fit.
    """
    free = shutil.disk_usage(folder).free
    if free < size + _RESERVE:
        raise DatasetError(
            f"{size_text(size + _RESERVE)} are needed in {folder}, but only {size_text(free)} are free. "
            f"Free some space there, or set DISTRACK_DATA_PATH to another folder"
        )


@contextmanager
def writing_below(folder: Path) -> Iterator[None]:
    """Turns an OSError of the block, which writes below `folder`, into an error that says what to do.

    Raises:
        DatasetError: the disk is full, or the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DatasetError(
                f"the disk is full at {folder}. Free some space there, or set DISTRACK_DATA_PATH to another folder"
            ) from None
        raise DatasetError(
            f"cannot write in {folder}: {error.strerror or error}. "
            f"Set DISTRACK_DATA_PATH to a folder that you may write to"
        ) from None
