"""The configuration of a decomposition: one frozen object."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from distrack.arrays import Floats
from distrack.decompose.decomposer import DECOMPOSERS, Budget, Decomposer, Method
from distrack.registry import ChosenFrom, filled_choices
from distrack.validation import Option

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
        paper = isinstance(given, Mapping) and given.get("preset") == "paper"
        return filled_choices(cls, _PAPER, given) if paper else given

    def decomposer(self, wave: Floats, sample_rate: int) -> Decomposer:
        """A decomposer of one clip.

        Shape:
            - wave: ``[channels, samples]``; finite and not silent
        """
        return DECOMPOSERS[self.method.name](wave, sample_rate, self, self.method)


def migrated_decomposition(config: Mapping[str, Any]) -> dict[str, Any]:
    """A decomposition's configuration as it is written today.

    Earlier versions stored the method as a name, beside the settings of every method: ``pursuit`` and ``splat``.

    >>> migrated_decomposition({"method": "splat", "pursuit": {"atoms": "both"}, "splat": {"iterations": 5}})
    {'method': {'name': 'splat', 'iterations': 5}}
    """
    config = dict(config)
    settings = {name: config.pop(name, {}) for name in ("pursuit", "splat")}
    if isinstance(config.get("method"), str):
        name = config["method"]
        config["method"] = {"name": name, **settings["splat" if name == "splat" else "pursuit"]}
    return config
