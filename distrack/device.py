"""The device that computes, and how independent pieces of work share the cores of a CPU."""

import contextlib
from collections.abc import Iterator

import torch

from distrack.errors import ConfigError


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; `auto` is CUDA, else MPS, else the CPU.

    Raises:
        ConfigError: this machine has no such device.
    """
    present = ["cuda", *(f"cuda:{n}" for n in range(torch.cuda.device_count()))] if torch.cuda.is_available() else []
    present += ["mps", "cpu"] if torch.backends.mps.is_available() else ["cpu"]
    if name not in ("auto", *present):
        raise ConfigError(f"device {name!r} is not on this machine: choose auto, {', '.join(present)}")
    return torch.device(present[0] if name == "auto" else name)


# Number of torch's threads before each block of `one_thread_each` that is open, the outermost first.
_THREADS: list[int] = []


@contextlib.contextmanager
def one_thread_each(device: torch.device) -> Iterator[int]:
    """Yields the number of pieces of work to compute side by side; inside the block each has one thread of the CPU.

    Blocks may overlap. The number of threads is restored when the last one ends.
    """
    if device.type != "cpu":
        yield 1
        return
    threads = _THREADS[0] if _THREADS else torch.get_num_threads()
    _THREADS.append(threads)
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        _THREADS.pop()
        if not _THREADS:
            torch.set_num_threads(threads)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Lets torch compute with one thread inside the block, for work in pieces that fit the processor's cache.

    Such a piece is done sooner than a second thread wakes up, and the result does not depend on the number of cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
