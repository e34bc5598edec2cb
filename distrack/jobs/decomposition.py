"""The decomposition: a part of a recording becomes events."""

import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import safetensors.numpy
import soundfile
from pydantic import Field, field_validator
from safetensors import SafetensorError

from distrack.audio import bits_text
from distrack.decompose import (
    DECOMPOSERS,
    DecomposeConfig,
    Decomposer,
    Events,
    History,
    Progress,
    Rendered,
    storage,
)
from distrack.decompose.codecs import flac, opus
from distrack.decompose.curve import POINTS, curve
from distrack.decompose.events import MOST_SAMPLES
from distrack.decompose.rendering import floats_text, write_sound
from distrack.errors import AudioError, ConfigError, EventsError, RunError
from distrack.files import replacing, size_text
from distrack.jobs.contract import Job, Table, all_runs, read_report, register
from distrack.perception import DISTANCES, distance
from distrack.progress import Watch, unwatched
from distrack.recording import Recording
from distrack.runs import Run, Session
from distrack.settings import user_path
from distrack.stored_sound import LONG, Sound, StoredSound, write_blocks
from distrack.validation import Positional, Record, read_model

log = logging.getLogger(__name__)

_CHECKPOINT_SECONDS = 2.0
# Seconds between two snapshots for viewers, the same as a share of the time so far, and the most snapshots that are
# kept: a second has two, the first hour some hundred.
_SNAPSHOT_SECONDS, _SNAPSHOT_SHARE = 0.5, 0.02
_MAX_SNAPSHOTS = 60
_SOURCE = "source.json"
# Share of the time that writing checkpoints may take, and snapshots.
_CHECKPOINT_SHARE = 0.05


class Quality(Record):
    """Quality of a reconstruction from the strongest events alone."""

    events: int
    snr_db: float
    spectral_convergence: float


class Codec(Record):
    """The size of a clip as another codec stores it; `snr_db` is that of the clip as it is read again."""

    name: str
    size: int
    snr_db: float


class StoredBits(Record):
    """What events in few bits take.

    Attributes:
        size: bytes of the codes of all events.
        file_size: bytes of the file of events, which holds its header too.
        others: the same clip in other codecs; Opus at about the same bit rate.
    """

    size: int
    file_size: int
    others: tuple[Codec, ...]


class DecomposeReport(Record):
    """`report.json` of a decomposition.

    Attributes:
        file: name of the recording.
        start, clip_seconds: the part of it that was decomposed, in seconds.
        stereo: whether both channels were decomposed together.
        floats: numbers stored for all events.
        common_floats: numbers of the model that serves all clips, if the events are those of one.
        channel: the channel that was decomposed alone, from 1, because all of them together cancel each other.
        bits: of float samples that were whole numbers and were divided by full scale.
        seconds: wall time of the decomposition.
        snr_db, spectral_convergence: quality of the reconstruction from all events.
        curve: quality of reconstructions from fewer events.
        perceptual: distances of the reconstruction from all events by name, where they were measured.
        stored: what the events take, if they are stored in few bits.
    """

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
    perceptual: dict[str, float] = Field(default_factory=dict)
    common_floats: int = 0
    channel: int | None = None
    bits: int | None = None
    stored: StoredBits | None = None

    def kilobits(self, size: int) -> float:
        """The bit rate of so many bytes, in kbit/s."""
        return size * 8 / 1000 / self.clip_seconds

    @property
    def codecs(self) -> list[tuple[str, int, float, float]]:
        """Name, bytes, kbit/s and signal-to-noise ratio of the events and of each other codec."""
        if self.stored is None:
            return []
        own = Codec(name="Events", size=self.stored.size, snr_db=self.snr_db)
        file = Codec(name="Events, whole file", size=self.stored.file_size, snr_db=self.snr_db)
        return [(one.name, one.size, self.kilobits(one.size), one.snr_db) for one in (own, file, *self.stored.others)]

    @property
    def notes(self) -> list[str]:
        """What a listener should know of the recording."""
        cancelled = "the channels of the recording cancel each other: channel {} alone was decomposed"
        notes = [] if self.channel is None else [cancelled.format(self.channel)]
        return notes if self.bits is None else [*notes, f"the recording: {bits_text(self.bits)}"]


class _Source(Record):
    """How the part that is decomposed was read from its recording."""

    channel: int | None = None
    bits: int | None = None


