"""A run is a folder: how it is named, written piece by piece, and read whatever state it is in."""

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil
import pydantic
from pydantic import BaseModel, ConfigDict

from distrack.errors import RunError

if TYPE_CHECKING:
    from distrack.evaluate import Inspection, Report
    from distrack.jobs.distillation.job import DistillJob
    from distrack.jobs.listening.sounds import Listening

State = Literal["queued", "running", "stopping", "done", "stopped", "failed", "stale", "unreadable"]
ALIVE: frozenset[State] = frozenset({"queued", "running", "stopping"})
# A process on another machine that shares the folder is taken for gone after this many seconds without a heartbeat.
SILENCE = 8.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Status(BaseModel):
    """`status.json`: where a run stands, as its process last said.

    Attributes:
        phase: what is being done: `prepare`, `distill`, `invert`, `evaluate`, `inspect` or `listen`; empty before any.
        step, steps: how much of the phase is done.
        detail: what exactly, for a person.
        started, heartbeat: seconds since the epoch.
        phase_started: the same, when the phase or the wait in the queue began.
        counted_from: the same, when this count of steps began, and the step that it began with: a phase may count
            several things one after the other, and goes on where an earlier process was.
        seconds: wall time of each phase, over all resumptions, up to the heartbeat.
        pid, process_started, host: the process that works on it.
    """

    model_config = ConfigDict(frozen=True)

    state: State
    phase: str = ""
    step: int = 0
    steps: int = 0
    detail: str = ""
    started: float = 0.0
    phase_started: float = 0.0
    counted_from: tuple[float, int] = (0.0, 0)
    heartbeat: float = 0.0
    seconds: dict[str, float] = {}
    device: str = ""
    pid: int = 0
    process_started: float = 0.0
    host: str = ""
    error: str = ""

    def process_is_alive(self) -> bool:
        """Whether the process that wrote this still lives; one that was given the same number since does not count."""
        if self.host != socket.gethostname():
            return time.time() - self.heartbeat < SILENCE
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.process_started) < 2.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, ValueError):
            return False


