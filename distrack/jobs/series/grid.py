"""The grid of a temporal condensation: the durations of a track that divide a budget of seconds."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from distrack.audio import SAMPLE_RATE
from distrack.distill.config import LONGEST, MOST_TRACKS, SHORTEST
from distrack.validation import Config

# Durations that an error message names.
_NAMED = 8
Duration = Annotated[float, Field(ge=SHORTEST, le=LONGEST)]


def fitting(budget_seconds: float) -> tuple[float, ...]:
    """Durations, in whole milliseconds, that divide a budget into a whole number of tracks, the shortest first.

    >>> fitting(1.0)
    (0.1, 0.125, 0.2, 0.25, 0.5, 1.0)
    """
    most = min(MOST_TRACKS, int(budget_seconds / SHORTEST + 1e-9))
    shares = [budget_seconds / count for count in range(most, 0, -1)]
    whole = [round(share, 3) for share in shares if abs(share - round(share, 3)) < 1e-9]
    return tuple(share for share in whole or shares[-1:] if share <= LONGEST)


def usual(budget_seconds: float, among: Sequence[float] | None = None) -> tuple[float, ...]:
    """Three durations that differ enough to be compared, out of `among` or of all that fit the budget.

    >>> usual(3.0)
    (0.5, 1.0, 3.0)
    """
    fit = tuple(fitting(budget_seconds) if among is None else among)
    for counts in ((6, 3, 1), (4, 2, 1)):
        chosen = tuple(share for share in fit if round(budget_seconds / share) in counts)
        if len(chosen) == len(counts):
            return chosen
    return fit[-3:]


class Grid(Config):
    """A budget in seconds, divided into tracks of several durations."""

    budget_seconds: Annotated[float, Field(ge=SHORTEST, le=LONGEST * MOST_TRACKS, title="Seconds per class")] = 3.0
    """Budget: seconds of tracks per class, whatever the length of a track."""
    durations: Annotated[tuple[Duration, ...], Field(title="Track lengths (s)")] = Field(
        default_factory=lambda data: usual(data.get("budget_seconds", 3.0))
    )
    """Lengths of a track in seconds; each divides the budget into a whole number of tracks."""

    @field_validator("durations")
    @classmethod
    def _in_order(cls, durations: tuple[float, ...]) -> tuple[float, ...]:
        if not durations:
            raise ValueError("name at least one")
        return tuple(sorted(durations))

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for duration in self.durations:
            # To the sample: a third of a second cannot be written down.
            if abs(self.budget_seconds / max(self.tracks(duration), 1) - duration) > 0.5 / SAMPLE_RATE:
                near = sorted(fitting(self.budget_seconds), key=lambda fit: abs(fit - duration))[:_NAMED]
                raise ValueError(
                    f"durations {duration:g}: a budget of {self.budget_seconds:g} s is no whole number of tracks of "
                    f"{duration:g} s; what fits: {', '.join(f'{fit:g}' for fit in sorted(near)) or 'nothing'}"
                )
        counts = list(map(self.tracks, self.durations))
        if len(set(counts)) < len(counts):
            raise ValueError(f"durations {', '.join(f'{d:g}' for d in self.durations)}: name each once")
        return self

    def tracks(self, duration: float) -> int:
        """Tracks per class of a duration."""
        return round(self.budget_seconds / duration)
