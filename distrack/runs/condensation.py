"""A temporal condensation: a grid of ordinary runs worked on one after the other, as a job with a folder of its own.

Its folder lies below the runs path, where no run's name can be: `<runs path>/_condensations/<id>/`. Condensations on
one device wait for each other there. Each cell takes its place in the device's own queue only when the one before it is
done, so that a run launched meanwhile waits for one cell, not for the grid; and as no run ever waits for a
condensation, none can wait for another in a circle.
"""

import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from distrack.errors import DistrackError, RunError
from distrack.evaluate import Accuracy, Report, planned
from distrack.runs.control import start
from distrack.runs.control import stop as stop_run
from distrack.runs.folder import ALIVE, Run, Status, all_runs, check_name, find, make_folder, new_name
from distrack.runs.grid import MEASURED, NOTES, Cell, CondenseJob
from distrack.runs.session import Session
from distrack.runs.worker import Watch, logged, work

log = logging.getLogger(__name__)

FOLDER = "_condensations"
# `status.json` counts in whole steps; a cell has so many.
_PARTS = 100
_POLL = 0.3
# What the phases of a cell take of its time, until one has shown it.
_USUAL = {"prepare": 0.15, "distill": 0.5, "invert": 0.05, "evaluate": 0.3}


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


class CondenseReport(BaseModel):
    """`report.json` of a condensation: accuracy against duration at an equal budget, as far as it is measured.

    Attributes:
        evaluator: by which the accuracies were measured.
        classes: how many there are.
        cells, done: cells of the grid, and how many of them are done.
        notes: what whoever reads it should know.
    """

    model_config = ConfigDict(frozen=True)

    dataset: str
    feature: str
    domain: str
    preset: str
    budget_seconds: float
    seeds: int
    evaluator: str
    classes: int | None
    cells: int
    done: int
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


# The folder


def create(runs_path: Path, job: CondenseJob, name: str | None = None) -> Run:
    """A new condensation's folder with its config; its cells' folders come with the work.

    Raises:
        RunError: the name or a cell's is taken or cannot be a folder's, or the runs path is not writable.
    """
    feature = job.first.feature.name.removesuffix("spectrogram")
    dataset = job.first.dataset.lower().replace("_", "-")
    name = new_name(f"{dataset}_{feature}_{job.budget_seconds:g}s") if name is None else name
    check_name(name)
    cells = job.cells(name)
    check_name(max((cell.run_id for cell in cells), key=len))
    taken = [run_id for run_id in (name, *(cell.run_id for cell in cells)) if (runs_path / run_id).exists()]
    if taken:
        raise RunError(f"run {taken[0]} exists in {runs_path}: choose another --name")
    return make_folder(runs_path / FOLDER, name, job)


def begun(runs_path: Path, job: CondenseJob, name: str | None) -> Run | None:
    """The condensation of that name, where one was begun with the same job; None where there is none of that name.

    Raises:
        RunError: it was begun with another job, or the name cannot be a folder's.
    """
    if name is None:
        return None
    check_name(name)
    if not (runs_path / FOLDER / name).is_dir():
        return None
    run = find(runs_path / FOLDER, name)
    if job_of(run) != job:
        raise RunError(
            f"condensation {name} exists in {runs_path} with other settings: choose another --name, or go on with that "
            f"one: python -m distrack resume {name}"
        )
    return run


def find_either(runs_path: Path, name: str) -> Run:
    """The run or the condensation of that id.

    Raises:
        RunError: there is none.
    """
    try:
        return find(runs_path, name)
    except RunError:
        with suppress(RunError):
            return find(runs_path / FOLDER, name)
        raise


def is_one(run: Run) -> bool:
    """Whether it is a condensation's folder, not a run's."""
    return run.path.parent.name == FOLDER


def everything(runs_path: Path) -> Iterator[Run]:
    """Every condensation, newest first; a damaged one too."""
    return all_runs(runs_path / FOLDER)


