"""Edits that combine the events of two clips: a mix, and a morph from one to the other."""

from dataclasses import replace
from typing import Annotated

import numpy as np
import scipy
from pydantic import Field

from distrack.arrays import Doubles, Floats, Integers
from distrack.decompose.edits import edit
from distrack.decompose.events import Events
from distrack.decompose.rendering import Rendered
from distrack.decompose.transforms import Seconds, Share, amplified, joined, move
from distrack.errors import EventsError
from distrack.stored_sound import blocks

# The time of the matching grows with the third power of the number of events.
MOST_MATCHED = 2_000


@edit("mix", "Mix with another clip", takes="events")
def mix(events: Events, other: Events, *, seconds: Seconds = 0.0) -> Events:
    """Add another clip's events.

    The result is as long as the longer clip.

    Args:
        seconds: how much later the other clip begins.

    Raises:
        EventsError: they differ in kind, sample rate, channels, dictionary, settings, room, or a seed that matters.
    """
    refuse_different(events, other)
    later = move(_seeded(other, events.seed), seconds=seconds)
    if events.room is not None and other.room is not None and not np.array_equal(events.room, other.room):
        raise EventsError("mix: two rooms: a clip has one, so give both clips the same room, or remove one")
    length = max(events.samples, other.samples + max(round(seconds * events.sample_rate), 0))
    both = joined(_dry_without_room(events), _dry_without_room(later))
    return replace(both, samples=length, room=events.room if events.room is not None else other.room)


@edit("morph", "Morph into another clip", takes="events")
def morph(
    events: Events,
    other: Events,
    *,
    share: Share,
    near_seconds: Annotated[float, Field(gt=0, le=600, title="Time tolerance (s)")] = 0.25,
    near_octaves: Annotated[float, Field(gt=0, le=20, title="Pitch tolerance (octaves)")] = 1.0,
) -> Events:
    """Morph towards another clip.

    Matched events glide from one to the other; the rest fade out or in. The matching has the smallest sum of distances,
    where a distance of `near_seconds` in time or of `near_octaves` in pitch counts as 1. Events more than 2 apart are
    not matched: each of them counts as 1. Muted events are left out.

    Args:
        share: 0 gives exactly these events, 1 exactly the other ones.

    Raises:
        EventsError: as `mix`, except that rooms may differ (one fades into the other); or too many events.

    Source:
        Kuhn, "The Hungarian Method for the Assignment Problem", Naval Research Logistics Quarterly 2, 1955; as
        `scipy.optimize.linear_sum_assignment` solves it.
    """
    refuse_different(events, other)
    if share == 0:
        return events
    other = _seeded(other, events.seed) if share < 1 else other
    if share == 1:
        return other
    room = _room_between(events.room, other.room, share)
    one, other = (_dry_without_room(side.rows(np.flatnonzero(~side.muted))) for side in (events, other))
    if max(len(one), len(other)) > MOST_MATCHED:
        raise EventsError(
            f"morph: {len(one)} and {len(other)} events: at most {MOST_MATCHED} can be matched; remove the weakest"
        )
    pairs, partners = matched(one, other, near_seconds=near_seconds, near_octaves=near_octaves)
    gliding = replace(
        one.rows(pairs),
        parameters=one.kind.interpolated(one.parameters[pairs], other.parameters[partners], share),
        wet=((1 - share) * one.wet[pairs] + share * other.wet[partners]).astype(np.float32),
    )
    fading_out = _faded(one, pairs, 1 - share)
    fading_in = _faded(other, partners, share)
    samples = round((1 - share) * one.samples + share * other.samples)
    return replace(joined(joined(gliding, fading_out), fading_in), samples=samples, room=room)


def matched(one: Events, other: Events, *, near_seconds: float, near_octaves: float) -> tuple[Integers, Integers]:
    """The pairs of events of two clips that a morph connects.

    Shape:
        - returns: ``[pairs]`` and ``[pairs]``: numbers of events in `one`, in rising order, and in `other`
    """
    here, there = (_positions(side, near_seconds, near_octaves) for side in (one, other))
    distances = np.abs(here[:, None] - there[None]).sum(axis=2)
    # A pair at a distance of 2 costs as much as two events alone, so all larger distances are equal.
    first, second = scipy.optimize.linear_sum_assignment(np.minimum(distances, 2.0))
    near = distances[first, second] < 2.0
    return first[near], second[near]


def _positions(events: Events, near_seconds: float, near_octaves: float) -> Doubles:
    box = events.kind.boxes(events)
    return np.stack([box.onset / near_seconds, np.log2(box.centre) / near_octaves], axis=1)


def _faded(events: Events, gliding: Integers, gain: float) -> Events:
    """The events that no other one is matched with, times a gain."""
    rest = events.rows(np.setdiff1d(np.arange(len(events)), gliding))
    return amplified(rest, np.full(len(rest), gain))


def refuse_different(one: Events, other: Events) -> None:
    """Raises EventsError if the events of two clips are not alike enough to be combined."""
    if one.kind_name != other.kind_name:
        raise EventsError("these clips use different methods. Decompose both by the same one")
    if one.sample_rate != other.sample_rate:
        problem = f"these clips have {one.sample_rate} and {other.sample_rate} Hz. Decompose both at the same rate"
        raise EventsError(problem, remedy=f"--sample-rate {one.sample_rate}")
    if one.channels != other.channels:
        problem = f"these clips have {one.channels} and {other.channels} channels"
        raise EventsError(f"{problem}. Decompose both in mono, or both in stereo")
    if one.shared.keys() != other.shared.keys() or not all(
        np.array_equal(one.shared[key], other.shared[key]) for key in one.shared
    ):
        if one.kind.common:
            raise EventsError("these clips were decomposed by different models. Decompose both by the same one")
        problem = "each clip has waveforms that were learned from it alone"
        raise EventsError(f"{problem}. Decompose both with atoms that are not learned")
    both, missing = {*one.settings, *other.settings}, object()
    differ = sorted(key for key in both if one.settings.get(key, missing) != other.settings.get(key, missing))
    if differ:
        raise EventsError(f"these clips differ in {', '.join(differ)}. Decompose both with the same settings")


def _seeded(events: Events, seed: int) -> Events:
    """The same events with another seed.

    Raises:
        EventsError: the seed changes their sound.
    """
    if events.seed == seed:
        return events
    seeded = replace(events, seed=seed)
    # Only kinds with random parts need equal seeds; whether a kind has some shows in its sound.
    sounds = (blocks(Rendered(replace(each, room=None))) for each in (events, seeded))
    if not all(map(np.array_equal, *sounds)):
        raise EventsError(
            f"their noise comes from different seeds, {seed} and {events.seed}: decompose one clip again with "
            f"--seed {seed}"
        )
    return seeded


def _dry_without_room(events: Events) -> Events:
    return events if events.room is not None else replace(events, wet=np.zeros(len(events), np.float32))


def _room_between(one: Floats | None, other: Floats | None, share: float) -> Floats | None:
    """The room between two. The events of a clip without a room are dry, so the other clip's room serves both."""
    if one is None or other is None:
        return other if one is None else one
    if np.array_equal(one, other):
        return one
    room = np.zeros((max(len(one), len(other)), max(one.shape[1], other.shape[1])), np.float32)
    room[:, : one.shape[1]] += (1 - share) * one
    room[:, : other.shape[1]] += share * other
    return room
