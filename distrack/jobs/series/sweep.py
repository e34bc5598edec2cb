"""A sweep: one distillation over several numbers of tracks per class, every official fold, or several seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from distrack import datasets
from distrack.errors import ConfigError
from distrack.evaluate import Accuracy, Evaluation, Report, formed
from distrack.jobs.contract import Job, Table, register
from distrack.jobs.distillation import DistillJob
from distrack.jobs.series.series import Cell, Group, Series, Tabulated, pooled
from distrack.options import FieldOption, options_of
from distrack.validation import Config, Overrides, Record, from_preset

_IPC = ("ipc",)


class SweepRow(Record):
    """Figures of one evaluator on one training set, over all cells that are done.

    Attributes:
        tracks_per_class, floats_per_class: the budget.
        accuracy: over the folds, each with the mean of its seeds; over all seeds if there are no folds.
        macro_f1: mean over the cells.
        form: `sound` if the tracks were exported as sounds and analysed again, else `image`.
        gain: accuracy of the synthetic tracks minus that of random clips.
        added: accuracy of the synthetic tracks minus that of real clips in the same storage.
        runs: ids of the cells that measured it.
    """

    tracks_per_class: int
    floats_per_class: int
    evaluator: str
    trained_on: str
    network: str
    form: str = "image"
    accuracy: Accuracy
    macro_f1: float
    gain: float | None = None
    added: float | None = None
    runs: tuple[str, ...]

    @property
    def training_set(self) -> str:
        """What the evaluator learnt from: `trained_on`, and the form unless that is the usual one."""
        return formed(self.trained_on, self.form)


class SweepReport(Tabulated):
    """`report.json` of a sweep, as far as it is measured.

    Attributes:
        folds: official folds that are tested on in turn; empty without cross-validation.
        test: number of test clips by fold, of the folds that are done.
        disjoint_by: what no test clip shares with a training clip.
    """

    folds: tuple[int, ...]
    test: dict[str, int]
    disjoint_by: str | None
    rows: tuple[SweepRow, ...]

    @property
    def spread(self) -> str:
        """The repetitions that deviations are computed over."""
        return "folds" if self.folds else "seeds"


class SweepOptions(Config):
    """The options of `distill` that make a sweep, beside several numbers of tracks per class."""

    cross_validate: Annotated[bool, Field(title="Cross-validate")] = False
    """Cross-validate over the official folds."""
    seeds: Annotated[int | None, Field(ge=1, le=100)] = None
    """Distillations, each with a seed of its own; the first is --seed."""


@register
class SweepJob(Series):
    """Distills a dataset and evaluates the result; several numbers of tracks, every fold or several seeds make a sweep.

    A sweep is a series of ordinary runs, one after the other, and a table of all of them. Its distillations differ in
    tracks per class, test fold or seed, and otherwise only where the preset depends on the number of tracks. With
    --name, the same command continues a run or a sweep that was interrupted.
    """

    kind: ClassVar[str] = "sweep"
    verb: ClassVar[str] = DistillJob.verb
    summary: ClassVar[str] = DistillJob.summary
    report_type: ClassVar[type[SweepReport]] = SweepReport
    folder: ClassVar[str] = "_sweeps"

    folds: tuple[int, ...] = ()
    """Official folds to test on in turn; empty for the distillations' own."""

    @field_validator("distillations")
    @classmethod
    def _in_order(cls, distillations: tuple[DistillJob, ...]) -> tuple[DistillJob, ...]:
        counts = [job.ipc for job in distillations]
        if not counts or len(set(counts)) < len(counts):
            raise ValueError(f"ipc {','.join(map(str, counts))}: name each number of tracks once")
        return tuple(sorted(distillations, key=lambda job: job.ipc))

    @property
    def usual_name(self) -> str:
        folds = "_folds" * bool(self.folds)
        return f"{self.first.usual_name}{''.join(f'-{job.ipc}' for job in self.distillations[1:])}{folds}"

    @property
    def title(self) -> str:
        counts = ", ".join(str(each.ipc) for each in self.distillations)
        folds = f" · {len(self.folds)} folds" * bool(self.folds)
        seeds = f" · {self.seeds} seeds" * (self.seeds > 1)
        tracks = "track" if counts == "1" else "tracks"
        return self.first.titled(f"{counts} {tracks} per class") + folds + seeds

    def groups(self, series_id: str) -> list[Group]:
        """All cells in the order of work: folds side by side, or numbers of tracks if there are no folds."""
        if not self.folds:
            return super().groups(series_id)
        groups = []
        for label, jobs in self.by_seed():
            for job in jobs:
                count = f"{job.ipc} per class" if len(jobs) > 1 else ""
                title = ", ".join(filter(None, (count, label.lower()))).capitalize()
                of_folds = (job.model_copy(update={"test_fold": fold}) for fold in self.folds)
                groups.append(Group(title, tuple(self.cell(series_id, each) for each in of_folds)))
        return groups

    def cell(self, series_id: str, job: DistillJob) -> Cell:
        """A cell whose run is named by what varies in the sweep."""
        parts = {f"ipc{job.ipc}": len(self.distillations) > 1, f"fold{job.test_fold}": bool(self.folds)}
        parts[f"seed{job.seed}"] = self.seeds > 1
        run_id = "-".join([series_id, *(part for part, varies in parts.items() if varies)])
        return Cell(run_id, job, f"Test fold {job.test_fold}" if self.folds else f"{job.ipc} per class")

    def check(self) -> None:
        for job in self.distillations:
            for fold in self.folds or (job.test_fold,):
                job.model_copy(update={"test_fold": fold}).check()

    def tabulated(self, reports: Mapping[Cell, Report]) -> SweepReport:
        notes = [note for report in reports.values() for note in report.split.notes]
        common = self.in_common(reports, notes)
        if self.folds and common["done"] < common["cells"]:
            common["notes"] += ("not every fold is done: the means are of those that are",)
        return SweepReport(
            **common,
            folds=self.folds,
            test={str(report.split.test_fold or ""): report.split.test for report in reports.values()},
            disjoint_by=next((report.split.disjoint_by for report in reports.values()), None),
            rows=tuple(row for job in self.distillations for row in _rows(job.ipc, reports, bool(self.folds))),
        )

    @classmethod
    def options(cls) -> list[FieldOption]:
        """The options of a distillation, with several numbers of tracks, and those of `SweepOptions`."""
        own = {option.path: option for option in options_of(DistillJob)}
        own[_IPC] = own[_IPC]._replace(several=True, metavar="INTEGER,...")
        return [*own.values(), *options_of(SweepOptions)]

    @classmethod
    def from_overrides(cls, overrides: Overrides, runs_path: Path | None = None) -> Job:  # noqa: ARG003
        """A single distillation, or a sweep if there are several numbers of tracks, folds or seeds."""
        if "distillations" in overrides:
            return cls.validated(overrides)
        rest = dict(overrides)
        options = SweepOptions.validated({name: rest.pop(name) for name in SweepOptions.model_fields if name in rest})
        counts = rest.pop("ipc", None)
        listed = counts if isinstance(counts, (tuple, list)) else (counts,)
        jobs = [
            DistillJob.validated({**rest, **({} if count is None else {"ipc": count})}) for count in listed or (None,)
        ]
        if len(jobs) == 1 and not options.cross_validate and options.seeds is None:
            return jobs[0]
        return sweep_of(jobs, cross_validate=options.cross_validate, seeds=options.seeds)

    def always_written(self) -> dict[tuple[str, ...], Any]:
        """Also the numbers of tracks, and what makes it a sweep."""
        written = super().always_written() | {_IPC: tuple(job.ipc for job in self.distillations)}
        if self.folds:
            written["cross_validate",] = True
        elif len(self.distillations) == 1:  # without its seeds it would be a single distillation
            written["seeds",] = self.seeds
        return written

    @classmethod
    def tables(cls, report: Any, run_id: str) -> list[Table]:
        tested = f"{sum(report.test.values()):,} test clips disjoint by {report.disjoint_by}"
        rows = [
            (
                str(row.tracks_per_class),
                f"{row.floats_per_class:,}",
                row.evaluator,
                row.training_set,
                row.network,
                row.accuracy.text,
                row.accuracy.interval_text,
                "" if row.gain is None else f"{row.gain:+.3f}",
                "" if row.added is None else f"{row.added:+.3f}",
                f"{row.macro_f1:.3f}",
            )
            for row in report.rows
        ]
        names = ("tracks", "floats", "evaluator", "trained on", "network")
        columns = (*names, "accuracy", "95 %", "gain", "added", "macro F1")
        title = f"{run_id}: {report.dataset}, {tested}; deviations over {report.spread}"
        return [Table(title, columns, rows, [f"note: {note}" for note in report.notes])]


