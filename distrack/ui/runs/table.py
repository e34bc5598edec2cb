"""All runs as a table: what each is, how well it did, and what people say about it."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from distrack import jobs, runs
from distrack.errors import RunError
from distrack.jobs.decomposition import decomposition_report
from distrack.jobs.results import evaluation_report
from distrack.runs.about import about

# Points of the small loss curve in a row.
_POINTS = 40
# Files of a run that its row is made of.
_FILES = ("config.json", "status.json", "about.json", "report.json")
Row = dict[str, Any]


def rows(runs_path: Path) -> list[Row]:
    """A row for each run of the runs path, starred ones first and then newest first."""
    found = [_row(run.path, _version(run.path)) for run in jobs.all_runs(runs_path)]
    return sorted(found, key=lambda row: not row["star"])


def matching(found: Sequence[Row], words: str, filters: Mapping[str, str]) -> list[Row]:
    """The rows that hold every word, in any column, and that have the values of all filters."""
    wanted = words.lower().split()

    def fits(row: Row) -> bool:
        text = " ".join(str(row[name]) for name in ("name", "id", "kind", "dataset", "state", "tags", "note")).lower()
        return all(word in text for word in wanted) and all(row[name] == value for name, value in filters.items())

    return [row for row in found if fits(row)]


def _version(path: Path) -> tuple[float, ...]:
    return tuple(_changed(path / name) for name in _FILES)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


# A run that is at work changes its status every second: only the last rows of each run are worth keeping.
@st.cache_data(max_entries=5_000, show_spinner=False)
def _row(path: Path, version: tuple[float, ...]) -> Row:
    run = runs.Run(path)
    said, status, kind = about(run), run.status(), jobs.kind_of(run)
    try:
        job = jobs.job_of(run)
        title, config = job.title, job.model_dump()
    except RunError:
        title, config = run.id, {}
    report = None if kind == "decomposition" else evaluation_report(run)
    accuracy = report.accuracy("random-cnn", "synthetic") if report else None
    random = report.accuracy("random-cnn", "random-selection") if report else None
    decomposed = decomposition_report(run) if kind == "decomposition" else None
    return {
        "id": run.id,
        "star": said.star,
        "name": said.title or title,
        "kind": kind,
        "dataset": config.get("dataset", ""),
        "tracks": config.get("ipc"),
        "accuracy": accuracy,
        "gain": None if accuracy is None or random is None else accuracy - random,
        "SNR": None if decomposed is None else decomposed.snr_db,
        "curve": _curve(run),
        "state": status.state,
        "begun": time.strftime("%Y-%m-%d %H:%M", time.localtime(status.started or version[0])),
        "tags": " ".join(said.tags),
        "note": said.note,
    }


def _curve(run: runs.Run) -> list[float]:
    """The loss of a distillation or the signal-to-noise ratio of a decomposition, in few points."""
    values = [record.get("loss", record.get("snr_db")) for record in run.metrics()]
    numbers = [value for value in values if isinstance(value, (int, float))]
    return numbers[:: max(1, len(numbers) // _POINTS)]
