"""The worker: takes a run from wherever it stands to its end, phase by phase."""

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from distrack import datasets
from distrack.audio import flac_bytes, level
from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.errors import DistrackError, RunError
from distrack.evaluate import Evaluation, EvaluationConfig, Inspection, Memory, Report, SplitReport, evaluate, planned
from distrack.evaluate import inspect as inspect_tracks
from distrack.images import Material, load
from distrack.inversion import invert
from distrack.jobs.distillation.job import DistillJob
from distrack.jobs.evaluation_pool import measure_in_processes
from distrack.jobs.listening.make import Clips, Sources
from distrack.jobs.listening.sounds import Listening
from distrack.runs.environment import describe
from distrack.runs.folder import Run
from distrack.runs.session import Session, Stopped
from distrack.settings import settings

log = logging.getLogger(__name__)

_CHECKPOINT_SECONDS = 2.0
# A curve has no more points than this; a longer run writes every n-th.
_METRICS = 5000
_INVERTED_AT_ONCE = 32
# The evaluation's progress is a share; `status.json` counts in whole steps.
_PARTS = 1000

# Told the phase, what is done of it, how much there is, what exactly, and the loss where there is one.
Watch = Callable[[str, int, int, str, float | None], None]


def work(run: Run, *, watch: Watch | None = None) -> Report:
    """Finishes a run: new, stopped, failed or left by a process that is gone. What is done is not done again.

    On the CPU the synthetic set is the same, bit for bit, however often the run was cut off.

    Raises:
        DistrackError: the run failed; its status says so too.
        Stopped: the run was asked to stop.
    """
    job = run.job()
    device = job.chosen_device()
    with Session(run, str(device)).working() as session, logged(run):
        return _Worker(run, job, device, session, watch).finish()


def measure(run: Run, evaluation: EvaluationConfig, *, processes: int = 1, watch: Watch | None = None) -> Report:
    """Evaluates a finished synthetic set again; other evaluations in its report stay.

    Args:
        run: a finished one.
        evaluation: what to measure.
        processes: that measure side by side; a single one shares its work out among threads.
        watch: told of the progress.

    Raises:
        DistrackError: the run has no synthetic set, or the evaluation failed.
        Stopped: the run was asked to stop.
    """
    _check_finished(run)
    job = run.job()
    device = job.chosen_device()
    with Session(run, str(device)).working() as session, logged(run):
        worker = _Worker(run, job, device, session, watch)
        return worker.evaluate(worker.prepare(), evaluation, again=True, processes=processes)


def inspect(run: Run, *, watch: Watch | None = None) -> Inspection:
    """Looks how near a finished run's tracks come to real clips; what was found before is found again.

    Raises:
        DistrackError: the run has no synthetic set, or the work failed.
        Stopped: the run was asked to stop.
    """
    _check_finished(run)
    job = run.job()
    device = job.chosen_device()
    with Session(run, str(device)).working() as session, logged(run):
        return _Worker(run, job, device, session, watch).inspect()


def listen(run: Run, tracks: Sequence[str] = (), *, watch: Watch | None = None) -> Listening:
    """Makes what a finished run's tracks are heard beside; what was made before is not made again.

    Args:
        run: a finished one.
        tracks: names of those whose snapshots are made audible; the first of each class where none is named.
        watch: told of the progress.

    Raises:
        DistrackError: the run has no synthetic set, a track is not known, or the work failed.
        Stopped: the run was asked to stop.
    """
    _check_finished(run)
    job = run.job()
    device = job.chosen_device()
    with Session(run, str(device)).working() as session, logged(run):
        return _Worker(run, job, device, session, watch).listen(tracks)


def _check_finished(run: Run) -> None:
    if not run.synthetic.is_file():
        raise RunError(f"run {run.id} has no synthetic set yet: python -m distrack resume {run.id}")


@contextlib.contextmanager
def logged(run: Run) -> Iterator[None]:
    """What happens meanwhile, and what ends it, goes to `log.txt`; a file that cannot be used becomes a RunError."""
    try:
        handler = logging.FileHandler(run.path / "log.txt", encoding="utf-8")
    except OSError as error:
        raise RunError(f"run {run.id}: cannot write log.txt: {error.strerror or error}") from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("distrack")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    except Stopped:
        log.info("stopped")
        raise
    except DistrackError as error:
        log.error("%s", error)
        raise
    except Exception as error:
        log.exception("the run failed")
        if isinstance(error, OSError):
            raise RunError(f"run {run.id}: {error}") from error
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()


