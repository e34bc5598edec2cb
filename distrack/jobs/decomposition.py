"""A decomposition: one clip taken apart into events, as a run like the others."""

import contextlib
import io
import logging
import shlex
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pydantic
import safetensors.numpy
import soundfile
from pydantic import BaseModel, ConfigDict, Field, field_validator
from safetensors import SafetensorError

from distrack.audio import Segment, read_segment
from distrack.decompose import (
    DECOMPOSERS,
    DecomposeConfig,
    Decomposer,
    Events,
    History,
    Progress,
    render,
    render_to,
    snr_db,
    soloed,
    spectral_convergence,
    strongest,
)
from distrack.decompose.limits import MOST_KEPT
from distrack.errors import AudioError, ConfigError, EventsError, RunError
from distrack.jobs.distillation.job import flat, option
from distrack.jobs.distillation.work import Watch, logged
from distrack.runs.control import start
from distrack.runs.folder import ALIVE, Run, make_folder, new_name
from distrack.runs.session import Session
from distrack.settings import user_path

log = logging.getLogger(__name__)

# Decompositions wait for each other, not for a distillation that takes its hour.
QUEUE = "decomposition"
_CHECKPOINT_SECONDS = 2.0
# Seconds between two looks that are kept for whoever watches, and how many are kept.
_LOOK_SECONDS = 0.5
_LOOKS = 60
# Numbers of events that the curve of quality is measured at.
_CURVE = 9
# Fields whose option is not their own name.
_OPTIONS = {
    "pursuit.snr_db": "snr",
    **{f"pursuit.{name}": name for name in ("atoms", "orthogonal", "waveforms", "waveform_seconds")},
    **{f"splat.{name}": name for name in ("iterations", "envelope", "initialisation", "sparsity", "prune")},
}


class DecomposeJob(DecomposeConfig):
    """Which part of which recording is taken apart, and how.

    Attributes:
        file: the recording.
        start: where the part begins, in seconds.
        seconds: how long it is; None is to the end.
        sample_rate: in Hz; None is the file's own.
        mono: the mean of the channels.
    """

    file: Path
    start: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    sample_rate: Annotated[int, Field(ge=1_000, le=192_000)] | None = None
    mono: bool = False

    @field_validator("file")
    @classmethod
    def _whole(cls, path: Path) -> Path:
        return user_path(path)

    @property
    def usual_name(self) -> str:
        """What a run is called unless it is named."""
        stem = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in self.file.stem)
        return f"{stem.strip('-')[:40] or 'clip'}_{self.method}_{self.events}"

    def command(self) -> str:
        """What a person types for the same: only what differs from the defaults."""
        plain = dict(flat(DecomposeJob(file=self.file, preset=self.preset)))
        words = ["python", "-m", "distrack", "decompose", str(self.file), "--method", self.method]
        words += ["--events", str(self.events)]
        words += [] if self.preset == "quick" else ["--preset", self.preset]
        for field, value in flat(self):
            if field in {"file", "preset", "method", "events"} or value == plain[field]:
                continue
            name = _OPTIONS.get(field)
            words += [f"--{name or field.replace('_', '-')}"] if value is True else _worded(field, name, value)
        return shlex.join(words)


def _worded(field: str, name: str | None, value: Any) -> list[str]:
    return option(field, value) if name is None else [f"--{name.replace('_', '-')}", str(value)]


class Quality(BaseModel):
    """How near the strongest events alone come to the clip."""

    model_config = ConfigDict(frozen=True)

    events: int
    snr_db: float
    spectral_convergence: float


class DecomposeReport(BaseModel):
    """`report.json` of a decomposition.

    Attributes:
        file: name of the recording.
        start, clip_seconds: which part of it.
        events: how many were found.
        floats: numbers stored for them.
        seconds: wall time of finding them.
        snr_db: energy of the clip over that of the residual.
        spectral_convergence: see `distrack.decompose.quality`.
        curve: the same of its strongest events alone.
        stereo: whether both channels were taken apart together.
    """

    model_config = ConfigDict(frozen=True)

    method: str
    file: str
    start: float
    clip_seconds: float
    sample_rate: int
    stereo: bool
    events: int
    floats: int
    seconds: float
    snr_db: float
    spectral_convergence: float
    curve: tuple[Quality, ...]


# The folder


