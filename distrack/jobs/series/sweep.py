"""A sweep: one distillation over several numbers of tracks per class, every official fold, or several seeds."""

import shlex
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, field_validator

from distrack import datasets
from distrack.errors import ConfigError
from distrack.evaluate import Accuracy, Evaluation, Report
from distrack.jobs.distillation.job import DistillJob
from distrack.jobs.series.cells import Cell, Distillations, Group, Tabulated, in_common, pooled
from distrack.validation import from_preset

# Options of a command that say how many runs there are.
_MANY = ("--ipc", "--test-fold", "--seeds")


class SweepJob(Distillations):
    """Distillations that differ in tracks per class, test fold or seed, and in nothing else that was asked for.

    Attributes:
        distillations: one for each number of tracks per class, the fewest first, with the first seed.
        folds: official folds to test on, each in turn: cross-validation; none is the distillations' own.
    """

    folds: tuple[int, ...] = ()

    @field_validator("distillations")
    @classmethod
    def _in_order(cls, distillations: tuple[DistillJob, ...]) -> tuple[DistillJob, ...]:
        counts = [job.ipc for job in distillations]
        if not counts or len(set(counts)) < len(counts):
            raise ValueError(f"ipc {','.join(map(str, counts))}: name each number of tracks once")
        return tuple(sorted(distillations, key=lambda job: job.ipc))

    @property
    def usual_name(self) -> str:
        """What a sweep is called unless it is named."""
        folds = "_folds" * bool(self.folds)
        return f"{self.first.usual_name}{''.join(f'-{job.ipc}' for job in self.distillations[1:])}{folds}"

    def groups(self, sweep_id: str) -> list[Group]:
        """Every cell in the order of work; folds are side by side, or numbers of tracks where there are no folds."""
        found = []
        for seed in self.every_seed():
            said = f"seed {seed}" if self.seeds > 1 else ""
            jobs = [job.model_copy(update={"seed": seed}) for job in self.distillations]
            if not self.folds:
                found.append(Group(said.capitalize(), tuple(self._cell(sweep_id, job, None) for job in jobs)))
                continue
            for job in jobs:
                counted = f"{job.ipc} per class" if len(jobs) > 1 else ""
                title = ", ".join(filter(None, (counted, said))).capitalize()
                found.append(Group(title, tuple(self._cell(sweep_id, job, fold) for fold in self.folds)))
        return found

    def _cell(self, sweep_id: str, job: DistillJob, fold: int | None) -> Cell:
        parts = {f"ipc{job.ipc}": len(self.distillations) > 1, f"fold{fold}": fold is not None}
        parts[f"seed{job.seed}"] = self.seeds > 1
        run_id = "-".join([sweep_id, *(part for part, varies in parts.items() if varies)])
        title = f"{job.ipc} per class" if fold is None else f"Test fold {fold}"
        return Cell(run_id, job if fold is None else job.model_copy(update={"test_fold": fold}), title)

    def check(self) -> None:
        """Refuses, before any work, what the dataset on this disk cannot give.

        Raises:
            DistrackError: as a distillation's own check.
        """
        for job in self.distillations:
            for fold in self.folds or (job.test_fold,):
                job.model_copy(update={"test_fold": fold}).check()

    def command(self) -> str:
        """What a person types for the same: the preset, and only what differs from it."""
        found: dict[str, dict[tuple[str, ...], None]] = {}
        for job in self.distillations:
            for option in job.options():
                found.setdefault(option[0], {})[option] = None
        # What is not the same for all is what the preset says for so many tracks.
        same = [option for options in found.values() if len(options) == 1 for option in options]
        words = [word for option in same if option[0] not in _MANY for word in option]
        words += ["--ipc", ",".join(str(job.ipc) for job in self.distillations)]
        words += (
            ["--cross-validate"]
            if self.folds
            else [word for option in same if option[0] == "--test-fold" for word in option]
        )
        words += ["--seeds", str(self.seeds)] if self.seeds > 1 else []
        return shlex.join(["python", "-m", "distrack", "distill", *words])


