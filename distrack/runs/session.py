"""A session: one process that works on a run. It writes the status, obeys requests to stop, and waits its turn."""

import _thread
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

import psutil
from filelock import AcquireReturnProxy, FileLock, Timeout

from distrack.engines import LOCAL, EngineConfig
from distrack.errors import DistrackError, RunError
from distrack.files import remove_abandoned_parts
from distrack.progress import Watch, share_of_phases, unwatched
from distrack.runs.folder import ALIVE, Run, Status
from distrack.runs.queue import turn

log = logging.getLogger(__name__)

_BEAT = 0.5
# Seconds between two reports of steps that take less.
_OFTEN = 0.02
# Seconds after a request to stop: work that has not reported progress by then is interrupted wherever it is, which is
# safe because files are whole at every moment; work that cannot be interrupted ends with the process.
_INTERRUPT_AFTER = 1.0
_EXIT_AFTER = 2.0
_POLL = 0.3
# Seconds that the threads of a killed process may take to release the run's lock.
_LOCK_TIMEOUT = 10.0
# `phase:step` at which work waits for a request to stop, or for a file named `go` in the run's folder. Tests use it to
# stop, kill and watch work at a known place, however fast the machine is.
HOLD_AT = "DISTRACK_HOLD_AT"


class Stopped(Exception):  # noqa: N818
    """The run was asked to stop."""


