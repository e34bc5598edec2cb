"""The queue of a device: runs within one folder take turns, in the order in which they were launched."""

import contextlib
import time
from collections.abc import Callable, Iterator

from filelock import FileLock, Timeout

from distrack.errors import RunError
from distrack.runs.folder import Run, Status, all_runs

_POLL = 0.3


@contextlib.contextmanager
def turn(run: Run, status: Status, *, waiting: Callable[[], None]) -> Iterator[None]:
    """Waits until no other run holds the device and none has waited for it longer; holds it during the block.

    Args:
        run: the run that waits.
        status: its status; `device` names the queue, `phase_started` the time at which it joined.
        waiting: called several times a second; an exception that it raises ends the wait.

    Raises:
        RunError: the folder of the locks is not writable.
    """
    folder = run.path.parent / ".queue"
    lock = FileLock(folder / f"{status.device.replace(':', '-')}.lock")
    try:
        folder.mkdir(exist_ok=True)
        while _queued_before(run, status) or not _acquired(lock):
            waiting()
            time.sleep(_POLL)
    except OSError as error:
        raise RunError(f"cannot wait for the device in {folder}: {error.strerror or error}") from None
    try:
        yield
    finally:
        lock.release()


def ahead(run: Run, status: Status) -> int:
    """The number of runs that a queued run waits for: the one at work, and those that joined the queue earlier."""
    at_work = any(other.state in ("running", "stopping") for _, other in _others(run, status))
    return at_work + _queued_before(run, status)


def _queued_before(run: Run, status: Status) -> int:
    own = (status.phase_started, run.id)
    return sum(other.state == "queued" and (other.phase_started, name) < own for name, other in _others(run, status))


def _others(run: Run, status: Status) -> Iterator[tuple[str, Status]]:
    """The other runs of the same queue."""
    others = ((other.id, other.status()) for other in all_runs(run.path.parent) if other.id != run.id)
    return ((name, other) for name, other in others if other.device == status.device)


def _acquired(lock: FileLock) -> bool:
    with contextlib.suppress(Timeout):
        lock.acquire(timeout=0)
    return lock.is_locked
