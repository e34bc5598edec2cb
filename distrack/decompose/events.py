"""Events: a clip taken apart into sounds with a time of their own, and the one file that renders it alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from distrack.decompose.contract import KINDS, Kind
from distrack.errors import ConfigError, EventsError
from distrack.tensor_file import ordered

FORMAT = "distrack events"
VERSION = 1
# What a file may ask of whoever renders it.
MOST_EVENTS = 20_000
MOST_SAMPLES = 600 * 192_000

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
        _check(self)

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
        stored = {"parameters": self.parameters, "muted": self.muted, "wet": self.wet}
        stored |= {f"kept.{name}": array for name, array in self.kept.items()}
        if self.room is not None:
            stored["room"] = self.room
        header = {"format": FORMAT, "version": str(VERSION), "events": json.dumps(self._header(), sort_keys=True)}
        content: bytes = save({name: np.ascontiguousarray(array) for name, array in stored.items()}, metadata=header)
        return ordered(content)

    def to_json(self) -> str:
        """The same to read: every event as an object of named numbers. The room's samples stay in the other file."""
        columns = [(column.name, column.unit) for column in self.how.columns(self.channels)]
        rows = zip(self.parameters.tolist(), self.muted.tolist(), self.wet.tolist(), strict=True)
        events = [
            {**{name: float(f"{value:.6g}") for (name, _), value in zip(columns, row, strict=True)}, "muted": muted}
            | ({} if self.room is None else {"wet": float(f"{wet:.6g}")})
            for row, muted, wet in rows
        ]
        head = {"format": FORMAT, "version": VERSION, **self._header(), "units": dict(columns)}
        return json.dumps({**head, "events": events}, indent=1)

    def _header(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "sample_rate": self.sample_rate,
            "samples": self.samples,
            "channels": self.channels,
            "seed": self.seed,
            "settings": dict(self.settings),
        }

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a file that `to_bytes` made.

        Raises:
            EventsError: no such file, not events, of a newer version, or with numbers that cannot be.
        """
        try:
            with safe_open(path, framework="np") as file:
                header = file.metadata() or {}
                if header.get("format") != FORMAT:
                    raise EventsError(f"{path} holds no events: it was not written by DisTrack's decompose")
                if int(header["version"]) > VERSION:
                    raise EventsError(
                        f"{path} is of version {header['version']}, newer than {VERSION}, which is all that is known "
                        "here: update DisTrack"
                    )
                said = json.loads(header["events"])
                sizes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
                _refuse_sizes(sizes, path)
                stored = {name: file.get_tensor(name) for name in sizes}
            kept = {name.removeprefix("kept."): array for name, array in stored.items() if name.startswith("kept.")}
            return cls(
                kind=KINDS.name(said["kind"]),
                sample_rate=said["sample_rate"],
                samples=said["samples"],
                channels=said["channels"],
                parameters=stored["parameters"],
                muted=stored["muted"],
                wet=stored["wet"],
                room=stored.get("room"),
                seed=said["seed"],
                kept=kept,
                settings=said["settings"],
            )
        except EventsError as error:
            raise error if str(path) in str(error) else EventsError(f"{path}: {error}") from None
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, ConfigError) as error:
            raise EventsError(f"{path} cannot be read as events: {error}") from None


def _refuse_sizes(sizes: Mapping[str, list[int]], path: Path) -> None:
    for name, size in sizes.items():
        if int(np.prod([max(length, 1) for length in size], dtype=object)) > MOST_SAMPLES:
            raise EventsError(f"{path}: {name} claims a size of {'x'.join(map(str, size))}")


def _check(events: Events) -> None:
    whole = (("sample_rate", 1_000, 768_000), ("samples", 1, MOST_SAMPLES), ("channels", 1, 2), ("seed", 0, 2**63 - 1))
    for name, low, high in whole:
        value = getattr(events, name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise EventsError(f"{name} {value!r}: it must be a whole number from {low} to {high}")
    count, columns = len(events.parameters), len(events.how.columns(events.channels))
    if count > MOST_EVENTS:
        raise EventsError(f"{count} events: at most {MOST_EVENTS} can be rendered")
    arrays: list[tuple[str, NDArray[Any], tuple[int, ...]]] = [
        ("parameters", events.parameters, (count, columns)),
        ("wet", events.wet, (count,)),
    ]
    arrays += [(name, array, array.shape) for name, array in events.kept.items()]
    if events.room is not None:
        arrays.append(("room", events.room, (len(events.room), events.room.shape[-1])))
        if len(events.room) not in {1, events.channels} or events.room.shape[-1] == 0:
            raise EventsError(f"room: {len(events.room)} channels do not fit {events.channels}")
    for name, array, shape in arrays:
        if array.shape != shape or array.dtype != np.float32:
            raise EventsError(f"{name}: {array.dtype} of {array.shape} is not float32 of {shape}")
        if not np.isfinite(array).all():
            raise EventsError(f"{name}: it holds values that are not numbers (NaN or infinite)")
    if events.muted.shape != (count,) or events.muted.dtype != np.bool_:
        raise EventsError(f"muted: {events.muted.dtype} of {events.muted.shape} is not one truth value for each event")
    if ((events.wet < 0) | (events.wet > 1)).any():
        raise EventsError("wet: shares lie between 0 and 1")
    events.how.check(events)
