"""Events: the parts of a decomposed sound, the kinds of event that there are, and the limits that events keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from distrack.arrays import Doubles, Floats, Mask
from distrack.errors import EventsError
from distrack.registry import Registry
from distrack.stored_sound import LONG

# The most events of a decomposition and of a file: it is one limit, so that every decomposition can be stored.
# Rows have at most 20 numbers: those of all events take at most 80 MB, those of Gabor atoms in mono 20 MB.
MOST_EVENTS = 1_000_000
# The longest sound, in seconds and in samples: four hours, at 48 kHz. What is longer than `LONG` is read, rendered and
# measured in blocks, so that only the events grow with it; its recording takes 2.8 GB a channel on the disk.
LONGEST = 4 * 3600.0
MOST_SAMPLES = 4 * 3600 * 48_000
# The most samples of a sound that is rendered as a whole, as that of a kind without parts is; it lasts `LONG` at most.
MOST_AT_ONCE = 600 * 192_000
# The longest impulse response.
LONGEST_ROOM = 60.0
MOST_ROOM = 60 * 192_000
# The most numbers in all arrays that events share.
MOST_SHARED = 1 << 23


class Column(NamedTuple):
    """One of the numbers that are stored of an event.

    Attributes:
        name: "time" or "frequency", for example. Kinds use the same name for the same thing.
        unit: "s", "Hz" or "dB", for example; "" for a number without a unit.
        about: what the number means, for a reader of the table of events.
        between: how it is interpolated; an angle turns the short way, and a whole number is that of the nearer event.
    """

    name: str
    unit: str
    about: str
    low: float = -np.inf
    high: float = np.inf
    between: Literal["linear", "geometric", "angle", "whole"] = "linear"


class Box(NamedTuple):
    """Where events lie on the time-frequency plane.

    Attributes:
        start, end: when an event begins and when it has died away, in seconds.
        onset: when an event is struck, in seconds.
        low, high: edges of its frequency band, in Hz.
        pitch: the pitch that is heard, in Hz; 0 for an event without a pitch.
        energy: sum of the squared samples of the event alone, without reverb.

    Shape:
        - all: ``[events]``
    """

    start: Floats
    end: Floats
    onset: Floats
    low: Floats
    high: Floats
    pitch: Floats
    energy: Floats

    @property
    def centre(self) -> Doubles:
        """Pitch of each event, or the middle of its band (in octaves, above 1 Hz) if it has no pitch; in Hz."""
        middle = np.sqrt(np.maximum(self.low, 1.0).astype(np.float64) * np.maximum(self.high, 1.0))
        return np.where(self.pitch > 0, self.pitch, middle)


class Kind:
    """A kind of event: what is stored of an event, how it sounds, and how it changes.

    Every kind has the columns "time" in seconds, "frequency" in Hz and "amplitude". A gain scales every column whose
    name begins with "amplitude". A method that changes events returns new parameters and does not modify the old ones.
    """

    precision: type[np.floating[Any]] = np.float32
    """Precision in which `scaled` multiplies."""
    lengths: tuple[str, ...] = ("scale",)
    """Columns that are longer in proportion if an event lasts longer."""
    pitches: tuple[str, ...] = ("frequency",)
    """Columns that are higher in proportion if an event has a higher pitch."""
    in_parts: bool = False
    """Whether `part` takes less work than `synthesise`; if not, a sound lasts ten minutes at most."""
    common: bool = False
    """Whether the shared arrays are those of a model that serves all clips; if not, they belong to one clip."""

    def columns(self, channels: int) -> tuple[Column, ...]:
        """The numbers stored of an event, in the order of its row; at most 20."""
        raise NotImplementedError

    def check(self, events: Events) -> None:
        """Refuses events that cannot be rendered.

        Raises:
            EventsError: a number is out of its range, or a shared array is missing.
        """
        for place, column in enumerate(self.columns(events.channels)):
            values = events.parameters[:, place]
            wrong = (values < column.low) | (values > column.high)
            if column.between == "whole":
                wrong |= values != np.floor(values)
            if wrong.any():
                row = int(wrong.argmax())
                allowed = f"between {column.low:g} and {column.high:g}"
                raise EventsError(f"event {row}: its {column.name} {values[row]:g} is not {allowed}")

    def coded(self, events: Events) -> bytes | None:  # noqa: ARG002
        """The rows in few bits; None where the kind has no such form, or a row is not rounded as `Events.steps` says.

        The order of the rows is not stored.
        """
        return None

    def decoded(self, content: bytes, *, channels: int, sample_rate: int) -> tuple[Floats, tuple[int, ...]]:  # noqa: ARG002
        """The rows that `coded` stored, in any order, and how they were rounded.

        Raises:
            EventsError: the kind has no such form, or the content is damaged.
        """
        raise EventsError("coded: events of this kind are not stored in few bits")

    def synthesise(self, events: Events, gains: Floats) -> Floats:
        """Sum of all events, each times its gain, without reverb; the same samples on every call and in every process.

        Events are rendered in chunks, so that memory does not grow with their number.

        Shape:
            - gains: ``[events]``, none below 0; an event of gain 0 costs nothing
            - returns: ``[channels, samples]``
        """
        raise NotImplementedError

    def part(self, events: Events, gains: Floats, first: int, last: int) -> Floats:
        """The samples of `synthesise` from `first` up to `last`, within rounding: ``[channels, last - first]``."""
        return self.synthesise(events, gains)[:, first:last]

    def boxes(self, events: Events) -> Box:
        """Where each event lies on the time-frequency plane."""
        raise NotImplementedError

    def stretched(self, events: Events, which: Mask, factor: float) -> Floats:
        """Parameters after the selected events last longer by `factor` at the same pitch; times do not change."""
        return self.scaled(events, which, dict.fromkeys(self.lengths, factor))

    def transposed(self, events: Events, which: Mask, semitones: float) -> Floats:
        """Parameters after the selected events move to another pitch; they last as long as before."""
        return self.scaled(events, which, dict.fromkeys(self.pitches, 2 ** (semitones / 12)))

    def decayed(self, events: Events, which: Mask, factor: float) -> Floats:
        """Parameters after the selected events die away more slowly by `factor`; their onsets stay."""
        return self.stretched(events, which, factor)

    def coloured(self, events: Events, which: Mask, octaves: float) -> Floats:
        """Parameters after the selected events become brighter (`octaves` above 0) or darker, at the same pitch.

        Brightness has no definition that suits all kinds: the docstring of each kind says what it changes.
        """
        raise NotImplementedError

    def scaled(self, events: Events, which: Mask, factors: Mapping[str, float]) -> Floats:
        """Parameters after columns of the selected events were multiplied by a factor each, and clipped."""
        rows = events.parameters.astype(self.precision)
        for name, factor in factors.items():
            rows[which, events.place(name)] *= factor
        return self.clipped(rows.astype(np.float32))

    def clipped(self, rows: Floats) -> Floats:
        """Rows with each number clipped to its range, so that every change gives events that can be rendered."""
        for place, column in enumerate(self._columns_of(rows)):
            rows[:, place] = np.clip(rows[:, place], column.low, column.high)
        return rows

    def drawn(self, events: Events, which: Mask, draw: np.random.Generator) -> Floats:
        """Parameters after all numbers of the selected events but the time were drawn at random.

        Each lies between the least and the greatest value that any of the events has, evenly as its column says.
        """
        rows = events.parameters.astype(np.float64)
        for place, column in enumerate(self.columns(events.channels)):
            low, high = float(rows[:, place].min()), float(rows[:, place].max())
            share = draw.random(len(rows))
            if column.name == "time":
                continue
            if column.between == "geometric" and low > 0:
                values = low * (high / low) ** share
            else:
                values = low + share * (high - low)
            rows[which, place] = (np.round(values) if column.between == "whole" else values)[which]
        return self.clipped(rows.astype(np.float32))

    def vectors(self, events: Events) -> Doubles:
        """How each event sounds, whatever its time and level, for comparisons: ``[events, numbers]``.

        By default pitch and breadth of the band in octaves, the logarithm (of base 2) of the length, and whether it has
        a pitch.
        """
        box = self.boxes(events)
        breadth = np.log2(np.maximum(box.high, 1.0) / np.maximum(box.low, 1.0))
        length = np.log2(np.maximum(box.end - box.start, 1e-3).astype(np.float64))
        return np.stack([np.log2(np.maximum(box.centre, 1.0)), breadth, length, 2.0 * (box.pitch > 0)], axis=1)

    def interpolated(self, one: Floats, other: Floats, share: float) -> Floats:
        """Rows between `one` (share 0) and `other` (share 1), each number as its column says.

        Shape:
            - all: ``[events, columns]``
        """
        if share in {0.0, 1.0}:
            return (other if share else one).copy()
        first, last = one.astype(np.float64), other.astype(np.float64)
        rows = self.linear(first, last, share)
        for place, column in enumerate(self._columns_of(one)):
            start, end = first[:, place], last[:, place]
            if column.between == "geometric":
                least = column.low or 1e-3
                rows[:, place] = np.maximum(start, least) ** (1 - share) * np.maximum(end, least) ** share
            elif column.between == "angle":
                rows[:, place] = start + share * (np.remainder(end - start + np.pi, 2 * np.pi) - np.pi)
            elif column.between == "whole":
                rows[:, place] = start if share < 0.5 else end
        return self.clipped(rows.astype(np.float32))

    def linear(self, first: Doubles, last: Doubles, share: float) -> Doubles:
        """Numbers between two. Each kind keeps its order of operations: a stored morph gives the same bits again."""
        return first + share * (last - first)

    def _columns_of(self, rows: Floats) -> tuple[Column, ...]:
        mono, stereo = self.columns(1), self.columns(2)
        return mono if len(mono) == rows.shape[1] else stereo


KINDS: Registry[Kind] = Registry("kind of event")


@dataclass(frozen=True, eq=False)
class Events:
    """Sounds that add up to a clip, all of the same kind.

    Attributes:
        kind_name: a name in `KINDS`.
        sample_rate: of the rendered sound, in Hz.
        samples: length of the rendered sound.
        channels: 1 or 2.
        parameters: a row for each event; the kind names the columns.
        wet: share of each event that passes through the room, 0 to 1. It has no effect without a room.
        room: impulse response at the same sample rate; None without reverb.
        seed: seed of all random parts of the rendered sound.
        shared: arrays that all events use, such as a learned dictionary.
        settings: what the kind needs to know for rendering, such as the shape of an envelope.
        steps: how finely the kind rounded the parameters so that they take few bits; None for float32.

    Shape:
        - parameters: ``[events, columns]``
        - muted, wet: ``[events]``
        - room: ``[1 or channels, length]``

    Raises:
        EventsError: a number, size or type is outside the limits of this module; the message says which.
    """

    kind_name: str
    sample_rate: int
    samples: int
    channels: int
    parameters: Floats
    muted: Mask
    wet: Floats
    room: Floats | None = None
    seed: int = 0
    shared: Mapping[str, Floats] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def of(
        cls, kind_name: str, parameters: Floats, *, sample_rate: int, samples: int, channels: int = 1, **rest: Any
    ) -> Self:
        """Events of which none is muted and none has reverb."""
        count = len(parameters)
        muted, wet = np.zeros(count, np.bool_), np.zeros(count, np.float32)
        return cls(kind_name, sample_rate, samples, channels, parameters, muted, wet, **rest)

    def __len__(self) -> int:
        return len(self.parameters)

    @property
    def kind(self) -> Kind:
        """How events of this kind sound and change."""
        return KINDS[self.kind_name]

    @property
    def seconds(self) -> float:
        """Length of the rendered sound."""
        return self.samples / self.sample_rate

    @property
    def floats(self) -> int:
        """Storage budget of the clip: the numbers stored for its events, and for the arrays that they alone share.

        Neither the samples of a room nor a model that serves all clips are counted: see `common_floats`.
        """
        own = 0 if self.kind.common else self._shared_floats
        return self.parameters.size + own + (0 if self.room is None else len(self))

    @property
    def common_floats(self) -> int:
        """Numbers of the model that serves all clips; a file of events holds them too, so that it sounds alone."""
        return self._shared_floats if self.kind.common else 0

    @property
    def _shared_floats(self) -> int:
        return sum(array.size for array in self.shared.values())

    def column(self, name: str) -> Floats:
        """One number of every event, ``[events]``."""
        return self.parameters[:, self.place(name)]

    def with_column(self, name: str, values: NDArray[np.floating[Any]]) -> Self:
        """The same events with other values, ``[events]``, in one column."""
        parameters = self.parameters.copy()
        parameters[:, self.place(name)] = values
        return replace(self, parameters=parameters)

    def place(self, name: str) -> int:
        """Number of a column in the rows of `parameters`.

        Raises:
            KeyError: events of this kind have no such column.
        """
        names = [column.name for column in self.kind.columns(self.channels)]
        if name not in names:
            raise KeyError(f"{self.kind_name} events have no {name}: they have {', '.join(names)}")
        return names.index(name)

    def rows(self, numbers: NDArray[np.integer]) -> Self:
        """The events of these numbers, in this order."""
        return replace(self, parameters=self.parameters[numbers], muted=self.muted[numbers], wet=self.wet[numbers])

    def by_energy(self) -> Self:
        """The same events, those with the most energy first; of equal ones, the earlier row first.

        Of rounded ones, many have equal energies, and their order is not stored: it is that of their numbers.
        """
        energy = self.kind.boxes(self).energy
        if self.steps is not None:
            return self.rows(np.lexsort((*self.parameters.T[::-1], -energy)))
        return self.rows(np.argsort(-energy, kind="stable"))


def _check(events: Events) -> None:
    ranges = (("sample_rate", 1_000, 768_000), ("samples", 1, MOST_SAMPLES), ("channels", 1, 2), ("seed", 0, 2**63 - 1))
    for name, low, high in ranges:
        value = getattr(events, name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise EventsError(f"{name} {str(value)[:40]}: it must be a whole number from {low} to {high}")
    longest, most = (LONGEST, MOST_SAMPLES) if events.kind.in_parts else (LONG, MOST_AT_ONCE)
    if events.seconds > longest or events.samples > most:
        raise EventsError(
            f"{events.seconds:.0f} s long: {events.kind_name} events last at most {longest:.0f} s and {most:,} samples"
        )
    if not isinstance(events.settings, Mapping) or not isinstance(events.shared, Mapping):
        raise EventsError("settings and shared arrays: they must be objects with names")
    if events.parameters.ndim != 2:
        raise EventsError(f"parameters: {events.parameters.ndim} axes are not a row for each event")
    count, columns = len(events.parameters), len(events.kind.columns(events.channels))
    if count > MOST_EVENTS:
        raise EventsError(f"{count} events: at most {MOST_EVENTS} can be rendered, whose numbers take up to 80 MB")
    _check_array("parameters", events.parameters, (count, columns))
    _check_array("wet", events.wet, (count,))
    for name, array in events.shared.items():
        _check_array(f"shared array {name[:40]}", array, array.shape)
    if sum(array.size for array in events.shared.values()) > MOST_SHARED:
        raise EventsError(f"shared arrays: more than the {MOST_SHARED} numbers that events may share")
    if events.room is not None:
        _check_room(events, events.room)
    if events.muted.shape != (count,) or events.muted.dtype != np.bool_:
        raise EventsError(f"muted: {events.muted.dtype} of {events.muted.shape} is not one truth value for each event")
    if ((events.wet < 0) | (events.wet > 1)).any():
        raise EventsError("wet: shares lie between 0 and 1")
    events.kind.check(events)


def _check_room(events: Events, room: Floats) -> None:
    if room.ndim != 2 or room.shape[-1] == 0 or len(room) not in {1, events.channels}:
        raise EventsError(f"room: an array of {room.shape} is not {events.channels} channels of samples, or one")
    if room.shape[-1] > min(LONGEST_ROOM * events.sample_rate, MOST_ROOM):
        raise EventsError(f"room: {room.shape[-1] / events.sample_rate:.0f} s long, at most {LONGEST_ROOM:.0f} s")
    _check_array("room", room, room.shape)


def _check_array(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape or array.dtype != np.float32:
        raise EventsError(f"{name}: {array.dtype} of {array.shape} is not float32 of {shape}")
    if not np.isfinite(array).all():
        raise EventsError(f"{name}: it holds values that are not numbers (NaN or infinite)")
