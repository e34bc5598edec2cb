"""Saved settings: the config of a distillation under a name, as a file that `--config` reads too."""

import json
from pathlib import Path

from distrack.errors import ConfigError, DistrackError, RunError
from distrack.files import write_atomically
from distrack.jobs.contract import as_json, from_json
from distrack.jobs.distillation import DistillJob
from distrack.runs.folder import check_name
from distrack.settings import settings


def file_of(name: str) -> Path:
    """The file of the settings of a name, whether it is there or not.

    Raises:
        ConfigError: the name cannot be a file's.
    """
    try:
        check_name(name)
    except RunError:
        problem = f"settings name {name!r}: use letters, digits, dots, dashes and underscores, at most 100"
        raise ConfigError(problem) from None
    return settings().data_path / "settings" / f"{name}.json"


def names() -> list[str]:
    """The names of all saved settings, in alphabetical order."""
    return sorted(path.stem for path in (settings().data_path / "settings").glob("*.json"))


def save(name: str, job: DistillJob) -> None:
    """Saves the settings of a distillation; those that had the name are replaced.

    Raises:
        ConfigError: the name cannot be a file's.
        DistrackError: the folder cannot be written.
    """
    file = file_of(name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, as_json(job))
    except OSError as error:
        raise DistrackError(f"settings cannot be saved in {file.parent}: {error.strerror}") from error


def load(name: str) -> DistillJob:
    """The job with the settings of a name.

    Raises:
        ConfigError: there are none, or the file is damaged.
    """
    file = file_of(name)
    try:
        content = json.loads(file.read_bytes())
        job = from_json(content) if isinstance(content, dict) and content else None
    except (OSError, ValueError, KeyError, ConfigError):
        job = None
    if not isinstance(job, DistillJob):
        raise ConfigError(f"settings {name!r} are missing or damaged in {file.parent}")
    return job


def delete(name: str) -> None:
    """Removes the settings of a name; nothing happens if there are none."""
    file_of(name).unlink(missing_ok=True)
