"""Files of events: a safetensors file with one JSON object in its header, and JSON text; hostile files are refused."""

import base64
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save

from distrack.decompose.events import KINDS, MOST_EVENTS, Events
from distrack.errors import ConfigError, EventsError
from distrack.tensor_file import ordered

FORMAT = "distrack events"
VERSION = 1
# What a file may hold. Names, shapes and settings make a header of a few kilobytes; the largest honest file has a
# learned dictionary and the impulse response of a minute in stereo at a high rate.
MOST_HEADER = 1 << 20
MOST_BYTES = 1 << 27
MOST_ARRAYS = 64

_DTYPES = {"F32": 4, "BOOL": 1}
# In files, the names of shared arrays carry this prefix.
_SHARED = "kept."
# What Python raises when the parts of a damaged file do not have the expected types, names, sizes or values.
_MALFORMED = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
    ArithmeticError,
    RecursionError,
    ConfigError,
)


class _Content(NamedTuple):
    """Content of a file: the JSON object of its header, and its float32 and bool arrays."""

    header: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


# Writing


def to_bytes(events: Events) -> bytes:
    """Content of a safetensors file; the same events give the same bytes."""
    text = json.dumps(_header(events), sort_keys=True, allow_nan=False)
    metadata = {"format": FORMAT, "version": str(VERSION), "events": text}
    arrays = {name: np.ascontiguousarray(array) for name, array in _arrays(events).items()}
    content: bytes = save(arrays, metadata=metadata)
    return ordered(content)


def to_json(events: Events) -> str:
    """Readable text: every event is an object of named numbers. `from_json` restores the events bit for bit."""
    columns = events.kind.columns(events.channels)
    names = [column.name for column in columns]
    rows = zip(events.parameters, events.muted.tolist(), events.wet, strict=True)
    objects = [
        {**dict(zip(names, map(_shortest, row), strict=True)), "muted": muted, "wet": _shortest(wet)}
        for row, muted, wet in rows
    ]
    head = {"format": FORMAT, "version": VERSION, **_header(events), "units": {c.name: c.unit for c in columns}}
    arrays = {
        name: {"shape": array.shape, "float32": base64.b64encode(array.astype("<f4").tobytes()).decode()}
        for name, array in _arrays(events).items()
        if name == "room" or name.startswith(_SHARED)
    }
    return json.dumps({**head, "arrays": arrays, "events": objects}, indent=1, allow_nan=False)


def _header(events: Events) -> dict[str, Any]:
    return {
        "kind": events.kind_name,
        "sample_rate": events.sample_rate,
        "samples": events.samples,
        "channels": events.channels,
        "seed": events.seed,
        "settings": dict(events.settings),
    }


def _arrays(events: Events) -> dict[str, NDArray[Any]]:
    arrays = {"parameters": events.parameters, "muted": events.muted, "wet": events.wet}
    arrays |= {f"{_SHARED}{name}": array for name, array in events.shared.items()}
    return arrays if events.room is None else arrays | {"room": events.room}


def _shortest(value: np.float32) -> float:
    """The number with the fewest digits that rounds to this float32.

    >>> _shortest(np.float32(0.1))
    0.1
    """
    return float(str(value))


# Reading


def load(path: Path) -> Events:
    """Reads a file that `to_bytes` made.

    Raises:
        EventsError: no such file, not events, of a newer version, damaged, or with impossible numbers.
    """
    try:
        return _events(*_unpacked(path))
    except EventsError as error:
        raise EventsError(f"{path}: {error}") from None


def from_bytes(content: bytes) -> Events:
    """The events of a file's content.

    Raises:
        EventsError: as `load`.
    """
    return _events(*_unpacked(content))


def from_json(text: str | bytes) -> Events:
    """The events that `to_json` wrote.

    Raises:
        EventsError: not JSON, not events, of a newer version, or with impossible numbers.
    """
    if len(text) > MOST_BYTES:
        raise EventsError(f"it has {len(text) >> 20} MB: events have at most {MOST_BYTES >> 20} MB")
    with _one_error():
        content = _plain_json(text)
        _check_version(content)
        kind = KINDS[content["kind"]]
        rows = content["events"]
        if len(rows) > MOST_EVENTS:
            raise EventsError(f"{len(rows)} events: at most {MOST_EVENTS} can be rendered")
        names = [column.name for column in kind.columns(content["channels"])]
        with np.errstate(over="raise"):
            values = [[row[name] for name in names] for row in rows]
            arrays: dict[str, NDArray[Any]] = {
                "parameters": np.array(values, np.float32).reshape(len(rows), len(names)),
                "muted": np.array([_boolean(row["muted"]) for row in rows], np.bool_),
                "wet": np.array([row["wet"] for row in rows], np.float32),
            }
        for name, array in content["arrays"].items():
            decoded = base64.b64decode(array["float32"], validate=True)
            arrays[name] = np.frombuffer(decoded, "<f4").astype(np.float32).reshape(array["shape"])
    return _events(content, arrays)


