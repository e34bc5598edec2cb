"""The training recipe: how an evaluator learns from a training set."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from distrack.augmentation import AugmentationConfig
from distrack.networks import NetworkConfig

LearningRate = Annotated[float, Field(gt=0, le=10)]


class Recipe(BaseModel):
    """How an evaluator learns from a training set.

    Tracks and baselines are measured by the same recipe. With the data and a seed it determines the predictions of one
    measurement, so it is a part of the key under which they are cached.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: Annotated[
        NetworkConfig,
        Field(
            title="Network",
            description="Network that is trained, and in whose latent space prototypes are compared.",
        ),
    ] = NetworkConfig()
    metric: Annotated[
        Literal["cosine", "euclidean"],
        Field(title="Prototype distance", description="Distance by which a prototype is the nearest one."),
    ] = "cosine"
    steps: Annotated[
        int,
        Field(ge=1, le=100_000, title="Training steps", description="Training steps of the network, at least."),
    ] = 400
    epochs: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            title="Epochs",
            description="Passes over the training set, at least; a large set takes more steps to make them.",
        ),
    ] = 12
    batch_size: Annotated[
        int, Field(ge=1, le=4096, title="Batch size", description="Largest number of examples in a training step.")
    ] = 32
    smallest_batch: Annotated[
        int,
        Field(
            ge=1,
            le=4096,
            title="Smallest batch",
            description="A smaller training set is repeated up to this number; each copy is augmented on its own.",
        ),
    ] = 10
    learning_rate: Annotated[
        LearningRate, Field(title="Learning rate", description="Peak of AdamW's one-cycle schedule.")
    ] = 6e-3
    learning_rates: Annotated[
        tuple[LearningRate, ...],
        Field(
            title="Learning rates to try",
            description="For each training set, the best of these on held-out training clips is used.",
        ),
    ] = ()
    weight_decay: Annotated[float, Field(ge=0, le=1, title="Weight decay", description="Weight decay of AdamW.")] = 1e-2
    augmentation: Annotated[
        AugmentationConfig,
        Field(title="Augmentation", description="Random changes of the training images, drawn anew at every step."),
    ] = AugmentationConfig()
    mixup: Annotated[
        float,
        Field(ge=0, le=10, title="Mixup", description="Parameter of the Beta distribution of mixup; 0 turns it off."),
    ] = 0.3

    @property
    def network_name(self) -> str:
        """The network as a report names it: `convnet 32 x 3`."""
        return f"{self.network.name} {self.network.width} x {self.network.depth}"
