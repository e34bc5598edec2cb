"""Settings of a splatting."""

from typing import Annotated, ClassVar

from pydantic import Field

from distrack.decompose.decomposer import Method
from distrack.decompose.splat.burst import Envelope
from distrack.decompose.splat.initialisation import Initialisation


class SplatConfig(Method):
    """A fit of events by gradient descent; the published setting is 64 events and 3,000 iterations."""

    # Every iteration renders the clip: at full rate it takes twice as long.
    suggested_rate: ClassVar[int | None] = 22_050

    name: str = "splat"
    iterations: Annotated[
        int,
        Field(
            ge=0,
            le=100_000,
            title="Iterations",
            description="Steps of the optimiser after the first events are found. The published setting is 3,000.",
        ),
    ] = 400
    envelope: Annotated[
        Envelope,
        Field(title="Noise envelope", description="Shape of each burst of noise in time."),
    ] = "gamma"
    initialisation: Annotated[
        Initialisation,
        Field(
            title="Initialise from",
            description="The first events come from a pursuit of harmonic groups, or lie at the onsets of the clip.",
        ),
    ] = "pursuit"
    learning_rate: Annotated[
        float,
        Field(
            gt=0,
            le=10,
            title="Learning rate",
            description="Factor on the step size of every parameter; the default suits all clips that were tried.",
        ),
    ] = 1.0
    phases: Annotated[
        float,
        Field(
            ge=0,
            le=100,
            title="Phase weight",
            description="Weight of the complex spectrum in the loss; it keeps the waveform near the original.",
        ),
    ] = 0.1
    bands: Annotated[
        float,
        Field(
            ge=0,
            le=100,
            title="Band weight",
            description="Weight of the distance octave by octave in the loss; it preserves quiet high bands.",
        ),
    ] = 0.1
    sparsity: Annotated[
        float,
        Field(
            ge=0,
            le=100,
            title="Sparsity penalty",
            description="Weight of the mean logarithm of the events' strengths; above 0, faint events fade away and "
            "are removed.",
        ),
    ] = 0.0
    prune: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            title="Pruned share",
            description="Share of the events that is removed after 40% of the iterations, the least important first.",
        ),
    ] = 0.0
