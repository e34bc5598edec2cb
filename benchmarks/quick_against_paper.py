"""Preset `quick` against the published recipe: seconds of a step, and seconds until the published recipe's accuracy.

All distil one track per class of the same dataset in this process. `paper` runs first, to its end or for the given
number of steps. Then `quick`, and `quick` with the start and the storage of `paper` (from noise, every number of a
track stored), are evaluated after more and more steps until they reach the final accuracy of `paper`. The command
prints the table and writes it beside this file.

    python -m benchmarks.quick_against_paper --dataset FSDD --data-path FOLDER
"""

import argparse
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any, NamedTuple

from distrack.process_environment import compute_fast

compute_fast()

import torch

from distrack.device import choose_device
from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.evaluate import Bench, Measurement
from distrack.images import Material
from distrack.validation import from_preset

TABLE = Path(__file__).with_suffix(".md")
# Steps after which the accuracy is measured.
MEASURED_AFTER = (1, 2, 5, 10, 20, 50, 100, 200, 400, 800, 1600)
AS_PAPER = {"parameterisation": "identity", "factor": 1, "initialisation": "noise"}


class Measured(NamedTuple):
    """One recipe up to its last evaluation.

    Attributes:
        name: name in the table.
        steps: steps done.
        of_steps: steps of the whole recipe.
        seconds: time of these steps, without evaluations.
        step: median time of a step in seconds.
        accuracy, spread: mean and deviation over the evaluation seeds.
        reached: whether it is as accurate as the recipe that it is compared with; None without a comparison.
    """

    name: str
    steps: int
    of_steps: int
    seconds: float
    step: float
    accuracy: float
    spread: float
    reached: bool | None


class RecipeBench:
    """Distils with one recipe after the other."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments, self.device = arguments, choose_device(arguments.device)

    def measure(self, name: str, settings: dict[str, Any], *, until: float | None, most: int | None = None) -> Measured:
        """Distils to the end, or until the accuracy is `until`, or for at most `most` steps."""
        common = {name: getattr(self.arguments, name) for name in ("dataset", "data_path", "seed")}
        config = from_preset(DistillConfig, {**common, **settings})
        material = config.material()
        distiller = Distiller(config, material.train, classes=material.classes, device=self.device)
        last, steps = most or config.steps, []
        before = time.perf_counter()
        for record in distiller:
            steps.append(time.perf_counter() - before)
            if record.step == last or (until is not None and record.step in MEASURED_AFTER):
                accuracy, spread = self._accuracy(distiller.synthetic_set(), material)
                if record.step == last or (until is not None and accuracy >= until):
                    break
            before = time.perf_counter()
        reached = None if until is None else accuracy >= until
        return Measured(name, len(steps), config.steps, sum(steps), statistics.median(steps), accuracy, spread, reached)

    def _accuracy(self, synthetic: SyntheticSet, material: Material) -> tuple[float, float]:
        bench = Bench(synthetic, material.train, material.test, self.device)
        *_, evaluation = bench.evaluate([Measurement("random-cnn", "synthetic")])
        return evaluation.accuracy.mean, evaluation.accuracy.std


def table(rows: list[Measured], arguments: argparse.Namespace) -> str:
    """The result in Markdown, with the machine."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, device {choose_device(arguments.device)}"
    paper = rows[0]
    end = "its end" if paper.steps == paper.of_steps else f"step {paper.steps} of {paper.of_steps}"
    lines = [
        f"{arguments.dataset}, the storage of 1 track per class, seed {arguments.seed}; {machine}, "
        f"torch {torch.__version__}.",
        "Accuracy: random CNN on real test clips, three evaluation seeds. "
        f"`paper` is measured at {end}; the others at the first measurement that is as accurate.",
        "",
        "| recipe | median step (ms) | steps | seconds | accuracy | time of `paper` / its time | its step |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ratio = f"{paper.seconds / row.seconds:,.0f}" if row.reached else "" if row is paper else "not reached"
        lines.append(
            f"| {row.name} | {1000 * row.step:.1f} | {row.steps} | {row.seconds:.1f} "
            f"| {row.accuracy:.3f} ± {row.spread:.3f} | {ratio} | {paper.step / row.step:.0f} times faster |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures both presets and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", default="SPOKEN_DIGITS")
    parser.add_argument("--data-path", type=Path)
    parser.add_argument("--paper-steps", type=int, help="steps of `paper`; all of its 1,000 take half an hour")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    bench = RecipeBench(arguments)
    paper = bench.measure("paper", {"preset": "paper"}, until=None, most=arguments.paper_steps)
    rows = [
        paper,
        bench.measure("quick", {"preset": "quick"}, until=paper.accuracy),
        bench.measure(
            "quick, with the start and the storage of paper", {"preset": "quick", **AS_PAPER}, until=paper.accuracy
        ),
    ]
    text = table(rows, arguments)
    TABLE.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
