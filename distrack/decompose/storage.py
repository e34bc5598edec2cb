"""The file that events lie in: a safetensors with one JSON object in its header; and what a hostile one gets."""

import json
import math
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from distrack.errors import EventsError
from distrack.tensor_file import ordered

FORMAT = "distrack events"
VERSION = 1
# What a file may hold. Names, shapes and settings are a header of a few kilobytes; the largest honest file has a learnt
# dictionary and a minute of a stereo room at a high rate.
MOST_HEADER = 1 << 20
MOST_BYTES = 1 << 27
MOST_ARRAYS = 64

_DTYPES = {"F32": 4, "BOOL": 1}


class Stored(NamedTuple):
    """What a file says, and the arrays in it: float32, and bool."""

    said: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


def packed(said: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A file's content; the same to store gives the same bytes."""
    header = {"format": FORMAT, "version": str(VERSION), "events": json.dumps(said, sort_keys=True, allow_nan=False)}
    content: bytes = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata=header)
    return ordered(content)


def unpacked(source: Path | bytes) -> Stored:
    """What `packed` stored. Nothing is read before its size was checked, and no more than that.

    Raises:
        EventsError: no such file, not events, of a newer version, damaged, or sizes that cannot be.
    """
    try:
        if isinstance(source, bytes):
            return _read(BytesIO(source), len(source))
        # A pipe or a device would be waited for, and has no size.
        if not source.is_file():
            raise EventsError("there is no such file" if not source.exists() else "it is no file")
        with source.open("rb") as file:
            return _read(file, source.stat().st_size)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise EventsError(f"it cannot be read as events: {str(error)[:200]}") from None


def plain_json(text: str | bytes) -> Any:
    """JSON without NaN and infinity, which Python would take.

    Raises:
        ValueError, RecursionError: it is none, or nested too deeply.
    """
    return json.loads(text, parse_constant=_no_constant)


def refuse_version(header: Mapping[str, Any]) -> None:
    """Refuses what was not written here, or by a later version.

    Raises:
        EventsError: it is either.
        KeyError, TypeError, ValueError: it has no version.
    """
    if header.get("format") != FORMAT:
        raise EventsError("it holds no events: it was not written by DisTrack's decompose")
    version = int(header["version"])
    if version > VERSION:
        raise EventsError(
            f"it is of version {version}, newer than {VERSION}, which is all that is known here: update DisTrack"
        )
    if version < 1:
        raise EventsError(f"it claims version {version}: there is none below 1")


def _read(file: BinaryIO, size: int) -> Stored:
    if size > MOST_BYTES:
        raise EventsError(f"it has {size >> 20} MB: events have at most {MOST_BYTES >> 20} MB")
    claimed = int.from_bytes(file.read(8), "little")
    if size < 8 or not 2 <= claimed <= min(size - 8, MOST_HEADER):
        raise EventsError(f"it holds no events: its header claims {claimed} of {size} bytes")
    head = file.read(claimed)
    header = plain_json(head)
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__"), dict):
        raise EventsError("it holds no events: nothing in it says what it is")
    refuse_version(header["__metadata__"])
    said = plain_json(header["__metadata__"]["events"])
    if not isinstance(said, dict):
        raise EventsError("it cannot be read as events: its header is no object")
    del header["__metadata__"]
    _refuse_sizes(header, size - 8 - claimed)
    file.seek(0)
    arrays: dict[str, NDArray[Any]] = load(file.read(size))
    for name, array in arrays.items():
        # Any byte but 0 counts as true in one place and not in another.
        if array.dtype == np.bool_ and (array.view(np.uint8) > 1).any():
            raise EventsError(f"{name}: its truth values are neither 0 nor 1")
    return Stored(said, arrays)


def _refuse_sizes(header: Mapping[str, Any], size: int) -> None:
    if len(header) > MOST_ARRAYS:
        raise EventsError(f"{len(header)} arrays: events have at most {MOST_ARRAYS}")
    total = 0
    for name, entry in header.items():
        if entry["dtype"] not in _DTYPES:
            raise EventsError(f"{name[:40]}: {str(entry['dtype'])[:20]} is neither F32 nor BOOL")
        shape = entry["shape"]
        if len(shape) > 8 or not all(isinstance(length, int) and 0 <= length < 2**40 for length in shape):
            raise EventsError(f"{name[:40]} claims a size of {str(shape)[:80]}")
        total += math.prod(shape) * _DTYPES[entry["dtype"]]
    if total != size:
        raise EventsError(f"its header claims {total} bytes of numbers, and there are {size}")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
