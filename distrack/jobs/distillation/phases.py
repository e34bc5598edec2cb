"""The phases of a distillation that other jobs go through too: the preparation of the data, and the evaluation."""

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path

import torch

from distrack.datasets import DATASETS
from distrack.device import choose_device
from distrack.distill import DistillConfig, SyntheticSet
from distrack.evaluate import (
    Evaluation,
    EvaluationConfig,
    Measurement,
    PredictionCache,
    Report,
    SplitReport,
    cache_predictions,
    evaluate,
    measurements,
)
from distrack.images import Material
from distrack.jobs.results import evaluation_report, synthetic_file
from distrack.progress import Progress
from distrack.runs import Run, Session
from distrack.settings import settings

log = logging.getLogger(__name__)

# The progress of an evaluation is a share of one; `status.json` counts in whole steps.
_PARTS = 1000
_POLL = 0.3


def device_of(config: DistillConfig) -> torch.device:
    """The device on this machine that a distillation computes on.

    Raises:
        ConfigError: there is no such device here.
    """
    return choose_device(config.device if config.device != "auto" else settings().device)


def prepared_material(config: DistillConfig, session: Session) -> Material:
    """The phase `prepare`: the dataset as waveforms and images, from the cache or made now."""
    session.phase("prepare")
    return config.material(progress=session.progress)


def evaluate_tracks(
    run: Run,
    config: DistillConfig,
    evaluation: EvaluationConfig,
    session: Session,
    material: Material,
    *,
    again: bool,
    processes: int = 1,
) -> Report:
    """The phase `evaluate`: makes the measurements of an evaluation and writes the report after each.

    Args:
        run: a run with a synthetic set.
        again: make measurements again that the report holds already; the cache of predictions makes most of them free.
    """
    synthetic, device = SyntheticSet.load(synthetic_file(run)), device_of(config)
    earlier = evaluation_report(run)
    done = {} if earlier is None else {measured.key: measured for measured in earlier.evaluations}
    plan = [measurement for measurement in measurements(evaluation) if again or measurement.key not in done]
    session.phase("evaluate", _PARTS)
    cache = PredictionCache(settings().cache_path / "evaluations")
    if processes > 1:
        measure = partial(_measure, synthetic_file(run), config, device, cache)
        _in_processes(measure, plan, processes, lambda made, total: session.progress(made, total, "measurements"))
    for measured in evaluate(
        synthetic,
        material.train,
        material.test,
        plan,
        device=device,
        progress=lambda part, share: session.progress(round(_PARTS * share), _PARTS, part),
        cache=cache,
    ):
        done[measured.key] = measured
        write_report(run, config, session, material, synthetic, done.values())
        log.info("%s on %s: accuracy %s", measured.evaluator, measured.trained_on, measured.accuracy.text)
    return write_report(run, config, session, material, synthetic, done.values())


def write_report(
    run: Run,
    config: DistillConfig,
    session: Session,
    material: Material,
    synthetic: SyntheticSet,
    evaluations: Iterable[Evaluation] = (),
) -> Report:
    """Writes `report.json` with the evaluations that are made so far."""
    prepared = material.prepared
    fold = DATASETS[config.dataset].test_fold if config.test_fold is None else config.test_fold
    report = Report(
        dataset=config.dataset,
        split=SplitReport(
            train=len(material.train),
            test=len(material.test),
            disjoint_by=prepared.index.disjoint_by,
            validation=len(prepared.split_rows("validation")),
            test_fold=fold if prepared.index.has_folds else None,
            notes=prepared.index.notes,
        ),
        feature=config.feature.name,
        domain=config.domain.name,
        parameterisation=config.parameterisation.name,
        tracks_per_class=config.ipc,
        rendered_per_class=synthetic.tracks_per_class,
        seconds_per_track=config.seconds,
        floats_per_class=synthetic.floats_per_class,
        seconds={phase: round(spent, 3) for phase, spent in session.seconds().items()},
        device=str(device_of(config)),
        skipped=len(prepared.skipped),
        evaluations=tuple(evaluations),
    )
    run.write("report.json", report.model_dump_json(indent=2))
    return report


def _in_processes(
    measure: Callable[[tuple[Measurement, int]], None],
    plan: Sequence[Measurement],
    processes: int,
    progress: Progress,
) -> None:
    """Makes each measurement once per seed, in processes that share the cores and store predictions in the cache."""
    tasks = [(measurement, seed) for measurement in plan for seed in range(measurement.seeds)]
    processes = min(processes, len(tasks))
    if not processes:
        return
    threads = max(1, (os.cpu_count() or 1) // processes)
    with multiprocessing.get_context("spawn").Pool(processes, _begin, (threads,)) as pool:
        results, done = pool.imap_unordered(measure, tasks), 0
        while done < len(tasks):
            progress(done, len(tasks))  # raises where the run is to stop, which ends the pool
            try:
                results.next(timeout=_POLL)
            except multiprocessing.TimeoutError:
                continue
            done += 1
    progress(done, len(tasks))


def _begin(threads: int) -> None:
    # Ctrl-C reaches the process that made the pool, which ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)


def _measure(
    synthetic: Path, config: DistillConfig, device: torch.device, cache: PredictionCache, task: tuple[Measurement, int]
) -> None:
    material, tracks = _material(config), SyntheticSet.load(synthetic)
    cache_predictions(tracks, material.train, material.test, *task, device=device, cache=cache)


@lru_cache(maxsize=1)
def _material(config: DistillConfig) -> Material:
    return config.material()