def sweep_of(
    distillations: Sequence[DistillJob], *, cross_validate: bool = False, seeds: int | None = None
) -> SweepJob:
    """A sweep of distillations.

    Args:
        distillations: one for each number of tracks per class.
        cross_validate: test on each fold in turn.
        seeds: distillations of each, each with a seed of its own; one if None.

    Raises:
        ConfigError: the dataset has no folds, or the distillations name one fold.
    """
    first = distillations[0]
    chosen, folds = first.test_fold, tuple[int, ...]()
    if cross_validate:
        folds = datasets.folds(first.dataset, first.data_path, layout=first.layout, subset=first.subset)
    if cross_validate and not folds:
        raise ConfigError(f"--cross-validate: {first.dataset} has no folds")
    if cross_validate and chosen is not None:
        raise ConfigError(f"--cross-validate tests on every fold in turn: remove --test-fold {chosen}")
    return from_preset(SweepJob, {"distillations": tuple(distillations), "folds": tuple(folds), "seeds": seeds})


def _rows(tracks: int, reports: Mapping[Cell, Report], over_folds: bool) -> list[SweepRow]:
    measured_by: dict[tuple[str, str, str, str], dict[Cell, Evaluation]] = {}
    for cell, report in reports.items():
        for evaluation in report.evaluations if cell.job.ipc == tracks else ():
            measured_by.setdefault(evaluation.key, {})[cell] = evaluation
    accuracies = {key: _accuracy(measured, over_folds=over_folds) for key, measured in measured_by.items()}
    rows = []
    for key, measured in measured_by.items():
        evaluator, trained_on, network, form = key
        accuracy, on_tracks = accuracies[key], trained_on == "synthetic"
        # Random clips are the same as sounds.
        random = accuracies.get((evaluator, "random-selection", network, "image")) if on_tracks else None
        control = accuracies.get((evaluator, "same-storage", network, form)) if on_tracks else None
        rows.append(
            SweepRow(
                tracks_per_class=tracks,
                floats_per_class=reports[next(iter(measured))].floats_per_class,
                evaluator=evaluator,
                trained_on=trained_on,
                network=network,
                form=form,
                accuracy=accuracy,
                macro_f1=sum(each.macro_f1 for each in measured.values()) / len(measured),
                gain=None if random is None else accuracy.mean - random.mean,
                added=None if control is None else accuracy.mean - control.mean,
                runs=tuple(cell.run_id for cell in measured),
            )
        )
    return rows


def _accuracy(measured: Mapping[Cell, Evaluation], *, over_folds: bool) -> Accuracy:
    folds: dict[int | None, list[tuple[float, ...]]] = {}
    for cell, evaluation in measured.items():
        folds.setdefault(cell.job.test_fold, []).append(evaluation.accuracy.runs)
    each = [pooled(runs) for runs in folds.values()]
    return Accuracy.of(tuple(fold.mean for fold in each)) if over_folds else each[0]
