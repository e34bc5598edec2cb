"""Control of a job of any kind: launch it, resume it, work on it, stop it."""

import json
from pathlib import Path
from typing import Any

from distrack import runs
from distrack.engines import LOCAL, EngineConfig
from distrack.errors import RunError
from distrack.jobs.contract import Job, job_of, kind_of, runs_path_of
from distrack.jobs.live import is_followed, mirrored
from distrack.progress import Watch, unwatched
from distrack.runs import Run, Session, Status
from distrack.runs.environment import describe
from distrack.runs.log import logged


def launch(job: Job, runs_path: Path, name: str | None = None, *, watch: Watch = unwatched) -> Run:
    """Starts a job as a process that outlives its starter: the command that a person would type, with the run's name.

    Args:
        watch: told how far the run's folder is, where making it takes long.

    Raises:
        DistrackError: the job cannot be done here, its run is running already, or no process could be started.
    """
    if EngineConfig.validated({}).is_here:
        job.check_here()
    job.check()
    run = job.open(runs_path, name, watch=watch)
    words = job.words(runs_path)
    if job.has_own_folder:
        words += ["--name", run.id]
    queue = _queue(run, job, EngineConfig.validated({}))
    runs.launch(run, *words, "--runs-path", str(runs_path.absolute()), device=queue)
    return run


def resume(run: Run) -> None:
    """Starts a process that finishes a run which was stopped, failed, or lost its process.

    Raises:
        DistrackError: the config cannot be read, the run is running, or no process could be started.
    """
    queue = _queue(run, job_of(run), EngineConfig.validated({}))
    runs.launch(run, "resume", run.id, "--runs-path", str(runs_path_of(run).absolute()), device=queue)


def cluster_queue(run: Run) -> str:
    """The queue of a run on a cluster, which gives turns itself: one of the run's own."""
    return f"cluster for {run.id}"


def _queue(run: Run, job: Job, engine: EngineConfig) -> str:
    """The queue that a run waits in with an engine."""
    return job.queue(run) if engine.is_here else cluster_queue(run)


def work(
    run: Run,
    job: Job | None = None,
    *,
    watch: Watch = unwatched,
    command: tuple[str, ...] = (),
    queue: str = "",
    engine: EngineConfig = LOCAL,
) -> Any:
    """Works on a run in this process until it is finished; parts that are done are not done again.

    On one kind of machine, the same config gives the same result bit for bit, however often the run was interrupted.

    Args:
        run: its folder exists.
        job: the job to do; the run's own if None.
        command: words of the command that does it, for the status.
        queue: the queue to wait in, if it is not the job's own.
        engine: where the runs of a series are worked on.

    Raises:
        DistrackError: the work failed; the run's status holds the message.
        Stopped: the run was asked to stop.
    """
    job = job_of(run) if job is None else job
    device = job.queue(run) if engine.is_here else "cpu"
    queue = queue or _queue(run, job, engine)
    session = Session(run, device, watch, command=command, queue=queue, engine=engine)
    live_store = engine.live_store if job.on_cluster or job.hands_over else None
    with mirrored(run, live_store) as mirror, session.working(), logged(run):
        if mirror is not None:
            session.before_exit = mirror.leave
            mirror.begin()
        if job.has_own_folder:
            run.write("environment.json", json.dumps(describe(session.device), indent=2))
        job.check()
        return job.work(run, session)


def stop(run: Run, *, timeout: float = 60.0) -> Status:
    """Stops a run of any kind.

    Raises:
        RunError: the run is not running, did not stop in time, or nobody follows it where it is worked on.
    """
    if run.status().state == "stale" and is_followed(run):
        problem = f"run {run.id} is worked on elsewhere, and is not followed any more"
        raise RunError(problem, remedy=f"python -m distrack pull {run.id}")
    status = runs.stop(run, timeout=timeout)
    if kind_of(run):
        job_of(run).after_stop(run)
    return status
