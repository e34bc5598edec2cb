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
        while _is_before(run, status) or not _acquired(lock):
            waiting()
            time.sleep(_POLL)
    except OSError as error:
        raise RunError(f"cannot wait for the device in {folder}: {error.strerror or error}") from None
    try:
        yield
    finally:
        lock.release()


def _is_before(run: Run, status: Status) -> bool:
    """Whether another run of the same queue joined it earlier."""
    own = (status.phase_started, run.id)
    others = ((other.id, other.status()) for other in all_runs(run.path.parent) if other.id != run.id)
    return any(
        other.state == "queued" and other.device == status.device and (other.phase_started, name) < own
        for name, other in others
    )


def _acquired(lock: FileLock) -> bool:
    with contextlib.suppress(Timeout):
        lock.acquire(timeout=0)
    return lock.is_locked
