"""The folder of a run: its name, its files, and its status. Readers cope with every half-written state."""

import contextlib
import json
import math
import re
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import psutil
from pydantic import ConfigDict, Field

from distrack.errors import RunError
from distrack.files import FULL, locked, write_atomically
from distrack.validation import Record, read_model

State = Literal["queued", "running", "stopping", "done", "stopped", "failed", "stale", "unreadable"]
# Seconds since the epoch, up to the year 5138.
Time = Annotated[float, Field(ge=0, le=1e11)]
ALIVE: frozenset[State] = frozenset({"queued", "running", "stopping"})
# Seconds without another heartbeat after which a process on another machine counts as gone.
SILENCE = 8.0
# Seconds in which a process that works writes its status anew.
_NEXT_BEAT = 1.2
# Seconds after which a heartbeat is of the past by any clock.
_LONG_AGO = 30 * 24 * 3600.0
# Heartbeats of runs on other machines as they were last seen, with the time at which they changed.
_heard: dict[Path, tuple[float, float]] = {}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Status(Record):
    """The content of `status.json`: the state that a run's process last wrote.

    Attributes:
        state: `queued`, `running`, `stopping`, `done`, `stopped` or `failed`; a reader also gives `stale` for a run
            whose process is gone, and `unreadable` for a missing or damaged file.
        phase: name of the current phase of the work, such as `prepare`; empty before the first.
        step, steps: steps of the phase that are done, and their total.
        detail: a few words about the current step.
        started, heartbeat: seconds since the epoch.
        phase_started: seconds since the epoch at which the phase, or the wait in the queue, began.
        share: share of the work that is done, from 0 to 1: of all phases if the job planned them, where it never falls,
            else of the current one.
        counted_from: time and share at which the current count began. One phase may count several things in turn, and
            may go on where an earlier process stopped; the pace is measured from here.
        seconds: wall time of each phase, over all resumptions, up to the heartbeat.
        device: the queue that the run waits in: a device, or a kind of work.
        command: words after `python -m distrack` of the process that works, or worked, on the run.
        pid, process_started, host: that process.
        process_after_boot: seconds from the start of the machine to that of the process, which no change of the clock
            changes.
        error: message of the error that ended the run.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    state: State
    phase: str = ""
    step: int = 0
    steps: int = 0
    detail: str = ""
    started: Time = 0.0
    phase_started: Time = 0.0
    share: Annotated[float, Field(ge=0, le=1)] = 0.0
    counted_from: tuple[float, float] = (0.0, 0.0)
    heartbeat: Time = 0.0
    seconds: dict[str, float] = Field(default_factory=dict)
    device: str = ""
    command: tuple[str, ...] = ()
    pid: int = 0
    process_started: float = 0.0
    process_after_boot: float = 0.0
    host: str = ""
    error: str = ""

    @classmethod
    def queued(cls, before: Self, process: psutil.Process, *, device: str, command: tuple[str, ...] = ()) -> Self:
        """The status with which a process joins a queue.

        Args:
            before: the run's last status; its time of work counts on, and so does its time in the queue.
            process: the process that works on the run.
            device: the queue.
            command: words of the command that the process executes; those of the last status if empty.
        """
        now = time.time()
        return cls(
            state="queued",
            started=before.started or now,
            phase_started=before.phase_started if before.state == "queued" else now,
            heartbeat=now,
            seconds=before.seconds,
            share=0.0 if before.state == "done" else before.share,
            device=device,
            command=command or before.command,
            pid=process.pid,
            process_started=process.create_time(),
            process_after_boot=process.create_time() - psutil.boot_time(),
            host=socket.gethostname(),
        )

    @property
    def is_of_this_machine(self) -> bool:
        """Whether the process that wrote this status runs, or ran, on this machine."""
        return self.host == socket.gethostname()

    def process_is_alive(self) -> bool:
        """Whether the process on this machine still lives; a later process with the same number is another."""
        try:
            process = psutil.Process(self.pid)
            began = process.create_time()
            after_boot = began - psutil.boot_time() - self.process_after_boot
            # Where the clock was set meanwhile, one of the two differs.
            same = min(abs(began - self.process_started), abs(after_boot)) < 2.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, ValueError):
            return False


class Run:
    """The folder of one run. Reading copes with missing and damaged files; writing to a full disk raises `RunError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name

    # Reading

    def status(self) -> Status:
        """The status that the run's process wrote last; `stale` if that process is gone."""
        status = read_model(self.path / "status.json", Status)
        if status is None:
            return Status(state="unreadable", error="status.json is missing or damaged")
        if status.state not in ALIVE:
            return status
        alive = status.process_is_alive() if status.is_of_this_machine else self._is_heard(status.heartbeat)
        return status if alive else status.model_copy(update={"state": "stale"})

    def _is_heard(self, heartbeat: float) -> bool:
        """Whether the heartbeat of a process on another machine changes.

        The clocks of two machines are not compared: what counts is how long, by the clock of this one, a heartbeat has
        been the same. Only the first look asks whether it can be of this minute, and waits for the next beat if not.
        """
        before = _heard.get(self.path)
        if before is None or heartbeat < before[0]:
            recent = abs(time.time() - heartbeat) < SILENCE
            # Nobody's clock is wrong by months: a folder that was copied long ago is not waited for.
            if not recent and abs(time.time() - heartbeat) < _LONG_AGO:
                time.sleep(_NEXT_BEAT)
                again = read_model(self.path / "status.json", Status)
                recent = again is not None and again.heartbeat != heartbeat
            _heard[self.path] = (heartbeat, time.monotonic() if recent else -math.inf)
            return recent
        if heartbeat > before[0]:
            _heard[self.path] = (heartbeat, time.monotonic())
            return True
        return time.monotonic() - before[1] < SILENCE

    def config(self) -> dict[str, Any]:
        """The content of `config.json`.

        Raises:
            RunError: it is missing or damaged.
        """
        try:
            config = json.loads((self.path / "config.json").read_bytes())
        except (OSError, ValueError) as error:
            raise RunError(f"run {self.id}: config.json is missing or damaged ({error})") from None
        if not isinstance(config, dict):
            raise RunError(f"run {self.id}: config.json is missing or damaged (it holds no object)")
        return config

    def metrics(self, name: str = "metrics.jsonl") -> list[dict[str, Any]]:
        """Records of a file that holds one a line, in order; damaged lines are left out."""
        try:
            lines = (self.path / name).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        try:
            records = json.loads(f"[{','.join(lines)}]")
        except ValueError:
            records = []
            for line in lines:
                with contextlib.suppress(ValueError):
                    records.append(json.loads(line))
        return [record for record in records if isinstance(record, dict)]

    def snapshots(self) -> dict[int, Path]:
        """Paths of the snapshots by step, in order."""
        files = {int(path.stem): path for path in self.path.glob("snapshots/*.safetensors") if path.stem.isdigit()}
        return dict(sorted(files.items()))

    @property
    def checkpoint(self) -> Path:
        """The state that an interrupted job goes on from."""
        return self.path / "checkpoint.safetensors"

    @property
    def stop_request(self) -> Path:
        """A file whose presence asks the run's process to stop; it holds that process's number."""
        return self.path / "stop"

    # Writing

    def write(self, name: str, content: bytes | str) -> None:
        """Writes a file of the run atomically: after an error, what was there before is still whole."""
        target = self.path / name
        try:
            if target.parent != self.path:  # the folder of a run that was deleted meanwhile is not made again
                target.parent.mkdir(exist_ok=True)
            write_atomically(target, content)
        except OSError as error:
            raise self._cannot_write(target, error) from None

    @contextlib.contextmanager
    def changing(self, name: str) -> Iterator[None]:
        """Holds the lock of a file that is read, changed and written: another process that changes it waits."""
        try:
            with locked(self.path / f".{name}.lock"):
                yield
        except OSError as error:
            raise self._cannot_write(self.path / name, error) from None

    def append_metrics(self, name: str = "metrics.jsonl", /, **record: Any) -> None:
        """Adds one record to a file that holds one a line."""
        target = self.path / name
        try:
            with target.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise self._cannot_write(target, error) from None

    def _cannot_write(self, target: Path, error: OSError) -> RunError:
        if not self.path.is_dir():
            return RunError(f"cannot write {target}: the folder of run {self.id} was removed while it was used")
        way = "Free some space" if error.errno in FULL else "Make its folder writable"
        problem = f"cannot write {target}: {error.strerror or error}. {way}, then resume the run"
        return RunError(problem, remedy=f"python -m distrack resume {self.id}")


def new_name(description: str) -> str:
    """A new name for a run: the time, a description, and random characters."""
    return f"{time.strftime('%Y-%m-%dT%H-%M-%S')}_{description}_{secrets.token_hex(2)}"


def check_name(name: str) -> None:
    """Checks that a name can be a folder's name on every system.

    Raises:
        RunError: it cannot; the message says which characters are allowed.
    """
    if not _NAME.fullmatch(name):
        raise RunError(f"run name {name!r}: use letters, digits, dots, dashes and underscores, at most 100")


def make_folder(runs_path: Path, name: str, config: str) -> Run:
    """Makes the folder of a new run and writes its `config.json`.

    Raises:
        RunError: the name is taken or cannot be a folder's, or the runs path is not writable.
    """
    check_name(name)
    run = Run(runs_path / name)
    try:
        runs_path.mkdir(parents=True, exist_ok=True)
        run.path.mkdir()
        write_atomically(run.path / "config.json", config)
    except FileExistsError:
        if run.path.exists():
            raise RunError(f"run {run.id} exists in {runs_path}", remedy="choose another --name") from None
        raise RunError(f"runs path {runs_path} is not a folder", remedy="choose another with --runs-path") from None
    except OSError as error:
        with contextlib.suppress(OSError):
            run.path.rmdir()  # made, but without a config
        problem = f"runs path {runs_path} is not writable ({error.strerror})"
        raise RunError(problem, remedy="choose another with --runs-path") from None
    return run


def find(runs_path: Path, run_id: str) -> Run:
    """The run with this id.

    Raises:
        RunError: there is none.
    """
    run = Run(runs_path / run_id)
    if not _NAME.fullmatch(run_id) or not run.path.is_dir():
        raise RunError(f"no run {run_id!r} in {runs_path}", remedy="list them with: python -m distrack runs")
    return run


def all_runs(runs_path: Path) -> Iterator[Run]:
    """All runs in a folder, newest first, damaged ones included."""
    if not runs_path.is_dir():
        return
    folders = [path for path in runs_path.iterdir() if path.is_dir() and _NAME.fullmatch(path.name)]
    for path in sorted(folders, key=_age, reverse=True):
        yield Run(path)


def _age(path: Path) -> float:
    try:
        return (path / "config.json").stat().st_mtime
    except OSError:
        return 0.0
