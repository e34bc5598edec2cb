"""A series: several distillations, done one after the other, as one job with a folder of its own.

The folder lies below the runs path where no run's name can be: in `_condensations/`, `_sweeps/` or `_benches/`. Series
of a kind wait for each other there, device by device. Each cell joins the device's own queue only when the cell before
it is done, so that a run launched meanwhile waits for one cell, not for all. No run ever waits for a series, so none
can wait for another in a circle.
"""

import logging
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from pydantic import Field, model_validator

from distrack.errors import DistrackError, RunError
from distrack.evaluate import Accuracy, Report
from distrack.jobs.contract import Job, as_json, job_of
from distrack.jobs.control import work
from distrack.jobs.distillation import DistillJob, earlier_runs, expected_seconds
from distrack.jobs.on_cluster import handing
from distrack.jobs.results import evaluation_report
from distrack.progress import Watch, share_of_phases, unwatched
from distrack.runs import ALIVE, Run, Session, stop
from distrack.runs.folder import check_name, make_folder
from distrack.validation import Record

log = logging.getLogger(__name__)

# `status.json` counts in whole steps; a cell has this many.
_PARTS = 100
_POLL = 0.3


class Cell(NamedTuple):
    """One run of a series.

    Attributes:
        run_id: id of the run, in the runs path that the series belongs to.
        title: a label that tells it from the other cells, without the seed.
    """

    run_id: str
    job: DistillJob
    title: str

    @property
    def label(self) -> str:
        """Title and seed."""
        return f"{self.title}, seed {self.job.seed}"


class Group(NamedTuple):
    """Cells that are shown side by side, in the order of work; the title is empty if there is only one group."""

    title: str
    cells: tuple[Cell, ...]


class Tabulated(Record):
    """`report.json` of a series of any kind, as far as it is measured.

    Attributes:
        dataset, feature, domain, preset: as in all its distillations.
        seeds: distillations of each kind, each with another seed.
        classes: number of classes; None until a cell is measured.
        cells, done: number of runs, and how many of them are done.
        notes: sentences that a reader should know.
    """

    dataset: str
    feature: str
    domain: str
    preset: str
    seeds: int
    classes: int | None
    cells: int
    done: int
    notes: tuple[str, ...]


