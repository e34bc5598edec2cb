"""Environment variables with which a process computes fast on a CPU."""

import os
import sys

# glibc returns large blocks to the system at once, and the next tensor of that size pays for every page again. Keeping
# the blocks makes a forward pass about twice as fast; other allocators ignore these names.
# OpenMP's threads wait for each other by spinning. That is harmless for a single process, but two at once were measured
# 25 times slower than with sleeping threads. Threads that sleep at once are four times slower on a virtual machine, as
# every small operation waits for the system. So threads spin for a short time and then sleep.
_KEEPS_MEMORY = {
    "MALLOC_TOP_PAD_": str(256 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(4 * 2**30),
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_ARENA_MAX": "1",
}
FAST_ON_CPU = {
    **_KEEPS_MEMORY,
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "2000",
}


def worker_environment() -> dict[str, str]:
    """The environment for a worker's process: that of this process, and fast settings where the user set none."""
    return {**FAST_ON_CPU, "PYTHONUNBUFFERED": "1", **os.environ}


def server_environment() -> dict[str, str]:
    """The environment for the app's server: it computes little, and gives the memory of uploads back to the system."""
    return {name: value for name, value in worker_environment().items() if _KEEPS_MEMORY.get(name) != value}


def compute_fast(module: str) -> None:
    """Replaces this process by `python -m <module>` in the fast environment, unless it has that already.

    Call it before torch is imported: that import would be paid for twice.
    """
    if sys.platform == "linux" and not FAST_ON_CPU.keys() <= os.environ.keys():
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], worker_environment())
