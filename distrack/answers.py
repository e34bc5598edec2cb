"""What an evaluation answered before: asked the same of files that have not changed, it is not measured again.

Nothing here loads what measures, which takes longer than the answer.
"""

import contextlib
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distrack import datasets
from distrack.errors import DistrackError

# Part of what a measurement depends on: to be raised whenever an evaluator, a baseline or the recipe's code changes
# what they predict.
VERSION = 1
# A run's questions that are kept, the last ones.
_KEPT = 20


def answers(runs_path: Path, names: Sequence[str], asked: Mapping[str, Any]) -> dict[str, dict[str, Any]] | None:
    """The reports of runs as they stand, if all of them answer this; None where that has to be found out.

    Args:
        runs_path: folder of the runs.
        names: their ids.
        asked: what the evaluation was asked to be, as the command has it.
    """
    reports = {}
    for name in names:
        run = runs_path / name
        question = _question(run, asked) if Path(name).name == name else None
        if question is None or question not in _questions(run):
            return None
        reports[name] = json.loads((run / "report.json").read_bytes())
    return reports


def keep(run: Path, asked: Mapping[str, Any]) -> None:
    """Notes that the report answers this; where the disk is full, it is found out again."""
    question = _question(run, asked)
    if question is not None:
        kept = [*(each for each in _questions(run) if each != question), question][-_KEPT:]
        with contextlib.suppress(OSError):
            (run / "answered.json").write_text(json.dumps(kept), encoding="utf-8")


def _questions(run: Path) -> list[str]:
    try:
        kept = json.loads((run / "answered.json").read_bytes())
    except (OSError, ValueError):
        return []
    return kept if isinstance(kept, list) else []


def _question(run: Path, asked: Mapping[str, Any]) -> str | None:
    """A digest of all that the answer depends on; None where something is missing, which whoever measures will say."""
    try:
        files = [(run / name).read_bytes() for name in ("config.json", "synthetic.safetensors", "report.json")]
        config = json.loads(files[0])
        data_path = None if config["data_path"] is None else Path(config["data_path"])
        if not datasets.home(datasets.DATASETS[config["dataset"]], data_path).is_dir():
            return None
        index = datasets.index(config["dataset"], data_path, test_fold=config["test_fold"])
        clips = datasets.fingerprint(index, seconds=float(config["duration"]))
    except (OSError, ValueError, KeyError, TypeError, DistrackError):
        return None
    depends = {
        "asked": dict(asked),
        "files": [hashlib.sha256(content).hexdigest() for content in files],
        "clips": clips,
        "torch": importlib.metadata.version("torch"),
        "version": VERSION,
    }
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
