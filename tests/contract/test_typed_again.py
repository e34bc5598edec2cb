"""The command of a job, typed by a person, is the same job: of any job, through the command's own parser."""

import math
import random
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer.core
import typer.main
from pydantic import BaseModel

from distrack.augmentation import NO_AUGMENTATION
from distrack.cli import commands as cli
from distrack.datasets import DATASETS
from distrack.distill import PRESETS, DistillConfig
from distrack.distill.domains import DOMAINS
from distrack.distill.initialisations import INITIALISATIONS
from distrack.distill.objectives import OBJECTIVES
from distrack.distill.optimisers import OPTIMISERS
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.distill.presets import Target
from distrack.errors import ConfigError
from distrack.evaluate import BASELINES, EVALUATORS
from distrack.features import FEATURES
from distrack.jobs.distillation import DistillJob
from distrack.jobs.distillation.job import OPTIONS
from distrack.networks import NETWORKS
from distrack.registry import ChosenFrom
from distrack.validation import Overrides, from_preset

Typed = Callable[[DistillJob], DistillJob]


@pytest.fixture
def typed_again(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """The job that its command makes; nothing is run."""
    command, asked = typer.main.get_command(cli.app), list[DistillJob]()
    monkeypatch.setattr(cli, "_new_run", lambda job, *_args, **_options: asked.append(job))

    def type_it(job: DistillJob) -> DistillJob:
        words = shlex.split(job.command())
        assert words[:4] == ["python", "-m", "distrack", "distill"]
        command.main(words[3:], standalone_mode=False)
        return asked.pop()

    return type_it


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The path of every field."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        chosen = [mark for mark in field.metadata if isinstance(mark, ChosenFrom)]
        if chosen:
            registry = chosen[0].registry
            yield from sorted(
                {f"{prefix}{name}.{each}" for entry in registry for each in registry.config(entry).model_fields}
            )
            continue
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from leaves(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


def options() -> set[str]:
    """What `distill` takes."""
    group = typer.main.get_command(cli.app)
    assert isinstance(group, typer.core.TyperGroup)
    return {option for parameter in group.commands["distill"].params for option in parameter.opts}


@pytest.mark.parametrize("path", list(leaves(DistillConfig)))
def test_every_field_has_an_option(path: str) -> None:
    names = {"dataset": "dataset", "feature.name": "feature-type"}
    option = names.get(path, OPTIONS.get(path, path.replace("_", "-").replace(".", "-")))
    assert f"--{option}" in options()


def test_no_two_fields_share_an_option() -> None:
    assert len(set(OPTIONS.values())) == len(OPTIONS)


# A few values of every option, of which a job draws some.
VALUES: Mapping[str, list[Any]] = {
    "dataset": ["FOLDER", "SPOKEN_DIGITS", "esc10", "Audio-MNIST"],
    "data_path": ["/somewhere", '/it\'s a $folder; "quoted"'],
    "duration": [0.1, 0.5, 1.0, 1.7, 5.0, 1 / 3 + 1],
    "domain": [*DOMAINS, {"name": "waveform", "prior": "none"}],
    "parameterisation": list(PARAMETERISATIONS),
    "ipc": [1, 2, 13, 50],
    "factor": [1, 2, 4, 8, 16],
    "initialisation": list(INITIALISATIONS),
    "objective": [
        *OBJECTIVES,
        {"name": "cf", "alpha": 0.3, "frequencies": 7},
        {"name": "mmd", "bandwidths": (1.0, 2.5)},
    ],
    "classification": [0.0, 0.05, 1e-7, 3.0],
    "optimiser": [*OPTIMISERS, {"name": "sgd", "momentum": 0.9}],
    "learning_rate": [0.05, 2.0, 1e-5, 0.1 + 0.2],
    "schedule": ["constant", "cosine"],
    "balance": ["none", "spread"],
    "tracks_per_step": [0, 1, 5],
    "steps": [1, 60, 80, 100, 200, 400, 1000, 1600],
    "snapshots": [2, 20],
    "seed": [0, 1, 2**32 - 1],
    "device": ["auto", "cpu"],
    "preset": list(PRESETS),
    "feature.name": list(FEATURES),
    "feature.n_fft": [1024, 2048, 4096],
    "feature.hop_length": [200, 512],
    "feature.n_mels": [32, 64, 128],
    "feature.n_mfcc": [13, 20],
    "network.name": list(NETWORKS),
    "network.width": [4, 32, 128],
    "network.depth": [1, 2, 3],
    "pool.size": [0, 1, 32],
    "pool.grow_every": [1, 10],
    "pool.refresh_every": [0, 100],
    "pool.clips_per_class": [4, 50, 64],
    "pool.training": [0, 10, 100],
    "augmentation.time_shift": [0.0, 0.125, 0.5],
    "augmentation.band_shift": [0.0, 0.05, 0.1],
    "augmentation.time_mask": [0.0, 0.2],
    "augmentation.band_mask": [0.0, 0.2],
    "augmentation.gain": [0.0, 0.3, 1 / 3],
    "augmentation.noise": [0.0, 0.1, 1e-6],
    "evaluation.evaluators": [tuple(EVALUATORS), ("prototype",)],
    "evaluation.baselines": [(), ("full",), tuple(BASELINES)],
    "evaluation.seeds": [1, 3, 7],
}


def test_values_leave_no_field_out() -> None:
    """So that one added later is typed again too."""
    known = {path.partition(".")[0] for path in VALUES} - {"evaluation"}
    # Which fold there is depends on the dataset: it is below.
    assert known | {"test_fold"} == set(DistillConfig.model_fields)


def jobs(count: int, share: float, *, seed: int, **fixed: Any) -> Iterator[DistillJob]:
    """Jobs for which each option was asked for with some probability; those that do not go together are left out."""
    draw = random.Random(seed)
    while count:
        asked: dict[str, Any] = {}
        for path, values in VALUES.items():
            if draw.random() < share:
                *outer, name = path.split(".")
                (asked.setdefault(outer[0], {}) if outer else asked)[name] = draw.choice(values)
        try:
            job = from_preset(DistillJob, {**asked, **fixed})
        except ConfigError:
            continue
        folds = DATASETS[job.dataset].folds
        if folds and draw.random() < 0.5:
            job = from_preset(DistillJob, {**asked, **fixed, "test_fold": draw.choice(folds)})
        if draw.random() < 0.1:
            job = job.model_copy(update={"evaluation": None})
        count -= 1
        yield job


@pytest.mark.parametrize("share", [0.05, 0.2, 0.6])
def test_a_random_job_typed_again_is_the_same_job(typed_again: Typed, share: float) -> None:
    seen = set()
    for job in jobs(300, share, seed=round(100 * share)):
        assert typed_again(job) == job, job.command()
        seen.add((job.domain.name, job.parameterisation.name, job.preset))
    assert len(seen) > 4


def on_every_part_of_the_job(job: Target) -> Overrides:
    """A recipe in which nothing is the same for two jobs."""
    spectral = job.domain == "spectral"
    return {
        "parameterisation": "dct" if spectral else "multiformation",
        "factor": 16 if spectral else 4,
        "steps": 60 + 20 * round(math.log2(job.ipc)) + round(10 * job.seconds),
        "learning_rate": 0.05 if spectral else 2.0,
        "classification": 0.05 if job.ipc > 1 else 0.0,
        "initialisation": "k-means" if job.seconds > 1 else "real",
        "pool": {"training": 100 if spectral else 10},
        "augmentation": {**NO_AUGMENTATION.model_dump(), "gain": 0.3 if job.ipc > 1 else 0.0, "noise": 0.1},
    }


@pytest.mark.parametrize("share", [0.05, 0.4])
def test_so_it_is_whatever_the_preset_makes_of_domain_budget_and_duration(
    typed_again: Typed, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setitem(PRESETS._entries, "quick", on_every_part_of_the_job)
    for job in jobs(150, share, seed=1, preset="quick"):
        assert typed_again(job) == job, job.command()


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("domain", list(DOMAINS))
def test_a_value_of_another_job_s_recipe_is_written_out(typed_again: Typed, preset: str, domain: str) -> None:
    # What the recipe says of a short spectral track, asked for a long one of either domain.
    short = from_preset(DistillJob, {"dataset": "FOLDER", "preset": preset, "duration": 0.5})
    asked = {"dataset": "FOLDER", "preset": preset, "domain": domain, "duration": 4.0, "ipc": 20}
    for name in ("steps", "learning_rate", "optimiser", "initialisation", "classification"):
        job = from_preset(DistillJob, {**asked, name: getattr(short, name)})
        assert typed_again(job) == job, job.command()


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("domain", list(DOMAINS))
def test_a_job_whose_recipe_alone_would_be_refused_has_a_command_too(
    typed_again: Typed, preset: str, domain: str
) -> None:
    # A tenth of a second has too few frames for the usual network and hop.
    asked = {"dataset": "FOLDER", "preset": preset, "domain": domain, "duration": 0.1}
    feature = {"name": "logmelspectrogram", "n_fft": 800, "hop_length": 200, "n_mels": 20}
    job = from_preset(DistillJob, {**asked, "feature": feature, "network": {"depth": 1}})
    assert typed_again(job) == job, job.command()


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_command_says_the_preset_and_only_what_differs(preset: str) -> None:
    job = from_preset(DistillJob, {"preset": preset, "ipc": 3, "seed": 5})
    words = ["--dataset", job.dataset, "--feature-type", job.feature.name, "--ipc", "3", "--preset", preset]
    assert shlex.split(job.command()) == ["python", "-m", "distrack", "distill", *words, "--seed", "5"]


def test_a_folder_s_name_survives_the_shell(typed_again: Typed, tmp_path: Path) -> None:
    job = from_preset(DistillJob, {"dataset": "FOLDER", "data_path": tmp_path / "a b'c\"d$e;f\\g*~"})
    assert typed_again(job) == job


def test_underscores_and_any_case_are_understood(typed_again: Typed) -> None:
    plain = from_preset(DistillJob, {})
    assert typed_again(plain) == plain
    command = typer.main.get_command(cli.app)
    words = [
        "distill",
        "--pool_refresh_every",
        "7",
        "--tracks_per_step",
        "2",
        "--feature_type",
        "Mel",
        "--time_mask",
        ".2",
    ]
    asked = list[DistillJob]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "_new_run", lambda job, *_args, **_options: asked.append(job))
        command.main([*words, "--parameterisation", "Multi_Formation"], standalone_mode=False)
    (job,) = asked
    assert (job.pool.refresh_every, job.tracks_per_step, job.feature.name) == (7, 2, "melspectrogram")
    assert (job.augmentation.time_mask, job.parameterisation.name) == (0.2, "multiformation")
