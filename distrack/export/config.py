"""The configs of an export and of a comparison; the options of the commands `export` and `compare` are their fields."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from distrack.evaluate import EVALUATORS
from distrack.registry import NameIn
from distrack.validation import Config, Option

AudioFormat = Literal["flac", "wav"]


class ExportConfig(Config):
    """Which tracks of a run become a bundle, and where it is written."""

    to: Annotated[Path, Field(title="File or folder")]
    """A .zip file, or a new folder."""
    of_class: Annotated[str | None, Field(title="Class"), Option("class")] = None
    """Export only the tracks of this class."""
    track: str | None = None
    """Export only this track."""
    format: Annotated[AudioFormat, Field(title="Audio format")] = "flac"
    """Format of the 16-bit audio files."""
    overwrite: bool = False
    """Replace the .zip file if it exists."""

    @model_validator(mode="after")
    def _one_selection(self) -> Self:
        if self.of_class is not None and self.track is not None:
            raise ValueError("choose a class or a track, not both")
        return self


class CompareConfig(Config):
    """What of a comparison is shown, and where it is written."""

    to: Annotated[Path | None, Field(title="File")] = None
    """File to write; its ending selects the format. Without one a table is printed."""
    evaluator: Annotated[str, NameIn(EVALUATORS)] | None = None
    """Evaluator shown in a figure or a LaTeX table."""
    network: str | None = None
    """Network shown in a figure or a LaTeX table, as in 'convnet 32 x 3'."""
