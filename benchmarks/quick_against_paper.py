"""What `quick` gains over the published recipe: seconds of a step, and accuracy for the seconds of work.

Both presets distil one track a class of the same dataset in this one process; `quick` to its end, `paper` for as long
as it is given. Both synthetic sets are measured by the same evaluator. Writes the table that it prints beside itself.

    python -m benchmarks.quick_against_paper --dataset FSDD --data-path FOLDER --paper-seconds 120
"""

import argparse
import os
import platform
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from distrack.runs.environment import FAST_ON_CPU, worker_environment

if not FAST_ON_CPU.keys() <= os.environ.keys():
    os.execve(
        sys.executable, [sys.executable, "-m", "benchmarks.quick_against_paper", *sys.argv[1:]], worker_environment()
    )

import torch

from distrack import datasets
from distrack.device import choose_device
from distrack.distill import DistillConfig, Distiller, from_preset, real_images
from distrack.evaluate import EvaluationConfig, evaluate
from distrack.settings import settings

TABLE = Path(__file__).with_suffix(".md")


class Measured(NamedTuple):
    """One preset: steps done, seconds of work, the median step, accuracy and its deviation over evaluation seeds."""

    preset: str
    steps: int
    asked: int
    seconds: float
    step: float
    accuracy: float
    spread: float


def measure(preset: str, arguments: argparse.Namespace, limit: float | None) -> Measured:
    """Distils with a preset, for at most `limit` seconds, and evaluates the result."""
    config = from_preset(
        DistillConfig,
        {"preset": preset, "dataset": arguments.dataset, "data_path": arguments.data_path, "seed": arguments.seed},
    )
    device = choose_device(arguments.device)
    index = datasets.index(config.dataset, config.data_path)
    prepared = datasets.prepare(index, seconds=config.seconds, cache_path=settings().cache_path)
    sides = real_images(prepared, config.feature)
    distiller = Distiller(config, sides["train"], classes=index.classes, device=device)
    times = [time.perf_counter()]
    for _ in distiller:
        times.append(time.perf_counter())
        if limit is not None and times[-1] - times[0] > limit:
            break
    (evaluation,) = evaluate(
        distiller.synthetic_set(),
        sides["train"],
        sides["test"],
        EvaluationConfig(),
        plan=[("random-cnn", "synthetic")],
        device=device,
        watch=lambda _what, _share: None,
    )
    steps = [after - before for before, after in pairwise(times)]
    return Measured(
        preset,
        distiller.step,
        config.steps,
        times[-1] - times[0],
        statistics.median(steps),
        evaluation.accuracy.mean,
        evaluation.accuracy.std,
    )


def table(rows: list[Measured], arguments: argparse.Namespace) -> str:
    """The result in Markdown, with the machine and what was not run to its end."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, device {choose_device(arguments.device)}"
    lines = [
        f"{arguments.dataset}, 1 track per class, seed {arguments.seed}; {machine}, torch {torch.__version__}.",
        "Accuracy: random CNN on real test clips, three evaluation seeds.",
        "",
        "| preset | steps | seconds of work | median step (ms) | accuracy | accuracy / second |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.preset} | {row.steps} of {row.asked} | {row.seconds:.1f} | {1000 * row.step:.1f} "
        f"| {row.accuracy:.3f} ± {row.spread:.3f} | {row.accuracy / row.seconds:.4f} |"
        for row in rows
    ]
    quick, paper = rows
    whole = paper.step * paper.asked
    lines += [
        "",
        f"A step of `paper` takes {paper.step / quick.step:.0f} times as long as one of `quick`; "
        f"its {paper.asked} steps would take about {whole / 60:.0f} minutes here (its median step times their number), "
        f"{whole / quick.seconds:.0f} times as long as all of `quick`.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures both presets and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", default="SPOKEN_DIGITS")
    parser.add_argument("--data-path", type=Path)
    parser.add_argument("--paper-seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    rows = [measure("quick", arguments, None), measure("paper", arguments, arguments.paper_seconds)]
    text = table(rows, arguments)
    TABLE.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
