"""A series: several ordinary runs worked on one after the other, as a job with a folder of its own.

Its folder lies below the runs path, where no run's name can be: `<runs path>/_condensations/<id>/` or
`<runs path>/_sweeps/<id>/`. Series of a kind wait for each other there, device by device. Each cell takes its place in
the device's own queue only when the one before it is done, so that a run launched meanwhile waits for one cell, not for
all; and as no run ever waits for a series, none can wait for another in a circle.
"""

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from distrack.errors import DistrackError, RunError
from distrack.evaluate import Report, planned
from distrack.jobs.distillation.work import Watch, logged, work
from distrack.jobs.series import condensation, sweep
from distrack.jobs.series.cells import Cell
from distrack.jobs.series.grid import CondenseJob
from distrack.jobs.series.sweep import SweepJob
from distrack.runs.control import start
from distrack.runs.control import stop as stop_run
from distrack.runs.folder import ALIVE, Run, Status, all_runs, check_name, find, make_folder, new_name
from distrack.runs.session import Session

log = logging.getLogger(__name__)

# `status.json` counts in whole steps; a cell has so many.
_PARTS = 100
_POLL = 0.3
_PHASE = "series"
# What the phases of a cell take of its time, until one has shown it.
_USUAL = {"prepare": 0.15, "distill": 0.5, "invert": 0.05, "evaluate": 0.3}


SeriesJob = CondenseJob | SweepJob
SeriesReport = condensation.CondenseReport | sweep.SweepReport


class Kind(NamedTuple):
    """A kind of series.

    Attributes:
        name: of one, for a person.
        folder: below the runs path, where those of this kind are.
        job, report: what `config.json` and `report.json` hold.
        tabulated: what the cells that are done have measured.
    """

    name: str
    folder: str
    job: type[Any]
    report: type[Any]
    tabulated: Callable[[Any, Mapping[Cell, Report]], SeriesReport]


CONDENSATION = Kind("condensation", "_condensations", CondenseJob, condensation.CondenseReport, condensation.tabulated)
SWEEP = Kind("sweep", "_sweeps", SweepJob, sweep.SweepReport, sweep.tabulated)
KINDS = (CONDENSATION, SWEEP)


# The folder


def create(runs_path: Path, job: SeriesJob, name: str | None = None) -> Run:
    """A new series' folder with its config; its cells' folders come with the work.

    Raises:
        RunError: the name or a cell's is taken or cannot be a folder's, or the runs path is not writable.
    """
    name = new_name(job.usual_name) if name is None else name
    check_name(name)
    cells = cells_of(job, name)
    check_name(max((cell.run_id for cell in cells), key=len))
    taken = [run_id for run_id in (name, *(cell.run_id for cell in cells)) if (runs_path / run_id).exists()]
    if taken:
        raise RunError(f"run {taken[0]} exists in {runs_path}: choose another --name")
    return make_folder(runs_path / _kind_for(job).folder, name, job)


def begun(runs_path: Path, job: SeriesJob, name: str | None) -> Run | None:
    """The series of that name, where one was begun with the same job; None where there is none of that name.

    Raises:
        RunError: it was begun with another job, or the name cannot be a folder's.
    """
    if name is None:
        return None
    check_name(name)
    kind = _kind_for(job)
    if not (runs_path / kind.folder / name).is_dir():
        return None
    run = find(runs_path / kind.folder, name)
    if job_of(run) != job:
        raise RunError(
            f"{kind.name} {name} exists in {runs_path} with other settings: choose another --name, or go on with that "
            f"one: python -m distrack resume {name}"
        )
    return run


def find_any(runs_path: Path, name: str) -> Run:
    """The run or the series of that id.

    Raises:
        RunError: there is none.
    """
    try:
        return find(runs_path, name)
    except RunError:
        for kind in KINDS:
            with suppress(RunError):
                return find(runs_path / kind.folder, name)
        raise


def kind_of(run: Run) -> Kind | None:
    """The kind of series whose folder it is; None of a run's own."""
    return next((kind for kind in KINDS if kind.folder == run.path.parent.name), None)


def _kind(run: Run) -> Kind:
    kind = kind_of(run)
    if kind is None:
        raise ValueError(f"{run.path} is not a series")
    return kind


