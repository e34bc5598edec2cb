"""What people say about a run: a title, a note, tags and a star; and the bin, from which deleted runs come back."""

import time
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from distrack.errors import RunError
from distrack.runs.folder import ALIVE, Run, check_name
from distrack.validation import Config, read_model

_BIN = ".bin"


class About(Config):
    """What people say about a run, the content of `notes.json`."""

    title: Annotated[str, Field(max_length=120)] = ""
    """Name of the run in lists; one made from its config if it is empty."""
    note: Annotated[str, Field(max_length=10_000)] = ""
    """What to remember about the run."""
    tags: Annotated[tuple[Annotated[str, Field(max_length=40, pattern=r"^[^,\s]+$")], ...], Field(max_length=20)] = ()
    """Words to find the run by, comma-separated."""
    star: bool = False
    """Put the run first in lists."""


def about(run: Run) -> About:
    """What was said about a run; nothing if the file is missing or damaged."""
    return read_model(run.path / "notes.json", About) or About()


def tell(run: Run, **changes: Any) -> About:
    """Changes fields of what is said about a run; None brings back a field's default.

    Raises:
        ConfigError: a value is impossible; one line names it and what is allowed.
        RunError: the folder cannot be written.
    """
    with run.changing("notes.json"):
        said = {**about(run).model_dump(), **changes}
        changed = About.validated({name: value for name, value in said.items() if value is not None})
        run.write("notes.json", changed.model_dump_json(indent=2))
    return changed


def delete(run: Run) -> None:
    """Moves a run to the bin of its folder of runs.

    Raises:
        RunError: the run is running, or its folder cannot be moved.
    """
    if run.status().state in ALIVE:
        raise RunError(f"run {run.id} is running: stop it first")
    _move(run.path, run.path.parent / _BIN / str(time.time_ns()) / run.id)


def restore(runs_path: Path, run_id: str) -> None:
    """Brings the run of this id that was deleted last back from the bin.

    Raises:
        RunError: there is none, a run of that name exists again, or its folder cannot be moved.
    """
    check_name(run_id)
    deleted = sorted(runs_path.glob(f"{_BIN}/*/{run_id}"))
    if not deleted:
        raise RunError(f"no run {run_id!r} in the bin of {runs_path}")
    if (runs_path / run_id).exists():
        raise RunError(f"run {run_id} exists in {runs_path}: delete that one first")
    _move(deleted[-1], runs_path / run_id)


def _move(path: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    except OSError as error:
        raise RunError(f"{path} cannot be moved to {target}: {error.strerror or error}") from None
