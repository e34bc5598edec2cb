"""Runs that are worked on by a cluster: how they are handed over, watched and stopped from here."""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from distrack.engines import EngineConfig
from distrack.engines.cluster import Cluster, UnfitNodeError, connected
from distrack.errors import DistrackError, EngineError, RunError, StoreError
from distrack.jobs.contract import Job, as_config, runs_path_of
from distrack.jobs.control import cluster_queue
from distrack.jobs.live import Follower, Lookout
from distrack.jobs.live.following import look
from distrack.jobs.stored import stored_id
from distrack.progress import Watch
from distrack.runs import ALIVE, Run, Status, Stopped, stop
from distrack.runs.folder import SILENCE
from distrack.store import Store, open_store

log = logging.getLogger(__name__)

_TARGET = "distrack.jobs.on_node:work_on"
_LOOK, _BEAT = 0.3, 2.0
# Seconds between two words to the store on runs that wait, and in which a finished run has to be here.
_PUBLISH, _WHOLE = 50.0, 120.0
# Runs that are handed over or marked at once.
_AT_ONCE = 16


class Ended(NamedTuple):
    """A run that has ended on the cluster: its report, or the error."""

    run: Run
    report: Mapping[str, Any] | None
    error: DistrackError | None


class Handed:
    """Runs that were handed to a cluster.

    Args:
        store: where nodes write them, if they see no folder of this machine; a thread then follows them from there.
    """

    def __init__(self, cluster: Cluster, store: Store | None) -> None:
        self._cluster, self._store = cluster, store
        self._runs: dict[Any, Run] = {}
        self._followers: dict[Path, Follower] = {}
        self._beat, self._published = 0.0, time.monotonic()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True) if store else None
        if self._thread is not None:
            self._thread.start()

    def hand(self, jobs: Sequence[tuple[Run, Job]]) -> list[DistrackError | None]:
        """Hands over runs, in this order; until a node works on one, it is queued here.

        Returns:
            for each run the error that kept it here: another process works on it, or the store cannot be written
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(self._queued, (run for run, _ in jobs)))
        for (run, job), error in zip(jobs, found, strict=True):
            if error is None:
                where = stored_id(run) if self._store else str(run.path.absolute())
                address = self._store.where if self._store else None
                self._runs[self._cluster.submit(_TARGET, where, as_config(job), address)] = run
        return found

    def _queued(self, run: Run) -> DistrackError | None:
        """Marks a run as waiting, in the store as well."""
        try:
            _wait_until_silent(run)
            run.stop_request.unlink(missing_ok=True)
            queued = Status.queued(run.status(), psutil.Process(), device=cluster_queue(run))
            if self._store is None:
                run.write("status.json", queued.model_dump_json(indent=2))
            else:
                follower = Follower(self._store, stored_id(run), runs_path_of(run))
                follower.hand_over(queued)
                self._followers[run.path] = follower
        except DistrackError as error:
            return error
        return None

    def __bool__(self) -> bool:
        return bool(self._runs)

    def ended(self) -> Iterator[Ended]:
        """The runs that have ended since the last look, which takes a moment.

        Raises:
            EngineError: a node does not fit, or the cluster is lost.
            Stopped: a run was stopped.
        """
        self._tend()
        for task in self._cluster.ended(self._runs, wait=_LOOK):
            run = self._runs.pop(task)
            try:
                answer = self._cluster.result(task)
            except EngineError as error:
                self._close(run, "failed", error.problem)
                if isinstance(error, UnfitNodeError):
                    raise
                yield Ended(run, None, error)
                continue
            if answer.get("stopped"):
                self._close(run, "stopped")
                yield Ended(run, None, RunError(f"run {run.id} was stopped"))
            elif "problem" in answer:
                self._close(run, "failed", answer["problem"])
                yield Ended(run, None, RunError(answer["problem"], remedy=answer["remedy"]))
            else:
                self._wait_until_whole(run)
                yield Ended(run, answer["report"], None)

    def _tend(self) -> None:
        """Keeps the runs that wait here alive, and takes those out of the queue that were asked to stop."""
        if time.monotonic() - self._beat < _BEAT:
            return
        self._beat = time.monotonic()
        waiting = self._waiting()
        publish = time.monotonic() - self._published >= _PUBLISH
        self._published = time.monotonic() if publish else self._published
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            marks = []
            for task, run in waiting:
                if run.stop_request.exists():
                    self._cluster.cancel(task)
                    marks.append(pool.submit(self._mark, run, "stopped"))
                else:
                    marks.append(pool.submit(self._mark, run, "queued", publish=publish))
            for mark in marks:
                mark.result()

    def _waiting(self) -> list[tuple[Any, Run]]:
        """The runs that no node works on yet."""
        own = (os.getpid(), socket.gethostname())
        states = [(task, run, run.status()) for task, run in self._runs.items()]
        return [(task, run) for task, run, each in states if each.state == "queued" and (each.pid, each.host) == own]

    def stop(self) -> None:
        """Stops the runs that nodes work on, and takes the others out of the queue; all keep what is done."""
        waiting = self._waiting()
        for task, _ in waiting:
            self._cluster.cancel(task)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda each: self._mark(each[1], "stopped"), waiting))
        at_work = [run for run in self._runs.values() if run.status().state in ALIVE]
        for run in at_work:  # all at once: each takes seconds
            run.write(run.stop_request.name, str(run.status().pid))
        for run in at_work:
            with contextlib.suppress(RunError):
                stop(run)
        self._runs.clear()

    def close(self) -> None:
        """Ends the thread that follows runs."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()

    def _close(self, run: Run, state: str, error: str = "") -> None:
        """Marks a run whose task has ended, unless its node has done that."""
        follower = self._followers.get(run.path)
        if follower is not None:
            look(follower)
        self._mark(run, state, error)
        self._followers.pop(run.path, None)

    def _mark(self, run: Run, state: str, error: str = "", *, publish: bool = False) -> None:
        """Writes the status of a run that has no process of its own."""
        status = run.status()
        if status.state not in (*ALIVE, "stale"):
            return
        status = status.model_copy(update={"state": state, "error": error, "heartbeat": time.time()})
        follower = self._followers.get(run.path)
        try:
            if follower is None:
                run.write("status.json", status.model_dump_json(indent=2))
            elif state == "queued":
                follower.say(status, publish=publish)
            else:
                follower.settle(status)
        except StoreError as problem:  # it is said here, and the store has it later or never
            log.warning("the store does not know that run %s is %s: %s", run.id, state, problem)

    def _follow(self) -> None:
        lookout = Lookout()
        while not self._is_over.wait(_LOOK):
            lookout.look(list(self._followers.values()))
        lookout.close()

    def _wait_until_whole(self, run: Run) -> None:
        """Waits until all of a run that a node has finished is here."""
        follower = self._followers.pop(run.path, None)
        deadline = time.monotonic() + _WHOLE
        while follower is not None and not follower.has_ended and time.monotonic() < deadline:
            look(follower)
            time.sleep(_LOOK)
        if follower is not None and not follower.has_ended:
            log.warning("run %s is done, and not all of it is here yet: pull it later", run.id)


