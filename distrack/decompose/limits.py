"""What events can be: the sizes and numbers that are refused before anything is rendered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distrack.errors import EventsError

if TYPE_CHECKING:
    from distrack.decompose.events import Events

# What a file may ask of whoever renders it: as many events, as long, with as much beside them.
MOST_EVENTS = 20_000
LONGEST = 600.0
MOST_SAMPLES = 600 * 192_000
LONGEST_ROOM = 60.0
MOST_ROOM = 60 * 192_000
MOST_KEPT = 1 << 23

Floats = NDArray[np.float32]


def check(events: Events) -> None:
    """Refuses what cannot be rendered.

    Raises:
        EventsError: a number, a size or a type that cannot be; the message says which.
    """
    whole = (("sample_rate", 1_000, 768_000), ("samples", 1, MOST_SAMPLES), ("channels", 1, 2), ("seed", 0, 2**63 - 1))
    for name, low, high in whole:
        value = getattr(events, name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise EventsError(f"{name} {str(value)[:40]}: it must be a whole number from {low} to {high}")
    if events.seconds > LONGEST:
        raise EventsError(f"{events.seconds:.0f} s long: events last at most {LONGEST:.0f} s together")
    if not isinstance(events.settings, Mapping) or not isinstance(events.kept, Mapping):
        raise EventsError("settings and kept: they must be objects with names")
    if events.parameters.ndim != 2:
        raise EventsError(f"parameters: {events.parameters.ndim} axes are not a row for each event")
    count, columns = len(events.parameters), len(events.how.columns(events.channels))
    if count > MOST_EVENTS:
        raise EventsError(f"{count} events: at most {MOST_EVENTS} can be rendered")
    _check_array("parameters", events.parameters, (count, columns))
    _check_array("wet", events.wet, (count,))
    for name, array in events.kept.items():
        _check_array(f"kept {name[:40]}", array, array.shape)
    if sum(array.size for array in events.kept.values()) > MOST_KEPT:
        raise EventsError(f"kept: more than the {MOST_KEPT} numbers that events may share")
    if events.room is not None:
        _check_room(events, events.room)
    if events.muted.shape != (count,) or events.muted.dtype != np.bool_:
        raise EventsError(f"muted: {events.muted.dtype} of {events.muted.shape} is not one truth value for each event")
    if ((events.wet < 0) | (events.wet > 1)).any():
        raise EventsError("wet: shares lie between 0 and 1")
    events.how.check(events)


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
