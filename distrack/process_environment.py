"""The environment of a process: what it needs to compute fast on a CPU."""

import os
import sys

# glibc hands large blocks back to the system at once, and the next tensor of that size pays for every page again.
# Keeping them makes the same forward pass about twice as fast on a CPU; other allocators ignore these names.
# OpenMP's threads wait for each other by spinning, which costs nothing alone and most of the time beside a browser, the
# app or a second run: two at once were measured 25 times slower than with threads that sleep. Sleeping at once makes
# every small operation wait for the system, four times slower on a virtual machine: so they spin, but not for long.
FAST_ON_CPU = {
    "MALLOC_TOP_PAD_": str(256 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(4 * 2**30),
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_ARENA_MAX": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "2000",
}


def worker_environment() -> dict[str, str]:
    """The environment for a worker's process: this one's, with what makes CPU work fast unless the user set it."""
    return {**FAST_ON_CPU, "PYTHONUNBUFFERED": "1", **os.environ}


def compute_fast(module: str) -> None:
    """Puts `python -m <module>` in this process' place, unless it has that environment; best before torch is loaded."""
    if sys.platform == "linux" and not FAST_ON_CPU.keys() <= os.environ.keys():
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], worker_environment())
