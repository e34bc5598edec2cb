"""What all tests share: a place of their own for runs and data, and the way to the real recordings."""

import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from xdist.scheduler import LoadScopeScheduling

from distrack import jobs, runs
from distrack.audio import SAMPLE_RATE, Wave
from distrack.datasets import Prepared
from distrack.datasets.clips import Split
from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.features import FeatureConfig
from distrack.images import Material, RealImages, load
from distrack.jobs.distillation import DistillJob
from distrack.process_environment import FAST_ON_CPU
from distrack.registry import filled_choices
from distrack.runs import Run
from distrack.settings import PROJECT, settings
from distrack.validation import from_preset, merged

REQUIRED = "DISTRACK_REQUIRE_TEST_DATA"

# A plugin lies there: importing it for its doctests would add its entries to the registries of all tests.
collect_ignore = ["material"]

# A distillation of the tiny dataset that takes milliseconds a step; half-second clips become 16 x 32 images. All that a
# preset might say is said: what is tested does not change as recipes are tuned.
TINY: Mapping[str, Any] = {
    "dataset": "FOLDER",
    "duration": 0.5,
    "feature": {"name": "logmelspectrogram", "n_fft": 512, "hop_length": 256, "n_mels": 16},
    "domain": "spectral",
    "parameterisation": "identity",
    "initialisation": "real",
    "objective": "mean",
    "classification": 0.0,
    "regression": 0.0,
    "network": {"name": "convnet", "width": 4, "depth": 2},
    "pool": {"size": 3, "grow_every": 2, "refresh_every": 0, "clips_per_class": 4, "training": 0},
    "students": {"count": 0},
    "augmentation": {"time_shift": 0, "band_shift": 0, "time_mask": 0, "band_mask": 0, "gain": 0, "noise": 0},
    "optimiser": "adam",
    "learning_rate": 0.05,
    "schedule": "cosine",
    "balance": "spread",
    "tracks_per_step": 0,
    "hearings": 0,
}


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives a worker all tests of a file, and of the browser's folder: they share what is made once, as a server."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/browser" if nodeid.startswith("tests/browser/") else nodeid.split("::", maxsplit=1)[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come first: one worker is busy with them for most of the time, while others do all the rest."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/browser/"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """How pytest-xdist deals the tests to its workers."""
    return ByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escapes file names that are no text in what was captured: workers send their reports as UTF-8."""
    report = yield
    report.sections = [(title, text.encode("utf-8", "backslashreplace").decode()) for title, text in report.sections]
    return report


@pytest.fixture(scope="session", autouse=True)
def own_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Runs and data of the tests, away from the user's own."""
    place = tmp_path_factory.mktemp("distrack")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTRACK_RUNS_PATH", str(place / "runs"))
        patch.setenv("DISTRACK_DATA_PATH", str(place / "data"))
        patch.setenv("DISTRACK_DEVICE", "cpu")
        settings.cache_clear()
        yield place
    settings.cache_clear()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings; without it a test is skipped, or fails where the data is required."""
    folder = Path(os.environ.get("DISTRACK_TEST_DATA", PROJECT.parent / "shared" / "data"))
    if not (folder / "fsdd").is_dir():
        missing = f"real recordings are not at {folder}: set DISTRACK_TEST_DATA to the folder that holds fsdd/"
        if os.environ.get(REQUIRED):
            pytest.fail(missing)
        pytest.skip(missing)
    return folder


# The tiny dataset: three kinds of sound that are easily told apart, none twice the same.


def _sound(kind: str, draw: np.random.Generator) -> Wave:
    time = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    pitch = draw.uniform(200, 500)
    if kind == "tone":
        wave = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 6)) * np.exp(-draw.uniform(2, 6) * time)
    elif kind == "chirp":
        wave = np.sin(2 * np.pi * (pitch * time + draw.uniform(4_000, 8_000) * time**2))
    else:
        onset = draw.uniform(0, 0.2)
        wave = draw.standard_normal(len(time)) * np.exp(-20 * np.abs(time - onset))
    samples: Wave = (draw.uniform(0.1, 0.5) * wave / np.abs(wave).max()).astype(np.float32)
    return samples


def _write_tiny(root: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    for kind in ("chirp", "noise", "tone"):
        (root / kind).mkdir(parents=True)
        for number in range(40):
            soundfile.write(root / kind / f"{number:02}.wav", _sound(kind, draw), SAMPLE_RATE, subtype="FLOAT")


@pytest.fixture(scope="session")
def tiny_folder() -> Callable[[Path, int], None]:
    """Writes three classes of 40 clips of half a second: rising chirps, noise bursts, harmonic tones."""
    return _write_tiny


@pytest.fixture(scope="session")
def tiny_config() -> DistillConfig:
    """A distillation of the tiny dataset, each of whose values is said."""
    return DistillConfig.model_validate({**TINY, "steps": 8, "device": "cpu"})


@pytest.fixture(scope="session")
def tiny_material(tmp_path_factory: pytest.TempPathFactory) -> Callable[[FeatureConfig], Material]:
    """The tiny dataset as images of a feature: 32 clips a class to train on and 8 to test on."""
    place = tmp_path_factory.mktemp("tiny")
    _write_tiny(place / "sounds", 0)

    @cache
    def material(feature: FeatureConfig) -> Material:
        return load("FOLDER", place / "sounds", seconds=0.5, feature=feature, cache_path=place / "cache")

    return material


@pytest.fixture(scope="session")
def tiny_prepared(tiny_material: Callable[[FeatureConfig], Material], tiny_config: DistillConfig) -> Prepared:
    """The waveforms of the tiny dataset."""
    return tiny_material(tiny_config.feature).prepared


@pytest.fixture(scope="session")
def tiny_images(
    tiny_material: Callable[[FeatureConfig], Material], tiny_config: DistillConfig
) -> dict[Split, RealImages]:
    """The sides of the tiny dataset as images."""
    return tiny_material(tiny_config.feature).sides


@pytest.fixture(scope="session")
def cpu() -> torch.device:
    """Where results are the same from run to run."""
    return torch.device("cpu")


@pytest.fixture(scope="session")
def synthetic(tiny_config: DistillConfig, tiny_images: Mapping[Split, RealImages], cpu: torch.device) -> SyntheticSet:
    """Two tracks a class of the tiny dataset: real clips, a few steps on."""
    config = tiny_config.model_copy(update={"ipc": 2})
    distiller = Distiller(config, tiny_images["train"], classes=("chirp", "noise", "tone"), device=cpu)
    list(distiller)
    return distiller.synthetic_set()


@pytest.fixture(scope="session")
def tiny(tiny_config: DistillConfig) -> Callable[..., DistillConfig]:
    """The tiny config, with what is asked for in place of its values."""
    plain = tiny_config.model_dump(exclude={"factor"})
    return lambda **asked: DistillConfig.model_validate(filled_choices(DistillConfig, plain, merged({}, asked)))


@pytest.fixture(scope="session")
def start(
    tiny: Callable[..., DistillConfig], tiny_material: Callable[[FeatureConfig], Material], cpu: torch.device
) -> Callable[..., Distiller]:
    """A distiller of the tiny dataset, with what is asked for in place of the tiny config's values."""

    def distiller(**asked: Any) -> Distiller:
        config = tiny(**asked)
        material = tiny_material(config.feature)
        return Distiller(config, material.train, classes=material.classes, device=cpu)

    return distiller


