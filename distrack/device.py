"""The device that computes, and how independent pieces of work share the cores of a CPU."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

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


# Number of torch's threads before each block of `one_thread` that is open, the outermost first.
_THREADS: list[int] = []
_CHANGES = Lock()


@contextlib.contextmanager
def one_thread() -> Iterator[int]:
    """Lets torch compute with one thread inside the block, and yields the number of threads outside of all such blocks.

    The result does not depend on the number of cores then, and work in pieces that fit the processor's cache is done
    sooner than a second thread wakes up. Blocks may overlap; the number is restored when the last one ends.
    """
    with _CHANGES:
        threads = _THREADS[0] if _THREADS else torch.get_num_threads()
        _THREADS.append(threads)
        torch.set_num_threads(1)
    try:
        yield threads
    finally:
        with _CHANGES:
            _THREADS.pop()
            if not _THREADS:
                torch.set_num_threads(threads)


@contextlib.contextmanager
def side_by_side(device: torch.device) -> Iterator[ThreadPoolExecutor]:
    """Threads for pieces of work that share the cores of a CPU, each of which computes with one of torch's threads.

    For an accelerator there is one thread.
    """
    if device.type != "cpu":
        with ThreadPoolExecutor(1) as workers:
            yield workers
        return
    # OpenMP counts for each thread by itself: a new one would take all cores until some larger operation tells it the
    # number, and sums would be rounded as the tasks happen to fall to the threads.
    with one_thread() as threads, ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield pool