class Series(Job):
    """Distillations that are done one after the other, and a table of all of them.

    A subclass says which cells there are (`cell`, `groups`) and what their reports come to (`tabulated`).
    """

    report_type: ClassVar[type[Tabulated]]
    hands_over: ClassVar[bool] = True

    distillations: tuple[DistillJob, ...]
    """Distillation and evaluation of each kind of its runs, with the first seed."""
    seeds: Annotated[int, Field(ge=1, le=100)] = 1
    """Distillations of each kind, each with a seed of its own."""

    @model_validator(mode="after")
    def _seeds_fit(self) -> Self:
        if self.first.seed + self.seeds > 2**32:
            raise ValueError(f"seed {self.first.seed}: with {self.seeds} seeds the last one would be beyond 2^32")
        return self

    @property
    def first(self) -> DistillJob:
        """The first distillation, for the fields that all have in common."""
        return self.distillations[0]

    def queue(self, run: Run) -> str:
        return self.first.queue(run)

    def check_here(self) -> None:
        for job in self.distillations:
            job.check_here()

    def targets(self) -> Sequence[Job]:
        return self.distillations

    def always_written(self) -> dict[tuple[str, ...], Any]:
        written: dict[tuple[str, ...], Any] = {("dataset",): self.first.dataset, ("preset",): self.first.preset}
        return written | ({("seeds",): self.seeds} if self.seeds > 1 else {})

    def by_seed(self) -> list[tuple[str, list[DistillJob]]]:
        """For each seed a label, empty if there is only one, and the distillations with that seed."""
        jobs_of = {
            seed: [job.model_copy(update={"seed": seed}) for job in self.distillations]
            for seed in range(self.first.seed, self.first.seed + self.seeds)
        }
        return [(f"Seed {seed}" if self.seeds > 1 else "", jobs) for seed, jobs in jobs_of.items()]

    def cell(self, series_id: str, job: DistillJob) -> Cell:
        """The cell that does one distillation."""
        raise NotImplementedError

    def groups(self, series_id: str) -> list[Group]:
        """All cells in the order of work, grouped for a person to look at: seed by seed."""
        return [Group(label, tuple(self.cell(series_id, job) for job in jobs)) for label, jobs in self.by_seed()]

    def cells(self, series_id: str) -> list[Cell]:
        """All cells in the order of work."""
        return [cell for group in self.groups(series_id) for cell in group.cells]

    def tabulated(self, reports: Mapping[Cell, Report]) -> Tabulated:
        """The report of the series from the reports of the cells that are done."""
        raise NotImplementedError

    def in_common(self, reports: Mapping[Cell, Report], notes: Iterable[str]) -> dict[str, Any]:
        """The fields of `Tabulated`; a note that several cells have stands there once."""
        counts = (len(report.evaluations[0].confusion) for report in reports.values() if report.evaluations)
        return {
            "dataset": self.first.dataset,
            "feature": self.first.feature.name,
            "domain": self.first.domain.name,
            "preset": self.first.preset,
            "seeds": self.seeds,
            "classes": next(counts, None),
            "cells": len(self.cells("series")),
            "done": len(reports),
            "notes": tuple(dict.fromkeys(notes)),
        }

    def create(self, runs_path: Path, name: str, *, watch: Watch = unwatched) -> Run:
        """Makes the folder of a new series; the folders of its cells are made as the work comes to them."""
        check_name(name)
        cells = self.cells(name)
        check_name(max((cell.run_id for cell in cells), key=len))
        taken = [run_id for run_id in (name, *(cell.run_id for cell in cells)) if (runs_path / run_id).exists()]
        if taken:
            raise RunError(f"run {taken[0]} exists in {runs_path}: choose another --name")
        return super().create(runs_path, name, watch=watch)

    def work(self, run: Run, session: Session) -> Tabulated:
        """Does the cells that are not done; one that fails does not keep the others from being done.

        Raises:
            RunError: a cell failed, or the folder cannot be written.
            Stopped: the series, or the cell that was running, was asked to stop.
        """
        cells, failed = self.cells(run.id), {}
        session.phase("series", _PARTS * len(cells))
        finished = _here if session.engine.is_here else _on_cluster
        for cell, error in finished(run, cells, session):
            if error is not None:
                failed[cell.run_id] = str(error)
                log.warning("run %s failed: %s", cell.run_id, error)
            report = tabulated(run, self)
            run.write("report.json", report.model_dump_json(indent=2))
        if failed:
            name, reason = next(iter(failed.items()))
            raise RunError(f"{len(failed)} of {len(cells)} cells failed, the first is {name}: {reason}")
        return report

    def worth_keeping(self, run: Run) -> bool:
        """Whether the folder of any cell was made."""
        return any(run_of(run, cell).path.exists() for cell in self.cells(run.id))

    def belonging(self, run: Run) -> Sequence[Run]:
        """The runs of its cells, as far as work on them has begun."""
        return [here for cell in self.cells(run.id) if (here := run_of(run, cell)).path.is_dir()]

    def after_stop(self, run: Run) -> None:
        """Marks a cell whose process had to be ended as stopped."""
        for cell in self.cells(run.id):
            if run_of(run, cell).status().state == "stale":
                stop(run_of(run, cell))


def run_of(run: Run, cell: Cell) -> Run:
    """The run of a cell of a series; its folder exists once work on it has begun."""
    return Run(run.path.parent.parent / cell.run_id)


def finished_report(run: Run, cell: Cell) -> Report | None:
    """The report of a cell of a series, if everything is measured that its job wants; else None."""
    here = run_of(run, cell)
    return evaluation_report(here) if cell.job.is_done(here) else None


def pooled(runs: Iterable[tuple[float, ...]]) -> Accuracy:
    """The accuracy over several runs, each with a tuple of figures; equal tuples count once.

    A baseline has the same figures in runs that differ only in the seed of the distillation: the same clips and the
    same networks.
    """
    return Accuracy.of(tuple(accuracy for figures in dict.fromkeys(runs) for accuracy in figures))


