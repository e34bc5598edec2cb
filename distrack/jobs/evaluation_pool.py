"""Measurements in processes of their own: each keeps what it finds, where the evaluation that follows looks first."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch

from distrack.distill import SyntheticSet
from distrack.evaluate import Asked, Memory, remember
from distrack.images import Material, load
from distrack.runs.folder import Run

_POLL = 0.3


class _Task(NamedTuple):
    run_path: Path
    asked: Asked
    seed: int
    memory: Path


def measure_in_processes(
    run: Run, plan: Sequence[Asked], memory: Memory, *, processes: int, progress: Callable[[int, int], None]
) -> None:
    """Makes every measurement of a plan, several at once; the cores are shared out among the processes.

    Args:
        run: whose synthetic set is measured.
        plan: what is asked for.
        memory: where what is found is kept.
        processes: how many, at most.
        progress: told how many measurements are done of how many, several times a second; what it raises ends the
            processes.
    """
    tasks = [_Task(run.path, asked, seed, memory.folder) for asked in plan for seed in range(asked.config.seeds)]
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
    # Whoever presses Ctrl-C is heard by the process that began this one, which ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)


def _measure(task: _Task) -> None:
    material, synthetic, device = _loaded(task.run_path)
    remember(
        synthetic,
        material.train,
        material.test,
        task.asked,
        task.seed,
        device=device,
        memory=Memory(task.memory),
    )


@lru_cache(maxsize=1)
def _loaded(path: Path) -> tuple[Material, SyntheticSet, torch.device]:
    run = Run(path)
    job = run.job()
    return (
        load(job.dataset, job.data_path, test_fold=job.test_fold, seconds=job.seconds, feature=job.feature),
        SyntheticSet.load(run.synthetic),
        job.chosen_device(),
    )
