"""The process of a warm worker: it does its imports, then waits for a command and runs it."""

import json
import os
import sys
from pathlib import Path

from distrack.cli import main
from distrack.jobs import JOBS

if __name__ == "__main__":
    list(JOBS)  # a name that is looked up imports one kind of job, their list imports all
    # Whoever started it sends one order, or ends without one.
    if order := sys.stdin.read():
        log, *words = json.loads(order)
        with Path(log).open("ab") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        sys.argv = ["distrack", *words]
        main()