def create(runs_path: Path, job: DecomposeJob, name: str | None = None) -> Run:
    """A new run's folder with its config, and what is taken apart beside it, so that the recording may go.

    Raises:
        AudioError: the recording cannot be used.
        ConfigError: more would be learnt from it than can be kept.
        RunError: the name is taken or cannot be a folder's, or the runs path is not writable.
    """
    segment = _read(job)
    learnt = job.pursuit.waveforms * round(job.pursuit.waveform_seconds * segment.sample_rate)
    if job.pursuit.atoms == "learned" and learnt > MOST_KEPT:
        raise ConfigError(
            f"waveforms: {learnt:,} samples in all of them, {MOST_KEPT:,} can be kept: learn fewer or shorter"
        )
    run = make_folder(runs_path, new_name(job.usual_name) if name is None else name, job)
    file = io.BytesIO()
    soundfile.write(file, segment.wave.T, segment.sample_rate, format="WAV", subtype="FLOAT")
    run.write("original.wav", file.getvalue())
    return run


def _read(job: DecomposeJob) -> Segment:
    try:
        return read_segment(job.file, start=job.start, seconds=job.seconds, sample_rate=job.sample_rate, mono=job.mono)
    except AudioError as error:
        raise AudioError(f"{job.file}: {error}") from None


def job_of(run: Run) -> DecomposeJob:
    """The job as asked.

    Raises:
        RunError: `config.json` is missing, damaged, or a distillation's.
    """
    try:
        return DecomposeJob.model_validate_json((run.path / "config.json").read_bytes())
    except (OSError, pydantic.ValidationError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"run {run.id}: config.json is missing or no decomposition's ({reason})") from None


