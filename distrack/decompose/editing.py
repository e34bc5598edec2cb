"""Edits of one clip's events: each gives new events and leaves the old ones alone."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from distrack.decompose.edits import edit
from distrack.decompose.events import Events
from distrack.decompose.rooms import with_room
from distrack.decompose.selecting import Mask, Which, mask
from distrack.errors import EventsError

Floats = NDArray[np.float32]

# Beyond these nothing is left that anyone could hear.
Decibels = Annotated[float, Field(ge=-200, le=200)]
Seconds = Annotated[float, Field(ge=-600, le=600)]
Factor = Annotated[float, Field(ge=0.01, le=100)]
Semitones = Annotated[float, Field(ge=-120, le=120)]
Octaves = Annotated[float, Field(ge=-10, le=10)]
Share = Annotated[float, Field(ge=0, le=1)]


@edit("mute")
def mute(events: Events, which: Which = None) -> Events:
    """Events that are not heard."""
    return replace(events, muted=events.muted | mask(events, which))


@edit("unmute")
def unmute(events: Events, which: Which = None) -> Events:
    """Muted events that are heard again."""
    return replace(events, muted=events.muted & ~mask(events, which))


@edit("gain")
def gain(events: Events, which: Which = None, *, db: Decibels) -> Events:
    """Louder events, or softer ones.

    Args:
        db: 6.02 doubles the amplitude.
    """
    return louder(events, np.where(mask(events, which), 10 ** (db / 20), 1.0))


@edit("wet")
def wet(events: Events, which: Which = None, *, share: Share) -> Events:
    """How much of each event goes through the room.

    Args:
        share: 0 is dry, 1 nothing but the room.

    Raises:
        EventsError: there is no room.
    """
    if events.room is None:
        raise EventsError("wet: these events are in no room: choose one first")
    return replace(events, wet=np.where(mask(events, which), np.float32(share), events.wet))


@edit("room", takes="room")
def room(events: Events, path: Path | None, which: Which = None, *, wet: Share = 1.0) -> Events:
    """Events in a room, or in none.

    Args:
        path: of the impulse response; None takes the room away.
        wet: share of what is chosen that goes through it; of what is not, the share it had, in no room 0.
    """
    return with_room(events, path, wet=wet, which=which)


@edit("move")
def move(events: Events, which: Which = None, *, seconds: Seconds) -> Events:
    """Events that begin later, or earlier; what leaves the clip is not heard.

    Args:
        seconds: later; below 0 is earlier.
    """
    return _moved(events, np.where(mask(events, which), seconds, 0.0))


@edit("stretch")
def stretch(events: Events, which: Which = None, *, factor: Factor, anchor: Seconds | None = None) -> Events:
    """Events that last longer at the same pitch.

    Args:
        factor: 2 is twice as long.
        anchor: the time in seconds that stays where it is; the distances of onsets from it grow by the factor too.
            None leaves every onset where it is.
    """
    chosen = mask(events, which)
    before = events.how.boxes(events).onset.astype(np.float64)
    longer = replace(events, parameters=events.how.stretched(events, chosen, factor))
    wanted = before if anchor is None else anchor + (before - anchor) * factor
    # Where an event's time is not its onset (the middle of a Gabor atom), the onset has moved with its length.
    return _moved(longer, np.where(chosen, wanted - longer.how.boxes(longer).onset, 0.0))


@edit("stretch-clip")
def stretch_clip(events: Events, *, factor: Factor) -> Events:
    """The whole clip slower or faster at the same pitch: it becomes longer by the factor, with all that is in it.

    Args:
        factor: 2 is twice as long.
    """
    longer = stretch(events, None, factor=factor, anchor=0.0)
    return replace(longer, samples=max(round(events.samples * factor), 1))


@edit("transpose")
def transpose(events: Events, which: Which = None, *, semitones: Semitones) -> Events:
    """Events at another pitch, as long as before.

    Args:
        semitones: 12 is an octave up.
    """
    return replace(events, parameters=events.how.transposed(events, mask(events, which), semitones))


@edit("decay")
def decay(events: Events, which: Which = None, *, factor: Factor) -> Events:
    """Events that die away more slowly, or faster; their onsets stay.

    Args:
        factor: 2 is half as fast.
    """
    return replace(events, parameters=events.how.decayed(events, mask(events, which), factor))


@edit("colour")
def colour(events: Events, which: Which = None, *, octaves: Octaves) -> Events:
    """Brighter events, or darker ones, at the same pitch.

    Args:
        octaves: above 0 is brighter; a kind of event says what it moves.
    """
    return replace(events, parameters=events.how.coloured(events, mask(events, which), octaves))


@edit("quantise")
def quantise(
    events: Events,
    which: Which = None,
    *,
    grid: Annotated[float, Field(gt=0, le=600)] | None = None,
    bpm: Annotated[float, Field(ge=1, le=2_000)] | None = None,
    division: Annotated[int, Field(ge=1, le=64)] = 1,
    offset: Seconds = 0.0,
    strength: Share = 1.0,
) -> Events:
    """Onsets drawn to the nearest line of a grid.

    Args:
        grid: seconds from line to line; or instead
        bpm: beats a minute, and
        division: lines a beat: 4 are sixteenth notes where a beat is a quarter.
        offset: of one line, in seconds.
        strength: 1 puts them on the line, 0.5 half of the way.

    Raises:
        EventsError: neither a grid nor a tempo, or both.
    """
    if grid is not None and bpm is None:
        step = grid
    elif bpm is not None and grid is None:
        step = 60 / bpm / division
    else:
        raise EventsError("quantise: give either grid, in seconds, or bpm and division")
    onset = events.how.boxes(events).onset.astype(np.float64)
    nearest = offset + np.round((onset - offset) / step) * step
    return _moved(events, np.where(mask(events, which), strength * (nearest - onset), 0.0))


@edit("copy")
def copy(events: Events, which: Which = None, *, seconds: Seconds) -> Events:
    """Events once more, at another time; the copies stand after all others.

    Args:
        seconds: by which the copies are later.

    Raises:
        EventsError: there would be more than `MOST_EVENTS`.
    """
    return joined(events, move(_only(events, mask(events, which)), seconds=seconds))


@edit("remove")
def remove(events: Events, which: Which = None) -> Events:
    """Without some events; those that stay are counted anew."""
    return _only(events, ~mask(events, which))


def louder(events: Events, factor: NDArray[np.float64]) -> Events:
    """Events with their amplitudes times a factor each, in every column that is one.

    Shape:
        - factor: ``[events]``, above 0
    """
    parameters = events.parameters.copy()
    for index, column in enumerate(events.how.columns(events.channels)):
        # Stereo has one of its own for each channel.
        if column.name.startswith("amplitude"):
            value = parameters[:, index]
            parameters[:, index] = value + 20 * np.log10(factor) if column.unit == "dB" else value * factor
    return replace(events, parameters=parameters)


def joined(one: Events, other: Events) -> Events:
    """The events of both, in the first one's clip."""
    return replace(
        one,
        parameters=np.concatenate([one.parameters, other.parameters]),
        muted=np.concatenate([one.muted, other.muted]),
        wet=np.concatenate([one.wet, other.wet]),
    )


def rows(events: Events, numbers: NDArray[np.int64]) -> Events:
    """Some of the events, in the order of their numbers as they are given."""
    return replace(events, parameters=events.parameters[numbers], muted=events.muted[numbers], wet=events.wet[numbers])


def _only(events: Events, chosen: Mask) -> Events:
    return rows(events, np.flatnonzero(chosen))


def _moved(events: Events, seconds: NDArray[np.float64]) -> Events:
    return events.with_column("time", events.column("time") + seconds)
