"""Control: launch a run as a process of its own session, stop it, wait for it."""

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from distrack.errors import RunError
from distrack.process_environment import worker_environment
from distrack.runs.folder import ALIVE, Run, Status
from distrack.settings import PROJECT


def launch(run: Run, *command: str) -> None:
    """Starts `python -m distrack <command> <run>` so that it outlives whoever started it; `resume` unless told.

    Raises:
        DistrackError: the run's config cannot be read or asks for a device that is not here, a process works on the
            run already, or none could be started.
    """
    if run.status().state in ALIVE:
        raise RunError(f"run {run.id} is at work: stop it first")
    # Known from the start, so that runs launched together take the device in that order.
    device = str(run.job().chosen_device())
    words = [*(command or ("resume",)), run.id, "--runs-path", str(run.path.parent.absolute())]
    start(run, *words, device=device)


def start(run: Run, *command: str, device: str) -> None:
    """Starts `python -m distrack <command>`, which works on a run, in a session of its own.

    Raises:
        RunError: none could be started.
    """
    words = [sys.executable, "-m", "distrack", *command, "--quiet"]
    try:
        run.stop_request.unlink(missing_ok=True)  # it was for an earlier process
        with (run.path / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                words,
                cwd=PROJECT,
                env=worker_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started = psutil.Process(process.pid).create_time()
    except (OSError, psutil.Error) as error:
        raise RunError(f"cannot start a process for run {run.id}: {error}") from None
    # Whoever launches a run lives on, and would keep its process as a zombie.
    threading.Thread(target=process.wait, name=f"reaper of {process.pid}", daemon=True).start()
    _say(
        run,
        state="queued",
        phase="",
        step=0,
        steps=0,
        detail="",
        phase_started=time.time(),
        device=device,
        pid=process.pid,
        process_started=started,
    )


def stop(run: Run, *, timeout: float = 10.0) -> Status:
    """Asks a run to stop and waits until it has; a run whose process is gone is marked stopped.

    Raises:
        RunError: the run is not at work, or did not stop in time.
    """
    status = run.status()
    if status.state == "stale":
        return _mark_stopped(run)
    if status.state not in ALIVE:
        raise RunError(f"run {run.id} is not at work: it is {status.state}")
    run.write(run.stop_request.name, str(status.pid))
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        status = run.status()
        if status.state == "stale":  # ended before it could say so
            return _mark_stopped(run)
        if status.state not in ALIVE:
            return status
        time.sleep(0.05)
    raise RunError(f"run {run.id} did not stop within {timeout:g} s: end process {status.pid} by hand")


def _mark_stopped(run: Run) -> Status:
    _say(run, state="stopped")
    run.stop_request.unlink(missing_ok=True)
    return run.status()


def _say(run: Run, **fields: object) -> None:
    """Writes a status for a run that no process of its own speaks for."""
    before = run.status()
    if before.state == "unreadable":
        before = Status(state="queued", started=time.time())
    now = {"heartbeat": time.time(), "host": socket.gethostname(), "error": ""}
    run.write("status.json", before.model_copy(update={**now, **fields}).model_dump_json(indent=2))


def tail(path: Path, characters: int = 4000) -> str:
    """The end of a text file, or nothing where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - characters))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
