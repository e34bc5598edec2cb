"""The configs of an export and of a comparison; the options of the commands `export` and `compare` are their fields."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from distrack.evaluate import EVALUATORS
from distrack.registry import NameIn
from distrack.validation import Option

AudioFormat = Literal["flac", "wav"]


class ExportConfig(BaseModel):
    """Which tracks of a run become a bundle, and where it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Annotated[Path, Field(title="File or folder", description="A .zip file, or a new folder.")]
    of_class: Annotated[
        str | None, Field(title="Class", description="Export only the tracks of this class."), Option("class")
    ] = None
    track: Annotated[str | None, Field(title="Track", description="Export only this track.")] = None
    format: Annotated[AudioFormat, Field(title="Audio format", description="Format of the 16-bit audio files.")] = (
        "flac"
    )
    overwrite: Annotated[bool, Field(title="Overwrite", description="Replace the .zip file if it exists.")] = False

    @model_validator(mode="after")
    def _one_selection(self) -> Self:
        if self.of_class is not None and self.track is not None:
            raise ValueError("choose a class or a track, not both")
        return self


class CompareConfig(BaseModel):
    """What of a comparison is shown, and where it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Annotated[
        Path | None,
        Field(
            title="File", description="File to write; its ending selects the format. Without one a table is printed."
        ),
    ] = None
    evaluator: Annotated[
        Annotated[str, NameIn(EVALUATORS)] | None,
        Field(title="Evaluator", description="Evaluator shown in a figure or a LaTeX table."),
    ] = None
    network: Annotated[
        str | None,
        Field(title="Network", description="Network shown in a figure or a LaTeX table, as in 'convnet 32 x 3'."),
    ] = None
