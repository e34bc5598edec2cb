"""A session: one process at work on a run. It says where it stands, hears requests to stop, waits for its device."""

import _thread
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

import psutil
from filelock import AcquireReturnProxy, FileLock, Timeout

from distrack.errors import RunError
from distrack.runs.folder import ALIVE, Run, Status, all_runs

_BEAT = 0.5
# After this long without reaching a place to stop, the work is interrupted where it is: files are whole at any moment.
_PATIENCE = 1.0
# After this long in one call that cannot be interrupted, the process ends.
_LAST_PATIENCE = 2.0
_POLL = 0.3
# How long the threads of a killed process may take to let go of its files.
_LAST_BREATH = 10.0


class Stopped(Exception):  # noqa: N818
    """The run was asked to stop."""


class Session:
    """Writes `status.json` once a beat from a thread of its own, and watches for the file that asks to stop.

    Args:
        run: the run to work on.
        device: what the run waits for and keeps while it works.
    """

    def __init__(self, run: Run, device: str) -> None:
        self.run = run
        self.device = device
        before = run.status()
        now = time.time()
        # `seconds` in memory is without the phase that runs; what is published counts it, up to the heartbeat.
        self._status = Status(
            state="queued",
            started=before.started or now,
            phase_started=before.phase_started if before.state == "queued" else now,
            seconds=before.seconds,
            device=device,
            pid=os.getpid(),
            process_started=psutil.Process().create_time(),
            host=socket.gethostname(),
        )
        self._lock = threading.Lock()
        self._ended = threading.Event()
        # Not an Event: a signal's handler that sets one may find its lock taken by the thread it interrupted.
        self._stop_asked = False
        self._interruptible = False
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    @contextlib.contextmanager
    def working(self) -> Iterator["Session"]:
        """The run is this process's own until the block ends; its last state tells how it ended.

        Raises:
            RunError: another process works on the run, or the block raised it.
        """
        with self._own_lock(), self._hearing_signals():
            self.run.clear_parts()
            self._publish()
            self._thread.start()
            try:
                with self._turn():
                    yield self
                self._end("done")
            except Stopped:
                self._end("stopped")
                raise
            except BaseException as error:
                self._end("failed", error=str(error) or type(error).__name__)
                raise
            finally:
                self._ended.set()

    def _own_lock(self) -> AcquireReturnProxy:
        """The run's lock; waits a moment for a killed process, whose threads may outlive it and hold it still."""
        deadline = time.monotonic() + _LAST_BREATH
        while True:
            try:
                return FileLock(self.run.path / ".lock").acquire(timeout=_POLL)
            except Timeout:
                if self.run.status().state in ALIVE or time.monotonic() > deadline:
                    raise RunError(f"run {self.run.id} is at work in another process: stop it first") from None
            except OSError as error:
                raise RunError(f"cannot work in {self.run.path}: {error.strerror or error}") from None

    @property
    def stop_asked(self) -> bool:
        """Whether the run was asked to stop; the next word of progress raises it."""
        return self._stop_asked

    def phase(self, name: str, steps: int = 0) -> None:
        """A new phase begins.

        Raises:
            Stopped: the run was asked to stop.
        """
        if self._stop_asked:
            raise Stopped
        self.run.append_metrics(t=round(self.elapsed(), 3), phase=name)
        now, spent = time.time(), self.seconds()
        self._change(state="running", phase=name, step=0, steps=steps, detail="", phase_started=now, seconds=spent)
        self._publish()

    def progress(self, step: int, steps: int, detail: str = "") -> None:
        """So much of the phase is done.

        Raises:
            Stopped: the run was asked to stop.
        """
        before = self._status
        counted = before.counted_from
        if steps != before.steps or step < before.step or not before.step:
            counted = (time.time(), step)
        self._change(step=step, steps=steps, detail=detail, counted_from=counted)
        if self._stop_asked:
            raise Stopped

    def elapsed(self) -> float:
        """Seconds of work on the run, all phases and resumptions together."""
        return sum(self.seconds().values())

    def seconds(self) -> dict[str, float]:
        """Wall time of each phase so far."""
        status = self._status
        if not status.phase:
            return dict(status.seconds)
        running = time.time() - status.phase_started
        return {**status.seconds, status.phase: status.seconds.get(status.phase, 0.0) + running}

    def _change(self, **fields: Any) -> None:
        with self._lock:
            self._status = self._status.model_copy(update=fields)

    def _publish(self) -> None:
        with self._lock:
            self.run.write("status.json", self._said())

    def _said(self) -> str:
        now = {"heartbeat": time.time(), "seconds": self.seconds()}
        return self._status.model_copy(update=now).model_dump_json(indent=2)

    def _end(self, state: str, error: str = "") -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._change(state=state, error=error)
        try:
            self._publish()
        except RunError:
            if state != "failed":
                raise
            # A full disk has no room for a second copy, but has for the one that is there. Where even this cannot be
            # written, a reader still sees that the process is gone.
            with contextlib.suppress(OSError):
                self.run.overwrite("status.json", self._said())
        with contextlib.suppress(OSError):
            self.run.stop_request.unlink(missing_ok=True)

    def _beat(self) -> None:
        asked_at: float | None = None
        while not self._ended.wait(_BEAT):
            if self._asked_by_file():
                self._stop_asked = True
            if self._stop_asked and asked_at is None:
                asked_at = time.monotonic()
                self._change(state="stopping")
            # A disk that is full now may have room at the next beat; the working thread meets the same and says so.
            with contextlib.suppress(RunError):
                self._publish()
            if asked_at is not None and not self._ended.is_set():
                self._insist(time.monotonic() - asked_at)

    def _insist(self, waited: float) -> None:
        """Ends work that has not come to a place to stop since it was asked to."""
        if waited > _LAST_PATIENCE:
            self._change(state="stopped")
            with contextlib.suppress(RunError):
                self._publish()
            self.run.stop_request.unlink(missing_ok=True)
            sys.stderr.flush()
            os._exit(0)
        elif waited > _PATIENCE and self._interruptible:
            _thread.interrupt_main(signal.SIGTERM)

    def _asked_by_file(self) -> bool:
        try:
            return self.run.stop_request.read_text() == str(os.getpid())
        except OSError:
            return False

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Waits until no other run holds the device and none waited for it longer."""
        locks = self.run.path.parent / ".queue"
        lock = FileLock(locks / f"{self.device.replace(':', '-')}.lock")
        try:
            locks.mkdir(exist_ok=True)
            while self._someone_before() or not _free(lock):
                if self._stop_asked:
                    raise Stopped
                time.sleep(_POLL)
        except OSError as error:
            raise RunError(f"cannot wait for the device in {locks}: {error.strerror or error}") from None
        try:
            yield
        finally:
            lock.release()

    def _someone_before(self) -> bool:
        mine = (self._status.phase_started, self.run.id)
        others = ((run.id, run.status()) for run in all_runs(self.run.path.parent) if run.id != self.run.id)
        return any(
            status.state == "queued" and status.device == self.device and (status.phase_started, name) < mine
            for name, status in others
        )

    @contextlib.contextmanager
    def _hearing_signals(self) -> Iterator[None]:
        """Ctrl-C and a request to terminate ask to stop; asked again, the work is interrupted wherever it is."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
            if self._stop_asked and not self._ended.is_set():
                raise Stopped
            self._stop_asked = True

        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        self._interruptible = True
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _free(lock: FileLock) -> bool:
    """Takes the lock unless another process has it."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True
