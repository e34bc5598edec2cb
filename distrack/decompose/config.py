"""The configuration of a decomposition: one frozen object."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from distrack.decompose.decomposer import DECOMPOSERS
from distrack.decompose.pursuit.config import PursuitConfig
from distrack.decompose.splat.config import SplatConfig

MOST_EVENTS = 10_000
# The published setting of splatting.
_PAPER: dict[str, Any] = {"method": "splat", "events": 64, "splat": {"iterations": 3_000}}


class DecomposeConfig(BaseModel):
    """Into how many events, and how.

    Attributes:
        preset: what is not given: `quick` is these defaults, `paper` the published setting of splatting.
        method: a name in `DECOMPOSERS`.
        events: at most so many.
        time_limit: seconds of computing, after which what was found is the result.
        seed: of all that is random.
        pursuit, splat: what only one method has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Literal["quick", "paper"] = "quick"
    method: str = "matching-pursuit"
    events: Annotated[int, Field(ge=1, le=MOST_EVENTS)] = 64
    time_limit: Annotated[float, Field(gt=0, le=86_400)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    pursuit: PursuitConfig = PursuitConfig()
    splat: SplatConfig = SplatConfig()

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or given.get("preset") != "paper":
            return given
        splat = given.get("splat", {})
        filled = {**_PAPER["splat"], **splat} if isinstance(splat, Mapping) else splat
        return {**_PAPER, **given, "splat": filled}

    @field_validator("method")
    @classmethod
    def _known(cls, name: str) -> str:
        return DECOMPOSERS.name(name)
