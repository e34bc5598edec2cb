"""Accuracy and time of an evaluation's networks by optimiser, steps and batch, for the choice of the recipe.

Nothing here sees a test clip: a fifth of the training clips is held out, the same-storage control and the tracks of
`quick` are made from the rest, and networks that learn from them classify the held-out clips. The command prints the
tables that `evaluator.md` contains.

    python -m benchmarks.evaluator FSDD,1 ESC10,1 SPOKEN_DIGITS,1 FSDD,10 --networks convnet,mlp,lenet
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from distrack.process_environment import compute_fast

compute_fast()

import torch

from distrack.device import side_by_side
from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.evaluate import BASELINES, training_set_of
from distrack.evaluate.evaluation import hold_out
from distrack.images import RealImages
from distrack.learning import Recipe, TrainingSet, trained_network
from distrack.networks import NetworkConfig
from distrack.progress import unwatched
from distrack.validation import from_preset

RECIPES: dict[str, dict[str, Any]] = {
    "AdamW, 400 x 32, 0.006": {"optimiser": "adamw", "learning_rate": 6e-3, "steps": 400, "batch_size": 32},
    "AdamW, 200 x 16, 0.006": {"optimiser": "adamw", "learning_rate": 0.006},
    "AdamW, 200 x 16, 0.02": {"optimiser": "adamw", "learning_rate": 0.02},
    "Muon, 200 x 16, 0.05": {},
    "Muon, 200 x 16, 0.02": {"learning_rate": 0.02},
    "Muon, 200 x 16, 0.1": {"learning_rate": 0.1},
    "Muon, 150 x 16, 0.05": {"steps": 150},
    "Muon, 200 x 32, 0.05": {"batch_size": 32},
}  # fmt: skip


class Taught(NamedTuple):
    """What is learnt from, and the held-out clips that are classified."""

    name: str
    seed: int
    training: TrainingSet
    held_out: RealImages


def taught(name: str, seeds: int) -> Iterator[Taught]:
    """The control, one for each seed, and the tracks of a dataset and a budget, `NAME,IPC`."""
    dataset, _, ipc = name.partition(",")
    fold = {"test_fold": 1} if dataset.startswith("ESC") else {}
    config = from_preset(DistillConfig, {"dataset": dataset, "ipc": int(ipc), "preset": "quick", **fold})
    material = config.material()
    rest, held_out = hold_out(material.train)
    distiller = Distiller(config, rest, classes=material.classes, device=torch.device("cpu"))
    like = distiller.synthetic_set()
    for seed in range(seeds):
        control = cast(SyntheticSet, BASELINES["same-storage"].choose(rest, like, seed))
        yield Taught(f"{name} control", seed, training_set_of(control, rest), held_out)
    for _ in distiller:
        pass
    tracks = training_set_of(distiller.synthetic_set(), rest)
    yield from (Taught(f"{name} tracks", seed, tracks, held_out) for seed in range(seeds))


def measured(one: Taught, recipe: Recipe) -> tuple[float, float]:
    """Accuracy on the held-out clips, and the seconds of one core that the training took."""
    before, device = time.thread_time(), torch.device("cpu")
    network = trained_network(one.training, recipe, one.seed, device, unwatched)
    seconds = time.thread_time() - before
    with torch.no_grad():
        right = [(network(images).argmax(1) == labels).float() for images, labels in one.held_out.batches(device)]
    return float(torch.cat(right).mean()), seconds


def main() -> None:
    """Prints one table for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", metavar="NAME,IPC")
    parser.add_argument("--networks", default="convnet")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    sets = [each for name in given.datasets for each in taught(name, given.seeds)]
    names = list(dict.fromkeys(each.name for each in sets))
    with side_by_side(torch.device("cpu")) as pool:
        for network in given.networks.split(","):
            print(f"\n{network}\n\n| recipe | {' | '.join(names)} | mean | core seconds |", flush=True)
            print("|---" * (len(names) + 3) + "|")
            for title, changes in RECIPES.items():
                recipe = Recipe.model_validate({"network": NetworkConfig(name=network), **changes})
                found = list(pool.map(lambda each, recipe=recipe: measured(each, recipe), sets))
                by_name = [[a for (a, _), each in zip(found, sets, strict=True) if each.name == name] for name in names]
                cells = [f"{statistics.mean(some):.3f}" for some in by_name]
                mean, seconds = (statistics.mean(values) for values in zip(*found, strict=True))
                print(f"| {title} | {' | '.join(cells)} | {mean:.3f} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
