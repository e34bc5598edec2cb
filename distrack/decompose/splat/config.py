"""What a splatting can be asked for."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class SplatConfig(BaseModel):
    """A fit of events by gradient descent.

    Attributes:
        iterations: steps of the optimiser.
        envelope: of the noise burst in time.
        initialisation: events before the first step: from a matching pursuit, or at the clip's onsets.
        sparsity: weight of the sum of amplitudes in the loss.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    iterations: Annotated[int, Field(ge=0, le=100_000)] = 1000
    envelope: Literal["gamma", "gaussian"] = "gamma"
    initialisation: Literal["pursuit", "onsets"] = "pursuit"
    sparsity: Annotated[float, Field(ge=0, le=100)] = 0.0