def tabulated(run: Run, job: Series) -> Tabulated:
    """The report of a series from the cells that are done now."""
    reports = {cell: report for cell in job.cells(run.id) if (report := finished_report(run, cell))}
    return job.tabulated(reports)


def _here(series: Run, cells: list[Cell], session: Session) -> Iterator[tuple[Cell, DistrackError | None]]:
    """Does the cells in this process, one after the other; yields each when it has ended, and its error."""
    for number, cell in enumerate(cells):
        try:
            _Cell(series, cells, number, session).finish()
            yield cell, None
        except DistrackError as error:
            yield cell, error
        session.progress(_PARTS * (number + 1), _PARTS * len(cells), cell.label)


def _on_cluster(series: Run, cells: list[Cell], session: Session) -> Iterator[tuple[Cell, DistrackError | None]]:
    """Hands all cells to a cluster, which does as many at once as it has room for; yields each when it has ended."""
    with session.patience(), handing(session.engine, series.path.parent.parent) as handed:
        pending: dict[str, Cell] = {}
        opened = list[tuple[Run, Job]]()
        for cell in cells:
            try:
                if (run := _opened(series, cell)) is not None:
                    opened.append((run, cell.job))
                    pending[run.id] = cell
                else:
                    yield cell, None
            except DistrackError as error:
                yield cell, error
        for (run, _), problem in zip(opened, handed.hand(opened), strict=True):
            if problem is not None:
                yield pending.pop(run.id), problem
        while handed:
            for ended in handed.ended():
                cell = pending.pop(ended.run.id)
                if ended.error is not None:
                    _remove_if_empty(ended.run)
                yield cell, ended.error
            states = [run_of(series, cell).status() for cell in pending.values()]
            running = sum(status.state in ("running", "stopping") for status in states)
            done = len(cells) - len(pending)
            parts = _PARTS * done + int(_PARTS * sum(status.share for status in states))
            session.progress(parts, _PARTS * len(cells), f"{done} of {len(cells)} runs done, {running} running")


def _opened(series: Run, cell: Cell) -> Run | None:
    """The run of a cell, its folder made if need be; None if everything of it is done.

    Raises:
        RunError: it has another config than the series.
    """
    run = run_of(series, cell)
    if not (run.path / "config.json").exists():
        shutil.rmtree(run.path, ignore_errors=True)  # its making was interrupted
        make_folder(run.path.parent, run.id, as_json(cell.job))
    if job_of(run) != cell.job:
        raise RunError(f"it has another config than the series: rename or remove {run.path}")
    return None if run.status().state == "done" and finished_report(series, cell) else run


def _remove_if_empty(run: Run) -> None:
    """Removes the folder of a run that failed before it had made anything."""
    if run.status().state == "failed" and not (run.snapshots() or evaluation_report(run)):
        shutil.rmtree(run.path, ignore_errors=True)


class _Cell:
    """The work on one cell of a series."""

    def __init__(self, series: Run, cells: list[Cell], number: int, session: Session) -> None:
        self.series, self.cells, self.number, self.session = series, cells, number, session
        self.cell = cells[number]
        self.run = run_of(series, self.cell)
        self._parts = 0

    def finish(self) -> None:
        """Does the cell in this process; one that another process works on is waited for."""
        while (status := self.run.status()).state in ALIVE and status.pid != os.getpid():
            self._progress(0, f"{self.cell.label}, running in another process")
            time.sleep(_POLL)
        if _opened(self.series, self.cell) is None:
            return
        job = self.cell.job
        seconds = expected_seconds(job, job.evaluation, earlier_runs(self.run.path.parent))
        self._progress(0, f"{self.cell.label}, waiting for the device")

        def watch(phase: str, done: int, total: int, detail: str, loss: float | None) -> None:  # noqa: ARG001
            self._progress(int(_PARTS * share_of_phases(seconds, phase, done, total)), f"{self.cell.label}: {phase}")

        try:
            work(self.run, watch=watch, engine=self.session.engine)
        except DistrackError:
            if self.run.status().pid == os.getpid():
                _remove_if_empty(self.run)
            raise

    def _progress(self, parts: int, detail: str) -> None:
        self._parts = max(self._parts, parts)
        self.session.progress(_PARTS * self.number + self._parts, _PARTS * len(self.cells), detail)