class Session:
    """Writes `status.json` twice a second from a thread of its own, and looks for the file that asks to stop.

    Args:
        run: the run to work on.
        device: the queue that the run waits in and whose lock it holds while it works.
        watch: called with all progress.
        command: words of the command that works on the run; those of the process that queued it if empty.
        queue: the queue that the run waits in instead of the device's.
        engine: where runs that this one is made of are worked on.
    """

    def __init__(
        self,
        run: Run,
        device: str,
        watch: Watch = unwatched,
        *,
        command: tuple[str, ...] = (),
        queue: str = "",
        engine: EngineConfig = LOCAL,
    ) -> None:
        self.run = run
        self.device = device
        self.engine = engine
        self._watch = watch
        # `seconds` in memory leaves out the current phase; the published status counts it, up to the heartbeat.
        # Wall time at the start, then a clock that nobody sets: durations stay right when the computer's clock is set.
        self._clock_begins = time.time() - time.monotonic()
        self._status = Status.queued(run.status(), psutil.Process(), device=queue or device, command=command)
        self._plan: Mapping[str, float] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        # Not an Event: the handler of a signal would deadlock if it interrupted a thread that holds the event's lock.
        self._stop_requested = False
        self._interruptible = False
        self._patient = False
        # Called before this process ends itself, because its work does not obey a request to stop.
        self.before_exit: Callable[[], None] = lambda: None
        self._hold = _hold_from_environment()
        self._next_report = 0.0
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    @contextlib.contextmanager
    def working(self) -> Iterator["Session"]:
        """Owns the run until the block ends; the last state says how it ended.

        Raises:
            RunError: another process works on the run, or the block raised it.
        """
        with self._own_lock(), self._signals_request_stop():
            remove_abandoned_parts(self.run.path)
            self._publish()
            self._thread.start()
            try:
                with turn(self.run, self._status, waiting=self._check_stop):
                    yield self
                self._end("done")
            except Stopped:
                self._end("stopped")
                raise
            except BaseException as error:
                self._end("failed", error=getattr(error, "problem", str(error)) or type(error).__name__)
                raise
            finally:
                self._ended.set()

    def _own_lock(self) -> AcquireReturnProxy:
        """Acquires the run's lock; waits a moment for a killed process whose threads still hold it."""
        deadline = time.monotonic() + _LOCK_TIMEOUT
        while True:
            try:
                return FileLock(self.run.path / ".lock").acquire(timeout=_POLL)
            except Timeout:
                if self.run.status().state in ALIVE or time.monotonic() > deadline:
                    raise RunError(f"run {self.run.id} is running in another process: stop it first") from None
            except OSError as error:
                raise RunError(f"cannot work in {self.run.path}: {error.strerror or error}") from None

    @property
    def stop_requested(self) -> bool:
        """Whether the run was asked to stop; the next call of `progress` raises `Stopped`."""
        return self._stop_requested

    @contextlib.contextmanager
    def patience(self) -> Iterator[None]:
        """Lets the block end however long it takes after a request to stop, as it stops other processes."""
        self._patient = True
        try:
            yield
        finally:
            self._patient = False

    def _check_stop(self) -> None:
        if self._stop_requested:
            raise Stopped

    def _now(self) -> float:
        return self._clock_begins + time.monotonic()

    def plan(self, seconds: Mapping[str, float]) -> None:
        """Says how long each phase is expected to take, in their order: progress is then the share of all of them."""
        self._plan = seconds
        self._change(counted_from=(self._now(), self._status.share))

    def _share(self, phase: str, step: int, steps: int) -> float:
        if not self._plan:
            return min(1.0, step / steps) if steps else 0.0
        return max(self._status.share, share_of_phases(self._plan, phase, step, steps))

    def phase(self, name: str, steps: int = 0) -> None:
        """Begins a new phase of the work; `steps` is the number of its steps, if that is known.

        Raises:
            Stopped: the run was asked to stop.
        """
        self._check_stop()
        log.info("phase %s", name)
        self.run.append_metrics(t=round(self.elapsed(), 3), phase=name)
        now, spent = self._now(), self.seconds()
        begun = {"phase": name, "step": 0, "steps": steps, "detail": "", "phase_started": now, "seconds": spent}
        self._change(state="running", share=self._share(name, 0, steps), **begun)
        self._publish()

    def progress(self, step: int, steps: int, detail: str = "", loss: float | None = None) -> None:
        """Reports that `step` of `steps` steps of the phase are done.

        Raises:
            Stopped: the run was asked to stop.
        """
        before = self._status
        counted, share = before.counted_from, self._share(before.phase, step, steps)
        if not self._plan and (steps != before.steps or step < before.step or not before.step):
            counted = (self._now(), share)
        self._change(step=step, steps=steps, detail=detail, share=share, counted_from=counted)
        self._watch(before.phase, step, steps, detail, loss)
        if self._hold is not None and before.phase == self._hold[0] and step >= self._hold[1]:
            self._hold = None
            while not self._stop_requested and not (self.run.path / "go").exists():
                time.sleep(0.02)
            return  # a request to stop is obeyed at the next step, as if it had come during that step
        self._check_stop()

    def progress_often(self, step: int, steps: int, detail: str = "", loss: float | None = None) -> None:
        """As `progress`, for steps of microseconds: some fifty reports a second are made, and that of the last step.

        Raises:
            Stopped: the run was asked to stop.
        """
        now = time.monotonic()
        if now >= self._next_report or step >= steps or self._stop_requested or self._hold is not None:
            self._next_report = now + _OFTEN
            self.progress(step, steps, detail, loss)

    def elapsed(self) -> float:
        """Seconds of work on the run, all phases and resumptions together."""
        return sum(self.seconds().values())

    def seconds(self) -> dict[str, float]:
        """Wall time of each phase so far."""
        status = self._status
        if not status.phase:
            return dict(status.seconds)
        running = self._now() - status.phase_started
        return {**status.seconds, status.phase: status.seconds.get(status.phase, 0.0) + running}

    def _change(self, **fields: Any) -> None:
        with self._lock:
            self._status = self._status.model_copy(update=fields)

    def _publish(self) -> None:
        with self._lock:
            self.run.write("status.json", self._as_json())

    def _as_json(self) -> str:
        now = {"heartbeat": self._now(), "seconds": self.seconds()}
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
            # A full disk has no room for a second copy of the file, but the existing one can be overwritten. If even
            # that fails, a reader still sees that the process is gone.
            with contextlib.suppress(OSError), (self.run.path / "status.json").open("r+b") as file:
                file.write(self._as_json().encode())
                file.truncate()
        with contextlib.suppress(OSError):
            self.run.stop_request.unlink(missing_ok=True)

    def _beat(self) -> None:
        requested_at: float | None = None
        while not self._ended.wait(_BEAT):
            with contextlib.suppress(OSError):
                self._stop_requested |= self.run.stop_request.read_text() == str(os.getpid())
            if self._stop_requested and requested_at is None:
                requested_at = time.monotonic()
                self._change(state="stopping")
            # A full disk may have room again at the next beat; the working thread meets the same error and reports it.
            with contextlib.suppress(RunError):
                self._publish()
            if requested_at is not None and not self._ended.is_set():
                self._force_stop(time.monotonic() - requested_at)

    def _force_stop(self, waited: float) -> None:
        """Ends work that has not reported progress for some seconds since the request to stop."""
        if self._patient:
            return
        if waited > _EXIT_AFTER:
            self._change(state="stopped")
            with contextlib.suppress(RunError):
                self._publish()
            self.run.stop_request.unlink(missing_ok=True)
            with contextlib.suppress(DistrackError):
                self.before_exit()
            sys.stderr.flush()
            os._exit(0)
        elif waited > _INTERRUPT_AFTER and self._interruptible:
            _thread.interrupt_main(signal.SIGTERM)

    @contextlib.contextmanager
    def _signals_request_stop(self) -> Iterator[None]:
        """Makes Ctrl-C and SIGTERM request a stop; a second signal interrupts the work wherever it is."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def request_stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
            if self._stop_requested and not self._ended.is_set():
                raise Stopped
            self._stop_requested = True

        before = {number: signal.signal(number, request_stop) for number in (signal.SIGINT, signal.SIGTERM)}
        self._interruptible = True
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _hold_from_environment() -> tuple[str, int] | None:
    phase, _, step = os.environ.get(HOLD_AT, "").partition(":")
    return (phase, int(step)) if step.isdecimal() else None