class Run:
    """One run's folder. Reading never fails on a missing or damaged file; writing says what it cannot do."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name

    # Reading

    def status(self) -> Status:
        """Where the run stands: as its process said, or `stale` where that process is gone."""
        try:
            status = Status.model_validate_json((self.path / "status.json").read_bytes())
        except (OSError, pydantic.ValidationError):
            return Status(state="unreadable", error="status.json is missing or damaged")
        if status.state in ALIVE and not status.process_is_alive():
            return status.model_copy(update={"state": "stale"})
        return status

    @property
    def takes_apart(self) -> bool:
        """Whether it is a decomposition: a clip that is taken apart, not a dataset that is distilled."""
        try:
            return "method" in json.loads((self.path / "config.json").read_bytes())
        except (OSError, ValueError, TypeError):
            return False

    def job(self) -> "DistillJob":
        """The distillation as asked.

        Raises:
            RunError: `config.json` is missing or damaged, or a decomposition's.
        """
        if self.takes_apart:
            raise RunError(f"run {self.id} is a decomposition of a clip: nothing was distilled there")
        try:
            from distrack.jobs.distillation.job import DistillJob

            return DistillJob.model_validate_json((self.path / "config.json").read_bytes())
        except (OSError, pydantic.ValidationError, ValueError) as error:
            raise RunError(f"run {self.id}: config.json is missing or damaged ({_first_line(error)})") from None

    def report(self) -> "Report | None":
        """What was measured so far, or None."""
        try:
            from distrack.evaluate import Report

            return Report.model_validate_json((self.path / "report.json").read_bytes())
        except (OSError, pydantic.ValidationError):
            return None

    def inspection(self) -> "Inspection | None":
        """How near its tracks are to real clips, or None where that was not looked at."""
        try:
            from distrack.evaluate import Inspection

            return Inspection.model_validate_json((self.path / "inspection.json").read_bytes())
        except (OSError, pydantic.ValidationError):
            return None

    def listening(self) -> "Listening | None":
        """What its tracks can be heard beside, or None where nothing was made for these tracks."""
        try:
            from distrack.distill import SyntheticSet
            from distrack.jobs.listening.sounds import Listening

            found = Listening.model_validate_json((self.path / "listening.json").read_bytes())
            return found if found.tracks == SyntheticSet.load(self.synthetic).fingerprint else None
        except (OSError, pydantic.ValidationError, RunError):
            return None

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl` that are whole."""
        try:
            lines = (self.path / "metrics.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        return [record for line in lines if isinstance(record := _parsed(line), dict)]

    def snapshots(self) -> dict[int, Path]:
        """Snapshot files by step, in order."""
        found = {int(path.stem): path for path in self.path.glob("snapshots/*.safetensors") if path.stem.isdigit()}
        return dict(sorted(found.items()))

    def track(self, name: str) -> Path:
        """The audible track of a name that the synthetic set gives."""
        return self.path / "audio" / f"{name}.flac"

    @property
    def synthetic(self) -> Path:
        """The finished synthetic set."""
        return self.path / "synthetic.safetensors"

    @property
    def checkpoint(self) -> Path:
        """What `resume` starts from."""
        return self.path / "checkpoint.safetensors"

    @property
    def stop_request(self) -> Path:
        """A file that asks a process of this run to stop; it holds that process's number."""
        return self.path / "stop"

    # Writing

    def write(self, name: str, content: bytes | str) -> None:
        """Replaces a file of the run in one step: a reader sees the old content or the new, never a part.

        Raises:
            RunError: the disk is full or the folder is gone; what was there before is still whole.
        """
        try:
            self._replace(name, content)
        except OSError as error:
            raise self._cannot_write(self.path / name, error) from None

    def _replace(self, name: str, content: bytes | str) -> None:
        target = self.path / name
        part = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.part")
        try:
            if target.parent != self.path:  # a run that was deleted meanwhile must not come back
                target.parent.mkdir(exist_ok=True)
            part.write_bytes(content.encode() if isinstance(content, str) else content)
            part.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise

    def overwrite(self, name: str, content: str) -> None:
        """Writes into a file that is there, without room for a second copy of it; a reader may see a part.

        Raises:
            OSError: not even that is possible.
        """
        with (self.path / name).open("r+b") as file:
            file.write(content.encode())
            file.truncate()

    def clear_parts(self) -> None:
        """Removes what a process that was killed while it wrote left behind."""
        for part in self.path.rglob(".*.part"):
            writer = part.name.split(".")[-3]
            if writer == str(os.getpid()) or not (writer.isdecimal() and psutil.pid_exists(int(writer))):
                with contextlib.suppress(OSError):
                    part.unlink()

    def append_metrics(self, **record: Any) -> None:
        """Adds one line to `metrics.jsonl`.

        Raises:
            RunError: the disk is full or the folder is gone.
        """
        target = self.path / "metrics.jsonl"
        try:
            with target.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise self._cannot_write(target, error) from None

    def _cannot_write(self, target: Path, error: OSError) -> RunError:
        return RunError(
            f"cannot write {target}: {error.strerror or error}. Make room or mend the folder, "
            f"then go on with: python -m distrack resume {self.id}"
        )


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def create(runs_path: Path, job: "DistillJob", name: str | None = None) -> Run:
    """A new run's folder with its config.

    Raises:
        RunError: the name is taken or cannot be a folder's, or the runs path is not writable.
    """
    return make_folder(runs_path, new_name(job.usual_name) if name is None else name, job)


def new_name(what: str) -> str:
    """A name that was not given before: when, what, and chance."""
    return f"{time.strftime('%Y-%m-%dT%H-%M-%S')}_{what}_{secrets.token_hex(2)}"


def check_name(name: str) -> None:
    """Refuses what cannot be a folder's name on any system.

    Raises:
        RunError: says what can.
    """
    if not _NAME.fullmatch(name):
        raise RunError(f"run name {name!r}: use letters, digits, dots, dashes and underscores, at most 100")


def make_folder(runs_path: Path, name: str, config: BaseModel) -> Run:
    """Makes the folder of a run that is not there yet, with its config.

    Raises:
        RunError: the name is taken or cannot be a folder's, or the runs path is not writable.
    """
    check_name(name)
    run = Run(runs_path / name)
    try:
        runs_path.mkdir(parents=True, exist_ok=True)
        run.path.mkdir()
    except FileExistsError:
        if run.path.exists():
            raise RunError(f"run {run.id} exists in {runs_path}: choose another --name") from None
        raise RunError(f"runs path {runs_path} is not a folder: choose another with --runs-path") from None
    except OSError as error:
        raise _not_writable(runs_path, error) from None
    try:
        run._replace("config.json", config.model_dump_json(indent=2))
    except OSError as error:
        shutil.rmtree(run.path, ignore_errors=True)
        raise _not_writable(runs_path, error) from None
    return run


def _not_writable(runs_path: Path, error: OSError) -> RunError:
    return RunError(f"runs path {runs_path} is not writable ({error.strerror}): choose another with --runs-path")


def find(runs_path: Path, run_id: str) -> Run:
    """The run of that id.

    Raises:
        RunError: there is none.
    """
    run = Run(runs_path / run_id)
    if not _NAME.fullmatch(run_id) or not run.path.is_dir():
        raise RunError(f"no run {run_id!r} in {runs_path}: list them with: python -m distrack runs")
    return run


def all_runs(runs_path: Path) -> Iterator[Run]:
    """Every run of any kind, newest first; a damaged one too."""
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