@contextlib.contextmanager
def handing(engine: EngineConfig, shared: Path) -> Iterator[Handed]:
    """Hands runs to the cluster of an engine during the block; what has not ended by its end is stopped.

    Raises:
        EngineError: there is no such cluster, or its nodes do not fit.
        StoreError: the store cannot be opened.
    """
    store = open_store(engine.live_store) if engine.live_store else None
    with connected(engine, shared) as cluster:
        handed = Handed(cluster, store)
        try:
            yield handed
        finally:
            try:
                handed.stop()
            finally:
                handed.close()


def work_elsewhere(run: Run, job: Job, engine: EngineConfig, *, watch: Watch) -> Any:
    """Lets a node of a cluster work on a run, and returns its report; see `distrack.jobs.control.work`.

    Ctrl-C stops the run there.

    Raises:
        EngineError: nodes would need the run's folder, and get it from a store.
    """
    if job.needs_folder and engine.live_store:
        problem = f"a {job.kind} has a recording in its folder, which no store gets"
        raise EngineError(problem, remedy="leave --live-store out, and let the nodes share the runs path")
    with handing(engine, run.path.parent) as handed:
        (error,) = handed.hand([(run, job)])
        if error is not None:
            raise error
        try:
            while not (ended := list(handed.ended())):
                status = run.status()
                watch(status.phase, status.step, status.steps, status.detail, None)
        except KeyboardInterrupt:
            raise Stopped from None
    if ended[0].error is not None:
        if run.status().state == "stopped":
            raise Stopped
        raise ended[0].error
    return job.report_type.model_validate(ended[0].report)


def _wait_until_silent(run: Run) -> None:
    """Waits out the last heartbeat of a process that has died elsewhere.

    Raises:
        RunError: a process works on the run.
    """
    deadline = time.monotonic() + 2 * SILENCE
    while (status := run.status()).state in ALIVE and (status.pid, status.host) != (os.getpid(), socket.gethostname()):
        if time.monotonic() > deadline:
            raise RunError(f"run {run.id} is running in another process: stop it first")
        time.sleep(_LOOK)
