"""Evaluated runs: copies of the demo run with evaluations and configs of their own."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distrack.evaluate import Accuracy, Evaluation
from distrack.export.comparison import Entry, read
from distrack.runs import Run
from distrack.settings import PROJECT

DEMO = PROJECT / "assets" / "demo"
CNN = ("random-cnn", "convnet 32 x 3")
MakeEntry = Callable[..., Entry]


def evaluation(trained_on: str, runs: Sequence[float], *, evaluator: str = CNN[0], **changes: Any) -> Evaluation:
    """An evaluation of ten classes; half of the clips of each class are recognised, half taken for the next class."""
    confusion = 3 * (np.eye(10, dtype=int) + np.roll(np.eye(10, dtype=int), 1, 1))
    fields = {
        "evaluator": evaluator,
        "trained_on": trained_on,
        "network": CNN[1],
        "accuracy": Accuracy.of(runs),
        "macro_f1": 0.5,
        "confusion": tuple(tuple(row) for row in confusion.tolist()),
    }
    return Evaluation.model_validate({**fields, **changes})


THREE = (
    evaluation("synthetic", [0.70, 0.80, 0.90]),
    evaluation("random-selection", [0.50, 0.60, 0.55]),
    evaluation("full", [0.99, 1.0, 1.0]),
)


def made_entry(
    folder: Path,
    name: str,
    *evaluations: Evaluation,
    config: dict[str, Any] | None = None,
    tracks: bool = True,
    **report: Any,
) -> Entry:
    """A finished run with the tracks of the demo.

    Args:
        folder: where the run is made.
        name: its id.
        evaluations: three by a CNN if none is given.
        config: changes to its config.
        tracks: whether its synthetic set and audio are there.
        report: changes to its report; those of `split` are merged.
    """
    path = folder / name
    path.mkdir()
    for file in ("config.json", "report.json", "status.json"):
        shutil.copy(DEMO / file, path / file)
    if tracks:
        shutil.copytree(DEMO / "audio", path / "audio")
        shutil.copy(DEMO / "synthetic.safetensors", path)
    stored = json.loads((path / "report.json").read_text())
    split = {**stored["split"], **report.pop("split", {})}
    lines = [each.model_dump(mode="json") for each in evaluations or THREE]
    (path / "report.json").write_text(json.dumps({**stored, **report, "split": split, "evaluations": lines}))
    stored = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**stored, **(config or {})}))
    (entry,), unusable = read([Run(path)])
    assert unusable == []
    return entry


@pytest.fixture
def made(tmp_path: Path) -> MakeEntry:
    """Makes an evaluated run, see `made_entry`."""
    return lambda name, *evaluations, **changes: made_entry(tmp_path, name, *evaluations, **changes)


@pytest.fixture(scope="session")
def one(tmp_path_factory: pytest.TempPathFactory) -> Entry:
    """An evaluated run that no test changes."""
    return made_entry(tmp_path_factory.mktemp("one"), "one")