# Runs and the command.


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny dataset on disk, for those who read it themselves."""
    root = tmp_path_factory.mktemp("runs") / "sounds"
    _write_tiny(root, 0)
    return root


@pytest.fixture(scope="session")
def tiny_job(sounds: Path) -> Callable[..., DistillJob]:
    """A job of a few steps on the tiny dataset, measured by the quick evaluator alone, with changes."""
    plain = {
        **TINY,
        "data_path": sounds,
        "evaluation": {"evaluators": ("prototype",), "baselines": (), "forms": ("image",), "seeds": 1},
        "steps": 4,
        "snapshots": 3,
    }
    return lambda **changes: from_preset(DistillJob, filled_choices(DistillJob, plain, merged({}, changes)))


@pytest.fixture(scope="session")
def tiny_run(tiny_job: Callable[..., DistillJob], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The finished run of the tiny job; tests that change it work on a copy."""
    run = tiny_job().create(tmp_path_factory.mktemp("finished"), "finished")
    jobs.work(run)
    return run


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Here and in the processes that are started: tiny networks are slower on several, and the cores are not ours."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(before)


@pytest.fixture
def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int | str | None, str, str]]:
    """The command as if typed, in this process: exit code, standard output and standard error."""
    from distrack.cli import commands as cli

    def call(*words: str) -> tuple[int | str | None, str, str]:
        for name, value in FAST_ON_CPU.items():  # else it would set them for all later tests
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["distrack", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    return call


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """Polls until something is true; fails where it is not within the deadline."""

    def wait(condition: Callable[[], object], seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"not within {seconds:g} s")
            time.sleep(0.01)

    return wait


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[None]:
    """Ends what a failed test left at work."""
    yield
    for run in runs.all_runs(tmp_path):
        if run.status().state in runs.ALIVE and run.status().pid != os.getpid():
            os.kill(run.status().pid, signal.SIGKILL)
