"""What a decomposition may use, whatever its method: a number of events, a time, and a seed."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from distrack.decompose.events import MOST_EVENTS


class Budget(BaseModel):
    """The limits that every decomposer keeps to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    events: Annotated[
        int, Field(ge=1, le=MOST_EVENTS, title="Max. events", description="The sound is split into at most this many.")
    ] = 64
    time_limit: Annotated[
        float | None,
        Field(
            gt=0,
            le=86_400,
            title="Time limit (s)",
            description="Seconds of computing after which the events found so far are the result.",
        ),
    ] = None
    seed: Annotated[int, Field(ge=0, lt=2**32, title="Seed", description="Seed of all random choices.")] = 0
