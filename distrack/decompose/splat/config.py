"""The settings of splatting, by which it is known before torch is imported."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from distrack.decompose.decomposer import DECOMPOSERS, Method
from distrack.decompose.events import KINDS
from distrack.decompose.losses import LOSSES
from distrack.decompose.synthesis.clip import Envelope
from distrack.registry import NameIn, Place

Initialisation = Literal["pursuit", "onsets"]


class SplatConfig(Method):
    """A fit of events by gradient descent; the published setting is 64 events and 3,000 iterations."""

    # Every iteration renders the clip: at full rate it takes twice as long.
    suggested_rate: ClassVar[int | None] = 22_050

    name: str = "splat"
    iterations: Annotated[int, Field(ge=0, le=100_000)] = 400
    """Steps of the optimiser after the first events are found. The published setting is 3,000."""
    envelope: Annotated[Envelope, Field(title="Noise envelope")] = "gamma"
    """Shape of each burst of noise in time."""
    initialisation: Annotated[Initialisation, Field(title="Initialise from")] = "pursuit"
    """The first events come from a pursuit of harmonic groups, or lie at the onsets of the clip."""
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 1.0
    """Factor on the step size of every parameter; the default suits all clips that were tried."""
    loss: Annotated[str, NameIn(LOSSES)] = "spectral"
    """How the sum of events is compared with the clip: by spectrograms, by loudness and its changes in bands averaged
    over time (scattering), or by what each place of the inner ear repeats (auditory)."""
    phases: Annotated[float, Field(ge=0, le=100, title="Phase weight")] = 0.1
    """Weight of the complex spectrum in the loss; it keeps the waveform near the original."""
    bands: Annotated[float, Field(ge=0, le=100, title="Band weight")] = 0.1
    """Weight of the distance octave by octave in the loss; it preserves quiet high bands."""
    sparsity: Annotated[float, Field(ge=0, le=100, title="Sparsity penalty")] = 0.0
    """Weight of the mean logarithm of the events' strengths; above 0, faint events fade away and are removed."""
    prune: Annotated[float, Field(ge=0, lt=1, title="Pruned share")] = 0.0
    """Share of the events that is removed after 40% of the iterations, the least important first."""


DECOMPOSERS.add(
    "splat",
    Place("distrack.decompose.splat.decomposer", "Splatter"),
    config=SplatConfig,
    title="Splatting (fewer, richer events; 1-2 min)",
)
KINDS.add("splat", Place("distrack.decompose.splat.kind", "SPLAT"))
