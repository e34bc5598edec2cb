"""The disk that data is written to: room, errors that a person can act on, and arrays filled piece by piece."""

import errno
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distrack.errors import DatasetError
from distrack.files import FULL, size_text

# Left free for other programs.
_RESERVE = 50_000_000
_ELSEWHERE = "free some space there, or set DISTRACK_DATA_PATH to another folder that you may write to"


def require_room(folder: Path, size: int) -> None:
    """Checks that `size` bytes fit on the disk of a folder, with some left for other programs.

    Raises:
        DatasetError: they do not fit.
    """
    free = shutil.disk_usage(folder).free
    if free < size + _RESERVE:
        raise DatasetError(
            f"{size_text(size + _RESERVE)} are needed in {folder}, but only {size_text(free)} are free",
            remedy=_ELSEWHERE,
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
        if error.errno in FULL:
            raise DatasetError(f"the disk is full at {folder}", remedy=_ELSEWHERE) from None
        raise DatasetError(f"cannot write in {folder}: {error.strerror or error}", remedy=_ELSEWHERE) from None


def reserve(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    """Makes an array of zeros and takes its room on the disk; an array that an interrupted call left stays as it is.

    A process that writes to a memory map of a full disk is killed by the system, so the room is taken before.

    Raises:
        OSError: the disk is full.
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


def write_rows(path: Path, rows: NDArray[np.int64] | slice, values: NDArray[np.generic]) -> None:
    """Writes rows of an array.

    The array is opened for each call: a memory map that stays open keeps every page that was touched in memory.
    """
    array = np.lib.format.open_memmap(path, mode="r+")
    array[rows] = values
    array.flush()
