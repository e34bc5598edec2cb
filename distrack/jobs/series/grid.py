"""The grid of a temporal condensation: tracks x seconds at an equal budget, every cell a distillation of its own."""

import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from distrack.audio import SAMPLE_RATE
from distrack.distill.config import LONGEST, MOST_TRACKS, SHORTEST
from distrack.errors import ConfigError, DistrackError
from distrack.evaluate import EvaluationConfig, planned
from distrack.jobs.distillation.job import DistillJob, flat, option
from distrack.jobs.series.cells import Cell, Distillations, Group
from distrack.networks import check_shape
from distrack.validation import Overrides, from_preset, merged

# What whoever reads a result should know.
NOTES = (
    "a clip is the first seconds of its recording, as long as a track and filled with silence where the recording is "
    "shorter, for training and for testing alike: at a short duration the test clips hold less too",
    "the budget is equal in seconds of tracks per class; in floats it differs a little with frames and labels",
    "the feature is the same everywhere; steps, factor and the like are what the preset says for so many such tracks",
)
# What every cell is measured by: the curve needs no more.
MEASURED = ("random-cnn", ("synthetic", "random-selection"))
_NAMED = 8
Duration = Annotated[float, Field(ge=SHORTEST, le=LONGEST)]
T = TypeVar("T")


def fitting(budget_seconds: float) -> tuple[float, ...]:
    """Durations of whole milliseconds that a budget holds a whole number of times, the shortest first.

    >>> fitting(1.0)
    (0.1, 0.125, 0.2, 0.25, 0.5, 1.0)
    """
    most = min(MOST_TRACKS, int(budget_seconds / SHORTEST + 1e-9))
    shares = [budget_seconds / count for count in range(most, 0, -1)]
    whole = [round(share, 3) for share in shares if abs(share - round(share, 3)) < 1e-9]
    return tuple(share for share in whole or shares[-1:] if share <= LONGEST)


def usual(budget_seconds: float, among: Sequence[float] | None = None) -> tuple[float, ...]:
    """Three of the durations that fit, or of some of them, far enough apart to tell something.

    >>> usual(3.0)
    (0.5, 1.0, 3.0)
    """
    fit = tuple(fitting(budget_seconds) if among is None else among)
    for counts in ((6, 3, 1), (4, 2, 1)):
        chosen = tuple(share for share in fit if round(budget_seconds / share) in counts)
        if len(chosen) == len(counts):
            return chosen
    return fit[-3:]


