"""What a temporal condensation has measured: accuracy against duration at an equal budget."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from distrack.evaluate import Accuracy, Report
from distrack.jobs.series.cells import Cell, Tabulated, in_common, pooled
from distrack.jobs.series.grid import MEASURED, NOTES, CondenseJob


class Row(BaseModel):
    """What was measured at one duration; None where no cell of it is done.

    Attributes:
        seconds_per_track, tracks_per_class: the duration, and how many of it the budget holds.
        rendered_per_class: tracks that are rendered from what is stored for these.
        floats_per_class: numbers stored for one class, labels counted.
        train, test, skipped: clips on each side, and files that could not be used at this duration.
        runs: the cells that are done.
        synthetic: of the distilled tracks, over all distillation seeds and evaluation seeds.
        random_selection: of as many real clips of the same length, over all evaluation seeds.
        gain: difference of the means.
    """

    model_config = ConfigDict(frozen=True)

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
    """`report.json` of a condensation: accuracy against duration at an equal budget, as far as it is measured.

    Attributes:
        evaluator: by which the accuracies were measured.
    """

    budget_seconds: float
    evaluator: str
    rows: tuple[Row, ...]


def tabulated(job: CondenseJob, reports: Mapping[Cell, Report]) -> CondenseReport:
    """What the cells that are done have measured."""
    rows = tuple(
        _row(distillation.seconds, distillation.ipc, distillation.parameterisation, reports)
        for distillation in job.distillations
    )
    notes = [*NOTES, *(note for report in reports.values() for note in report.split.notes)]
    if len({(row.train, row.test) for row in rows if row.test is not None}) > 1:
        notes.append("not every duration has the same clips: one whose first seconds are silent cannot be used")
    common = in_common(job, reports, notes)
    return CondenseReport(**common, budget_seconds=job.budget_seconds, evaluator=MEASURED[0], rows=rows)


def _row(seconds: float, tracks: int, parameterisation: str, reports: Mapping[Cell, Report]) -> Row:
    mine = {cell.run_id: report for cell, report in reports.items() if cell.job.ipc == tracks}
    plain = Row(seconds_per_track=seconds, tracks_per_class=tracks, parameterisation=parameterisation)
    if not mine:
        return plain
    last = list(mine.values())[-1]
    learnt = pooled(_measured(report, "synthetic") for report in mine.values())
    chosen = pooled(_measured(report, "random-selection") for report in mine.values())
    return plain.model_copy(
        update={
            "rendered_per_class": last.rendered_per_class,
            "floats_per_class": last.floats_per_class,
            "train": last.split.train,
            "test": last.split.test,
            "skipped": last.skipped,
            "runs": tuple(mine),
            "synthetic": learnt,
            "random_selection": chosen,
            "gain": learnt.mean - chosen.mean,
        }
    )


def _measured(report: Report, trained_on: str) -> tuple[float, ...]:
    wanted = (MEASURED[0], trained_on)
    return next(e.accuracy.runs for e in report.evaluations if (e.evaluator, e.trained_on) == wanted)
