"""The device: chosen by itself unless one is named, and how independent work shares it."""

import contextlib
from collections.abc import Iterator

import torch

from distrack.errors import ConfigError


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; `auto` is CUDA, else MPS, else the CPU.

    Raises:
        ConfigError: no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    here = ["auto", "cpu"]
    here += [f"cuda:{n}" for n in range(torch.cuda.device_count())]
    here += ["cuda"] if torch.cuda.is_available() else []
    here += ["mps"] if torch.backends.mps.is_available() else []
    if name not in here:
        raise ConfigError(f"device {name!r} is not on this machine: choose {', '.join(here)}")
    return torch.device(name)


# Threads of the process, kept while work runs side by side: one for each piece that was begun within another.
_THREADS: list[int] = []


@contextlib.contextmanager
def one_thread_each(device: torch.device) -> Iterator[int]:
    """How many pieces of independent work run side by side on a device; each has one of the CPU's threads meanwhile."""
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
