"""Known reports: the same `evaluate` command about unchanged files is answered from the report, without a measurement.

Nothing here imports the code that measures, which takes longer to load than the answer takes to give.
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
from distrack.files import write_atomically
from distrack.settings import settings

# Raised whenever the code of an evaluator, a baseline or the recipe changes what they predict: a part of every key
# under which predictions and reports are stored.
VERSION = 3
_FILE = "answered.json"
# Commands that are stored per run, the last ones.
_STORED = 20
# Words of a command that do not change the report.
_SILENT = frozenset({"--quiet", "--json"})


def known(words: Sequence[str]) -> dict[str, Any] | None:
    """The tables of an `evaluate` command by run, if the same command was answered before and no file has changed.

    Args:
        words: the command after `python -m distrack`.

    Returns:
        by run id a pair of the report, as `report.json` has it, and of the tables for a terminal; None if the command
        is new, or something that its answer depends on has changed.
    """
    key = [word for word in words if word not in _SILENT]
    runs_path = _runs_path(words)
    for word in key:
        record = next((each for each in _records(runs_path / word) if each.get("words") == key), None)
        if record is None or Path(word).name != word:
            continue
        answers = {}
        for run_id, (digest, tables) in record["runs"].items():
            if digest is None or _digest(runs_path / run_id) != digest:
                return None
            answers[run_id] = (json.loads((runs_path / run_id / "report.json").read_bytes()), tables)
        return answers
    return None


def store(words: Sequence[str], runs_path: Path, tables: Mapping[str, Any]) -> None:
    """Stores the tables that answer an `evaluate` command; if the disk is full, nothing is stored.

    Args:
        tables: by run id, as JSON.
    """
    key = [word for word in words if word not in _SILENT]
    record = {"words": key, "runs": {run_id: (_digest(runs_path / run_id), shown) for run_id, shown in tables.items()}}
    for run_id in tables:
        kept = [each for each in _records(runs_path / run_id) if each.get("words") != key]
        with contextlib.suppress(OSError):
            write_atomically(runs_path / run_id / _FILE, json.dumps([*kept, record][-_STORED:]))


def _runs_path(words: Sequence[str]) -> Path:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in ("--runs-path", "--runs_path"):
            return Path(following).expanduser().absolute()
        if word.startswith("--runs-path="):
            return Path(word.partition("=")[2]).expanduser().absolute()
    return settings().runs_path.expanduser().absolute()


def _records(run: Path) -> list[dict[str, Any]]:
    try:
        records = json.loads((run / _FILE).read_bytes())
    except (OSError, ValueError):
        return []
    return [each for each in records if isinstance(each, dict)] if isinstance(records, list) else []


def _digest(run: Path) -> str | None:
    """A digest of everything that the report depends on; None if something is missing, which the evaluation reports."""
    try:
        files = [(run / name).read_bytes() for name in ("config.json", "synthetic.safetensors", "report.json")]
        config = json.loads(files[0])
        data_path = None if config["data_path"] is None else Path(config["data_path"])
        if not datasets.home(datasets.DATASETS[config["dataset"]], data_path).is_dir():
            return None
        # Configs of earlier versions have neither layout nor subset.
        reading: Any = {name: config[name] for name in ("test_fold", "layout", "subset") if name in config}
        index = datasets.index(config["dataset"], data_path, **reading)
        clips = datasets.fingerprint(index, seconds=float(config["duration"]))
    except (OSError, ValueError, KeyError, TypeError, DistrackError):
        return None
    depends = {
        "files": [hashlib.sha256(content).hexdigest() for content in files],
        "clips": clips,
        "torch": importlib.metadata.version("torch"),
        "version": VERSION,
    }
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
