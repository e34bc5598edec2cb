"""Profile of a step: the share of each operation of a distillation, and the speed of the network in several forms.

The command writes `step_profile.md`. For some presets and domains it has the median step and the share of its
operations; for the embedding network the time per image at several batch sizes, memory formats and precisions.

    python -m benchmarks.step_profile --dataset FSDD --data-path FOLDER
"""

import argparse
import copy
import os
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any
from unittest import mock

from distrack.process_environment import compute_fast

compute_fast()

import torch
from torch.profiler import ProfilerActivity, profile

from distrack.device import choose_device
from distrack.distill import DistillConfig, Distiller
from distrack.networks import Network, NetworkConfig, build_network
from distrack.validation import from_preset

TABLE = Path(__file__).with_suffix(".md")
_STEPS = 30
_SHOWN = 8
CASES: dict[str, dict[str, Any]] = {
    "quick, 1 a class": {"preset": "quick"},
    "quick, 10 a class": {"preset": "quick", "ipc": 10},
    "quick, waveform, 1 a class": {"preset": "quick", "domain": "waveform"},
}


class Inline(Executor):
    """An executor that does the work in the calling thread."""

    def __init__(self, _workers: int) -> None:
        super().__init__()

    def submit(self, work: Callable[..., Any], /, *values: Any, **named: Any) -> Future[Any]:
        """Does the work and returns a finished future."""
        done: Future[Any] = Future()
        done.set_result(work(*values, **named))
        return done


def steps(settings: dict[str, Any], arguments: argparse.Namespace) -> str:
    """Median step of a distillation and its operations, the slowest first."""
    device = choose_device(arguments.device)
    source = {"dataset": arguments.dataset, "data_path": arguments.data_path, "steps": 2 * _STEPS}
    config = from_preset(DistillConfig, {**source, **settings})
    material = config.material()
    distiller = iter(Distiller(config, material.train, classes=material.classes, device=device))
    for _ in range(5):
        next(distiller)
    took = []
    for _ in range(_STEPS):
        start = time.perf_counter()
        next(distiller)
        took.append(time.perf_counter() - start)
    distiller.close()  # type: ignore[attr-defined]
    # The profiler sees only the thread that started it, so the same steps are done in this one.
    with mock.patch("distrack.distill.distiller.ThreadPoolExecutor", Inline):
        distiller = iter(Distiller(config, material.train, classes=material.classes, device=device))
        for _ in range(5):
            next(distiller)
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            for _ in range(_STEPS // 3):
                next(distiller)
        distiller.close()  # type: ignore[attr-defined]
    events = sorted(seen.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    shares = ", ".join(
        f"{event.key.removeprefix('aten::')} {event.self_cpu_time_total / total:.0%}" for event in events[:_SHOWN]
    )
    return f"{1000 * statistics.median(took):.0f} ms | {shares}"


def fastest(work: Callable[[], object], times: int) -> float:
    """The shortest of several times, in ms."""
    work()
    took = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return 1000 * min(took)


def images(count: int, network: Network, dtype: torch.dtype) -> float:
    """Milliseconds for an image on one thread: its embedding and the gradient with respect to it."""

    def work() -> None:
        batch = torch.randn(count, 1, 64, 32, requires_grad=True)
        embeddings = network.embed(batch.to(dtype)).float()
        torch.autograd.grad(embeddings.square().sum(), batch)

    return fastest(work, max(3, 80 // count)) / count


def main() -> None:
    """Measures and writes the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", default="SPOKEN_DIGITS")
    parser.add_argument("--data-path", type=Path)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    lines = [
        f"{arguments.dataset}; {platform.machine()}, {os.cpu_count()} cores, device {choose_device(arguments.device)}, "
        f"torch {torch.__version__}.",
        "",
        "| distillation | median step | operations, by their own time |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {steps(settings, arguments)} |" for name, settings in CASES.items()]
    torch.set_num_threads(1)
    plain = build_network(NetworkConfig(), shape=(64, 32), classes=10, seed=0).requires_grad_(False)
    last = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    half = copy.deepcopy(plain).bfloat16()
    lines += [
        "",
        "Milliseconds for an image of 64 x 32 in a ConvNet of width 32, forward and back to the image, one thread:",
        "",
        "| images at once | float32 | channels last | bfloat16 |",
        "|---|---|---|---|",
    ]
    for count in (1, 4, 8, 16, 80):
        times = (images(count, net, kind) for net, kind in ((plain, torch.float32), (last, torch.float32)))
        lines.append(
            f"| {count} | " + " | ".join(f"{t:.2f}" for t in (*times, images(count, half, torch.bfloat16))) + " |"
        )
    text = "\n".join(lines) + "\n"
    TABLE.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