def _fold(config: DistillConfig, index: datasets.Index) -> int | None:
    if not index.has_folds:
        return None
    return datasets.DATASETS[config.dataset].test_fold if config.test_fold is None else config.test_fold


class _Worker:
    def __init__(self, run: Run, job: DistillJob, device: torch.device, session: Session, watch: Watch | None) -> None:
        self.run, self.job, self.device, self.session = run, job, device, session
        self._watch = watch or (lambda *_: None)
        self._phase = ""

    def finish(self) -> Report:
        self.run.write("environment.json", json.dumps(describe(self.device), indent=2))
        material = self.prepare()
        if not self.run.synthetic.is_file():
            self.distill(material)
        synthetic = SyntheticSet.load(self.run.synthetic)
        if not all(self.run.track(name).is_file() for name in synthetic.track_names()):
            self.make_audible()
        if self.job.evaluation is None:
            return self._report(material, synthetic, ())
        return self.evaluate(material, self.job.evaluation, again=False)

    def _begin(self, phase: str, steps: int = 0) -> None:
        self._phase = phase
        self.session.phase(phase, steps)
        log.info("phase %s", phase)

    def _progress(self, done: int, total: int, detail: str = "", loss: float | None = None) -> None:
        self._watch(self._phase, done, total, detail, loss)
        self.session.progress(done, total, detail)

    def prepare(self) -> Material:
        """The dataset as waveforms and images, made, decoded and computed where that was not done before."""
        self._begin("prepare")
        self.job.check()
        return load(
            self.job.dataset,
            self.job.data_path,
            test_fold=self.job.test_fold,
            seconds=self.job.seconds,
            feature=self.job.feature,
            progress=self._progress,
        )

    def distill(self, material: Material) -> None:
        """The steps that are left, with a snapshot now and then and a checkpoint every few seconds."""
        distiller = Distiller(
            self.job.distillation(), material.train, classes=material.prepared.index.classes, device=self.device
        )
        self._restore(distiller)
        self._begin("distill", self.job.steps)
        snapshots = self.job.snapshot_steps
        every = max(1, self.job.steps // _METRICS)
        if distiller.step == 0:
            self._snapshot(distiller)
        saved = time.monotonic()
        for record in distiller:
            if record.loss is not None and (record.step % every == 0 or record.step in (1, self.job.steps)):
                self.run.append_metrics(t=round(self.session.elapsed(), 3), step=record.step, loss=record.loss)
            if record.step in snapshots:
                self._snapshot(distiller)
            if self.session.stop_asked or time.monotonic() - saved > _CHECKPOINT_SECONDS:
                self.run.write("checkpoint.safetensors", save(distiller.state()))
                saved = time.monotonic()
            self._progress(record.step, self.job.steps, loss=record.loss)
        self.run.write("synthetic.safetensors", distiller.synthetic_set().to_bytes())
        self.run.checkpoint.unlink(missing_ok=True)

    def _snapshot(self, distiller: Distiller) -> None:
        self.run.write(f"snapshots/{distiller.step}.safetensors", distiller.synthetic_set().to_bytes())

    def _restore(self, distiller: Distiller) -> None:
        if self.run.checkpoint.is_file():
            try:
                distiller.resume(load_file(self.run.checkpoint))
                log.info("goes on after step %d", distiller.step)
            except (SafetensorError, OSError, KeyError, ValueError) as error:
                # The same steps from the start give the same result; only time is lost.
                log.warning("the checkpoint cannot be read (%s): starts again from step 0", error)
        kept = [record for record in self.run.metrics() if record.get("step", 0) <= distiller.step]
        self.run.write("metrics.jsonl", "".join(json.dumps(record) + "\n" for record in kept))
        for step, path in self.run.snapshots().items():
            if step > distiller.step:
                path.unlink()

    def make_audible(self) -> None:
        """Every track written as `audio/<class>_<k>.flac`: images inverted and levelled, waveforms as they are."""
        synthetic = SyntheticSet.load(self.run.synthetic)
        names, tracks = synthetic.track_names(), synthetic.render()
        self._begin("invert", len(names))
        for start in range(0, len(names), _INVERTED_AT_ONCE):
            some = slice(start, start + _INVERTED_AT_ONCE)
            if self.job.domain == "waveform":
                waves = list(tracks[some].clamp(-1, 1).numpy())
            else:
                images = synthetic.normalisation.undo(tracks[some])
                waves = [level(wave) for wave in invert(images, self.job.feature, samples=self.job.samples).numpy()]
            for name, wave in zip(names[some], waves, strict=True):
                self.run.write(f"audio/{name}.flac", flac_bytes(wave))
            self._progress(start + len(waves), len(names))

    def evaluate(self, material: Material, config: EvaluationConfig, *, again: bool, processes: int = 1) -> Report:
        """Every evaluation that the config asks for; the report grows as they come, and keeps what it had."""
        synthetic = SyntheticSet.load(self.run.synthetic)
        earlier = self.run.report()
        done = {} if earlier is None else {evaluation.key: evaluation for evaluation in earlier.evaluations}
        plan = [asked for asked in planned(config) if again or asked.key not in done]
        self._begin("evaluate", _PARTS)
        memory = Memory(settings().cache_path / "evaluations")
        if processes > 1:
            measure_in_processes(
                self.run,
                plan,
                memory,
                processes=processes,
                progress=lambda done, total: self._progress(done, total, "measurements"),
            )
        for evaluation in evaluate(
            synthetic,
            material.train,
            material.test,
            plan,
            device=self.device,
            watch=lambda what, share: self._progress(round(_PARTS * share), _PARTS, what),
            memory=memory,
        ):
            done[evaluation.key] = evaluation
            self._report(material, synthetic, tuple(done.values()))
            accuracy = evaluation.accuracy
            log.info(
                "%s on %s: accuracy %.3f +- %.3f",
                evaluation.evaluator,
                evaluation.trained_on,
                accuracy.mean,
                accuracy.std,
            )
        return self._report(material, synthetic, tuple(done.values()))

    def inspect(self, material: Material | None = None) -> Inspection:
        """Distances to the nearest real clips, and the map; the material is gathered where it is not given."""
        synthetic = SyntheticSet.load(self.run.synthetic)
        before = self.run.inspection()
        if before is not None and before.tracks == synthetic.fingerprint:
            return before
        material = material or self.prepare()
        self._begin("inspect")
        found = inspect_tracks(synthetic, material.train, material.test, device=self.device, progress=self._progress)
        self.run.write("inspection.json", found.model_dump_json())
        return found

    def listen(self, tracks: Sequence[str]) -> Listening:
        """Nearest and random clips, class means and snapshots as sounds."""
        sources = Sources(self.run, SyntheticSet.load(self.run.synthetic), tracks)
        clips = None
        if sources.lack_clips:
            material = self.prepare()
            near = self.inspect(material).memorisation.of("feature", "train")
            clips = Clips(material.train, material.prepared.index, near)
        self._begin("listen")
        return sources.make(clips, self._progress)

    def _report(self, material: Material, synthetic: SyntheticSet, evaluations: tuple[Evaluation, ...]) -> Report:
        prepared = material.prepared
        report = Report(
            dataset=self.job.dataset,
            split=SplitReport(
                train=len(material.train),
                test=len(material.test),
                disjoint_by=prepared.index.disjoint_by,
                validation=len(prepared.split_rows("validation")),
                test_fold=_fold(self.job, prepared.index),
                notes=prepared.index.notes,
            ),
            feature=self.job.feature.name,
            domain=self.job.domain,
            parameterisation=self.job.parameterisation,
            tracks_per_class=self.job.ipc,
            rendered_per_class=synthetic.tracks_per_class,
            seconds_per_track=self.job.seconds,
            floats_per_class=synthetic.floats_per_class,
            seconds={phase: round(spent, 3) for phase, spent in self.session.seconds().items()},
            device=str(self.device),
            skipped=len(prepared.skipped),
            evaluations=evaluations,
        )
        self.run.write("report.json", report.model_dump_json(indent=2))
        return report
