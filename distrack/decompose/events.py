"""Events: a clip taken apart into sounds with a time of their own, and the one file that renders it alone."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from distrack.decompose.decomposer import KINDS, Kind
from distrack.decompose.limits import MOST_EVENTS, check
from distrack.decompose.storage import FORMAT, MOST_BYTES, VERSION, packed, plain_json, refuse_version, unpacked
from distrack.errors import ConfigError, EventsError

EVERY_WAY_TO_BE_WRONG = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
    ArithmeticError,
    RecursionError,
    ConfigError,
)

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Events:
    """Sounds that add up to a clip.

    Attributes:
        kind: how an event sounds, a name in `KINDS`.
        sample_rate: of what is rendered, in Hz.
        samples: length of what is rendered.
        channels: 1 or 2.
        parameters: a row for each event; its columns are the kind's.
        muted: which are not heard.
        wet: share of each that goes through the room, 0 to 1.
        room: impulse response at the same rate; none is no room, and `wet` then says nothing.
        seed: of all that is random in what is rendered.
        kept: arrays that all events share, as the kind needs them (a dictionary that was learnt).
        settings: of the kind, as far as rendering needs them.

    Shape:
        - parameters: ``[events, columns]``
        - muted, wet: ``[events]``
        - room: ``[1 or channels, length]``
    """

    kind: str
    sample_rate: int
    samples: int
    channels: int
    parameters: Floats
    muted: NDArray[np.bool_]
    wet: Floats
    room: Floats | None = None
    seed: int = 0
    kept: Mapping[str, Floats] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self)

    @classmethod
    def of(
        cls, kind: str, parameters: Floats, *, sample_rate: int, samples: int, channels: int = 1, **rest: Any
    ) -> Self:
        """All of them heard, and dry."""
        count = len(parameters)
        silent, dry = np.zeros(count, np.bool_), np.zeros(count, np.float32)
        return cls(kind, sample_rate, samples, channels, parameters, silent, dry, **rest)

    def __len__(self) -> int:
        return len(self.parameters)

    @property
    def seconds(self) -> float:
        """Length of what is rendered."""
        return self.samples / self.sample_rate

    @property
    def how(self) -> Kind:
        """How an event of this kind sounds and changes."""
        return KINDS[self.kind]

    @property
    def floats(self) -> int:
        """The storage budget: numbers stored for the events; a room's own samples are not among them."""
        each = self.parameters.size + sum(array.size for array in self.kept.values())
        return each + (0 if self.room is None else len(self))

    def column(self, name: str) -> Floats:
        """One number of every event.

        Raises:
            KeyError: events of this kind have no such number.
        """
        return self.parameters[:, self.index(name)]

    def index(self, name: str) -> int:
        """Where a column stands."""
        names = [column.name for column in self.how.columns(self.channels)]
        if name not in names:
            raise KeyError(f"{self.kind} events have no {name}: they have {', '.join(names)}")
        return names.index(name)

    def with_column(self, name: str, values: NDArray[np.floating[Any]]) -> Self:
        """The same events but for one of their numbers."""
        parameters = self.parameters.copy()
        parameters[:, self.index(name)] = values
        return replace(self, parameters=parameters)

    def to_bytes(self) -> bytes:
        """The file's content; the same events give the same bytes."""
        return packed(self._header(), self._arrays())

    def to_json(self) -> str:
        """The same to read: every event as an object of named numbers. Nothing is lost: `from_json` gives it back."""
        columns = self.how.columns(self.channels)
        names = [column.name for column in columns]
        rows = zip(self.parameters, self.muted.tolist(), self.wet, strict=True)
        events = [
            {**dict(zip(names, map(_shortest, row), strict=True)), "muted": muted, "wet": _shortest(wet)}
            for row, muted, wet in rows
        ]
        shared = {name: array for name, array in self._arrays().items() if name == "room" or name.startswith("kept.")}
        head = {"format": FORMAT, "version": VERSION, **self._header(), "units": {c.name: c.unit for c in columns}}
        arrays = {
            name: {"shape": array.shape, "float32": base64.b64encode(array.astype("<f4").tobytes()).decode()}
            for name, array in shared.items()
        }
        return json.dumps({**head, "arrays": arrays, "events": events}, indent=1, allow_nan=False)

    def _header(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "sample_rate": self.sample_rate,
            "samples": self.samples,
            "channels": self.channels,
            "seed": self.seed,
            "settings": dict(self.settings),
        }

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {"parameters": self.parameters, "muted": self.muted, "wet": self.wet}
        arrays |= {f"kept.{name}": array for name, array in self.kept.items()}
        return arrays if self.room is None else arrays | {"room": self.room}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a file that `to_bytes` made.

        Raises:
            EventsError: no such file, not events, of a newer version, damaged, or with numbers that cannot be.
        """
        try:
            return cls.from_bytes(path)
        except EventsError as error:
            raise EventsError(f"{path}: {error}") from None

    @classmethod
    def from_bytes(cls, content: Path | bytes) -> Self:
        """What `to_bytes` made, from memory.

        Raises:
            EventsError: as `load`.
        """
        stored = unpacked(content)
        return cls._of_parts(stored.said, stored.arrays)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` made: the same events, bit for bit.

        Raises:
            EventsError: it is none, of a newer version, or with numbers that cannot be.
        """
        if len(text) > MOST_BYTES:
            raise EventsError(f"it has {len(text) >> 20} MB: events have at most {MOST_BYTES >> 20} MB")
        try:
            said = plain_json(text)
            refuse_version(said)
            rows, kind = said["events"], KINDS[said["kind"]]
            if len(rows) > MOST_EVENTS:
                raise EventsError(f"{len(rows)} events: at most {MOST_EVENTS} can be rendered")
            names = [column.name for column in kind.columns(said["channels"])]
            with np.errstate(over="raise"):
                arrays: dict[str, NDArray[Any]] = {
                    "parameters": np.array([[row[name] for name in names] for row in rows], np.float32).reshape(
                        len(rows), len(names)
                    ),
                    "muted": np.array([_truth(row["muted"]) for row in rows], np.bool_),
                    "wet": np.array([row["wet"] for row in rows], np.float32),
                }
            for name, array in said["arrays"].items():
                content = base64.b64decode(array["float32"], validate=True)
                arrays[name] = np.frombuffer(content, "<f4").astype(np.float32).reshape(array["shape"])
        except EVERY_WAY_TO_BE_WRONG as error:
            raise EventsError(f"it cannot be read as events: {_said(error)}") from None
        return cls._of_parts(said, arrays)

    @classmethod
    def _of_parts(cls, said: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        try:
            kept = {name.removeprefix("kept."): array for name, array in arrays.items() if name.startswith("kept.")}
            strange = set(arrays) - {"parameters", "muted", "wet", "room"} - {f"kept.{name}" for name in kept}
            if strange:
                raise EventsError(f"it holds {min(strange)[:40]!r}, which events do not have")
            return cls(
                kind=KINDS.name(said["kind"]),
                sample_rate=said["sample_rate"],
                samples=said["samples"],
                channels=said["channels"],
                parameters=arrays["parameters"],
                muted=arrays["muted"],
                wet=arrays["wet"],
                room=arrays.get("room"),
                seed=said["seed"],
                kept=kept,
                settings=said["settings"],
            )
        except EVERY_WAY_TO_BE_WRONG as error:
            raise EventsError(f"it cannot be read as events: {_said(error)}") from None


def _shortest(value: np.float32) -> float:
    """The number with the fewest digits that is this one in float32.

    >>> _shortest(np.float32(0.1))
    0.1
    """
    return float(str(value))


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"muted {value!r} is neither true nor false")
    return value


def _said(error: Exception) -> str:
    return (f"it has no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__)[:200]
