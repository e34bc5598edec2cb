"""The process that waits as a warm worker: it does its imports, then waits for the words of a command and runs it."""

import json
import os
import sys
from pathlib import Path

from distrack import jobs  # noqa: F401
from distrack.cli import main


def wait() -> None:
    """Runs the command that `distrack.runs.warm.take` sends; nothing if the sender ends first."""
    line = sys.stdin.buffer.readline()
    if not line:
        return
    order = json.loads(line)
    with Path(order["log"]).open("ab") as log, Path(os.devnull).open("rb") as nothing:
        for file, number in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(file.fileno(), number)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["distrack", *order["words"]]
    main()


if __name__ == "__main__":
    wait()
