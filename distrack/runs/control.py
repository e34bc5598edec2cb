"""Control of a run from outside: launch a process that works on it, stop that process."""

import socket
import threading
import time

import psutil

from distrack.engines.local import start
from distrack.errors import RunError
from distrack.runs.folder import ALIVE, Run, Status


def launch(run: Run, *command: str, device: str) -> None:
    """Starts `python -m distrack <command>`, which works on a run, as a process that outlives its starter.

    Args:
        run: a run whose folder exists.
        command: words of the command.
        device: the queue that the run waits in; written at once, so that runs launched together keep their order.

    Raises:
        RunError: a process works on the run already, or none could be started.
    """
    before = run.status()
    if before.state in ALIVE:
        raise RunError(f"run {run.id} is running: stop it first")
    try:
        run.stop_request.unlink(missing_ok=True)  # it was meant for an earlier process
        process = start([*command, "--quiet"], run.path / "log.txt")
        status = Status.queued(before, psutil.Process(process.pid), device=device, command=command)
    except (OSError, psutil.Error) as error:
        raise RunError(f"cannot start a process for run {run.id}: {error}") from None
    # Without a thread that waits for it, the ended process would stay as a zombie of this one.
    threading.Thread(target=process.wait, name=f"reaper of {process.pid}", daemon=True).start()
    run.write("status.json", status.model_dump_json(indent=2))


def stop(run: Run, *, timeout: float = 60.0) -> Status:
    """Asks a run's process to stop and waits until it has; a run whose process is gone is marked as stopped.

    Raises:
        RunError: the run is not running, or did not stop in time.
    """
    status = run.status()
    if status.state == "stale":
        return _mark_stopped(run)
    if status.state not in ALIVE:
        raise RunError(f"run {run.id} is not running: it is {status.state}")
    run.write(run.stop_request.name, str(status.pid))
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        status = run.status()
        if status.state == "stale":  # the process ended before it could write its state
            return _mark_stopped(run)
        if status.state not in ALIVE:
            return status
        time.sleep(0.05)
    raise RunError(f"run {run.id} did not stop within {timeout:g} s: end process {status.pid} by hand")


def _mark_stopped(run: Run) -> Status:
    """Writes the status on behalf of a run that has no process of its own."""
    now = {"state": "stopped", "heartbeat": time.time(), "host": socket.gethostname(), "error": ""}
    run.write("status.json", run.status().model_copy(update=now).model_dump_json(indent=2))
    run.stop_request.unlink(missing_ok=True)
    return run.status()
