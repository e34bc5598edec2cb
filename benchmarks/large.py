"""Many classes and many clips: time and memory of every step from files to an accuracy, at growing sizes.

`python -m benchmarks.large --sizes 30000,100000,300000 [--classes 1000]` makes folders of short generated sounds in a
temporary place, and works on each by the library, a process for each step. It writes benchmarks/large.md.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile

from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.evaluate import Bench, EvaluationConfig, measurements
from distrack.jobs.distillation.phases import device_of
from distrack.process_environment import worker_environment
from distrack.settings import PROJECT

_RATE, _SECONDS = 16_000, 0.25
_STEPS = 20


def config_of(place: Path) -> DistillConfig:
    """The distillation that all steps share."""
    return DistillConfig.validated(
        {"dataset": "FOLDER", "data_path": place / "clips", "duration": _SECONDS, "steps": _STEPS, "snapshots": 2}
    )


def write(place: Path, clips: int, classes: int) -> None:
    """Writes the sounds: a tone of each class, a little off its pitch, in noise."""
    random, time_axis = np.random.default_rng(0), np.arange(round(_RATE * _SECONDS)) / _RATE
    for label in range(classes):
        folder = place / "clips" / f"class{label:04}"
        folder.mkdir(parents=True)
        pitch = 100 * 40 ** (label / classes)
        for number in range(clips // classes):
            wave = 0.3 * np.sin(2 * np.pi * pitch * random.uniform(0.99, 1.01) * time_axis)
            wave += 0.02 * random.standard_normal(len(wave))
            soundfile.write(folder / f"{number}.wav", wave, _RATE, subtype="PCM_16")


def index(place: Path) -> dict[str, Any]:
    """Reads the names of all files and splits them."""
    from distrack import datasets

    found = datasets.index("FOLDER", place / "clips")
    return {"clips": len(found.clips), "classes": len(found.classes)}


def prepare(place: Path) -> dict[str, Any]:
    """Decodes all clips and computes their images."""
    material = config_of(place).material(cache_path=place / "cache")
    return {"train": len(material.train), "test": len(material.test)}


def distill(place: Path) -> dict[str, Any]:
    """Takes a few steps of a distillation of all classes."""
    config = config_of(place)
    material = config.material(cache_path=place / "cache")
    distiller = Distiller(config, material.train, classes=material.classes, device=device_of(config))
    losses = [record.loss for record in distiller]
    (place / "synthetic.safetensors").write_bytes(distiller.synthetic_set().to_bytes())
    return {"tracks": len(distiller.synthetic_set().labels), "loss": [losses[0], losses[-1]]}


def evaluate(place: Path) -> dict[str, Any]:
    """Names the class of each test clip by the nearest track in a random network, and by random clips."""
    config = config_of(place)
    material = config.material(cache_path=place / "cache")
    synthetic = SyntheticSet.load(place / "synthetic.safetensors")
    plan = measurements(EvaluationConfig(evaluators=("prototype",), baselines=("random-selection",), seeds=1))
    bench = Bench(synthetic, material.train, material.test, device_of(config))
    return {line.training_set: line.accuracy.mean for line in bench.evaluate(plan) if line.finished}


STEPS: dict[str, Callable[[Path], dict[str, Any]]] = {
    step.__name__: step for step in (index, prepare, distill, evaluate)
}


def measured(step: str, place: Path) -> dict[str, Any]:
    """Does a step in a process of its own: its result, its seconds, and the most memory of its own, in MB."""
    code = f"from benchmarks import large; large.alone({step!r}, {str(place)!r})"
    began = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, env=worker_environment(), capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise SystemExit(ended.stderr)
    return {**json.loads(ended.stdout.splitlines()[-1]), "seconds": time.perf_counter() - began}


def alone(step: str, place: str) -> None:
    """Does a step in this process, and prints its result as JSON.

    Memory is counted without pages of mapped files, which the system takes back when it needs them.
    """
    process, most, ended = psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            memory = process.memory_info()
            most[0] = max(most[0], memory.rss - memory.shared)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    result = STEPS[step](Path(place))
    ended.set()
    thread.join()
    sys.stdout.write(json.dumps({"result": result, "megabytes": most[0] >> 20}) + "\n")


def main() -> None:
    """Measures every step at every size, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="30000,100000,300000")
    parser.add_argument("--classes", type=int, default=1000)
    arguments = parser.parse_args()
    rows = []
    for clips in map(int, arguments.sizes.split(",")):
        with tempfile.TemporaryDirectory(prefix="large-") as folder:
            place = Path(folder)
            write(place, clips, arguments.classes)
            for step in STEPS:
                found = measured(step, place)
                rows.append((clips, step, found["seconds"], found["megabytes"], found["result"]))
                print(*rows[-1], flush=True)
    lines = [
        "# Many classes, many clips",
        "",
        f"`python -m benchmarks.large --sizes {arguments.sizes} --classes {arguments.classes}`: "
        f"{arguments.classes:,} classes, clips of {_SECONDS:g} s, 1 track per class, {_STEPS} steps; {machine()}. "
        "Every step is a process of its own, its start counted; memory is without pages of mapped files.",
        "",
        "| clips | step | seconds | ms a clip | MB | result |",
        "|---|---|---|---|---|---|",
        *(
            f"| {clips:,} | {step} | {seconds:.1f} | {1000 * seconds / clips:.2f} | {most:,} | {text_of(result)} |"
            for clips, step, seconds, most, result in rows
        ),
    ]
    (PROJECT / "benchmarks" / "large.md").write_text("\n".join(lines) + "\n")


def machine() -> str:
    """The processor and its number of cores."""
    return f"{platform.machine()}, {os.cpu_count()} cores"


def text_of(result: dict[str, Any]) -> str:
    """A result in a cell of the table."""
    shown = {name: value if isinstance(value, list) else [value] for name, value in result.items()}
    return ", ".join(f"{name} {' to '.join(f'{each:.4g}' for each in values)}" for name, values in shown.items())


if __name__ == "__main__":
    main()