@register
class DecomposeJob(DecomposeConfig, Job):
    """Decomposes a part of a recording into events, which can be edited like notes.

    The part itself is stored in the run's folder, so that the recording may disappear. The events are the same, bit for
    bit, however often the run was interrupted.
    """

    kind: ClassVar[str] = "decomposition"
    verb: ClassVar[str] = "decompose"
    summary: ClassVar[str] = "Decomposes a recording into events that can be edited like notes."
    report_type: ClassVar[type[DecomposeReport]] = DecomposeReport
    on_cluster: ClassVar[bool] = True
    needs_folder: ClassVar[bool] = True
    always_given: ClassVar[tuple[tuple[str, ...], ...]] = (("events",),)

    file: Annotated[Path, Positional("FILE"), Field(title="Recording", examples=["recording.wav"])]
    """The recording."""
    start: Annotated[float, Field(ge=0, allow_inf_nan=False, title="Start (s)")] = 0.0
    """Start of the part, in seconds."""
    seconds: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
    """Length of the part; to the end if not given. Gabor atoms take up to four hours, other methods ten minutes."""
    sample_rate: Annotated[int | None, Field(ge=1_000, le=192_000)] = None
    """Sample rate in Hz; the recording's own if not given. A lower one is faster and loses what lies above half of
    it."""
    mono: Annotated[bool, Field(title="Mix to mono")] = False
    """Mix to mono. Off: events keep their pan."""
    perceptual: Annotated[bool, Field(title="Perceptual distances")] = False
    """Measure perceptual distances of the result too, which takes torch and some seconds. Methods that compute with
    torch always do."""

    @field_validator("file")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return user_path(path)

    @property
    def usual_name(self) -> str:
        stem = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in self.file.stem)
        return f"{stem.strip('-')[:40] or 'clip'}_{self.method.name}_{self.events}"

    @property
    def title(self) -> str:
        return f"{self.file.stem} · {self.events:,} events · {DECOMPOSERS.short_title(self.method.name)}"

    def create(self, runs_path: Path, name: str, *, watch: Watch = unwatched) -> Run:
        """Makes the folder of a new run with the part that is decomposed, `original.wav`.

        Raises:
            AudioError: the recording cannot be used.
            ConfigError: the method cannot work at the sample rate of the recording with these settings.
            RunError: the name is taken, or the folder cannot be made.
        """
        try:
            recording = Recording(
                self.file,
                start=self.start,
                seconds=self.seconds,
                sample_rate=self.sample_rate,
                mono=self.mono,
                longest=self.method.longest,
                progress=lambda done, total: watch("read", done, total, "", None),
            )
        except AudioError as error:
            raise AudioError(f"{self.file}: {error}") from None
        self._check_length(recording)
        self.method.check(recording.sample_rate)
        files = self.method.files(runs_path)
        run = super().create(runs_path, name, watch=watch)
        try:
            for file_name, content in files.items():
                run.write(file_name, content)
            source = _Source(channel=recording.channel, bits=recording.bits)
            if source != _Source():
                run.write(_SOURCE, source.model_dump_json())
            _write_original(run, recording)
        except BaseException:
            # Without its recording, a run cannot be resumed.
            shutil.rmtree(run.path, ignore_errors=True)
            raise
        return run

    def _check_length(self, recording: Recording) -> None:
        if recording.samples > MOST_SAMPLES:
            raise AudioError(
                f"{self.file}: {recording.samples:,} samples, at most {MOST_SAMPLES:,} can be decomposed. Choose a "
                "shorter duration or a lower sample rate"
            )
        if self.perceptual and recording.samples > LONG * recording.sample_rate:
            raise ConfigError(
                f"perceptual: distances are measured of at most {LONG:.0f} s. Leave them out, or choose a shorter part"
            )

    def work(self, run: Run, session: Session) -> DecomposeReport:
        recording, rate = original(run)
        wave: Sound = recording if recording.shape[1] > LONG * rate else recording[:, :]
        if not events_file(run).is_file():
            here = self.model_copy(update={"method": self.method.within(run.path)})
            _find_events(run, partial(here.decomposer, wave, rate), session, self.events)
        events = storage.load(events_file(run))
        sound = Rendered(events)
        curve, perceptual = _measured(
            events, wave, sound, session, perceptual=self.perceptual or self.method.uses_torch
        )
        report = DecomposeReport(
            method=self.method.name,
            file=self.file.name,
            start=self.start,
            clip_seconds=wave.shape[1] / rate,
            sample_rate=rate,
            stereo=wave.shape[0] == 2,
            events=len(events),
            floats=events.floats,
            common_floats=events.common_floats,
            **(read_model(run.path / _SOURCE, _Source) or _Source()).model_dump(),
            seconds=round(session.seconds().get("decompose", 0.0), 3),
            snr_db=curve[-1].snr_db,
            spectral_convergence=curve[-1].spectral_convergence,
            curve=curve,
            perceptual=perceptual,
            stored=_stored_bits(events, wave, events_file(run).read_bytes()),
        )
        write_sound(sound, rate, run.path / "reconstruction.flac")
        run.write("report.json", report.model_dump_json(indent=2))
        return report

    def worth_keeping(self, run: Run) -> bool:
        """A run with its recording can be resumed."""
        return (run.path / "original.wav").is_file()

    @classmethod
    def key_figures(cls, run: Run) -> dict[str, float]:
        """How close the sum of all events is to the recording."""
        report = decomposition_report(run)
        return {} if report is None else {"SNR (dB)": report.snr_db}

    @classmethod
    def tables(cls, report: Any, run_id: str) -> list[Table]:
        part = f"{report.file}, {report.clip_seconds:.2f} s at {report.sample_rate:,} Hz"
        stored = floats_text(report.floats, report.common_floats)
        tables = [
            Table(
                f"{run_id}: {part}, {stored}, decomposed in {report.seconds:.1f} s",
                ("events", "SNR, dB", "spectral convergence"),
                [(str(row.events), f"{row.snr_db:.1f}", f"{row.spectral_convergence:.3f}") for row in report.curve],
                report.notes,
            )
        ]
        if report.stored is not None:
            codecs = [(name, f"{size:,}", f"{rate:.1f}", f"{snr:.1f}") for name, size, rate, snr in report.codecs]
            title = f"Stored in {report.stored.size * 8 / report.events:.1f} bits an event"
            tables.append(Table(title, ("codec", "bytes", "kbit/s", "SNR, dB"), codecs))
        if report.perceptual:
            rows = [(name, f"{value:.3f}") for name, value in report.perceptual.items()]
            tables.append(
                Table("Perceptual distances of all events, 0 for an equal sound", ("distance", "value"), rows)
            )
        return tables