def job_of(run: Run) -> CondenseJob:
    """The job as asked.

    Raises:
        RunError: `config.json` is missing or damaged.
    """
    try:
        return CondenseJob.model_validate_json((run.path / "config.json").read_bytes())
    except (OSError, ValueError, DistrackError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"condensation {run.id}: config.json is missing or damaged ({said})") from None


def report_of(run: Run) -> CondenseReport | None:
    """What was measured so far, or None."""
    try:
        return CondenseReport.model_validate_json((run.path / "report.json").read_bytes())
    except (OSError, ValidationError):
        return None


def run_of(run: Run, cell: Cell) -> Run:
    """The run of a cell; its folder is there once work on it has begun."""
    return Run(run.path.parent.parent / cell.run_id)


def finished(run: Run, cell: Cell) -> Report | None:
    """The report of a cell that is done: all is measured that its job asks for."""
    report = run_of(run, cell).report()
    if report is None or cell.job.evaluation is None:
        return None
    there = {evaluation.key for evaluation in report.evaluations}
    return report if there.issuperset(asked.key for asked in planned(cell.job.evaluation)) else None


# From outside


def launch(run: Run) -> None:
    """Starts or goes on with a condensation as a process of its own.

    Raises:
        DistrackError: its config cannot be read or asks for a device that is not here, it is at work already, or no
            process could be started.
    """
    if run.status().state in ALIVE:
        raise RunError(f"condensation {run.id} is at work: stop it first")
    device = str(job_of(run).first.chosen_device())
    runs_path = run.path.parent.parent.absolute()
    start(run, "resume", run.id, "--runs-path", str(runs_path), device=device)


def stop(run: Run) -> Status:
    """Stops a condensation and the cell it works on; what they have done is kept.

    Raises:
        RunError: it is not at work, or did not stop in time.
    """
    status = stop_run(run)
    for cell in map(partial(run_of, run), job_of(run).cells(run.id)):
        if cell.status().state == "stale":  # was in the midst of something that cannot be interrupted
            stop_run(cell)
    return status


# The work


def work_on(run: Run, *, watch: Watch | None = None) -> CondenseReport:
    """Finishes a condensation, from wherever it stands; a cell that is done is not done again.

    A cell that fails does not keep the others from being done.

    Raises:
        DistrackError: a cell failed, or the folder cannot be written; the condensation's status says so too.
        Stopped: the condensation, or the cell at work, was asked to stop.
    """
    job = job_of(run)
    device = job.first.chosen_device()
    with Session(run, str(device)).working() as session, logged(run):
        return _Worker(run, job, session, watch).finish()


class _Worker:
    def __init__(self, run: Run, job: CondenseJob, session: Session, watch: Watch | None) -> None:
        self.run, self.job, self.session = run, job, session
        self._watch = watch or (lambda *_: None)
        self.cells = job.cells(run.id)

    def finish(self) -> CondenseReport:
        failed: dict[str, str] = {}
        self.session.phase("condense", _PARTS * len(self.cells))
        for number, cell in enumerate(self.cells):
            try:
                self._finish(number, cell)
            except DistrackError as error:
                failed[cell.run_id] = str(error)
                log.warning("run %s failed: %s", cell.run_id, error)
            report = tabulated(self.run, self.job)
            self.run.write("report.json", report.model_dump_json(indent=2))
            self._tell(_PARTS * (number + 1), cell.said)
        if failed:
            name, reason = next(iter(failed.items()))
            raise RunError(f"{len(failed)} of {len(self.cells)} cells failed, the first is {name}: {reason}")
        return report

    def _finish(self, number: int, cell: Cell) -> None:
        run = run_of(self.run, cell)
        while (status := run.status()).state in ALIVE and status.pid != os.getpid():
            self._tell(_PARTS * number, f"{cell.said}, at work in another process")
            time.sleep(_POLL)
        if not (run.path / "config.json").exists():
            shutil.rmtree(run.path, ignore_errors=True)  # cut off while it was made
            make_folder(run.path.parent, run.id, cell.job)
        if run.job() != cell.job:
            raise RunError(f"it has another config than the condensation asks for: rename or remove {run.path}")
        if status.state == "done" and finished(self.run, cell):
            return
        share = _Share(self._seconds())
        self._tell(_PARTS * number, f"{cell.said}, waiting for the device")

        def told(phase: str, done: int, total: int, detail: str, loss: float | None) -> None:  # noqa: ARG001
            self._tell(_PARTS * number + int(_PARTS * share.of(phase, done, total)), f"{cell.said}: {phase}")

        try:
            work(run, watch=told)
        except DistrackError:
            status = run.status()
            if status.state == "failed" and status.pid == os.getpid() and not (run.snapshots() or run.report()):
                # Nothing was made yet that would be worth keeping.
                shutil.rmtree(run.path, ignore_errors=True)
            raise

    def _tell(self, step: int, detail: str) -> None:
        steps = _PARTS * len(self.cells)
        self._watch("condense", step, steps, detail, None)
        self.session.progress(step, steps, detail)

    def _seconds(self) -> Mapping[str, float]:
        """What each phase took in the last cell that is done."""
        for cell in reversed(self.cells):
            if report := finished(self.run, cell):
                return report.seconds
        return _USUAL


