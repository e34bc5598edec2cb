"""The training of a model of events, which the decomposition by a trained model uses."""

import io
import logging
import time
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
import safetensors.numpy
import soundfile
from numpy.typing import NDArray
from pydantic import Field, model_validator
from safetensors import SafetensorError

from distrack import datasets
from distrack.arrays import Floats
from distrack.audio import decode_clip
from distrack.datasets import DATASETS, LayoutField, SubsetField
from distrack.decompose import DecomposeConfig, storage
from distrack.decompose.decomposer import DECOMPOSERS
from distrack.decompose.events import Events
from distrack.decompose.siam.measuring import held_out_scenes, scenes_found
from distrack.decompose.siam.model import load
from distrack.decompose.siam.model_files import FILE
from distrack.decompose.siam.rows import PLACES, random_rows
from distrack.decompose.siam.scenes import RATE
from distrack.decompose.siam.training import SAMPLES, Trainer, TrainingConfig
from distrack.errors import AudioError, DatasetError
from distrack.jobs.contract import Job, Table, read_report, register
from distrack.randomness import derived_seed
from distrack.registry import NameIn
from distrack.runs import Run, Session
from distrack.settings import AbsolutePath
from distrack.validation import Record

log = logging.getLogger(__name__)

# Seconds between two checkpoints, and between two sounds for viewers.
_CHECKPOINT_SECONDS, _HEARD_SECONDS = 10.0, 20.0
# Steps between two values of the loss that are written.
_EVERY = 10
# Scenes on which a finished model is measured, and events that a viewer hears of a recording and of random ones.
_SCENES, _EVENTS = 40, 8
# Expected seconds of a step of each phase, relative to each other.
_COSTS = {"timbres": 0.01, "scenes": 0.45, "hear": 0.6, "recordings": 0.15}


class EventModelReport(Record):
    """`report.json` of the training of a model of events.

    Attributes:
        floats: numbers of the model.
        decoder_floats: those of the decoder, which is stored with every decomposition.
        recordings: recordings that it was trained on.
        dataset: where they come from; empty for synthetic scenes alone.
        scenes_f: F-score of the events found in synthetic scenes of 2 to 4 notes that were not trained on: onset within
            50 ms, pitch within 50 cents.
        scenes: number of these scenes.
        loss: mean of the last losses, by phase.
        seconds: wall time of the training.
    """

    floats: int
    decoder_floats: int
    recordings: int
    dataset: str
    scenes_f: float
    scenes: int
    loss: dict[str, float]
    seconds: float