def decomposition_report(run: Run) -> DecomposeReport | None:
    """The report of a decomposition, or None."""
    report: DecomposeReport | None = read_report(run, DecomposeJob)
    return report


def original(run: Run) -> tuple[StoredSound, int]:
    """The part of the recording that is decomposed, and its sample rate.

    Raises:
        RunError: it is missing or damaged.
    """
    try:
        sound = StoredSound(run.path / "original.wav")
    except AudioError as error:
        raise RunError(f"run {run.id}: {error}") from None
    return sound, sound.sample_rate


def events_file(run: Run) -> Path:
    """The finished events."""
    return run.path / "events.safetensors"


def decompositions_like(
    run: Run, runs_path: Path, load: Callable[[Path], Events] = storage.load
) -> Iterator[tuple[Run, Events]]:
    """A finished decomposition, and all others into events of the same kind, the newest first; with their events.

    Others whose events cannot be read are left out.

    Args:
        load: reads a file of events; a page reads each only once.

    Raises:
        EventsError: the run has no events.
    """
    here = load(events_file(run))
    yield run, here
    for other in all_runs(runs_path, DecomposeJob.kind):
        if other.id != run.id and events_file(other).is_file():
            with contextlib.suppress(EventsError):
                events = load(events_file(other))
                if events.kind_name == here.kind_name:
                    yield other, events


def edits_file(run: Run) -> Path:
    """The edits that were made to the events."""
    return run.path / "edits.json"


def put_aside(run: Run) -> None:
    """Discards the edits; their file is renamed, not deleted."""
    with contextlib.suppress(OSError):
        edits_file(run).replace(run.path / "edits.put-aside.json")