class _Share:
    """How much of a cell is done, by the time that its phases are expected to take; it never goes back."""

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self._seconds = {phase: seconds.get(phase, 0.0) for phase in _USUAL}
        self._reached = 0.0

    def of(self, phase: str, done: int, total: int) -> float:
        """From 0 to 1."""
        order = list(self._seconds)
        before = order[: order.index(phase)] if phase in order else order
        spent = sum(self._seconds[name] for name in before)
        spent += self._seconds.get(phase, 0.0) * done / max(total, 1)
        self._reached = max(self._reached, spent / max(sum(self._seconds.values()), 1e-9))
        return min(self._reached, 1.0)


# The result


def tabulated(run: Run, job: CondenseJob) -> CondenseReport:
    """What the cells that are done have measured."""
    reports = {cell.run_id: (cell, report) for cell in job.cells(run.id) if (report := finished(run, cell))}
    rows = tuple(
        _row(distillation.seconds, distillation.ipc, distillation.parameterisation, reports)
        for distillation in job.distillations
    )
    notes = dict.fromkeys(NOTES)
    for _, report in reports.values():
        notes |= dict.fromkeys(report.split.notes)
    if len({(row.train, row.test) for row in rows if row.test is not None}) > 1:
        notes["not every duration has the same clips: one whose first seconds are silent cannot be used"] = None
    first = next((report for _, report in reports.values()), None)
    return CondenseReport(
        dataset=job.first.dataset,
        feature=job.first.feature.name,
        domain=job.first.domain,
        preset=job.first.preset,
        budget_seconds=job.budget_seconds,
        seeds=job.seeds,
        evaluator=MEASURED[0],
        classes=None if first is None else len(first.evaluations[0].confusion),
        cells=job.seeds * len(job.distillations),
        done=len(reports),
        rows=rows,
        notes=tuple(notes),
    )


def _row(seconds: float, tracks: int, parameterisation: str, reports: Mapping[str, tuple[Cell, Report]]) -> Row:
    mine = {name: report for name, (cell, report) in reports.items() if cell.job.ipc == tracks}
    plain = Row(seconds_per_track=seconds, tracks_per_class=tracks, parameterisation=parameterisation)
    if not mine:
        return plain
    last = list(mine.values())[-1]
    learnt = _pooled([_measured(report, "synthetic") for report in mine.values()])
    # The same clips and the same networks whatever the distillation's seed: counted once.
    chosen = _pooled(list(dict.fromkeys(_measured(report, "random-selection") for report in mine.values())))
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


def _pooled(groups: list[tuple[float, ...]]) -> Accuracy:
    runs = tuple(accuracy for group in groups for accuracy in group)
    return Accuracy.of(runs)
