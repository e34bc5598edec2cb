"""The work on a run on a node of a cluster."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from distrack.engines import LOCAL, EngineConfig
from distrack.errors import DistrackError
from distrack.jobs.contract import Job, from_json, job_of
from distrack.jobs.control import cluster_queue, work
from distrack.jobs.distillation import DistillJob
from distrack.jobs.live import Follower
from distrack.jobs.packing import fetch_absent
from distrack.progress import unwatched
from distrack.registry import load_plugins
from distrack.runs import ALIVE, Run, Status, Stopped
from distrack.settings import settings
from distrack.store import open_store

# Seconds that a run whose node died may still seem to be alive: its last heartbeat is waited out.
_SILENCE = 30.0
_POLL = 0.5
# Begin of the names of folders in which runs of a store are worked on; the number of the process follows.
_PREFIX = "distrack-node-"


def work_on(where: str, config: dict[str, Any], live_store: str | None) -> dict[str, Any]:
    """Works on a run until it is finished, from wherever an earlier node left it.

    Args:
        where: the run's folder, which this node shares; with a store, the run's id there.
        config: the job, as `config.json` has it.
        live_store: the address of a store that the run is fetched from and written to, and its dataset if this node
            has it not.

    Returns:
        `report`, or `stopped`, or `problem` and `remedy` of the error
    """
    load_plugins(settings().plugins)
    job = from_json(config)
    try:
        if live_store is None:
            run = Run(Path(where))
            return _done(run, job, run.status, LOCAL)
        _remove_abandoned()
        prefix = f"{_PREFIX}{os.getpid()}-"
        with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as runs_path:
            store = open_store(live_store)
            follower = Follower(store, where, Path(runs_path))
            follower.look(with_checkpoint=True)
            if isinstance(of_run := job_of(follower.run), DistillJob) and of_run.data_path is None:
                fetch_absent(store, of_run.dataset, progress=unwatched)
            engine = LOCAL.model_copy(update={"live_store": live_store})
            return _done(follower.run, job, partial(_status_there, follower), engine)
    except Stopped:
        return {"stopped": True}
    except DistrackError as error:
        return {"problem": error.problem, "remedy": error.remedy}


def _remove_abandoned() -> None:
    """Removes folders of runs that killed processes of this machine have left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _status_there(follower: Follower) -> Status:
    """The status of a run in a store, whose files are then here."""
    status = follower.look(with_checkpoint=True)
    if not follower.was_asked_to_stop(status):
        return status
    # Its node ended before it could say that it has stopped.
    stopped = status.model_copy(update={"state": "stopped"})
    follower.settle(stopped)
    return stopped


def _done(run: Run, job: Job, look: Callable[[], Status], engine: EngineConfig) -> dict[str, Any]:
    """The answer once the run is finished.

    Args:
        look: gives the run's status, from wherever it is written.
    """
    state, deadline = look().state, time.monotonic() + _SILENCE
    while state in ALIVE and state != "queued" and time.monotonic() < deadline:
        time.sleep(_POLL)
        state = look().state
    if state == "stopped":  # whoever asked has marked it as queued: it was stopped on another node since
        raise Stopped
    report = work(run, job, queue=cluster_queue(run), engine=engine)
    return {"report": report.model_dump(mode="json")}