def history(run: Run) -> History:
    """The edits of the events, done and undone.

    Raises:
        EventsError: the file cannot be read.
    """
    try:
        return History.from_json(edits_file(run).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return History()
    except (OSError, UnicodeDecodeError) as error:
        raise EventsError(f"run {run.id}: edits cannot be read: {error}") from None


def keep_history(run: Run, edits: History) -> None:
    """Stores the edits of the events in the run's folder.

    Raises:
        RunError: the disk is full or the folder is gone.
    """
    run.write(edits_file(run).name, edits.model_dump_json())


# The work


def _write_original(run: Run, recording: Recording) -> None:
    shape = (recording.channels, recording.samples)
    try:
        with replacing(run.path / "original.wav") as part:
            write_blocks(part, recording.blocks(), shape=shape, sample_rate=recording.sample_rate)
    except (OSError, soundfile.SoundFileError) as error:
        size = size_text(4 * shape[0] * shape[1])
        raise RunError(f"{run.path}: the recording, {size}, cannot be written: {error}. Free some space") from None


def _find_events(run: Run, begin: Callable[[], Decomposer], session: Session, events: int) -> None:
    """The phase `decompose`: drives a decomposer, with snapshots for viewers and checkpoints."""
    decomposer = _continued(run, begin)
    session.phase("decompose", events)
    began = viewed = saved = time.monotonic()
    pause, until_snapshot = _CHECKPOINT_SECONDS, _SNAPSHOT_SECONDS
    for progress in decomposer:
        now = time.monotonic()
        if now - viewed > until_snapshot:
            _snapshot(run, decomposer, progress, session)
            viewed = time.monotonic()
            # The events of a long clip take long to sort and to write.
            shares = (_SNAPSHOT_SHARE * (viewed - began), (viewed - now) / _CHECKPOINT_SHARE)
            until_snapshot = max(_SNAPSHOT_SECONDS, *shares)
        if session.stop_requested or now - saved > pause:
            run.write("checkpoint.safetensors", safetensors.numpy.save(dict(decomposer.state())))
            saved = time.monotonic()
            # The residual of a long clip takes long to write.
            pause = max(_CHECKPOINT_SECONDS, (saved - now) / _CHECKPOINT_SHARE)
        session.progress_often(progress.step, progress.steps, f"{progress.events} events", progress.loss)
    result = decomposer.events()
    if not len(result):
        raise EventsError("the decomposition has no events: the clip holds too little sound")
    if len(result) <= storage.MOST_AS_TEXT:
        run.write("events.json", storage.to_json(result))
    else:
        log.info("events.json is left out above %s events: render writes it", f"{storage.MOST_AS_TEXT:,}")
    if result.steps is not None:
        session.phase("store")  # 20,000 events in few bits take a second
    run.write("events.safetensors", storage.to_bytes(result))
    run.checkpoint.unlink(missing_ok=True)


def _snapshot(run: Run, decomposer: Decomposer, progress: Progress, session: Session) -> None:
    snr = None if progress.snr_db is None else round(progress.snr_db, 3)
    record = {"step": progress.step, "events": progress.events, "snr_db": snr, "loss": progress.loss}
    record = {name: value for name, value in record.items() if value is not None}
    run.append_metrics(t=round(session.elapsed(), 3), **record)
    events = decomposer.events()
    if len(events):
        # A snapshot is for viewers: coding it would take longer than finding its events.
        run.write(f"snapshots/{progress.step}.safetensors", storage.to_bytes(replace(events, steps=None)))
    snapshots = list(run.snapshots().values())
    for path in snapshots[1:-1:2] if len(snapshots) > _MAX_SNAPSHOTS else ():
        path.unlink(missing_ok=True)


def _continued(run: Run, begin: Callable[[], Decomposer]) -> Decomposer:
    """A decomposer in the state of the checkpoint; a new one if there is none that fits."""
    decomposer = begin()
    if run.checkpoint.is_file():
        try:
            decomposer.restore(safetensors.numpy.load_file(run.checkpoint))
        except (SafetensorError, OSError, LookupError, ValueError, TypeError, ArithmeticError) as error:
            log.warning("the checkpoint cannot be read (%s): starts again", error)
            # The other one may be half restored.
            return begin()
    return decomposer


def _measured(
    events: Events, wave: Sound, sound: Rendered, session: Session, *, perceptual: bool
) -> tuple[tuple[Quality, ...], dict[str, float]]:
    """The phase `measure`: quality of the strongest 1, 2, ... events and of all, and perceptual distances."""
    distances: dict[str, float] = dict.fromkeys(DISTANCES, 0.0) if perceptual else {}
    parts = POINTS + len(distances)
    session.phase("measure", parts)

    def progress(done: int, total: int) -> None:
        session.progress(POINTS * done // total, parts, "quality")

    points = curve(events, wave, progress=progress)
    for done, name in enumerate(distances, POINTS):
        session.progress(done, parts, f"{name} distance")
        distances[name] = round(distance(name, wave[:, :], sound[:, :], events.sample_rate), 5)
    session.progress(parts, parts)
    measured = [
        Quality(events=count, snr_db=round(snr, 3), spectral_convergence=round(convergence, 5))
        for count, snr, convergence in points
    ]
    return tuple(measured), distances


def _stored_bits(events: Events, wave: Sound, content: bytes) -> StoredBits | None:
    """What events in few bits take in the content of their file, beside FLAC and Opus of the same clip."""
    size = storage.coded_size(content)
    if size is None:
        return None
    rate = size * 8 / events.seconds
    files = flac(wave, events.sample_rate), opus(wave, events.sample_rate, bits_per_second=rate)
    others = tuple(Codec(name=one.name, size=one.size, snr_db=round(one.snr_db, 3)) for one in files)
    return StoredBits(size=size, file_size=len(content), others=others)
