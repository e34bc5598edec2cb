"""The files of trained models of events: where they lie, and the names by which they are found."""

from pathlib import Path

from distrack.errors import ConfigError

# The models that come with the project, by name.
SHIPPED = Path(__file__).parent / "models"
DEFAULT = "notes"
# What a training leaves in its run, and the copy that a decomposition by it keeps.
FILE, KEPT = "model.safetensors", "model-used.safetensors"


def shipped() -> list[str]:
    """Names of the models that come with the project."""
    return sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


def names(runs_path: Path | None = None) -> list[str]:
    """Names of the models that come with the project, and of the runs that trained one."""
    trained = [] if runs_path is None else sorted(path.parent.name for path in runs_path.glob(f"*/{FILE}"))
    return [*shipped(), *trained]


def model_file(name: str, runs_path: Path | None = None) -> Path:
    """The file of a model.

    Args:
        name: of a model that comes with the project, of a run that trained one, or a path of a `.safetensors` file.
        runs_path: the folder of the runs; None finds no run.

    Raises:
        ConfigError: there is no such model.
    """
    if name in shipped():
        return SHIPPED / f"{name}.safetensors"
    path = Path(name).expanduser()
    if path.suffix == ".safetensors" and path.is_file():
        return path
    known = names(runs_path)
    if runs_path is not None and name in known:
        return runs_path / name / FILE
    raise ConfigError(
        f"there is no model {name[:200]!r}: there are {', '.join(known)}",
        remedy="python -m distrack train-events --name NAME",
    )
