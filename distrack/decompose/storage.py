"""Files of events: a safetensors file with one JSON object in its header, and JSON text; hostile files are refused."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save

from distrack.decompose.events import KINDS, Events
from distrack.errors import ConfigError, EventsError
from distrack.files import ordered_tensors

FORMAT = "distrack events"
VERSION = 1
# What a file may hold. Names, shapes and settings make a header of a few kilobytes; the largest honest file has a
# million events of 20 numbers, a learned dictionary and the impulse response of a minute in stereo at a high rate.
MOST_HEADER = 1 << 20
MOST_BYTES = 1 << 28
MOST_ARRAYS = 64
# Most events of a decomposition that are also stored as text, of which 100,000 take 17 MB and a second.
MOST_AS_TEXT = 20_000

# Fields of events that are stored under their own names.
_NUMBERS = ("sample_rate", "samples", "channels", "seed")
# Rows in few bits, in place of the parameters.
_CODED = "coded"
# In files, the names of shared arrays carry this prefix.
_SHARED = "kept."
# What a file that is unreadable or damaged makes Python and its libraries raise.
_MALFORMED = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    OSError,
    SafetensorError,
    ConfigError,
)


# Writing


def to_bytes(events: Events) -> bytes:
    """Content of a safetensors file; the same events give the same bytes.

    Rounded events are stored in few bits, and `from_bytes` gives the same rows in the same order. Rows that were edited
    so that they are not rounded any more, or are not in the order of their energy, are stored as float32.
    """
    text = json.dumps(_header(events), sort_keys=True, allow_nan=False)
    metadata = {"format": FORMAT, "version": str(VERSION), "events": text}
    arrays = {name: np.ascontiguousarray(array) for name, array in (_few_bits(events) or _arrays(events)).items()}
    content: bytes = save(arrays, metadata=metadata)
    return ordered_tensors(content)


def to_json(events: Events) -> str:
    """Readable text: every event is an object of named numbers. `from_json` restores the events bit for bit.

    An event is one line; 100,000 of five numbers are 14 MB.
    """
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
    text = json.dumps({**head, "arrays": arrays, "events": []}, indent=1, allow_nan=False)
    if not objects:
        return text
    lines = ",\n  ".join(json.dumps(event, allow_nan=False) for event in objects)
    return text.removesuffix("[]\n}") + f"[\n  {lines}\n ]\n}}"


def _header(events: Events) -> dict[str, Any]:
    numbers = {name: getattr(events, name) for name in _NUMBERS}
    return {"kind": events.kind_name, **numbers, "settings": dict(events.settings)}


def _arrays(events: Events) -> dict[str, NDArray[Any]]:
    arrays = {"parameters": events.parameters, "muted": events.muted, "wet": events.wet}
    arrays |= {f"{_SHARED}{name}": array for name, array in events.shared.items()}
    return arrays if events.room is None else arrays | {"room": events.room}


def coded(events: Events) -> bytes | None:
    """The rows of rounded events in few bits; None where `decoded` would not give the same rows in the same order."""
    content = events.kind.coded(events)
    if content is None:
        return None
    again = _decoded(_header(events), {_CODED: np.frombuffer(content, np.uint8)})
    return content if again.parameters.tobytes() == events.parameters.tobytes() else None


def coded_size(content: bytes) -> int | None:
    """Bytes that the rows take in the content of a file of events; None where they are stored as float32."""
    rows = load_arrays(content).get(_CODED)
    return None if rows is None else rows.size


def _few_bits(events: Events) -> dict[str, NDArray[Any]] | None:
    """The arrays of rounded events: the rows in few bits, and what differs from events that were just found."""
    content = coded(events)
    if content is None:
        return None
    arrays = _arrays(events)
    del arrays["parameters"]
    for name in ("muted", "wet"):
        if not arrays[name].any():
            del arrays[name]
    return arrays | {_CODED: np.frombuffer(content, np.uint8)}


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
        with _one_error():
            # Opening a pipe or a device would wait for it, and neither has a size.
            if not path.is_file():
                raise EventsError("it is not a file" if path.exists() else "there is no such file")
            _check_size(path.stat().st_size)
            return from_bytes(path.read_bytes())
    except EventsError as error:
        raise EventsError(f"{path}: {error}") from None


def from_bytes(content: bytes) -> Events:
    """The events of a file's content.

    Raises:
        EventsError: as `load`.
    """
    _check_size(len(content))
    claimed = int.from_bytes(content[:8], "little")
    if not 2 <= claimed <= min(len(content) - 8, MOST_HEADER):
        raise EventsError(f"it holds no events: its header claims {claimed} of {len(content)} bytes")
    with _one_error():
        entries = _plain_json(content[8 : 8 + claimed])
        if len(entries) > MOST_ARRAYS:
            raise EventsError(f"{len(entries)} arrays: events have at most {MOST_ARRAYS}")
        metadata = entries.get("__metadata__", {})
        _check_version(metadata)
        arrays: dict[str, NDArray[Any]] = load_arrays(content)
        for name, array in arrays.items():
            # numpy takes some bytes other than 0 and 1 for true in one operation and for false in another.
            if array.dtype == np.bool_ and (array.view(np.uint8) > 1).any():
                raise EventsError(f"{name}: its truth values are neither 0 nor 1")
        return _events(_plain_json(metadata["events"]), arrays)


def from_json(text: str | bytes) -> Events:
    """The events that `to_json` wrote.

    Raises:
        EventsError: not JSON, not events, of a newer version, or with impossible numbers.
    """
    _check_size(len(text))
    with _one_error():
        content = _plain_json(text)
        _check_version(content)
        kind = KINDS[content["kind"]]
        rows = content["events"]
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
    shared = _shared(arrays)
    unknown = set(arrays) - {"parameters", "muted", "wet", "room", _CODED} - {f"{_SHARED}{name}" for name in shared}
    if unknown:
        raise EventsError(f"it holds {min(unknown)[:40]!r}, which events do not have")
    if _CODED in arrays:
        return _decoded(header, arrays)
    return Events(
        kind_name=KINDS.name(header["kind"]),
        **{name: header[name] for name in _NUMBERS},
        parameters=arrays["parameters"],
        muted=arrays["muted"],
        wet=arrays["wet"],
        room=arrays.get("room"),
        shared=shared,
        settings=header["settings"],
    )


def _decoded(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Events:
    """Events whose rows are stored in few bits; their order is that of their energy.

    Raises:
        EventsError: the codes are damaged, or the file holds other parameters beside them.
    """
    content = arrays[_CODED]
    if content.dtype != np.uint8 or content.ndim != 1:
        raise EventsError(f"{_CODED}: {content.dtype} of {content.shape} is not a row of bytes")
    numbers = {name: header[name] for name in _NUMBERS}
    kind_name, settings = KINDS.name(header["kind"]), header["settings"]
    # Checks the numbers, which tell how the codes are to be read.
    Events.of(kind_name, np.zeros((0, len(KINDS[kind_name].columns(numbers["channels"]))), np.float32), **numbers)
    rows, steps = KINDS[kind_name].decoded(
        content.tobytes(), channels=numbers["channels"], sample_rate=numbers["sample_rate"]
    )
    events = Events.of(kind_name, rows, **numbers, shared=_shared(arrays), settings=settings, steps=steps).by_energy()
    if "parameters" in arrays and arrays["parameters"].tobytes() != events.parameters.tobytes():
        raise EventsError(f"{_CODED}: the parameters beside it are others")
    muted, wet = arrays.get("muted", events.muted), arrays.get("wet", events.wet)
    return replace(events, muted=muted, wet=wet, room=arrays.get("room"))


def _shared(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(_SHARED): array for name, array in arrays.items() if name.startswith(_SHARED)}


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


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise EventsError(f"it has {size >> 20} MB: events have at most {MOST_BYTES >> 20} MB")


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


def _plain_json(text: str | bytes) -> Any:
    """JSON without NaN and infinity, which Python's parser accepts.

    Raises:
        ValueError, RecursionError: it is not JSON, or nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
