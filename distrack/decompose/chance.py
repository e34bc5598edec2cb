"""Edits that draw at random: other events at the times of a clip, and the events of a clip at other times."""

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from distrack.decompose.edits import edit
from distrack.decompose.events import Events
from distrack.decompose.selecting import Which, mask

Seed = Annotated[int, Field(ge=0, le=2**32 - 1, title="Seed", examples=[1])]


@edit("random-events", "Random events")
def random_events(events: Events, which: Which = None, *, seed: Seed = 1) -> Events:
    """Replace the selection by random events at the same times.

    Args:
        seed: of the random numbers; equal seeds give equal events.
    """
    if not len(events):
        return events
    draw = np.random.default_rng(seed)
    return replace(events, parameters=events.kind.drawn(events, mask(events, which), draw))


@edit("random-times", "Random times")
def random_times(events: Events, which: Which = None, *, seed: Seed = 1) -> Events:
    """Move the selection to random times in the clip.

    Args:
        seed: of the random numbers; equal seeds give equal times.
    """
    onset = events.kind.boxes(events).onset.astype(np.float64)
    target = np.random.default_rng(seed).uniform(0, events.seconds, len(events))
    shift = np.where(mask(events, which), target - onset, 0.0)
    return events.with_column("time", events.column("time") + shift)