class Grid(BaseModel):
    """How a budget is cut into tracks.

    Attributes:
        budget_seconds: seconds of tracks that a class has, whatever their length.
        durations: lengths of a track, the shortest first; the budget holds each a whole number of times.
        seeds: distillations of each duration, each with a seed of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget_seconds: Annotated[float, Field(ge=SHORTEST, le=LONGEST * MOST_TRACKS)] = 3.0
    durations: tuple[Duration, ...] = Field(default_factory=lambda data: usual(data.get("budget_seconds", 3.0)))
    seeds: Annotated[int, Field(ge=1, le=100)] = 1

    @field_validator("durations")
    @classmethod
    def _in_order(cls, durations: tuple[float, ...]) -> tuple[float, ...]:
        if not durations:
            raise ValueError("name one at least")
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
        """Tracks per class of that length."""
        return round(self.budget_seconds / duration)


class CondenseJob(Grid, Distillations):
    """A temporal condensation.

    Attributes:
        distillations: for each duration what is distilled, how, and how it is measured, with the first seed.
    """

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        wanted = [(duration, self.tracks(duration)) for duration in self.durations]
        if [(job.seconds, job.ipc) for job in self.distillations] != wanted:
            raise ValueError(f"distillations: there must be one of each of {wanted} (seconds, tracks), in that order")
        for job in self.distillations:
            _check_measured(job, job.evaluation)
        if any(job.feature != self.first.feature for job in self.distillations):
            raise ValueError("feature: it must be the same for every duration")
        return self

    @property
    def usual_name(self) -> str:
        """What a condensation is called unless it is named."""
        return f"{self.first.usual_name.rpartition('_')[0]}_{self.budget_seconds:g}s"

    def groups(self, condensation_id: str) -> list[Group]:
        """Every cell in the order of work: all durations with one seed, then with the next."""
        return [
            Group(
                f"Seed {seed}" if self.seeds > 1 else "",
                tuple(
                    Cell(
                        f"{condensation_id}-{job.seconds:g}s-{seed}",
                        job.model_copy(update={"seed": seed}),
                        f"{job.ipc} x {job.seconds:g} s",
                    )
                    for job in self.distillations
                ),
            )
            for seed in self.every_seed()
        ]

    def check(self) -> None:
        """Refuses, before any work, what the dataset on this disk cannot give.

        Raises:
            DistrackError: as a distillation's own check, with the duration where it is not for all of them.
        """
        _each(self.durations, lambda duration: self.distillations[self.durations.index(duration)].check())

    def command(self) -> str:
        """What a person types for the same: the preset, and only what differs from it."""
        common = {"dataset": self.first.dataset, "preset": self.first.preset, "domain": self.first.domain}
        words = ["python", "-m", "distrack", "condense", "--dataset", self.first.dataset]
        words += ["--budget-seconds", f"{self.budget_seconds:g}"]
        words += ["--durations", ",".join(f"{duration:.15g}" for duration in self.durations)]
        words += ["--feature-type", self.first.feature.name, "--preset", self.first.preset]
        words += ["--seeds", str(self.seeds)] if self.seeds > 1 else []
        words += ["--domain", self.first.domain] if self.first.domain != "spectral" else []
        grid = {"budget_seconds": self.budget_seconds, "durations": self.durations}
        plain = condense_job({**grid, **common, "feature": {"name": self.first.feature.name}})
        # What was asked for may be, at one duration, what the preset says there.
        asked: dict[str, Any] = {}
        for mine, usually in zip(self.distillations, plain.distillations, strict=True):
            before = dict(flat(usually))
            asked |= {field: value for field, value in flat(mine) if field not in before or before[field] != value}
        return shlex.join(words + [word for field, value in asked.items() for word in option(field, value)])


def condense_job(asked: Overrides) -> CondenseJob:
    """A condensation: of the grid what its fields are asked, of every cell's distillation the rest; None is not asked.

    A preset may choose another feature for longer tracks; here all have that of the shortest, else neither floats nor
    test images would be alike.

    Raises:
        ConfigError: one line that names the field, the value and what is allowed.
    """
    grid = from_preset(Grid, {field: asked.get(field) for field in Grid.model_fields})
    evaluator, sets = MEASURED
    usually = {"evaluation": {"evaluators": (evaluator,), "baselines": sets[1:]}}
    rest = merged(usually, {field: value for field, value in asked.items() if field not in Grid.model_fields})

    def distillation(duration: float) -> DistillJob:
        return from_preset(DistillJob, {**rest, "duration": duration, "ipc": grid.tracks(duration)})

    with suppress(ConfigError):  # said below, with its duration
        rest["feature"] = distillation(grid.durations[0]).feature.model_dump()
    cut = _each(grid.durations, distillation)
    return from_preset(CondenseJob, {**grid.model_dump(), "distillations": cut})


def possible(asked: Overrides) -> tuple[float, ...]:
    """Of the durations that fit the budget those whose images are long enough for the networks, the shortest first.

    Args:
        asked: as `condense_job` takes it, whatever durations it names.
    """
    grid = from_preset(Grid, {"budget_seconds": asked.get("budget_seconds"), "durations": None})
    found = []
    for duration in fitting(grid.budget_seconds):
        with suppress(ConfigError):
            found.append(condense_job({**asked, "durations": (duration,)}).durations[0])
    return tuple(found)


def _check_measured(job: DistillJob, evaluation: EvaluationConfig | None) -> None:
    evaluator, sets = MEASURED
    measured = {(asked.evaluator, asked.trained_on) for asked in (() if evaluation is None else planned(evaluation))}
    lacking = [trained_on for trained_on in sets if (evaluator, trained_on) not in measured]
    if evaluation is None or lacking:
        raise ValueError(f"evaluation: a condensation needs {evaluator} on {' and '.join(lacking)}")
    try:
        check_shape(evaluation.network, job.feature.shape(job.samples))
    except ValueError as error:
        raise ValueError(f"duration {job.seconds:g}: evaluation: {error}") from None


def _each(durations: tuple[float, ...], made: Callable[[float], T]) -> tuple[T, ...]:
    """One of something for each duration; what is wrong with some of them is said of the first of these."""
    results: list[T] = []
    wrong: dict[float, DistrackError] = {}
    for duration in durations:
        try:
            results.append(made(duration))
        except DistrackError as error:
            wrong[duration] = error
    if wrong:
        duration, first = next(iter(wrong.items()))
        if len(wrong) == len(durations) and len(set(map(str, wrong.values()))) == 1:
            raise first
        raise ConfigError(f"duration {duration:g}: {first}")
    return tuple(results)
