"""Measurements in several processes: each stores its predictions in the cache that the evaluation reads afterwards."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch

from distrack.distill import DistillConfig, SyntheticSet
from distrack.evaluate import Measurement, PredictionCache, cache_predictions
from distrack.images import Material
from distrack.jobs.results import synthetic_file
from distrack.runs import Run

_POLL = 0.3


class _Task(NamedTuple):
    synthetic: Path
    config: DistillConfig
    measurement: Measurement
    seed: int
    device: torch.device
    cache: Path


def measure_in_processes(
    run: Run,
    config: DistillConfig,
    plan: Sequence[Measurement],
    cache: PredictionCache,
    *,
    device: torch.device,
    processes: int,
    progress: Callable[[int, int], None],
) -> None:
    """Makes all measurements of a plan in a pool of processes that share the cores.

    Args:
        run: holds the synthetic set.
        config: its distillation.
        plan: the measurements; each is made once per seed.
        cache: where the predictions are stored.
        device: where to compute.
        processes: size of the pool, at most.
        progress: told `(done, total)` several times a second; an exception that it raises ends the pool.
    """
    tasks = [
        _Task(synthetic_file(run), config, measurement, seed, device, cache.folder)
        for measurement in plan
        for seed in range(measurement.seeds)
    ]
    processes = min(processes, len(tasks))
    if not processes:
        return
    threads = max(1, (os.cpu_count() or 1) // processes)
    with multiprocessing.get_context("spawn").Pool(processes, _begin, (threads,)) as pool:
        results, done = pool.imap_unordered(_measure, tasks), 0
        while done < len(tasks):
            progress(done, len(tasks))
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


def _measure(task: _Task) -> None:
    material = _material(task.config)
    cache_predictions(
        SyntheticSet.load(task.synthetic),
        material.train,
        material.test,
        task.measurement,
        task.seed,
        device=task.device,
        cache=PredictionCache(task.cache),
    )


@lru_cache(maxsize=1)
def _material(config: DistillConfig) -> Material:
    return config.material()
