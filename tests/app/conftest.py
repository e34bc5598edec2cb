"""The app without a browser, and a finished run for its pages: made once, by the engine, from a tiny dataset."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from distrack import jobs, runs
from distrack.engines import local
from distrack.jobs.distillation import DistillJob
from distrack.settings import PROJECT, settings
from distrack.validation import from_preset, merged


class WarmPagesManager(PagesManager):
    """As in a server where `st.navigation` was called before; AppTest forgets that between two runs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        PagesManager.uses_pages_directory = False


@pytest.fixture(autouse=True)
def own_main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit puts a script in its place, and a process that is spawned by a later test would begin with that."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app on its home page."""
    monkeypatch.setattr("streamlit.testing.v1.app_test.PagesManager", WarmPagesManager)
    # Its imports would take the processor from the tests that follow.
    monkeypatch.setattr(local, "keep_ready", lambda: None)
    return AppTest.from_file(str(PROJECT / "app.py"), default_timeout=60)


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of twelve clips: low, middle and high tones."""
    root = tmp_path_factory.mktemp("tones")
    random = np.random.default_rng(0)
    time = np.arange(8000) / 16_000
    for name, frequency in (("low", 300), ("middle", 900), ("high", 2700)):
        (root / name).mkdir()
        for take in range(12):
            pitch = frequency * random.uniform(0.9, 1.1)
            wave = 0.3 * np.sin(2 * np.pi * pitch * time) + 0.01 * random.standard_normal(len(time))
            soundfile.write(root / name / f"{take}.wav", wave, 16_000)
    return root


@pytest.fixture(scope="session")
def brief(tones: Path) -> Callable[..., dict[str, Any]]:
    """Overrides of a distillation of the tones that takes moments, with changes."""
    plain = {
        "dataset": "FOLDER",
        "data_path": tones,
        "parameterisation": "identity",
        "factor": 1,
        "steps": 4,
        "snapshots": 2,
        "network": {"width": 4},
        "pool": {"size": 2, "clips_per_class": 4},
        "evaluation": {"seeds": 2, "steps": 5, "network": {"width": 4}},
    }
    return lambda **changes: merged(plain, changes)


@pytest.fixture(scope="session")
def finished(brief: Callable[..., dict[str, Any]]) -> runs.Run:
    """A run on the tones, two tracks a class, done."""
    changes = {"ipc": 2, "duration": 0.5, "steps": 6, "snapshots": 3, "pool": {"training": 0}}
    run = from_preset(DistillJob, brief(**changes)).create(settings().runs_path, "finished")
    jobs.work(run)
    return run


@pytest.fixture
def own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runs path of the test's own, without runs."""
    monkeypatch.setenv("DISTRACK_RUNS_PATH", str(tmp_path / "runs"))
    settings.cache_clear()
    yield tmp_path / "runs"
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """In place of processes: the id and the command of every run that is launched."""
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(runs, "launch", lambda run, *words, device: commands.append((run.id, *words)))  # noqa: ARG005
    return commands
