"""Accuracy, floats and seconds of distillations whose settings differ, for the choice of the presets.

Presets are chosen on the training side alone: a part of it is held out, and the rest is distilled (`--side validation`,
the default). `--side test` measures a chosen preset on the official test side. Every row is the mean over distillation
seeds and evaluation seeds, beside the accuracy of as many random clips. The command prints a table; `recipes.md`
contains the rows that the presets rest on.

    python -m benchmarks.recipes --dataset FSDD --data-path FOLDER --ipc 1 '{"objective": "mmd"}' '{"objective": "cf"}'
"""

import argparse
import json
import statistics
import sys
import time
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from distrack.process_environment import compute_fast

compute_fast()

import numpy as np
import torch

from distrack import datasets
from distrack.device import choose_device
from distrack.distill import DistillConfig, Distiller
from distrack.evaluate import Bench, Measurement
from distrack.images import RealImages
from distrack.randomness import derived_seed
from distrack.validation import from_preset

_HELD_OUT = 1 / 3


class Measured(NamedTuple):
    """One distillation: floats and tracks of a class, seconds, and the accuracies of its evaluations."""

    floats: int
    tracks: int
    seconds: float
    accuracy: tuple[float, ...]
    selection: tuple[float, ...]


def sides(config: DistillConfig, side: str) -> tuple[RealImages, RealImages, tuple[str, ...]]:
    """The clips to distill, those to measure on, and the classes; all seeds share one validation part."""
    material = config.material()
    train, test = material.train, material.test
    if side == "test":
        return train, test, material.classes
    order = np.random.default_rng(derived_seed(0, "held out")).permutation(len(train))
    held, rest = np.split(order, [round(_HELD_OUT * len(train))])
    return (
        replace(train, rows=train.rows[rest], labels=train.labels[rest]),
        replace(train, rows=train.rows[held], labels=train.labels[held]),
        material.classes,
    )


def measure(
    settings: dict[str, Any], side: str, evaluations: int, selection: tuple[float, ...] | None = None
) -> Measured:
    """One distillation and its evaluation.

    Args:
        settings: the config's settings that are given.
        side: "validation" or "test".
        evaluations: number of networks that are trained on the tracks.
        selection: accuracies of random clips, if these sides were measured before.
    """
    config = from_preset(DistillConfig, settings)
    device = choose_device(config.device)
    train, test, classes = sides(config, side)
    distiller = Distiller(config, train, classes=classes, device=device)
    start = time.perf_counter()
    for _ in distiller:
        pass
    seconds = time.perf_counter() - start
    synthetic = distiller.synthetic_set()
    sets = ["synthetic"] if selection else ["synthetic", "random-selection"]
    plan = [Measurement("random-cnn", name, seeds=evaluations) for name in sets]
    lines = Bench(synthetic, train, test, device).evaluate(plan)
    learnt, *chosen = (line for line in lines if line.finished)
    return Measured(
        synthetic.floats_per_class,
        synthetic.tracks_per_class,
        seconds,
        learnt.accuracy.runs,
        selection or chosen[0].accuracy.runs,
    )


def row(
    arguments: argparse.Namespace,
    variant: dict[str, Any],
    measured: list[Measured],
    selections: list[tuple[float, ...]],
) -> str:
    """A line of the table."""
    learnt = [run for one in measured for run in one.accuracy]
    chosen = [run for selection in selections for run in selection]
    seconds = statistics.median(one.seconds for one in measured)
    what = " ".join(f"{name}={json.dumps(value)}" for name, value in variant.items()) or "nothing"
    return (
        f"| {arguments.dataset} | {arguments.side} | {arguments.preset} | {arguments.ipc} | {what} "
        f"| {measured[0].floats:,} | {measured[0].tracks} | {np.mean(learnt):.3f} ± {np.std(learnt):.3f} "
        f"| {np.mean(chosen):.3f} ± {np.std(chosen):.3f} | {len(learnt)} | {seconds:.0f} |"
    )


COLUMNS = (
    "dataset",
    "measured on",
    "preset",
    "ipc",
    "what differs",
    "floats a class",
    "tracks",
    "accuracy",
    "random selection",
    "networks",
    "distillation (s)",
)
HEAD = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n"


def main() -> None:
    """Measures every variant and prints its row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("variants", nargs="*", default=["{}"], help="settings that differ from the preset, as JSON")
    parser.add_argument("--dataset", default="SPOKEN_DIGITS")
    parser.add_argument("--data-path", type=Path)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--ipc", type=int, default=1)
    parser.add_argument("--side", choices=["validation", "test"], default="validation")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--evaluations", type=int, default=1)
    parser.add_argument("--folds", action="store_true", help="test on every official fold in turn")
    arguments = parser.parse_args()
    dataset = datasets.DATASETS[arguments.dataset]
    folds = dataset.folds if arguments.folds else (None,)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}\n\n{HEAD}", end="", flush=True)
    for text in arguments.variants:
        variant = json.loads(text)
        common = {
            "dataset": arguments.dataset,
            "data_path": arguments.data_path,
            "preset": arguments.preset,
            "ipc": arguments.ipc,
        }
        measured, selections = [], dict[int | None, tuple[float, ...]]()
        for seed, fold in product(range(arguments.seeds), folds):
            settings = {**common, **variant, "seed": seed, "test_fold": fold}
            one = measure(settings, arguments.side, arguments.evaluations, selections.get(fold))
            selections[fold] = one.selection
            measured.append(one)
            print(f"seed {seed} fold {fold}: {one}", file=sys.stderr, flush=True)
        print(row(arguments, variant, measured, list(selections.values())), flush=True)


if __name__ == "__main__":
    main()
