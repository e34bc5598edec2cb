"""This machine: a process for each job, and a warm worker that has done its imports, so that a job begins at once.

The app keeps one ready; the command line never does. Its environment is that of a new process, and so are its results.
"""

import json
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

from distrack.process_environment import worker_environment
from distrack.settings import PROJECT

_lock = threading.Lock()
_waiting: list["subprocess.Popen[bytes]"] = []  # at most one


def keep_ready() -> None:
    """Starts a warm worker unless one is waiting. It ends with this process, if it was not used by then."""
    with _lock:
        if not _waiting or _waiting[0].poll() is not None:
            _waiting[:] = [_new_process("distrack.cli.warm", stdin=subprocess.PIPE, output=subprocess.DEVNULL)]


def start(words: list[str], log: Path) -> "subprocess.Popen[bytes]":
    """Runs `python -m distrack` with these words, its output in a log: in the warm worker, or in a new process."""
    with _lock:
        process = _waiting.pop() if _waiting else None
    if process is not None and process.stdin is not None and process.poll() is None:
        with suppress(OSError), process.stdin as order:  # it may end meanwhile
            order.write(json.dumps([str(log), *words]).encode())
            return process
    with log.open("ab") as output:
        return _new_process("distrack", *words, stdin=subprocess.DEVNULL, output=output)


def _new_process(module: str, *words: str, stdin: int, output: int | IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", module, *words],
        cwd=PROJECT,
        env=worker_environment(),
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
