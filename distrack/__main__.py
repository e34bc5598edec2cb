"""`python -m distrack`, and the console script `distrack`: the command."""

import atexit
import gc
import sys

from distrack.process_environment import compute_fast

# Commands that compute, in an environment in which that is fast.
_WORKERS = frozenset({"prepare", "distill", "condense", "resume", "evaluate", "inspect", "listen", "decompose"})


def main() -> None:
    """Runs the command."""
    if len(sys.argv) > 1 and sys.argv[1] in _WORKERS:
        compute_fast()
    # Torch and scikit-learn make millions of objects that stay until the end. To look through them for garbage at every
    # few hundred new ones, and again at the end, takes longer than most commands.
    gc.set_threshold(50_000, 20, 100)
    atexit.register(gc.freeze)
    from distrack.cli import main as command

    command()


if __name__ == "__main__":  # a process that measures beside this one imports this module too
    main()