@register
class EventModelJob(TrainingConfig, Job):
    """Trains a model that hears events, on synthetic scenes and on recordings.

    First it learns timbres from random instruments, then onsets and pitches from synthetic scenes whose events are
    known, and then, from recordings, timbres that make its events sound like them. Only the training part of a dataset
    is used. Decompose with it by `--method siam --model NAME`, where NAME is the name of the run.
    """

    kind: ClassVar[str] = "event-model"
    verb: ClassVar[str] = "train-events"
    summary: ClassVar[str] = "Trains a model that finds events in recordings."
    report_type: ClassVar[type[EventModelReport]] = EventModelReport

    dataset: Annotated[str, NameIn(DATASETS), Field(title="Recordings of")] = "SPOKEN_DIGITS"
    """Dataset of the recordings; FOLDER if only a folder is given."""
    data_path: Annotated[AbsolutePath | None, Field(title="Folder")] = None
    """Folder that holds the dataset; its usual place if not given."""
    layout: LayoutField = "auto"
    subset: SubsetField = False

    @model_validator(mode="before")
    @classmethod
    def _folder(cls, given: Any) -> Any:
        alone = isinstance(given, Mapping) and given.get("data_path") is not None and given.get("dataset") is None
        return {**given, "dataset": "FOLDER"} if alone else given

    @property
    def usual_name(self) -> str:
        return f"events_{self.dataset.lower()}" if self.recordings else "events_synthetic"

    @property
    def title(self) -> str:
        if not self.recordings:
            return "Event model · synthetic scenes"
        return f"Event model · {datasets.title(self.dataset, self.data_path, subset=self.subset)}"

    def check(self) -> None:
        """Refuses a dataset that is absent."""
        if self.recordings and self.recording_steps:
            datasets.look(self.dataset, self.data_path, layout=self.layout, subset=self.subset)

    def work(self, run: Run, session: Session) -> EventModelReport:
        costs: dict[str, float] = {name: steps * _COSTS[name] for name, steps in self.plan(self.recordings).items()}
        session.plan({"prepare": 1.0, **costs, "measure": 0.4 * _SCENES})
        recordings = self._pieces(session)
        trainer = Trainer(self, recordings)
        if not (run.path / FILE).is_file():
            self._train(run, session, trainer)
        else:
            trainer.model = load(run.path / FILE)
        scenes = held_out_scenes(self.seed, _SCENES)
        session.phase("measure", len(scenes))
        found = scenes_found(trainer.model, scenes, lambda done, total: session.progress(done, total, f"{done} scenes"))
        listen_to(run, trainer, recordings)
        last: dict[str, list[float]] = {}
        for record in run.metrics():
            if "loss" in record:
                last.setdefault(str(record["part"]), []).append(float(record["loss"]))
        report = EventModelReport(
            floats=trainer.model.floats,
            decoder_floats=sum(array.numel() for array in trainer.model.decoder.values()),
            recordings=len(recordings),
            dataset=self.dataset if recordings else "",
            scenes_f=round(found.f_score, 4),
            scenes=len(scenes),
            loss={part: round(float(np.mean(losses[-10:])), 4) for part, losses in last.items()},
            seconds=round(session.elapsed(), 1),
        )
        run.write("report.json", report.model_dump_json(indent=2))
        return report

    def _pieces(self, session: Session) -> list[Floats]:
        """Pieces of recordings from the training part, evenly spread over its clips; silent ones are left out."""
        if not (self.recordings and self.recording_steps):
            return []
        session.phase("prepare")
        index = datasets.look(self.dataset, self.data_path, layout=self.layout, subset=self.subset)
        index.require_files()
        clips = [clip for clip in index.clips if clip.split == "train"]
        order = np.random.default_rng(derived_seed(self.seed, "clips")).permutation(len(clips))
        pieces: list[Floats] = []
        for number in order:
            if len(pieces) == self.recordings:
                break
            try:
                wave = decode_clip(clips[number].path, seconds=SAMPLES / RATE).wave
            except AudioError as error:
                log.warning("%s is left out: %s", clips[number].path.name, error)
                continue
            pieces.append(np.asarray(wave, np.float32))
            session.progress(len(pieces), self.recordings, clips[number].path.name)
        if not pieces:
            raise DatasetError(f"no usable training clip in {index.root}")
        return pieces

    def _train(self, run: Run, session: Session, trainer: Trainer) -> None:
        if (before := _checkpoint(run)) is not None:
            trainer.restore(before)
        phase, saved, heard = "", time.monotonic(), 0.0
        for step in trainer:
            if step.phase != phase:
                phase = step.phase
                session.phase(phase, step.steps)
            if step.loss is not None and step.step % _EVERY == 0:
                place = {"part": phase, "part_step": step.step}
                run.append_metrics(t=round(session.elapsed(), 3), step=trainer.done, loss=step.loss, **place)
            now = time.monotonic()
            if session.stop_requested or now - saved > _CHECKPOINT_SECONDS:
                run.write("checkpoint.safetensors", safetensors.numpy.save(dict(trainer.state())))
                saved = time.monotonic()
            if phase != "timbres" and now - heard > _HEARD_SECONDS and not session.stop_requested:
                listen_to(run, trainer, trainer.recordings)
                heard = time.monotonic()
            session.progress(step.step, step.steps, f"{step.step} of {step.steps}", step.loss)
        run.write("checkpoint.safetensors", safetensors.numpy.save(dict(trainer.state())))
        run.write(FILE, trainer.model.to_bytes())

    @classmethod
    def key_figures(cls, run: Run) -> dict[str, float]:
        """How many events of synthetic scenes the model finds."""
        report = event_model_report(run)
        return {} if report is None else {"Scenes F": report.scenes_f}

    @classmethod
    def tables(cls, report: Any, run_id: str) -> list[Table]:
        rows = [
            ("numbers of the model", f"{report.floats:,}"),
            ("of these its decoder, stored with every decomposition", f"{report.decoder_floats:,}"),
            ("recordings", f"{report.recordings} {report.dataset}".strip()),
            (f"F-score of events in {report.scenes} held-out synthetic scenes", f"{report.scenes_f:.3f}"),
            *((f"loss: {name}", f"{value:.4f}") for name, value in report.loss.items()),
            ("seconds", f"{report.seconds:.0f}"),
        ]
        return [Table(run_id, ("", "value"), rows, [f"Decompose with it: --method siam --model {run_id}"])]


def event_model_report(run: Run) -> EventModelReport | None:
    """The report of a training, or None."""
    report: EventModelReport | None = read_report(run, EventModelJob)
    return report


def listen_to(run: Run, trainer: Trainer, recordings: list[Floats]) -> None:
    """Writes what the model hears so far: a recording or a scene, its events, and random events.

    The files are `original.wav`, `heard.safetensors` and `random.safetensors`.
    """
    piece = recordings[0] if recordings else held_out_scenes(trainer.config.seed, 1)[0].wave.numpy()
    file = io.BytesIO()
    soundfile.write(file, piece, RATE, format="WAV", subtype="FLOAT")
    run.write("original.wav", file.getvalue())
    run.write("model.so-far.safetensors", trainer.model.to_bytes())
    method = DECOMPOSERS.choice("siam", model=str(run.path / "model.so-far.safetensors"), refine=0)
    decomposer = DecomposeConfig(events=_EVENTS, method=method).decomposer(piece[None], RATE)
    for _ in decomposer:
        pass
    heard = decomposer.events()
    if len(heard):
        run.write("heard.safetensors", storage.to_bytes(heard))
        run.write("random.safetensors", storage.to_bytes(_random(trainer, heard)))


def _random(trainer: Trainer, heard: Events) -> Events:
    draw = np.random.default_rng(trainer.config.seed)
    rows = random_rows(draw, _EVENTS)
    rows[:, PLACES["time"]] = np.arange(_EVENTS) * heard.seconds / _EVENTS
    return Events.of("siam", rows, sample_rate=RATE, samples=heard.samples, shared=heard.shared)


def _checkpoint(run: Run) -> dict[str, NDArray[Any]] | None:
    if not run.checkpoint.is_file():
        return None
    try:
        return safetensors.numpy.load_file(run.checkpoint)
    except (SafetensorError, OSError, ValueError) as error:
        log.warning("the checkpoint cannot be read (%s): starts again", error)
        return None
