"""Environment variables with which a process computes fast on a CPU."""

import ctypes
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
# What glibc's malloc.h calls these settings in a process that runs: M_TOP_PAD, M_TRIM_THRESHOLD and so on.
_PARAMETERS = {"MALLOC_TOP_PAD_": -2, "MALLOC_TRIM_THRESHOLD_": -1, "MALLOC_MMAP_MAX_": -4, "MALLOC_ARENA_MAX": -8}
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


def compute_fast() -> None:
    """Gives this process and its children the fast environment, where the user set none.

    Call it before torch is imported: OpenMP reads its variables when it is loaded.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    for name, value in FAST_ON_CPU.items():
        if name not in os.environ:
            os.environ[name] = value
            # glibc has read its variables already.
            if mallopt is not None and name in _PARAMETERS:
                mallopt(_PARAMETERS[name], min(int(value), 2**31 - 1))
