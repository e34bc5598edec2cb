"""A warm worker: a process that has done its imports and waits for a command, so that a job begins at once.

The app keeps one ready; the command line never does. Its environment is that of a new process, and so are its results.
"""

import json
import subprocess
import sys
import threading

from distrack.process_environment import worker_environment
from distrack.settings import PROJECT

_lock = threading.Lock()
_waiting: list["subprocess.Popen[bytes]"] = []


def keep_ready() -> None:
    """Starts a warm worker unless one is waiting. It ends with this process, if it was not used by then."""
    with _lock:
        _waiting[:] = [process for process in _waiting if process.poll() is None]
        if not _waiting:
            process = subprocess.Popen(
                [sys.executable, "-m", "distrack.cli.warm"],
                cwd=PROJECT,
                env=worker_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            _waiting.append(process)


def take(words: list[str], log: str) -> "subprocess.Popen[bytes] | None":
    """Gives the waiting worker the words of a command after `python -m distrack`; None if there is no worker.

    Args:
        log: file to which it appends its output.
    """
    with _lock:
        while _waiting:
            process = _waiting.pop()
            if process.poll() is not None or process.stdin is None:
                continue
            order = {"words": words, "log": log, "environment": worker_environment()}
            try:
                process.stdin.write(json.dumps(order).encode() + b"\n")
                process.stdin.close()
            except OSError:
                continue
            return process
    return None
