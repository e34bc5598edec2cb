"""The settings of a trained model of events, by which the method is known before torch is imported."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from distrack.decompose.decomposer import DECOMPOSERS, Method
from distrack.decompose.events import KINDS
from distrack.decompose.losses import LOSSES
from distrack.decompose.siam.model_files import DEFAULT, KEPT, model_file, names
from distrack.registry import NameIn, Place


class SiamConfig(Method):
    """A trained model of events."""

    name: str = "siam"
    model: str = DEFAULT
    """Name of the model: one that comes with the project, or the run that trained it, or a .safetensors file."""
    refine: Annotated[int, Field(ge=0, le=100_000, title="Refinement steps")] = 150
    """Steps of gradient descent after the events were found; 0 keeps them as the model heard them."""
    loss: Annotated[str, NameIn(LOSSES)] = "spectral"
    """How refinement compares the sum of events with the clip, as in splatting."""

    def files(self, runs_path: Path) -> dict[str, bytes]:
        return {KEPT: model_file(self.model, runs_path).read_bytes()}

    @classmethod
    def offered(cls, field: str, runs_path: Path) -> list[str]:
        return names(runs_path) if field == "model" else []

    def within(self, folder: Path) -> Self:
        return self.model_copy(update={"model": str(folder / KEPT)})


DECOMPOSERS.add(
    "siam",
    Place("distrack.decompose.siam.decomposer", "Listener"),
    config=SiamConfig,
    title="Trained model (notes, found at once)",
)
KINDS.add("siam", Place("distrack.decompose.siam.kind", "SIAM"))