def sweep_of(
    distillations: Sequence[DistillJob], *, cross_validate: bool = False, seeds: int | None = None
) -> SweepJob:
    """A sweep of such distillations.

    Raises:
        ConfigError: the dataset has no folds to take in turn, or one was chosen.
    """
    dataset, chosen = distillations[0].dataset, distillations[0].test_fold
    folds = datasets.DATASETS[dataset].folds if cross_validate else ()
    if cross_validate and not folds:
        raise ConfigError(f"--cross-validate: {dataset} has no official folds")
    if cross_validate and chosen is not None:
        raise ConfigError(f"--cross-validate takes every fold in turn: leave --test-fold {chosen} away")
    return from_preset(SweepJob, {"distillations": tuple(distillations), "folds": tuple(folds), "seeds": seeds})


# The result


class SweepRow(BaseModel):
    """What was measured of one training set by one evaluator, over all cells that are done.

    Attributes:
        tracks_per_class, floats_per_class: the budget.
        evaluator, trained_on, network: as of an evaluation.
        accuracy: over folds, of each fold's mean; where there are no folds over all seeds.
        macro_f1: mean over the cells.
        gain: accuracy of the synthetic tracks over that of random clips.
        runs: the cells that it was measured in.
    """

    model_config = ConfigDict(frozen=True)

    tracks_per_class: int
    floats_per_class: int
    evaluator: str
    trained_on: str
    network: str
    accuracy: Accuracy
    macro_f1: float
    gain: float | None = None
    runs: tuple[str, ...]


class SweepReport(Tabulated):
    """`report.json` of a sweep, as far as it is measured.

    Attributes:
        folds: official folds that it goes through; none where it does not.
        test: test clips, of every fold that is done.
        disjoint_by: what no test clip shares with a training clip.
    """

    folds: tuple[int, ...]
    test: dict[str, int]
    disjoint_by: str | None
    rows: tuple[SweepRow, ...]

    @property
    def spread(self) -> str:
        """What the deviations are over."""
        return "folds" if self.folds else "seeds"


def tabulated(job: SweepJob, reports: Mapping[Cell, Report]) -> SweepReport:
    """What the cells that are done have measured."""
    notes = [note for report in reports.values() for note in report.split.notes]
    common = in_common(job, reports, notes)
    if job.folds and common["done"] < common["cells"]:
        common["notes"] += ("not every fold is done: the means are of those that are",)
    return SweepReport(
        **common,
        folds=job.folds,
        test={str(report.split.test_fold or ""): report.split.test for report in reports.values()},
        disjoint_by=next((report.split.disjoint_by for report in reports.values()), None),
        rows=tuple(row for each in job.distillations for row in _rows(each.ipc, reports, over_folds=bool(job.folds))),
    )


def _rows(tracks: int, reports: Mapping[Cell, Report], *, over_folds: bool) -> list[SweepRow]:
    found: dict[tuple[str, str, str], dict[Cell, Evaluation]] = {}
    for cell, report in reports.items():
        for evaluation in report.evaluations if cell.job.ipc == tracks else ():
            found.setdefault(evaluation.key, {})[cell] = evaluation
    accuracies = {key: _accuracy(measured, over_folds=over_folds) for key, measured in found.items()}
    rows = []
    for (evaluator, trained_on, network), measured in found.items():
        accuracy = accuracies[evaluator, trained_on, network]
        chosen = accuracies.get((evaluator, "random-selection", network)) if trained_on == "synthetic" else None
        rows.append(
            SweepRow(
                tracks_per_class=tracks,
                floats_per_class=reports[next(iter(measured))].floats_per_class,
                evaluator=evaluator,
                trained_on=trained_on,
                network=network,
                accuracy=accuracy,
                macro_f1=sum(each.macro_f1 for each in measured.values()) / len(measured),
                gain=None if chosen is None else accuracy.mean - chosen.mean,
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
