"""The engine on a CUDA device, where there is one: losses and tracks agree with the CPU's, and work is resumed."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from distrack import jobs
from distrack.datasets.clips import Split
from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.distill.workers import Workers, distilling
from distrack.evaluate import Bench, EvaluationConfig, measurements
from distrack.images import RealImages
from distrack.jobs.distillation import DistillJob
from distrack.jobs.results import evaluation_report, synthetic_file

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device"),
]
Images = Mapping[Split, RealImages]


def distilled(config: DistillConfig, images: Images, device: str) -> tuple[list[float], SyntheticSet]:
    """The losses that were read, and the tracks."""
    distiller = Distiller(config, images["train"], classes=("chirp", "noise", "tone"), device=torch.device(device))
    losses = [record.loss for record in distiller if record.loss is not None]
    return losses, distiller.synthetic_set()


@pytest.mark.parametrize(
    "recipe", [{}, {"objective": "mmd"}, {"domain": "waveform"}, {"parameterisation": "dct", "factor": 4}]
)
def test_losses_and_tracks_agree_with_those_of_the_cpu(
    tiny: Callable[..., DistillConfig], tiny_images: Images, recipe: dict[str, Any]
) -> None:
    config = tiny(**recipe, steps=20)
    slow, fast = distilled(config, tiny_images, "cpu"), distilled(config, tiny_images, "cuda")
    # The device rounds sums otherwise, and 20 steps carry that on.
    assert fast[0][-1] == pytest.approx(slow[0][-1], rel=0.05)
    difference = (fast[1].tracks() - slow[1].tracks()).norm() / slow[1].tracks().norm()
    assert difference < 0.05


def test_accuracies_agree_with_those_of_the_cpu_within_a_few_clips(
    tiny_images: Images, synthetic: SyntheticSet
) -> None:
    plan = measurements(EvaluationConfig(evaluators=("prototype",), baselines=("random-selection",), seeds=3))
    accuracies = []
    for device in ("cpu", "cuda"):
        bench = Bench(synthetic, tiny_images["train"], tiny_images["test"], torch.device(device))
        accuracies.append([line.accuracy.mean for line in bench.evaluate(plan) if line.finished])
    assert accuracies[1] == pytest.approx(accuracies[0], abs=0.1)


def test_a_whole_run_is_done_on_the_device(tiny_job: Callable[..., DistillJob], tmp_path: Path) -> None:
    run = tiny_job(device="cuda").create(tmp_path, "cuda")
    jobs.work(run)
    report = evaluation_report(run)
    assert report is not None
    assert report.device.startswith("cuda")
    assert synthetic_file(run).is_file()


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="this machine has fewer than two CUDA devices")
def test_two_devices_share_the_classes(tiny_job: Callable[..., DistillJob]) -> None:
    config = tiny_job(ipc=8, devices=2, device="cuda").distillation()
    material = config.material()
    losses = []
    for count in (1, 2):
        with distilling(config.model_copy(update={"devices": count}), material, torch.device("cuda")) as distiller:
            assert isinstance(distiller, Workers) == (count == 2)
            losses.append([record.loss for record in distiller][-1])
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
