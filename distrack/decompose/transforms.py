"""Edits of the events of one clip. Each returns new events and does not modify the given ones."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from distrack.arrays import Doubles
from distrack.decompose.edits import edit
from distrack.decompose.events import LONGEST, Events
from distrack.decompose.rooms import RoomLevel, read_room
from distrack.decompose.selecting import Which, mask
from distrack.errors import EventsError


def argument(low: float, high: float, *, title: str, example: float, step: float) -> Any:
    """A number's range, and how the page asks for it: the label, the first value (an audible one) and the steps.

    Values outside the ranges below would leave nothing audible.
    """
    return Field(ge=low, le=high, title=title, examples=[example], json_schema_extra={"step": step})


Decibels = Annotated[float, argument(-200, 200, title="Gain (dB)", example=6.0, step=1.0)]
Seconds = Annotated[float, argument(-LONGEST, LONGEST, title="Later by (s)", example=0.25, step=0.05)]
Factor = Annotated[float, argument(0.01, 100, title="Factor", example=2.0, step=0.1)]
StretchFactor = Annotated[Factor, Field(title="Stretch factor")]
Semitones = Annotated[float, argument(-120, 120, title="Semitones", example=12.0, step=1.0)]
Octaves = Annotated[float, argument(-10, 10, title="Octaves", example=1.0, step=0.5)]
Share = Annotated[float, argument(0, 1, title="Amount", example=0.5, step=0.05)]

_STEP = {"step": 0.05}
Anchor = Annotated[float | None, Field(ge=-LONGEST, le=LONGEST, title="Anchor (s)", json_schema_extra=_STEP)]
Grid = Annotated[float, Field(gt=0, le=600, title="Grid (s)", json_schema_extra=_STEP)]
Tempo = Annotated[float | None, Field(ge=1, le=2_000, title="Tempo instead (BPM)", json_schema_extra={"step": 1.0})]


@edit("mute", "Mute")
def mute(events: Events, which: Which = None) -> Events:
    """Mute the selection."""
    return replace(events, muted=events.muted | mask(events, which))


@edit("unmute", "Unmute")
def unmute(events: Events, which: Which = None) -> Events:
    """Unmute the selection."""
    return replace(events, muted=events.muted & ~mask(events, which))


@edit("gain", "Gain")
def gain(events: Events, which: Which = None, *, db: Decibels) -> Events:
    """Change the level.

    Args:
        db: decibels; 6.02 doubles the amplitude.
    """
    return amplified(events, np.where(mask(events, which), 10 ** (db / 20), 1.0))


@edit("wet", "Reverb mix")
def wet(events: Events, which: Which = None, *, share: Share) -> Events:
    """Change the reverb mix.

    Args:
        share: 0 is dry, 1 is reverb only.

    Raises:
        EventsError: there is no room.
    """
    if events.room is None:
        raise EventsError("choose a reverb first")
    return replace(events, wet=np.where(mask(events, which), np.float32(share), events.wet))


@edit("room", "Reverb", takes="room")
def room(
    events: Events,
    path: Path | None,
    which: Which = None,
    *,
    wet: Annotated[Share, Field(title="Reverb mix")] = 1.0,
    level: Annotated[RoomLevel, Field(title="Level of the room", examples=["energy"])] = "as-is",
) -> Events:
    """Add reverb, or remove it.

    Args:
        path: file of the impulse response; None removes the reverb of all events.
        wet: share of the selected events that passes through the room. The other events keep their share, which is 0 if
            there was no room before.
        level: see `read_room`; edits that were stored without it sound as they did.

    Raises:
        EventsError: the room cannot be read.
    """
    selected = mask(events, which)
    if path is None:
        return replace(events, room=None, wet=np.zeros(len(events), np.float32))
    before = events.wet if events.room is not None else np.zeros(len(events), np.float32)
    response = read_room(path, sample_rate=events.sample_rate, channels=events.channels, level=level)
    return replace(events, room=response, wet=np.where(selected, np.float32(wet), before))


@edit("move", "Move")
def move(events: Events, which: Which = None, *, seconds: Seconds, semitones: Semitones = 0.0) -> Events:
    """Shift in time and in pitch.

    The part of an event that leaves the clip is silent.

    Args:
        seconds: how much later events begin; earlier if it is below 0.
        semitones: how much higher they are; 12 is an octave up.
    """
    selected = mask(events, which)
    higher = transpose(events, which, semitones=semitones) if semitones else events
    return _moved(higher, np.where(selected, seconds, 0.0))


@edit("stretch", "Stretch")
def stretch(events: Events, which: Which = None, *, factor: StretchFactor, anchor: Anchor = None) -> Events:
    """Change duration, keep pitch.

    Args:
        factor: 2 makes events twice as long.
        anchor: a time in seconds that stays where it is, while the distance of each onset from it grows by the factor.
            None leaves every onset where it is.
    """
    selected = mask(events, which)
    before = events.kind.boxes(events).onset.astype(np.float64)
    longer = replace(events, parameters=events.kind.stretched(events, selected, factor))
    after = before if anchor is None else anchor + (before - anchor) * factor
    # If the time of an event is not its onset, as in the middle of a Gabor atom, stretching has moved the onset.
    return _moved(longer, np.where(selected, after - longer.kind.boxes(longer).onset, 0.0))


@edit("stretch-clip", "Stretch the clip")
def stretch_clip(events: Events, *, factor: StretchFactor) -> Events:
    """Play the whole clip slower or faster, keep pitch.

    Args:
        factor: 2 makes the clip, its events and the time between them twice as long.
    """
    longer = stretch(events, None, factor=factor, anchor=0.0)
    return replace(longer, samples=max(round(events.samples * factor), 1))


@edit("transpose", "Transpose")
def transpose(events: Events, which: Which = None, *, semitones: Semitones) -> Events:
    """Change pitch, keep length.

    Args:
        semitones: 12 is an octave up.
    """
    return replace(events, parameters=events.kind.transposed(events, mask(events, which), semitones))


@edit("decay", "Decay")
def decay(events: Events, which: Which = None, *, factor: Factor) -> Events:
    """Change decay time, keep onsets.

    Args:
        factor: 2 doubles the decay time.
    """
    return replace(events, parameters=events.kind.decayed(events, mask(events, which), factor))


@edit("colour", "Brightness")
def colour(events: Events, which: Which = None, *, octaves: Octaves) -> Events:
    """Change brightness, keep pitch.

    Args:
        octaves: events become brighter above 0, darker below. The kind of event defines what an octave changes.
    """
    return replace(events, parameters=events.kind.coloured(events, mask(events, which), octaves))


@edit("quantise", "Quantise")
def quantise(
    events: Events,
    which: Which = None,
    *,
    grid: Grid = 0.25,
    bpm: Tempo = None,
    division: Annotated[int, Field(ge=1, le=64, title="Lines per beat")] = 1,
    offset: Annotated[Seconds, Field(title="Time of one line (s)")] = 0.0,
    strength: Annotated[Share, Field(title="Strength")] = 1.0,
) -> Events:
    """Snap onsets to a grid.

    Args:
        grid: seconds between two lines of the grid.
        bpm: beats per minute; a tempo takes the place of `grid`.
        division: lines per beat. With a quarter note as the beat, 4 gives sixteenth notes.
        offset: time of one line in seconds.
        strength: 1 moves onsets onto the line, 0.5 half of the way.
    """
    step = grid if bpm is None else 60 / bpm / division
    onset = events.kind.boxes(events).onset.astype(np.float64)
    nearest = offset + np.round((onset - offset) / step) * step
    return _moved(events, np.where(mask(events, which), strength * (nearest - onset), 0.0))


@edit("copy", "Duplicate")
def copy(events: Events, which: Which = None, *, seconds: Seconds, semitones: Semitones = 0.0) -> Events:
    """Duplicate the selection at another time and pitch.

    The copies are the last events.

    Args:
        seconds: how much later the copies begin.
        semitones: how much higher they are.

    Raises:
        EventsError: there would be more than `MOST_EVENTS`.
    """
    copies = events.rows(np.flatnonzero(mask(events, which)))
    return joined(events, move(copies, seconds=seconds, semitones=semitones))


@edit("remove", "Delete")
def remove(events: Events, which: Which = None) -> Events:
    """Delete the selection.

    The remaining events get new numbers.
    """
    return events.rows(np.flatnonzero(~mask(events, which)))


def amplified(events: Events, factor: Doubles) -> Events:
    """Events with all their amplitudes multiplied by a factor for each event.

    Shape:
        - factor: ``[events]``, above 0
    """
    parameters = events.parameters.copy()
    for index, column in enumerate(events.kind.columns(events.channels)):
        # Stereo events have one amplitude for each channel.
        if column.name.startswith("amplitude"):
            value = parameters[:, index]
            parameters[:, index] = value + 20 * np.log10(factor) if column.unit == "dB" else value * factor
    return replace(events, parameters=parameters)


def joined(one: Events, other: Events) -> Events:
    """The events of both in the clip of the first."""
    return replace(
        one,
        parameters=np.concatenate([one.parameters, other.parameters]),
        muted=np.concatenate([one.muted, other.muted]),
        wet=np.concatenate([one.wet, other.wet]),
    )


def _moved(events: Events, seconds: Doubles) -> Events:
    return events.with_column("time", events.column("time") + seconds)
