"""All runs as a table: what each is, how well it did, and what people say about it."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from distrack import datasets, jobs, runs
from distrack.jobs import Job
from distrack.jobs.contract import key_figures
from distrack.runs.about import about
from distrack.ui.shared.progress import state_text
from distrack.ui.shared.run_in_view import job_of

_FIGURES = ("accuracy", "vs random", "SNR (dB)", "Scenes F")
_SEARCHED = ("title", "id", "kind", "dataset", "state", "tags", "note")
Row = dict[str, Any]


def rows(runs_path: Path) -> list[Row]:
    """A row for each run of the runs path, starred ones first and then newest first."""
    found = []
    for run in jobs.all_runs(runs_path):
        row, status = _row(run.path, _version(run.path))
        # The state of a run that works is looked up each time: no file changes when its process is gone.
        found.append({**row, "state": state_text(run.status() if status.state in runs.ALIVE else status)})
    return sorted(found, key=lambda row: not row["star"])


def matching(found: Sequence[Row], words: str) -> list[Row]:
    """The rows that hold every word in a column of text."""
    texts = [" ".join(str(row[name]) for name in _SEARCHED).lower() for row in found]
    wanted = words.lower().split()
    return [row for row, text in zip(found, texts, strict=True) if all(word in text for word in wanted)]


def _version(path: Path) -> int:
    """The time of a folder, which every file that is written anew changes; 0 if it is gone."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _dataset(job: Job | None) -> str:
    """The title of a job's dataset; empty for a job without one."""
    name = getattr(job, "dataset", "")
    return datasets.title(name, getattr(job, "data_path", None)) if name else ""


# A search reads hundreds of runs.
@lru_cache(maxsize=5_000)
def _row(path: Path, _version: int) -> tuple[Row, runs.Status]:
    run = runs.Run(path)
    said, status, job = about(run), run.status(), job_of(run, Job)
    kind = jobs.kind_of(run) if job is None else job.kind
    figures = key_figures(run) if job is None else job.key_figures(run)
    curve = [value for record in run.metrics() if (value := record.get("loss", record.get("snr_db"))) is not None]
    row = {
        "star": said.star,
        "title": said.title or (run.id if job is None else job.title),
        "kind": kind,
        "dataset": _dataset(job),
        "per class": getattr(job, "ipc", None),
        **{column: figures.get(column) for column in _FIGURES},
        "curve": curve[:: max(1, len(curve) // 40)],
        "state": "",
        "begun": datetime.fromtimestamp(status.started) if status.started else None,
        "tags": list(said.tags),
        "note": said.note,
        "id": run.id,
    }
    return row, status
