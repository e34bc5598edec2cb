"""What `quick` gains over the published recipe: seconds of a step, and seconds until the published recipe's accuracy.

All distil one track a class of the same dataset in this one process. `paper` runs first, to its end or for as many
steps as it is given; then `quick`, and `quick` as `paper` starts (from noise, every number of a track stored), are
measured by the same evaluator again and again until they are as good as `paper` was at its end. Writes the table that
it prints beside itself.

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

compute_fast("benchmarks.quick_against_paper")

import torch

from distrack.device import choose_device
from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.evaluate import Measurement, evaluate
from distrack.images import Material
from distrack.validation import from_preset

TABLE = Path(__file__).with_suffix(".md")


# Steps after which accuracy is looked at.
LOOKS = (1, 2, 5, 10, 20, 50, 100, 200, 400, 800, 1600)
AS_PAPER = {"parameterisation": "identity", "factor": 1, "initialisation": "noise"}


class Measured(NamedTuple):
    """One recipe: where its last look was, what it had cost until then, the median step, what was learnt.

    Attributes:
        reached: whether it is as good as what it was compared with; None where there was nothing.
        seconds: of distillation, without the looks.
    """

    name: str
    steps: int
    asked: int
    seconds: float
    step: float
    accuracy: float
    spread: float
    reached: bool | None


class Bench:
    """The dataset, and one distillation after another."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments, self.device = arguments, choose_device(arguments.device)

    def measure(self, name: str, asked: dict[str, Any], *, until: float | None, most: int | None = None) -> Measured:
        """Distils to the end, or until a look shows `until`, or for at most so many steps."""
        common = {name: getattr(self.arguments, name) for name in ("dataset", "data_path", "seed")}
        config = from_preset(DistillConfig, {**common, **asked})
        material = config.material()
        distiller = Distiller(config, material.train, classes=material.classes, device=self.device)
        last, steps = most or config.steps, []
        before = time.perf_counter()
        for record in distiller:
            steps.append(time.perf_counter() - before)
            if record.step == last or (until is not None and record.step in LOOKS):
                accuracy, spread = self._look(distiller.synthetic_set(), material)
                if record.step == last or (until is not None and accuracy >= until):
                    break
            before = time.perf_counter()
        reached = None if until is None else accuracy >= until
        return Measured(name, len(steps), config.steps, sum(steps), statistics.median(steps), accuracy, spread, reached)

    def _look(self, synthetic: SyntheticSet, material: Material) -> tuple[float, float]:
        (evaluation,) = evaluate(
            synthetic,
            material.train,
            material.test,
            [Measurement("random-cnn", "synthetic")],
            device=self.device,
            progress=lambda _what, _share: None,
        )
        return evaluation.accuracy.mean, evaluation.accuracy.std


def table(rows: list[Measured], arguments: argparse.Namespace) -> str:
    """The result in Markdown, with the machine and what was not run to its end."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, device {choose_device(arguments.device)}"
    paper = rows[0]
    end = "its end" if paper.steps == paper.asked else f"step {paper.steps} of {paper.asked}, where it was cut off"
    lines = [
        f"{arguments.dataset}, the storage of 1 track per class, seed {arguments.seed}; {machine}, "
        f"torch {torch.__version__}.",
        "Accuracy: random CNN on real test clips, three evaluation seeds. "
        f"`paper` is measured at {end}; the others at the first look that shows as much.",
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
    parser.add_argument("--paper-steps", type=int, help="cut `paper` off; all of its 1,000 take half an hour")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    bench = Bench(arguments)
    paper = bench.measure("paper", {"preset": "paper"}, until=None, most=arguments.paper_steps)
    rows = [
        paper,
        bench.measure("quick", {"preset": "quick"}, until=paper.accuracy),
        bench.measure("quick, stored and begun as paper", {"preset": "quick", **AS_PAPER}, until=paper.accuracy),
    ]
    text = table(rows, arguments)
    TABLE.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
