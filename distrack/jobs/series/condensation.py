"""A temporal condensation: more short tracks or fewer long ones, at an equal budget of seconds."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from distrack.audio import SAMPLE_RATE
from distrack.distill.config import LONGEST, MOST_TRACKS, SHORTEST
from distrack.errors import ConfigError, DistrackError
from distrack.evaluate import Accuracy, EvaluationConfig, Report, formed, measurements
from distrack.jobs.contract import Job, Table, register
from distrack.jobs.distillation import DistillJob
from distrack.jobs.series.series import Cell, Series, Tabulated, pooled
from distrack.networks import check_shape
from distrack.options import FieldOption, options_of
from distrack.validation import Config, Overrides, Record, from_preset, merged

# Sentences that a reader of a result should know.
NOTES = (
    "clips are cut or padded to the track length, in training and in test: at a short length test clips hold less too",
    "the budget is equal in seconds of tracks per class; in floats it differs a little with frames and labels",
    "the feature is the same for every length; the preset chooses steps, factor and other settings for each length",
)
# The evaluator and the training sets that every cell is measured with: the curve needs no more.
MEASURED = ("random-cnn", ("synthetic", "random-selection"))
# Fields of a distillation that the grid decides.
_OF_THE_GRID = ({"ipc"}, {"duration"})
# Durations that an error message names.
_NAMED = 8
Duration = Annotated[float, Field(ge=SHORTEST, le=LONGEST)]
T = TypeVar("T")


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


class Row(Record):
    """The figures of one duration; None if no cell of it is done.

    Attributes:
        seconds_per_track, tracks_per_class: the duration, and the number of such tracks in the budget.
        rendered_per_class: tracks that are rendered from their storage.
        floats_per_class: numbers stored for one class, labels counted.
        train, test, skipped: clips on each side, and files that could not be used at this duration.
        runs: ids of the cells that are done.
        synthetic: accuracy of the distilled tracks over all distillation seeds and evaluation seeds.
        random_selection: accuracy of as many real clips of the same length over all evaluation seeds.
        gain: difference of the means.
    """

    seconds_per_track: float
    tracks_per_class: int
    parameterisation: str
    rendered_per_class: int | None = None
    floats_per_class: int | None = None
    train: int | None = None
    test: int | None = None
    skipped: int | None = None
    runs: tuple[str, ...] = ()
    synthetic: Accuracy | None = None
    random_selection: Accuracy | None = None
    gain: float | None = None


class CondenseReport(Tabulated):
    """`report.json` of a condensation: a row for each duration, at an equal budget in seconds of tracks per class."""

    budget_seconds: float
    evaluator: str
    rows: tuple[Row, ...]


@register
class CondenseJob(Grid, Series):
    """Temporal condensation: more short tracks or fewer long ones, at an equal budget of seconds?

    Distills the dataset once for each duration (and seed), every time to as many tracks as the budget holds, and
    compares each result with random clips of the same number and length. Clips are cut or padded to the track length,
    in training and test. Each distillation is an ordinary run, named ID-SECONDSs-SEED.
    """

    kind: ClassVar[str] = "condensation"
    verb: ClassVar[str] = "condense"
    summary: ClassVar[str] = "Compares more short tracks with fewer long ones, at an equal budget of seconds."
    report_type: ClassVar[type[CondenseReport]] = CondenseReport
    folder: ClassVar[str] = "_condensations"

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
        return f"{self.first.usual_name.rpartition('_')[0]}_{self.budget_seconds:g}s"

    @property
    def title(self) -> str:
        seconds = ", ".join(f"{duration:g}" for duration in self.durations)
        seeds = f" · {self.seeds} seeds" * (self.seeds > 1)
        return self.first.titled(f"{self.budget_seconds:g} s per class as tracks of {seconds} s") + seeds

    def cell(self, series_id: str, job: DistillJob) -> Cell:
        """A cell whose run is named by duration and seed."""
        return Cell(f"{series_id}-{job.seconds:g}s-{job.seed}", job, f"{job.ipc} x {job.seconds:g} s")

    def check(self) -> None:
        """Checks the distillation of every duration; an error names its duration unless all have it."""
        jobs = dict(zip(self.durations, self.distillations, strict=True))
        _each(self.durations, lambda duration: jobs[duration].check())

    def tabulated(self, reports: Mapping[Cell, Report]) -> CondenseReport:
        rows = tuple(_row(job, reports) for job in self.distillations)
        notes = [*NOTES, *(note for report in reports.values() for note in report.split.notes)]
        if len({(row.train, row.test) for row in rows if row.test is not None}) > 1:
            notes.append("not every duration has the same clips: one whose first seconds are silent cannot be used")
        common = self.in_common(reports, notes)
        return CondenseReport(**common, budget_seconds=self.budget_seconds, evaluator=MEASURED[0], rows=rows)

    @classmethod
    def options(cls) -> list[FieldOption]:
        """The options of the grid, and those of a distillation that the grid does not decide."""
        own = [option for option in options_of(cls) if option.path[0] != "distillations"]
        return own + [option for option in options_of(DistillJob) if set(option.path) not in _OF_THE_GRID]

    @classmethod
    def from_overrides(cls, overrides: Overrides, runs_path: Path | None = None) -> Job:  # noqa: ARG003
        """A condensation from the grid's fields and those of a distillation."""
        return cls.validated(overrides) if "distillations" in overrides else condense_job(overrides)

    def always_written(self) -> dict[tuple[str, ...], Any]:
        grid = {("budget_seconds",): self.budget_seconds, ("durations",): self.durations}
        return super().always_written() | grid

    @classmethod
    def tables(cls, report: Any, run_id: str) -> list[Table]:
        rows = []
        for row in report.rows:
            cells = [f"{row.seconds_per_track:g}", str(row.tracks_per_class)]
            cells += ["" if count is None else f"{count:,}" for count in (row.rendered_per_class, row.floats_per_class)]
            cells += ["" if row.test is None else f"{row.test:,}"]
            for accuracy in (row.synthetic, row.random_selection):
                cells.append("" if accuracy is None else accuracy.text)
            rows.append((*cells, "" if row.gain is None else f"{row.gain:+.3f}"))
        columns = ("seconds", "tracks", "rendered", "floats", "test clips", "synthetic", "random selection", "gain")
        title = f"{run_id}: {report.budget_seconds:g} s of tracks per class, accuracy by {report.evaluator}"
        return [Table(title, columns, rows, [f"note: {note}" for note in report.notes])]


