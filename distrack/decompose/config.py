"""The configuration of a decomposition: one frozen object."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from distrack.arrays import Floats
from distrack.decompose.budget import Budget
from distrack.decompose.decomposer import DECOMPOSERS, Decomposer, Method
from distrack.registry import ChosenFrom
from distrack.validation import Option, overlaid

DEFAULT = "matching-pursuit"
# The published setting of splatting.
_PAPER: dict[str, Any] = {"method": {"name": "splat", "iterations": 3_000}, "events": 64}


class DecomposeConfig(Budget):
    """A method of decomposition and its budget."""

    preset: Literal["quick", "paper"] = "quick"
    """Values of the fields that are not given: quick for the defaults, paper for the published setting of splatting."""
    method: Annotated[Method, ChosenFrom(DECOMPOSERS, DEFAULT), Option("")] = Field(
        default_factory=lambda: DECOMPOSERS.choice(DEFAULT)
    )
    """How the sound is decomposed."""

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or given.get("preset") != "paper":
            return given
        method = given.get("method", {})
        if isinstance(method, BaseModel):
            method = method.model_dump()
        if isinstance(method, str):
            method = {"name": method}
        paper = _PAPER["method"]["name"]
        if isinstance(method, Mapping) and DECOMPOSERS.name(str(method.get("name") or paper)) == paper:
            method = {**overlaid(_PAPER["method"], method), "name": paper}
        return {**_PAPER, **given, "method": method}

    def decomposer(self, wave: Floats, sample_rate: int) -> Decomposer:
        """A decomposer of one clip.

        Shape:
            - wave: ``[channels, samples]``; finite and not silent
        """
        return DECOMPOSERS[self.method.name](wave, sample_rate, self, self.method)