def original(run: Run) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float32]], int]:
    """What is taken apart, ``[channels, samples]``, and its sample rate.

    Raises:
        RunError: it is gone or damaged.
    """
    try:
        wave, rate = soundfile.read(run.path / "original.wav", dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise RunError(f"run {run.id}: original.wav is missing or damaged ({error})") from None
    return np.ascontiguousarray(wave.T), int(rate)


def events_file(run: Run) -> Path:
    """The finished events."""
    return run.path / "events.safetensors"


def report_of(run: Run) -> DecomposeReport | None:
    """What was measured, or None."""
    try:
        return DecomposeReport.model_validate_json((run.path / "report.json").read_bytes())
    except (OSError, pydantic.ValidationError):
        return None


def edits_file(run: Run) -> Path:
    """The edits that were made to the events."""
    return run.path / "edits.json"


def put_aside(run: Run) -> None:
    """Begins without edits again; the file is kept under another name."""
    with contextlib.suppress(OSError):
        edits_file(run).replace(run.path / "edits.put-aside.json")


def history(run: Run) -> History:
    """The edits that were made to the events, done and undone.

    Raises:
        EventsError: they cannot be read.
    """
    try:
        return History.from_json(edits_file(run).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return History()
    except (OSError, UnicodeDecodeError) as error:
        raise EventsError(f"run {run.id}: edits cannot be read: {error}") from None


def keep_history(run: Run, edits: History) -> None:
    """Stores the edits beside the events, so that whoever opens the run finds them.

    Raises:
        RunError: the disk is full or the folder is gone.
    """
    run.write(edits_file(run).name, edits.model_dump_json())


def launch(run: Run) -> None:
    """Starts the work in a process that outlives whoever started it.

    Raises:
        RunError: a process works on the run already, or none could be started.
    """
    if run.status().state in ALIVE:
        raise RunError(f"run {run.id} is at work: stop it first")
    start(run, "resume", run.id, "--runs-path", str(run.path.parent.absolute()), device=QUEUE)


# The work


def work(run: Run, *, watch: Watch | None = None) -> DecomposeReport:
    """Finishes a decomposition: new, stopped, failed or left by a process that is gone.

    The events are the same, bit for bit, however often the run was cut off.

    Raises:
        DistrackError: the run failed; its status says so too.
        Stopped: the run was asked to stop.
    """
    job = job_of(run)
    wave, rate = original(run)
    with Session(run, QUEUE).working() as session, logged(run):
        return _Worker(run, job, wave, rate, session, watch or (lambda *_: None)).finish()


class _Worker:
    def __init__(
        self,
        run: Run,
        job: DecomposeJob,
        wave: np.ndarray[tuple[int, int], np.dtype[np.float32]],
        rate: int,
        session: Session,
        watch: Watch,
    ) -> None:
        self.run, self.job, self.wave, self.rate = run, job, wave, rate
        self.session, self.watch = session, watch

    def finish(self) -> DecomposeReport:
        """Events, the sounds they make, and how good they are."""
        if not events_file(self.run).is_file():
            self._take_apart()
        found = Events.load(events_file(self.run))
        return self._measured(found)

    def _take_apart(self) -> None:
        decomposer = DECOMPOSERS[self.job.method](self.wave, self.rate, self.job)
        self._restore(decomposer)
        self.session.phase("decompose", self.job.events)
        looked = saved = time.monotonic()
        pause = _CHECKPOINT_SECONDS
        for progress in decomposer:
            now = time.monotonic()
            if now - looked > _LOOK_SECONDS:
                self._look(decomposer, progress)
                looked = time.monotonic()
            if self.session.stop_asked or now - saved > pause:
                self.run.write("checkpoint.safetensors", safetensors.numpy.save(dict(decomposer.state())))
                saved = time.monotonic()
                # What takes long to write, as a long clip's residual, is written less often.
                pause = max(_CHECKPOINT_SECONDS, 20 * (saved - now))
            said = f"{progress.events} events"
            self.watch("decompose", progress.step, progress.steps, said, progress.loss)
            self.session.progress(progress.step, progress.steps, said)
        found = decomposer.events()
        if not len(found):
            raise EventsError("no events were found: the clip holds too little to take apart")
        self.run.write("events.json", found.to_json())
        self.run.write("events.safetensors", found.to_bytes())
        self.run.checkpoint.unlink(missing_ok=True)

    def _look(self, decomposer: Decomposer, progress: Progress) -> None:
        """What was found so far, for whoever watches."""
        record: dict[str, Any] = {"step": progress.step, "events": progress.events}
        record |= {} if progress.snr_db is None else {"snr_db": round(progress.snr_db, 3)}
        record |= {} if progress.loss is None else {"loss": progress.loss}
        self.run.append_metrics(t=round(self.session.elapsed(), 3), **record)
        found = decomposer.events()
        if len(found):
            self.run.write(f"snapshots/{progress.step}.safetensors", found.to_bytes())
        looks = list(self.run.snapshots().values())
        for path in looks[1:-1:2] if len(looks) > _LOOKS else ():
            path.unlink(missing_ok=True)

    def _restore(self, decomposer: Decomposer) -> None:
        if not self.run.checkpoint.is_file():
            return
        try:
            decomposer.restore(safetensors.numpy.load_file(self.run.checkpoint))
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            log.warning("the checkpoint cannot be read (%s): starts again", error)

    def _measured(self, found: Events) -> DecomposeReport:
        steps = [*_curve_at(len(found)), len(found)]
        self.session.phase("measure", len(steps))
        curve = []
        for number, count in enumerate(steps):
            self.watch("measure", number, len(steps), f"{count} events", None)
            self.session.progress(number, len(steps), f"{count} events")
            some = render(_only(found, count))
            curve.append(
                Quality(
                    events=count,
                    snr_db=round(snr_db(self.wave, some), 3),
                    spectral_convergence=round(spectral_convergence(self.wave, some), 5),
                )
            )
        self.watch("measure", len(steps), len(steps), "", None)
        self.session.progress(len(steps), len(steps))
        report = DecomposeReport(
            method=self.job.method,
            file=self.job.file.name,
            start=self.job.start,
            clip_seconds=self.wave.shape[1] / self.rate,
            sample_rate=self.rate,
            stereo=len(self.wave) == 2,
            events=len(found),
            floats=found.floats,
            seconds=round(self.session.seconds().get("decompose", 0.0), 3),
            snr_db=curve[-1].snr_db,
            spectral_convergence=curve[-1].spectral_convergence,
            curve=tuple(curve),
        )
        render_to(found, self.run.path / "reconstruction.flac")
        self.run.write("report.json", report.model_dump_json(indent=2))
        return report


def _curve_at(count: int) -> list[int]:
    """Numbers of events below all of them, evenly spread by ratio.

    >>> _curve_at(64)
    [1, 2, 3, 4, 6, 10, 16, 25, 40]
    """
    found = np.unique(np.geomspace(1, max(count, 1), _CURVE + 1).round().astype(int))
    return [int(number) for number in found if number < count]


def _only(events: Events, count: int) -> Events:
    return soloed(events, strongest(events, count))
