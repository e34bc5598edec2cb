"""Selections of events: by number, by a box on the time-frequency plane, by pitch, by energy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distrack.arrays import Mask
from distrack.decompose.events import Events
from distrack.errors import EventsError

# One truth value for each event, or numbers of events, or None for all events.
Which = NDArray[np.bool_] | NDArray[np.integer] | Sequence[int] | Sequence[bool] | None


def mask(events: Events, which: Which) -> Mask:
    """One truth value for each event, ``[events]``: whether it is selected.

    Raises:
        EventsError: not as many truth values as events, or a number that no event has.
    """
    count = len(events)
    if which is None:
        return np.ones(count, np.bool_)
    given = np.asarray(which)
    if given.dtype == np.bool_:
        if given.shape != (count,):
            raise EventsError(f"which: truth values of shape {given.shape}, but there are {count} events")
        return given.copy()
    if given.ndim != 1 or (given.size and not np.issubdtype(given.dtype, np.integer)):
        raise EventsError("which: neither truth values nor whole numbers of events")
    numbers = given.astype(np.int64)
    wrong = numbers[(numbers < 0) | (numbers >= count)]
    if wrong.size:
        raise EventsError(f"which: there is no event {wrong[0]}: the {count} events are counted from 0")
    selected = np.zeros(count, np.bool_)
    selected[numbers] = True
    return selected


def in_box(events: Events, *, start: float = 0.0, end: float = np.inf, low: float = 0.0, high: float = np.inf) -> Mask:
    """Events that touch a box on the time-frequency plane.

    Args:
        start, end: in seconds.
        low, high: in Hz.

    Raises:
        EventsError: the box ends before it begins.
    """
    if not (start <= end and low <= high):
        raise EventsError(f"a box from {start:g} to {end:g} s and {low:g} to {high:g} Hz: it ends before it begins")
    box = events.kind.boxes(events)
    return (box.start <= end) & (box.end >= start) & (box.low <= high) & (box.high >= low)


def in_pitch(events: Events, *, low: float = 0.0, high: float = np.inf) -> Mask:
    """Events with a pitch from `low` to `high`, in Hz; without limits, all events that have a pitch.

    Raises:
        EventsError: the range ends before it begins.
    """
    if not low <= high:
        raise EventsError(f"pitches from {low:g} to {high:g} Hz: the range ends before it begins")
    pitch = events.kind.boxes(events).pitch
    return (pitch > 0) & (pitch >= low) & (pitch <= high)


def strongest(events: Events, count: int) -> Mask:
    """The `count` events with the most energy, whether muted or not; of equal ones, the earlier rows.

    Raises:
        EventsError: a negative number.
    """
    if count < 0:
        raise EventsError(f"the {count} strongest events: the number must be 0 or more")
    selected = np.zeros(len(events), np.bool_)
    selected[np.argsort(-events.kind.boxes(events).energy, kind="stable")[:count]] = True
    return selected
