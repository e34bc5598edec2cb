"""Runs whose processes start quickly, since the engine does not care what they compute."""

from collections.abc import Callable
from pathlib import Path

import pytest

from distrack import runs
from distrack.runs import Run
from distrack.runs.folder import make_folder


@pytest.fixture
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: None) -> Callable[..., Run]:  # noqa: ARG001
    """Launches the process of an idle run, new or there already; words are options of `idle`."""
    monkeypatch.setenv("DISTRACK_PLUGINS", "tests.unit.runs.idle")

    def launch(name: str, *words: str) -> Run:
        run = Run(tmp_path / name)
        if not run.path.exists():
            make_folder(tmp_path, name, "{}")
        runs.launch(run, "idle", name, *words, "--runs-path", str(tmp_path), device="cpu")
        return run

    return launch
