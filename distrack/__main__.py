"""`python -m distrack`: the command."""

import sys

from distrack.process_environment import compute_fast

# Commands that compute.
_WORKERS = frozenset({"prepare", "distill", "condense", "resume", "evaluate", "inspect", "listen", "decompose"})

if __name__ == "__main__":  # a process that measures beside this one imports it too
    if len(sys.argv) > 1 and sys.argv[1] in _WORKERS:
        compute_fast("distrack")
    from distrack.cli import main

    main()