def condense_job(overrides: Overrides) -> CondenseJob:
    """A condensation from overrides of the grid and of every cell's distillation; None counts as absent.

    A preset may choose another feature for longer tracks; here all cells have that of the shortest, else neither floats
    nor test images would be comparable.

    Raises:
        ConfigError: one line that names the field, the value and what is allowed.
    """
    grid = from_preset(Grid, {field: overrides.get(field) for field in Grid.model_fields})
    evaluator, sets = MEASURED
    usually = {"evaluation": {"evaluators": (evaluator,), "baselines": sets[1:]}}
    given = {field: value for field, value in overrides.items() if field not in {*Grid.model_fields, "seeds"}}
    rest = merged(usually, given)
    if "evaluation" in overrides and overrides["evaluation"] is None:
        rest["evaluation"] = None

    def distillation(duration: float) -> DistillJob:
        return DistillJob.validated({**rest, "duration": duration, "ipc": grid.tracks(duration)})

    with suppress(ConfigError):  # raised below, with its duration
        rest["feature"] = distillation(grid.durations[0]).feature.model_dump()
    distillations = _each(grid.durations, distillation)
    own = {**grid.model_dump(), "distillations": distillations, "seeds": overrides.get("seeds")}
    return from_preset(CondenseJob, own)


def possible(overrides: Overrides) -> tuple[float, ...]:
    """The durations that fit the budget and whose images are long enough for the networks, the shortest first.

    Args:
        overrides: as for `condense_job`; durations in it are ignored.
    """
    grid = from_preset(Grid, {"budget_seconds": overrides.get("budget_seconds"), "durations": None})
    durations = []
    for duration in fitting(grid.budget_seconds):
        with suppress(ConfigError):
            durations.append(condense_job({**overrides, "durations": (duration,)}).durations[0])
    return tuple(durations)


def _check_measured(job: DistillJob, evaluation: EvaluationConfig | None) -> None:
    evaluator, sets = MEASURED
    plan = () if evaluation is None else measurements(evaluation)
    measured = {(each.evaluator, formed(each.trained_on, each.form)) for each in plan}
    lacking = [trained_on for trained_on in sets if (evaluator, trained_on) not in measured]
    if evaluation is None or lacking:
        raise ValueError(f"evaluation: a condensation needs {evaluator} on {' and '.join(lacking)}")
    try:
        check_shape(evaluation.network, job.feature.shape(job.samples))
    except ValueError as error:
        raise ValueError(f"duration {job.seconds:g}: evaluation: {error}") from None


def _each(durations: tuple[float, ...], make: Callable[[float], T]) -> tuple[T, ...]:
    """A result for each duration; an error names its duration, unless it is the same for all of them."""
    results: list[T] = []
    errors: dict[float, DistrackError] = {}
    for duration in durations:
        try:
            results.append(make(duration))
        except DistrackError as error:
            errors[duration] = error
    if not errors:
        return tuple(results)
    duration, first = next(iter(errors.items()))
    if len(errors) == len(durations) and len(set(map(str, errors.values()))) == 1:
        raise first
    raise ConfigError(f"duration {duration:g}: {first}")


def _row(job: DistillJob, reports: Mapping[Cell, Report]) -> Row:
    of_duration = {cell.run_id: report for cell, report in reports.items() if cell.job.ipc == job.ipc}
    empty = Row(seconds_per_track=job.seconds, tracks_per_class=job.ipc, parameterisation=job.parameterisation.name)
    if not of_duration:
        return empty
    *_, last = of_duration.values()
    synthetic, random_selection = (
        pooled(_figures(report, trained_on) for report in of_duration.values()) for trained_on in MEASURED[1]
    )
    return empty.model_copy(
        update={
            "rendered_per_class": last.rendered_per_class,
            "floats_per_class": last.floats_per_class,
            "train": last.split.train,
            "test": last.split.test,
            "skipped": last.skipped,
            "runs": tuple(of_duration),
            "synthetic": synthetic,
            "random_selection": random_selection,
            "gain": synthetic.mean - random_selection.mean,
        }
    )


def _figures(report: Report, trained_on: str) -> tuple[float, ...]:
    wanted = (MEASURED[0], trained_on)
    return next(e.accuracy.runs for e in report.evaluations if (e.evaluator, e.training_set) == wanted)
