"""Runs that are worked on by a cluster: how they are handed over, watched and stopped from here."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from distrack.engines import EngineConfig
from distrack.engines.cluster import Cluster, connected
from distrack.errors import DistrackError, EngineError, RunError
from distrack.jobs.contract import Job, as_config
from distrack.progress import Watch
from distrack.runs import ALIVE, Run, Status, Stopped, stop

_TARGET = "distrack.jobs.on_node:work_on"
_LOOK = 0.3


class Ended(NamedTuple):
    """A run that a node has ended: its report, or the error."""

    run: Run
    report: Mapping[str, Any] | None
    error: DistrackError | None


class Handed:
    """Runs that were handed to a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._runs: dict[Any, Run] = {}

    def hand(self, run: Run, job: Job) -> None:
        """Hands over a run; until a node works on it, it is queued here."""
        run.stop_request.unlink(missing_ok=True)
        queued = Status.queued(run.status(), psutil.Process(), device=f"cluster for {run.id}")
        run.write("status.json", queued.model_dump_json(indent=2))
        self._runs[self._cluster.submit(_TARGET, str(run.path.absolute()), as_config(job))] = run

    def __bool__(self) -> bool:
        return bool(self._runs)

    def ended(self) -> Iterator[Ended]:
        """The runs that have ended since the last look, which takes a moment.

        Raises:
            EngineError: the nodes do not fit.
        """
        for task in self._cluster.ended(self._runs, wait=_LOOK):
            run = self._runs.pop(task)
            try:
                answer = self._cluster.result(task)
            except EngineError as error:
                _mark_failed(run, error)
                raise
            if answer.get("stopped"):
                raise Stopped
            if "problem" in answer:
                yield Ended(run, None, RunError(answer["problem"], remedy=answer["remedy"]))
            else:
                yield Ended(run, answer["report"], None)

    def stop(self) -> None:
        """Stops the runs that nodes work on, and takes the others out of the queue; all keep what is done."""
        here = psutil.Process().pid
        for task, run in self._runs.items():
            status = run.status()
            if status.state == "queued" and status.pid == here:
                self._cluster.cancel(task)
                ended = status.model_copy(update={"state": "stopped", "heartbeat": time.time()})
                run.write("status.json", ended.model_dump_json(indent=2))
            elif status.state in ALIVE:
                run.write(run.stop_request.name, str(status.pid))
        for run in self._runs.values():
            if run.status().state in ALIVE:
                with contextlib.suppress(RunError):
                    stop(run)
        self._runs.clear()


@contextlib.contextmanager
def handing(engine: EngineConfig, shared: Path) -> Iterator[Handed]:
    """Hands runs to the cluster of an engine during the block; what has not ended by its end is stopped.

    Raises:
        EngineError: there is no such cluster, or its nodes do not fit.
    """
    with connected(engine, shared) as cluster:
        handed = Handed(cluster)
        try:
            yield handed
        finally:
            handed.stop()


def work_elsewhere(run: Run, job: Job, engine: EngineConfig, *, watch: Watch) -> Any:
    """Lets a node of a cluster work on a run, and returns its report; see `distrack.jobs.contract.work`.

    Ctrl-C stops the run there.
    """
    job.check()
    with handing(engine, run.path.parent) as handed:
        handed.hand(run, job)
        try:
            while not (ended := list(handed.ended())):
                status = run.status()
                watch(status.phase, status.step, status.steps, status.detail, None)
        except KeyboardInterrupt:
            raise Stopped from None
    if ended[0].error is not None:
        raise ended[0].error
    return job.report_type.model_validate(ended[0].report)


def _mark_failed(run: Run, error: DistrackError) -> None:
    """Writes the status of a run that no node could end."""
    if run.status().state in (*ALIVE, "stale"):
        failed = run.status().model_copy(update={"state": "failed", "error": error.problem, "heartbeat": time.time()})
        run.write("status.json", failed.model_dump_json(indent=2))
