"""What a change of `quick` adds to a distillation: the regression, students, other steps or starts.

Nothing here sees a test clip: a fifth of the training clips, or a fold of them where there are folds, is held out, the
rest is distilled, and networks that learn from the tracks classify the held-out clips. Two distillations, two networks
each. The command prints rows as `regression.md` and `students.md` contain them.

    python -m benchmarks.regression FSDD,1 ESC10,1 FOLDER,1,DIR '{"regression": 0, "steps": 200}' '{}'
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any, cast

from distrack.process_environment import compute_fast

compute_fast()

import numpy as np
import torch

from benchmarks.evaluator import Taught, measured
from distrack.device import side_by_side
from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.distill.sounds import exported
from distrack.evaluate import BASELINES, training_set_of
from distrack.evaluate.evaluation import hold_out
from distrack.images import Material, RealImages
from distrack.learning import Recipe

_SEEDS = 2


def main() -> None:
    """Prints, for each dataset, a row of the control and one for each set of changes to `quick`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="+", metavar="NAME,IPC[,DIR] | CHANGES")
    parser.add_argument("--sound", action="store_true", help="what the exported sounds teach, too")
    asked = parser.parse_args()
    words = asked.words
    device = torch.device("cpu")
    for name in (word for word in words if not word.startswith("{")):
        dataset, ipc, *folder = name.split(",")
        usual: dict[str, Any] = {"dataset": dataset, "ipc": int(ipc), "preset": "quick"}
        usual |= {"test_fold": 1} if dataset.startswith("ESC") else {}
        usual |= {"data_path": Path(folder[0])} if folder else {}
        material = DistillConfig.validated(usual).material()
        rest, held_out = _held_out(material)

        def row(label: str, sets: list[SyntheticSet], seconds: float, *, sound: bool = False) -> None:
            files = [list(exported(each)) if sound else None for each in sets]
            training = [training_set_of(each, rest, sounds=file) for each, file in zip(sets, files, strict=True)]  # noqa: B023
            trained = [(each, seed) for each in training for seed in range(_SEEDS)]
            taught = [Taught(label, seed, each, held_out) for each, seed in trained]  # noqa: B023
            with side_by_side(device) as pool:
                found = [accuracy for accuracy, _ in pool.map(lambda each: measured(each, Recipe()), taught)]
            mean, spread = statistics.mean(found), statistics.stdev(found)
            print(f"| {name} | {label} | {mean:.3f} ± {spread:.3f} | {seconds:.1f} s |", flush=True)  # noqa: B023

        like = Distiller(DistillConfig.validated(usual), rest, classes=material.classes, device=device).synthetic_set()
        chosen = [cast(SyntheticSet, BASELINES["same-storage"].choose(rest, like, seed)) for seed in range(_SEEDS)]
        row("control", chosen, 0)
        for changes in (word for word in words if word.startswith("{")):
            made, before = [], time.monotonic()
            for seed in range(_SEEDS):
                config = DistillConfig.validated({**usual, **json.loads(changes), "seed": seed})
                distiller = Distiller(config, rest, classes=material.classes, device=device)
                for _ in distiller:
                    pass
                made.append(distiller.synthetic_set())
            seconds, label = (time.monotonic() - before) / _SEEDS, changes.replace("{}", "quick")
            row(label, made, seconds)
            if asked.sound:
                row(f"{label}, as sound", made, seconds, sound=True)


def _held_out(material: Material) -> tuple[RealImages, RealImages]:
    """The training clips to distill and to test on: the last fold where there are folds, else a fifth of each class."""
    folds = np.array([material.prepared.index.clips[row].fold or 0 for row in material.train.rows])
    last = folds.max()
    return (material.train.at(folds != last), material.train.at(folds == last)) if last else hold_out(material.train)


if __name__ == "__main__":
    main()