def _events(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Events:
    with _one_error():
        shared = {name.removeprefix(_SHARED): array for name, array in arrays.items() if name.startswith(_SHARED)}
        unknown = set(arrays) - {"parameters", "muted", "wet", "room"} - {f"{_SHARED}{name}" for name in shared}
        if unknown:
            raise EventsError(f"it holds {min(unknown)[:40]!r}, which events do not have")
        return Events(
            kind_name=KINDS.name(header["kind"]),
            sample_rate=header["sample_rate"],
            samples=header["samples"],
            channels=header["channels"],
            parameters=arrays["parameters"],
            muted=arrays["muted"],
            wet=arrays["wet"],
            room=arrays.get("room"),
            seed=header["seed"],
            shared=shared,
            settings=header["settings"],
        )


@contextmanager
def _one_error() -> Iterator[None]:
    """Turns whatever a malformed file makes Python raise into an `EventsError` of one short line."""
    try:
        yield
    except _MALFORMED as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
        raise EventsError(f"it cannot be read as events: {reason[:200]}") from None


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"muted {value!r} is neither true nor false")
    return value


def _unpacked(source: Path | bytes) -> _Content:
    """Reads a file; checks its size first, and never reads more than that.

    Raises:
        EventsError: no such file, not events, of a newer version, damaged, or with impossible sizes.
    """
    try:
        if isinstance(source, bytes):
            return _read(BytesIO(source), len(source))
        # Opening a pipe or a device would wait for it, and neither has a size.
        if not source.is_file():
            raise EventsError("there is no such file" if not source.exists() else "it is not a file")
        with source.open("rb") as file:
            return _read(file, source.stat().st_size)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise EventsError(f"it cannot be read as events: {str(error)[:200]}") from None


def _read(file: BinaryIO, size: int) -> _Content:
    if size > MOST_BYTES:
        raise EventsError(f"it has {size >> 20} MB: events have at most {MOST_BYTES >> 20} MB")
    claimed = int.from_bytes(file.read(8), "little")
    if size < 8 or not 2 <= claimed <= min(size - 8, MOST_HEADER):
        raise EventsError(f"it holds no events: its header claims {claimed} of {size} bytes")
    entries = _plain_json(file.read(claimed))
    if not isinstance(entries, dict) or not isinstance(entries.get("__metadata__"), dict):
        raise EventsError("it holds no events: it has no header that names its format")
    metadata = entries.pop("__metadata__")
    _check_version(metadata)
    header = _plain_json(metadata["events"])
    if not isinstance(header, dict):
        raise EventsError("it cannot be read as events: its header is not an object")
    _check_sizes(entries, size - 8 - claimed)
    file.seek(0)
    arrays: dict[str, NDArray[Any]] = load_arrays(file.read(size))
    for name, array in arrays.items():
        # numpy takes some bytes other than 0 and 1 for true in one operation and for false in another.
        if array.dtype == np.bool_ and (array.view(np.uint8) > 1).any():
            raise EventsError(f"{name}: its truth values are neither 0 nor 1")
    return _Content(header, arrays)


def _check_version(header: Mapping[str, Any]) -> None:
    """Refuses files that DisTrack did not write, or that a later version wrote.

    Raises:
        EventsError: it is either.
        KeyError, TypeError, ValueError: it has no version.
    """
    if header.get("format") != FORMAT:
        raise EventsError("it holds no events: it was not written by DisTrack's decompose")
    version = int(header["version"])
    if version > VERSION:
        raise EventsError(f"it has version {version}, newer than version {VERSION} of this program: update DisTrack")
    if version < 1:
        raise EventsError(f"it claims version {version}: versions begin with 1")


def _check_sizes(entries: Mapping[str, Any], size: int) -> None:
    if len(entries) > MOST_ARRAYS:
        raise EventsError(f"{len(entries)} arrays: events have at most {MOST_ARRAYS}")
    total = 0
    for name, entry in entries.items():
        if entry["dtype"] not in _DTYPES:
            raise EventsError(f"{name[:40]}: {str(entry['dtype'])[:20]} is neither F32 nor BOOL")
        shape = entry["shape"]
        if len(shape) > 8 or not all(isinstance(length, int) and 0 <= length < 2**40 for length in shape):
            raise EventsError(f"{name[:40]} claims a size of {str(shape)[:80]}")
        total += math.prod(shape) * _DTYPES[entry["dtype"]]
    if total != size:
        raise EventsError(f"its header claims {total} bytes of numbers, and there are {size}")


def _plain_json(text: str | bytes) -> Any:
    """JSON without NaN and infinity, which Python's parser accepts.

    Raises:
        ValueError, RecursionError: it is not JSON, or nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
