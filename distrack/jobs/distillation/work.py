"""The work of a distillation, phase by phase: prepare, distill, invert, evaluate."""

import json
import logging
import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache, partial
from multiprocessing import active_children, get_context

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.distill.sounds import exported
from distrack.distill.workers import Workers, distilling
from distrack.errors import RunError
from distrack.evaluate import (
    Bench,
    Evaluation,
    EvaluationConfig,
    Measurement,
    PredictionCache,
    Report,
    SplitReport,
    measurements,
    snapshot_score,
)
from distrack.images import Material
from distrack.inversion import INVERSIONS
from distrack.jobs.distillation.phases import device_of, prepared_material
from distrack.jobs.results import SCORES, evaluation_report, synthetic_file, track_file
from distrack.progress import Progress
from distrack.registry import load_plugins
from distrack.runs import Run, Session
from distrack.settings import settings

log = logging.getLogger(__name__)

_CHECKPOINT_SECONDS = 2.0
# A loss curve has at most this many points; a longer run writes every n-th.
_MAX_METRICS = 5000
# The progress of an evaluation is a share of one; `status.json` counts in whole steps.
_PARTS = 1000
_POLL = 0.3


class Work:
    """The phases of a run. The first one, `prepare`, is done as the work is made, because all others need its data."""

    def __init__(self, run: Run, config: DistillConfig, session: Session) -> None:
        self.run, self.config, self.session = run, config, session
        self.material = prepared_material(config, session)

    def finish(self, evaluation: EvaluationConfig | None) -> Report:
        """Does the phases that no earlier process did; without an `evaluation`, all but the last.

        The report is written as far as it is measured.
        """
        if not synthetic_file(self.run).is_file():
            self.distill(evaluation)
        synthetic = SyntheticSet.load(synthetic_file(self.run))
        if not all(track_file(self.run, name).is_file() for name in synthetic.track_names()):
            self.invert(synthetic)
        if evaluation is None:
            return self._write_report(synthetic)
        return self.evaluate(evaluation, again=False)

    def distill(self, evaluation: EvaluationConfig | None) -> None:
        """Takes the steps that are left, with snapshots as configured and a checkpoint every few seconds."""
        with distilling(self.config, self.material, device_of(self.config)) as distiller:
            self._distill(distiller, evaluation)

    def _distill(self, distiller: Distiller | Workers, evaluation: EvaluationConfig | None) -> None:
        self._restore(distiller)
        self.session.phase("distill", self.config.steps)
        snapshot_steps = self.config.snapshot_steps
        device = device_of(self.config)
        score = None if evaluation is None else snapshot_score(self.material.test, evaluation.recipe, device)
        every = max(1, self.config.steps // _MAX_METRICS)
        if distiller.step == 0:
            self._snapshot(distiller)
        saved = time.monotonic()
        for record in distiller:
            if record.loss is not None and (record.step % every == 0 or record.step in (1, self.config.steps)):
                self.run.append_metrics(t=round(self.session.elapsed(), 3), step=record.step, loss=record.loss)
            if record.step in snapshot_steps:
                synthetic = self._snapshot(distiller)
                if score is not None:
                    self.run.append_metrics(SCORES, step=record.step, prototype=score(synthetic))
            if self.session.stop_requested or time.monotonic() - saved > _CHECKPOINT_SECONDS:
                self.run.write("checkpoint.safetensors", save(distiller.state()))
                saved = time.monotonic()
            self.session.progress(record.step, self.config.steps, loss=record.loss)
        self.run.write("synthetic.safetensors", distiller.synthetic_set().to_bytes())
        self.run.checkpoint.unlink(missing_ok=True)

    def _snapshot(self, distiller: Distiller | Workers) -> SyntheticSet:
        synthetic = distiller.synthetic_set()
        self.run.write(f"snapshots/{distiller.step}.safetensors", synthetic.to_bytes())
        return synthetic

    def _restore(self, distiller: Distiller | Workers) -> None:
        """Restores the checkpoint, and removes metrics, scores and snapshots of later steps."""
        if self.run.checkpoint.is_file():
            try:
                distiller.resume(load_file(self.run.checkpoint))
                log.info("continues after step %d", distiller.step)
            except (SafetensorError, OSError, KeyError, ValueError) as error:
                # Steps from the start give the same result; only time is lost.
                log.warning("the checkpoint cannot be read (%s): starts again from step 0", error)
        for name in ("metrics.jsonl", SCORES):
            records = [record for record in self.run.metrics(name) if record.get("step", 0) <= distiller.step]
            self.run.write(name, "".join(json.dumps(record) + "\n" for record in records))
        for step, path in self.run.snapshots().items():
            if step > distiller.step:
                path.unlink()

    def invert(self, synthetic: SyntheticSet) -> None:
        """Writes every track as `audio/<class>_<k>.flac`: images inverted, waveforms as they are."""
        names = synthetic.track_names()
        self.session.phase("invert", len(names))
        for number, (name, sound) in enumerate(zip(names, exported(synthetic), strict=True), start=1):
            self.run.write(f"audio/{name}.flac", sound)
            self.session.progress(number, len(names))

    def evaluate(self, evaluation: EvaluationConfig, *, again: bool, processes: int = 1) -> Report:
        """Makes the measurements of an evaluation of the run's synthetic set, and writes the report after each network.

        A measurement that the report has already stays there until the new one is finished.

        Args:
            again: make measurements again that the report holds already; the cache of predictions makes most of them
                free.
        """
        synthetic, device = SyntheticSet.load(synthetic_file(self.run)), device_of(self.config)
        session = self.session
        earlier = evaluation_report(self.run)
        done = {} if earlier is None else {measured.key: measured for measured in earlier.evaluations}
        before, pace = set(done), None if earlier is None else earlier.pace
        plan = [measurement for measurement in measurements(evaluation) if again or measurement.key not in done]
        session.phase("evaluate", _PARTS)
        cache = PredictionCache(settings().cache_path / "evaluations")
        bench = _bench(self.run, synthetic, self.material, device, cache)
        began, images = time.monotonic(), sum(bench.costs(plan).values())
        if processes > 1:
            measure = partial(_measure, self.run, self.config, device, cache)
            _in_processes(measure, plan, processes, lambda made, total: session.progress(made, total, "measurements"))

        def progress(part: str, share: float) -> None:
            session.progress(round(_PARTS * share), _PARTS, part)

        for measured in bench.evaluate(plan, progress):
            if measured.finished or measured.key not in before:
                done[measured.key] = measured
                self._write_report(synthetic, done.values(), pace)
            if measured.finished:
                log.info("%s on %s: accuracy %s", measured.evaluator, measured.training_set, measured.accuracy.text)
        if images:
            pace = (time.monotonic() - began) / images
        return self._write_report(synthetic, done.values(), pace)

    def _write_report(
        self, synthetic: SyntheticSet, evaluations: Iterable[Evaluation] = (), pace: float | None = None
    ) -> Report:
        config, material, prepared = self.config, self.material, self.material.prepared
        report = Report(
            dataset=config.dataset,
            split=SplitReport(
                train=len(material.train),
                test=len(material.test),
                disjoint_by=prepared.index.disjoint_by,
                validation=len(prepared.split_rows("validation")),
                test_fold=prepared.index.test_fold,
                notes=(*prepared.notes, *small_classes(config, material), *fixed_inversion(config)),
                copies=len(prepared.copies) + len(prepared.conflicts),
            ),
            feature=config.feature.name,
            domain=config.domain.name,
            parameterisation=config.parameterisation.name,
            tracks_per_class=config.ipc,
            rendered_per_class=synthetic.tracks_per_class,
            seconds_per_track=config.seconds,
            floats_per_class=synthetic.floats_per_class,
            seconds={phase: round(spent, 3) for phase, spent in self.session.seconds().items()},
            device=str(device_of(config)),
            skipped=len(prepared.skipped),
            evaluations=tuple(evaluations),
            pace=pace,
        )
        self.run.write("report.json", report.model_dump_json(indent=2))
        return report


def _in_processes(
    measure: Callable[[tuple[Measurement, int]], None],
    plan: Sequence[Measurement],
    processes: int,
    progress: Progress,
) -> None:
    """Makes each measurement once per seed, in processes that share the cores and store predictions in the cache.

    Raises:
        RunError: a process ended by itself, as one does that the system ends for want of memory.
    """
    tasks = [(measurement, seed) for measurement in plan for seed in range(measurement.seeds)]
    processes = min(processes, len(tasks))
    if not processes:
        return
    threads = max(1, (os.cpu_count() or 1) // processes)
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _begin, (threads,))
    waiting = {pool.submit(measure, task) for task in tasks}
    try:
        while waiting:
            progress(len(tasks) - len(waiting), len(tasks))  # raises where the run is to stop
            done, waiting = wait(waiting, _POLL, FIRST_COMPLETED)
            for each in done:
                each.result()
    except BrokenProcessPool:
        raise RunError("a process that measured ended by itself: evaluate in fewer processes at once") from None
    finally:
        if waiting:
            for process in active_children():
                process.terminate()
        pool.shutdown(cancel_futures=True)  # waits until its processes have ended
    progress(len(tasks), len(tasks))


def _begin(threads: int) -> None:
    # Ctrl-C reaches the process that made the pool, which ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    load_plugins(settings().plugins)


def _bench(
    run: Run, synthetic: SyntheticSet, material: Material, device: torch.device, cache: PredictionCache
) -> Bench:
    def sounds() -> list[bytes]:
        return [track_file(run, name).read_bytes() for name in synthetic.track_names()]

    return Bench(synthetic, material.train, material.test, device, cache, sounds)


def _measure(
    run: Run, config: DistillConfig, device: torch.device, cache: PredictionCache, task: tuple[Measurement, int]
) -> None:
    _bench(run, SyntheticSet.load(synthetic_file(run)), _material(config), device, cache).predict(*task)


@lru_cache(maxsize=1)
def _material(config: DistillConfig) -> Material:
    return config.material()


def small_classes(config: DistillConfig, material: Material) -> tuple[str, ...]:
    """A sentence for readers of a result about classes with fewer training clips than tracks, if there are any."""
    sizes = {name: len(material.train.of_class(label)) for label, name in enumerate(material.classes)}
    small = {name: size for name, size in sizes.items() if size < config.ipc}
    if not small:
        return ()
    count = "1 class has" if len(small) == 1 else f"{len(small)} classes have"
    smallest = min(small, key=lambda name: small[name])
    return (
        f"{count} fewer training clips than tracks, {smallest} only {small[smallest]}: clips are repeated, with "
        "noise in tracks that start from them, and as they are where real clips are compared",
    )


def fixed_inversion(config: DistillConfig) -> tuple[str, ...]:
    """A sentence that names the inversion, if sounds that are a result are not stored as samples."""
    if not PARAMETERISATIONS[config.parameterisation.name].stores_images:
        return ()
    return (
        f"Sounds by a fixed inversion, which is not part of the storage: {INVERSIONS[config.feature.name].summary}",
    )
