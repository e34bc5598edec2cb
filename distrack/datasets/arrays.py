"""Arrays on disk that are filled piece by piece, in memory that does not grow with the array."""

import errno
import math
import os
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


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

    The array is opened for each call: a memory map that stays open keeps every page that was touched.
    """
    array = np.lib.format.open_memmap(path, mode="r+")
    array[rows] = values
    array.flush()
