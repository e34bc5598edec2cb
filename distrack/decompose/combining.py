"""Two clips' events as one: mixed, and on the way from one to the other."""

from dataclasses import replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import linear_sum_assignment

from distrack.decompose.editing import Seconds, Share, joined, louder, move, rows
from distrack.decompose.edits import edit
from distrack.decompose.events import Events
from distrack.decompose.rendering import render
from distrack.errors import EventsError

Floats = NDArray[np.float32]

# The matching looks at every pair, and its time grows with the third power.
MOST_MATCHED = 2_000


@edit("mix", takes="events")
def mix(events: Events, other: Events, *, seconds: Seconds = 0.0) -> Events:
    """Another clip's events beside these, as long as the longer of both.

    Args:
        seconds: by which the other clip begins later.

    Raises:
        EventsError: they differ in kind, rate, channels, dictionary, settings or room, or in a seed that is heard.
    """
    _refuse_different(events, other, "mix")
    later = move(_seeded(other, events.seed), seconds=seconds)
    if events.room is not None and other.room is not None and not _equal(events.room, other.room):
        raise EventsError("mix: two rooms: a clip is heard in one, so give both the same, or take one of them away")
    length = max(events.samples, other.samples + max(round(seconds * events.sample_rate), 0))
    both = joined(_dry_without_room(events), _dry_without_room(later))
    return replace(both, samples=length, room=events.room if events.room is not None else other.room)


@edit("morph", takes="events")
def morph(
    events: Events,
    other: Events,
    *,
    share: Share,
    near_seconds: Annotated[float, Field(gt=0, le=600)] = 0.25,
    near_octaves: Annotated[float, Field(gt=0, le=20)] = 1.0,
) -> Events:
    """On the way from these events to another clip's: matched ones glide, the others fade out and in.

    Events are matched so that the sum of their distances is the least; distances in time and in pitch are counted in
    units of the two arguments. A pair farther than two units apart is none: its events cost one unit each as they
    fade. Muted events take no part.

    Args:
        share: 0 gives these events, 1 the others, exactly.
        near_seconds, near_octaves: a distance that counts as one.

    Raises:
        EventsError: as `mix`, except that rooms may differ: one fades into the other; or too many events.

    Source:
        Kuhn, "The Hungarian Method for the Assignment Problem", Naval Research Logistics Quarterly 2, 1955; as
        `scipy.optimize.linear_sum_assignment` solves it.
    """
    _refuse_different(events, other, "morph")
    if share == 0:
        return events
    other = _seeded(other, events.seed) if share < 1 else other
    if share == 1:
        return other
    room = _room_between(events.room, other.room, share)
    one, other = _heard(_dry_without_room(events)), _heard(_dry_without_room(other))
    if max(len(one), len(other)) > MOST_MATCHED:
        raise EventsError(
            f"morph: {len(one)} and {len(other)} events: at most {MOST_MATCHED} can be matched; keep the strongest"
        )
    pairs, partners = matched(one, other, near_seconds=near_seconds, near_octaves=near_octaves)
    gliding = replace(
        rows(one, pairs),
        parameters=one.how.between(one.parameters[pairs], other.parameters[partners], share),
        wet=((1 - share) * one.wet[pairs] + share * other.wet[partners]).astype(np.float32),
    )
    leaving = rows(one, np.setdiff1d(np.arange(len(one)), pairs))
    coming = rows(other, np.setdiff1d(np.arange(len(other)), partners))
    leaving = louder(leaving, np.full(len(leaving), 1 - share))
    coming = louder(coming, np.full(len(coming), share))
    samples = round((1 - share) * one.samples + share * other.samples)
    return replace(joined(joined(gliding, leaving), coming), samples=samples, room=room)


def matched(
    one: Events, other: Events, *, near_seconds: float, near_octaves: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which events of one clip become which of another.

    Shape:
        - returns: ``[pairs]`` and ``[pairs]``: numbers in `one`, in rising order, and in `other`
    """
    where, there = _places(one, near_seconds, near_octaves), _places(other, near_seconds, near_octaves)
    distances = np.abs(where[:, None] - there[None]).sum(axis=2)
    # At two units a pair costs what its events cost alone, so what lies beyond needs no place of its own in the matrix.
    first, second = linear_sum_assignment(np.minimum(distances, 2.0))
    near = distances[first, second] < 2.0
    return first[near], second[near]


def _places(events: Events, near_seconds: float, near_octaves: float) -> NDArray[np.float64]:
    box = events.how.boxes(events)
    # What has no pitch stands in the middle of its band; an edge at 0 Hz has no logarithm.
    middle = np.sqrt(np.maximum(box.low, 1.0).astype(np.float64) * np.maximum(box.high, 1.0))
    pitch = np.where(box.pitch > 0, box.pitch, middle)
    return np.stack([box.onset / near_seconds, np.log2(pitch) / near_octaves], axis=1)


def _refuse_different(one: Events, other: Events, name: str) -> None:
    if one.kind != other.kind:
        raise EventsError(f"{name}: {one.kind} and {other.kind} events: take both clips apart by the same method")
    if one.sample_rate != other.sample_rate:
        raise EventsError(
            f"{name}: {one.sample_rate} and {other.sample_rate} Hz: take one clip apart again with "
            f"--sample-rate {one.sample_rate}"
        )
    if one.channels != other.channels:
        raise EventsError(
            f"{name}: {one.channels} and {other.channels} channels: take both apart in mono, or in stereo"
        )
    if set(one.kept) != set(other.kept) or not all(_equal(one.kept[key], other.kept[key]) for key in one.kept):
        raise EventsError(
            f"{name}: their events are made of different waveforms, each learnt from its own clip: take both apart "
            "with a dictionary that is not learnt"
        )
    differ = sorted(
        key
        for key in {*one.settings, *other.settings}
        if key not in one.settings or key not in other.settings or one.settings[key] != other.settings[key]
    )
    if differ:
        raise EventsError(f"{name}: they differ in {', '.join(differ)}: take both clips apart with the same settings")


def _seeded(events: Events, seed: int) -> Events:
    """The same events with another seed.

    Raises:
        EventsError: it is heard.
    """
    if events.seed == seed:
        return events
    seeded = replace(events, seed=seed)
    # Only what is random needs the same seed; which kinds are, their own sound says.
    if not np.array_equal(render(replace(events, room=None)), render(replace(seeded, room=None))):
        raise EventsError(
            f"their noise comes from different seeds, {seed} and {events.seed}: take one clip apart again with "
            f"--seed {seed}"
        )
    return seeded


def _dry_without_room(events: Events) -> Events:
    return events if events.room is not None else replace(events, wet=np.zeros(len(events), np.float32))


def _heard(events: Events) -> Events:
    return rows(events, np.flatnonzero(~events.muted))


def _room_between(one: Floats | None, other: Floats | None, share: float) -> Floats | None:
    """Where one clip is in no room its events are dry: the other's room then serves both as it is."""
    if one is None or other is None:
        return other if one is None else one
    if _equal(one, other):
        return one
    room = np.zeros((max(len(one), len(other)), max(one.shape[1], other.shape[1])), np.float32)
    room[:, : one.shape[1]] += (1 - share) * one
    room[:, : other.shape[1]] += share * other
    return room


def _equal(one: Floats, other: Floats) -> bool:
    return one.shape == other.shape and bool(np.array_equal(one, other))
