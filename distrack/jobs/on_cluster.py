"""Runs that are worked on by a cluster: how they are handed over, watched and stopped from here."""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from distrack.engines import EngineConfig
from distrack.engines.cluster import Cluster, UnfitNodeError, connected
from distrack.errors import DistrackError, EngineError, RunError
from distrack.jobs.contract import Job, as_config, runs_path_of
from distrack.jobs.control import cluster_queue
from distrack.jobs.live import Follower
from distrack.jobs.stored import stored_id
from distrack.progress import Watch
from distrack.runs import ALIVE, Run, Status, Stopped, stop
from distrack.runs.folder import SILENCE
from distrack.store import Store, open_store

log = logging.getLogger(__name__)

_TARGET = "distrack.jobs.on_node:work_on"
_LOOK, _BEAT = 0.3, 2.0
# Seconds between two looks at the runs in a store, and how many are looked at at once.
_FOLLOW, _AT_ONCE = 1.0, 16


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
        self._beat = 0.0
        self._is_over = threading.Event()
        if store is not None:
            threading.Thread(target=self._follow, name="follower", daemon=True).start()

    def hand(self, run: Run, job: Job) -> None:
        """Hands over a run; until a node works on it, it is queued here.

        Raises:
            RunError: another process works on it.
        """
        _wait_until_silent(run)
        run.stop_request.unlink(missing_ok=True)
        queued = Status.queued(run.status(), psutil.Process(), device=cluster_queue(run))
        if self._store is None:
            run.write("status.json", queued.model_dump_json(indent=2))
            where = str(run.path.absolute())
        else:
            where = stored_id(run)
            follower = Follower(self._store, where, runs_path_of(run))
            follower.hand_over(queued)
            self._followers[run.path] = follower
        address = None if self._store is None else self._store.where
        self._runs[self._cluster.submit(_TARGET, where, as_config(job), address)] = run

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
            self._wait_for_the_last_look(run)
            try:
                answer = self._cluster.result(task)
            except EngineError as error:
                self._mark(run, "failed", error.problem)
                if isinstance(error, UnfitNodeError):
                    raise
                yield Ended(run, None, error)
                continue
            if answer.get("stopped"):
                yield Ended(run, None, RunError(f"run {run.id} was stopped"))
            elif "problem" in answer:
                yield Ended(run, None, RunError(answer["problem"], remedy=answer["remedy"]))
            else:
                yield Ended(run, answer["report"], None)

    def _tend(self) -> None:
        """Keeps the runs that wait here alive, and takes those out of the queue that were asked to stop."""
        if time.monotonic() - self._beat < _BEAT:
            return
        self._beat = time.monotonic()
        for task, run in self._waiting():
            if run.stop_request.exists():
                self._cluster.cancel(task)
                self._mark(run, "stopped")
            else:
                self._mark(run, "queued")

    def _waiting(self) -> list[tuple[Any, Run]]:
        """The runs that no node works on yet."""
        own = (os.getpid(), socket.gethostname())
        states = [(task, run, run.status()) for task, run in self._runs.items()]
        return [(task, run) for task, run, each in states if each.state == "queued" and (each.pid, each.host) == own]

    def stop(self) -> None:
        """Stops the runs that nodes work on, and takes the others out of the queue; all keep what is done."""
        for task, run in self._waiting():
            self._cluster.cancel(task)
            self._mark(run, "stopped")
        at_work = [run for run in self._runs.values() if run.status().state in ALIVE]
        for run in at_work:  # all at once: each takes seconds
            run.write(run.stop_request.name, str(run.status().pid))
        for run in at_work:
            with contextlib.suppress(RunError):
                stop(run)
        self._runs.clear()
        self._is_over.set()

    def _mark(self, run: Run, state: str, error: str = "") -> None:
        """Writes the status of a run that has no process of its own."""
        status = run.status()
        if status.state not in (*ALIVE, "stale"):
            return
        status = status.model_copy(update={"state": state, "error": error, "heartbeat": time.time()})
        follower = self._followers.get(run.path)
        if follower is None:
            run.write("status.json", status.model_dump_json(indent=2))
        elif state == "queued":
            follower.say(status)
        else:
            follower.settle(status)

    def _follow(self) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while not self._is_over.wait(_FOLLOW):
                wait(pool.submit(_look, each) for each in list(self._followers.values()) if each.is_due)

    def _wait_for_the_last_look(self, run: Run) -> None:
        """Waits until the last state of a run that a node has ended is here, if it says so."""
        follower = self._followers.pop(run.path, None)
        deadline = time.monotonic() + SILENCE
        while follower is not None and _look(follower).state in ALIVE and time.monotonic() < deadline:
            time.sleep(_LOOK)


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
            handed.stop()


def work_elsewhere(run: Run, job: Job, engine: EngineConfig, *, watch: Watch) -> Any:
    """Lets a node of a cluster work on a run, and returns its report; see `distrack.jobs.control.work`.

    Ctrl-C stops the run there.
    """
    with handing(engine, run.path.parent) as handed:
        handed.hand(run, job)
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


def _look(follower: Follower) -> Status:
    """The status of a run that is followed, after a look; the next look may see what this one could not."""
    try:
        return follower.look()
    except DistrackError as error:
        log.warning("run %s cannot be followed: %s", follower.run.id, error)
        return follower.run.status()
