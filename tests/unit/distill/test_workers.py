"""A distillation that several processes share has the bits of one that a single process does."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from distrack import jobs
from distrack.distill import Distiller, SyntheticSet
from distrack.distill.workers import Workers, devices_of, distilling
from distrack.errors import ConfigError, RunError
from distrack.jobs.distillation import DistillJob
from distrack.jobs.results import synthetic_file
from distrack.runs import Run, Stopped

MakeJob = Callable[..., DistillJob]


def run_of(job: DistillJob, folder: Path) -> Run:
    """A run of a job, distilled."""
    run = job.model_copy(update={"evaluation": None}).create(folder, f"devices-{job.devices}")
    jobs.work(run)
    return run


def losses(run: Run) -> list[float]:
    """The losses of all steps."""
    return [record["loss"] for record in run.metrics() if "loss" in record]


@pytest.mark.parametrize(
    "recipe",
    [
        {"ipc": 8, "objective": "mmd", "network": {"width": 4}},
        {"ipc": 6, "domain": "waveform", "optimiser": "sgd", "tracks_per_step": 2},
        {"ipc": 2, "domain": "waveform", "parameterisation": "mdct", "objective": "mmd", "regression": 1.0},
        {"ipc": 32, "objective": "mean", "regression": 1.0, "tracks_per_step": 3},
        {"ipc": 8, "objective": "mmd", "regression": 1.0, "students": {"count": 2, "start": 0.2, "lesson": 2}},
        {
            **{"ipc": 2, "domain": "waveform", "parameterisation": "vocoder", "factor": 8, "hearings": 2},
            **{"regression": 1.0, "students": {"count": 1, "start": 0.4, "lessons": 2, "lesson": 2}},
        },
    ],
)
def test_any_number_of_processes_gives_the_same_bytes(
    tiny_job: MakeJob, tmp_path: Path, recipe: dict[str, Any]
) -> None:
    alone = run_of(tiny_job(**recipe, steps=6), tmp_path)
    for count in (2, 4):  # there are three classes
        shared = run_of(tiny_job(**recipe, steps=6, devices=count), tmp_path)
        assert synthetic_file(shared).read_bytes() == synthetic_file(alone).read_bytes()
        assert losses(shared) == losses(alone)
        for step, path in alone.snapshots().items():
            assert shared.snapshots()[step].read_bytes() == path.read_bytes()


def test_a_stopped_distillation_goes_on_with_another_number_of_processes(tiny_job: MakeJob, tmp_path: Path) -> None:
    recipe: dict[str, Any] = {"ipc": 8, "objective": "mmd", "regression": 0.5, "steps": 8}
    recipe["students"] = {"count": 2, "start": 0.2, "lesson": 2, "stay": 2}
    whole = run_of(tiny_job(**recipe), tmp_path / "whole")
    for first, then in ((2, 1), (1, 2)):
        job = tiny_job(**recipe, devices=first).model_copy(update={"evaluation": None})
        run = job.create(tmp_path, f"from-{first}")

        def stop(phase: str, step: int, _steps: int, _detail: str, _loss: float | None) -> None:
            if phase == "distill" and step == 4:
                # As at a request to stop: the state is saved at this step.
                raise Stopped

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("distrack.jobs.distillation.work._CHECKPOINT_SECONDS", 0)
            with pytest.raises(Stopped):
                jobs.work(run, watch=stop)
        assert run.checkpoint.is_file()
        other = Run(shutil.copytree(run.path, tmp_path / f"to-{then}-{first}"))
        other.write("config.json", jobs.as_json(job.model_copy(update={"devices": then})))
        jobs.work(other)
        assert synthetic_file(other).read_bytes() == synthetic_file(whole).read_bytes()


def test_more_processes_than_groups_of_classes_are_not_started_and_one_that_dies_is_said(
    tiny_job: MakeJob, cpu: torch.device
) -> None:
    config = tiny_job(ipc=32, devices=9).distillation()
    material = config.material()
    with distilling(config.model_copy(update={"devices": 1}), material, cpu) as alone:
        assert isinstance(alone, Distiller)
    with distilling(config, material, cpu) as shared:
        assert isinstance(shared, Workers)
        assert len(shared._processes) == 3
        next(iter(shared))
        shared._processes[0].kill()
        shared._processes[0].join()
        with pytest.raises(RunError, match="a process of this distillation ended by itself: take fewer devices"):
            next(iter(shared))
    assert not any(process.is_alive() for process in shared._processes)


def test_a_synthetic_set_does_not_say_how_many_devices_made_it(synthetic: SyntheticSet) -> None:
    other = SyntheticSet(
        synthetic.parameters,
        synthetic.row_labels,
        synthetic.classes,
        synthetic.normalisation,
        synthetic.config.model_copy(update={"devices": 4}),
        synthetic.constants,
    )
    assert other.to_bytes() == synthetic.to_bytes()


def test_devices_that_are_not_here_are_refused() -> None:
    assert devices_of(torch.device("cpu"), 2) == [torch.device("cpu")] * 2
    assert devices_of(torch.device("mps"), 1) == [torch.device("mps")]
    for device in ("mps", "cuda", "cuda:1"):
        with pytest.raises(ConfigError, match=rf"devices 64: from {device} on, this machine has \d+: choose fewer"):
            devices_of(torch.device(device), 64)
