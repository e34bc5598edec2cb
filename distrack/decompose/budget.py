"""What a decomposition may use, whatever its method: a number of events, a time, and a seed."""

from typing import Annotated

from pydantic import Field

from distrack.decompose.events import MOST_EVENTS
from distrack.validation import Config


class Budget(Config):
    """The limits that every decomposer keeps to."""

    events: Annotated[int, Field(ge=1, le=MOST_EVENTS, title="Max. events")] = 64
    """The sound is split into at most this many."""
    time_limit: Annotated[float | None, Field(gt=0, le=86_400, title="Time limit (s)")] = None
    """Seconds of computing after which the events found so far are the result."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of all random choices."""