def _kind_for(job: SeriesJob) -> Kind:
    return next(kind for kind in KINDS if type(job) is kind.job)


def everything(runs_path: Path, kind: Kind) -> Iterator[Run]:
    """Every series of a kind, newest first; a damaged one too."""
    return all_runs(runs_path / kind.folder)


def job_of(run: Run) -> SeriesJob:
    """The job as asked.

    Raises:
        RunError: `config.json` is missing or damaged.
    """
    kind = _kind(run)
    try:
        job: SeriesJob = kind.job.model_validate_json((run.path / "config.json").read_bytes())
    except (OSError, ValueError, DistrackError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"{kind.name} {run.id}: config.json is missing or damaged ({said})") from None
    return job


def report_of(run: Run) -> Any:
    """What was measured so far, by the kind's own report, or None."""
    try:
        return _kind(run).report.model_validate_json((run.path / "report.json").read_bytes())
    except (OSError, ValidationError):
        return None


def cells_of(job: SeriesJob, series_id: str) -> list[Cell]:
    """Every cell in the order of work."""
    return [cell for group in job.groups(series_id) for cell in group.cells]


def run_of(run: Run, cell: Cell) -> Run:
    """The run of a cell; its folder is there once work on it has begun."""
    return Run(run.path.parent.parent / cell.run_id)


def finished(run: Run, cell: Cell) -> Report | None:
    """The report of a cell that is done: all is measured that its job asks for."""
    report = run_of(run, cell).report()
    if report is None:
        return None
    there = {evaluation.key for evaluation in report.evaluations}
    wanted = () if cell.job.evaluation is None else planned(cell.job.evaluation)
    return report if there.issuperset(asked.key for asked in wanted) else None


def tabulated(run: Run) -> SeriesReport:
    """What the cells that are done have measured."""
    job = job_of(run)
    done = {cell: report for cell in cells_of(job, run.id) if (report := finished(run, cell))}
    return _kind(run).tabulated(job, done)


# From outside


def launch(run: Run) -> None:
    """Starts or goes on with a series as a process of its own.

    Raises:
        DistrackError: its config cannot be read or asks for a device that is not here, it is at work already, or no
            process could be started.
    """
    if run.status().state in ALIVE:
        raise RunError(f"{_kind(run).name} {run.id} is at work: stop it first")
    device = str(job_of(run).first.chosen_device())
    runs_path = run.path.parent.parent.absolute()
    start(run, "resume", run.id, "--runs-path", str(runs_path), device=device)


def stop(run: Run) -> Status:
    """Stops a series and the cell it works on; what they have done is kept.

    Raises:
        RunError: it is not at work, or did not stop in time.
    """
    status = stop_run(run)
    for cell in map(partial(run_of, run), cells_of(job_of(run), run.id)):
        if cell.status().state == "stale":  # was in the midst of something that cannot be interrupted
            stop_run(cell)
    return status


# The work


def work_on(run: Run, *, watch: Watch | None = None) -> SeriesReport:
    """Finishes a series, from wherever it stands; a cell that is done is not done again.

    A cell that fails does not keep the others from being done.

    Raises:
        DistrackError: a cell failed, or the folder cannot be written; the series' status says so too.
        Stopped: the series, or the cell at work, was asked to stop.
    """
    job = job_of(run)
    device = job.first.chosen_device()
    with Session(run, str(device)).working() as session, logged(run):
        return _Worker(run, cells_of(job, run.id), session, watch).finish()


class _Worker:
    def __init__(self, run: Run, cells: list[Cell], session: Session, watch: Watch | None) -> None:
        self.run, self.cells, self.session = run, cells, session
        self._watch = watch or (lambda *_: None)

    def finish(self) -> SeriesReport:
        failed: dict[str, str] = {}
        self.session.phase(_PHASE, _PARTS * len(self.cells))
        for number, cell in enumerate(self.cells):
            try:
                self._finish(number, cell)
            except DistrackError as error:
                failed[cell.run_id] = str(error)
                log.warning("run %s failed: %s", cell.run_id, error)
            report = tabulated(self.run)
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
            raise RunError(f"it has another config than the series asks for: rename or remove {run.path}")
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
        self._watch(_PHASE, step, steps, detail, None)
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
