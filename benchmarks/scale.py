"""Time of a step and memory for datasets of two sizes: generated one-second clips, preset `quick`, 1 track per class.

    python -m benchmarks.scale [--clips 3000,30000]

Each dataset is prepared and distilled by `python -m distrack` in processes of its own. The system reports the largest
resident size, and the run's metrics contain the time of every step.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from benchmarks.preparation import write_clips
from distrack import runs
from distrack.settings import PROJECT

_TABLE = Path(__file__).with_suffix(".md")
_RATE = 16_000
# The first steps also make the networks of the pool; the median is taken after them.
_SETTLED = 100
_STEPS = 200


def measured(count: int) -> tuple[float, float, float]:
    """Median step in ms once the pool is complete, seconds of all steps, and the largest resident size in MB."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "clips"
        write_clips(root, count, rate=_RATE)
        environment = {**os.environ, "DISTRACK_DATA_PATH": f"{place}/data", "DISTRACK_RUNS_PATH": f"{place}/runs"}
        distrack = [sys.executable, "-m", "distrack"]
        source = ["--dataset", "FOLDER", "--data-path", str(root), "--quiet"]
        subprocess.run([*distrack, "prepare", *source], cwd=PROJECT, env=environment, check=True, capture_output=True)
        words = [*distrack, "distill", *source, "--ipc", "1", "--steps", str(_STEPS), "--no-evaluate", "--name", "one"]
        words += ["--duration", "1"]
        process = subprocess.Popen(words, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        if status:
            raise RuntimeError("the distillation failed")
        times = [record["t"] for record in runs.Run(Path(place) / "runs" / "one").metrics() if "step" in record]
        steps = [after - before for before, after in pairwise(times)]
        return 1000 * statistics.median(steps[_SETTLED:]), times[-1] - times[0], used.ru_maxrss / 1024


def main() -> None:
    """Writes the table beside this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", default="3000,30000")
    parser.add_argument("--rounds", type=int, default=2, help="number of rounds over the sizes")
    arguments = parser.parse_args()
    sizes = list(map(int, arguments.clips.split(",")))
    results: dict[int, list[tuple[float, float, float]]] = {size: [] for size in sizes}
    for _ in range(arguments.rounds):
        for size in sizes:
            results[size].append(measured(size))
            sys.stdout.write(f"{size}: {results[size][-1]}\n")
    lines = [
        f"One-second clips of ten classes, 1 track a class, {_STEPS} steps; {platform.machine()}, "
        f"{os.cpu_count()} cores.",
        f"The shortest median step of {arguments.rounds} rounds, taken in turn.",
        "",
        "| clips | median step (ms) | all steps (s) | peak memory (MB) |",
        "|---|---|---|---|",
    ]
    for size in sizes:
        step, whole, peak = (min(part) for part in zip(*results[size], strict=True))
        lines.append(f"| {size:,} | {step:.1f} | {whole:.1f} | {peak:.0f} |")
    text = "\n".join(lines) + "\n"
    sys.stdout.write(text)
    _TABLE.write_text(text)


if __name__ == "__main__":
    main()
