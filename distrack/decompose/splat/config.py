"""What a splatting can be asked for."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class SplatConfig(BaseModel):
    """A fit of events by gradient descent; the published setting is 64 events and 3,000 iterations.

    Attributes:
        iterations: steps of the optimiser, after the events were found.
        envelope: of the noise burst in time.
        initialisation: events before the first step: from a pursuit of harmonic groups, or at the clip's onsets.
        learning_rate: 1 is what was found to do well; all others are shares of it.
        phases: weight of the complex spectrum in the loss, beside 1 for its magnitude: what keeps the wave itself near.
        bands: weight of the same distance octave by octave, each as much as another: what keeps soft high bands.
        sparsity: weight of the sum of logarithms of the events' energies; above 0, the faint fade away and are removed.
        prune: share of the events that is removed after 40 % of the iterations, those that are missed the least first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    iterations: Annotated[int, Field(ge=0, le=100_000)] = 400
    envelope: Literal["gamma", "gaussian"] = "gamma"
    initialisation: Literal["pursuit", "onsets"] = "pursuit"
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 1.0
    phases: Annotated[float, Field(ge=0, le=100)] = 0.1
    bands: Annotated[float, Field(ge=0, le=100)] = 0.1
    sparsity: Annotated[float, Field(ge=0, le=100)] = 0.0
    prune: Annotated[float, Field(ge=0, lt=1)] = 0.0
