"""The training recipe: how an evaluator learns from a training set."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from distrack.augmentation import NO_AUGMENTATION, AugmentationConfig
from distrack.networks import NetworkConfig
from distrack.validation import Config

# What AdamW needs to reach what Muon reaches; see `benchmarks/evaluator.md`.
ADAMW: Mapping[str, float] = {"steps": 400, "batch_size": 32, "learning_rate": 6e-3}

LearningRate = Annotated[float, Field(gt=0, le=10)]


class Recipe(Config):
    """How an evaluator learns from a training set.

    Tracks and baselines are measured by the same recipe. With the data and a seed it determines the predictions of one
    measurement, so it is a part of the key under which they are cached.
    """

    network: NetworkConfig = NetworkConfig()
    """Network that is trained, and in whose latent space prototypes are compared."""
    metric: Annotated[Literal["cosine", "euclidean"], Field(title="Prototype distance")] = "cosine"
    """Distance by which a prototype is the nearest one."""
    steps: Annotated[int, Field(ge=1, le=100_000, title="Training steps")] = 200
    """Training steps of the network, at least."""
    epochs: Annotated[int, Field(ge=1, le=1000)] = 12
    """Passes over the training set, at least; a large set takes more steps to make them."""
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 16
    """Largest number of examples in a training step."""
    smallest_batch: Annotated[int, Field(ge=1, le=4096)] = 10
    """A smaller training set is repeated up to this number; each copy is augmented on its own."""
    optimiser: Literal["muon", "adamw"] = "muon"
    """How a network learns: by Muon, or by AdamW, with four times as many images and a learning rate of its own."""
    learning_rate: LearningRate = 0.05
    """Peak of the learning rate. With Muon it is that of the hidden layers' weights; the rest learns by Adam at a fifth
    of it."""
    learning_rates: Annotated[tuple[LearningRate, ...], Field(title="Learning rates to try")] = ()
    """For each training set, the best of these on held-out training clips is used."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 1e-2
    """Decoupled weight decay: what a step takes from a weight, as a share of it, is this times the learning rate."""
    augmentation: AugmentationConfig = AugmentationConfig()
    """Random changes of the training images, drawn anew at every step."""
    mixup: Annotated[float, Field(ge=0, le=10)] = 0.3
    """Parameter of the Beta distribution of mixup; 0 turns it off."""

    @model_validator(mode="before")
    @classmethod
    def _suited(cls, given: Any) -> Any:
        """AdamW's own values where none are given."""
        if isinstance(given, Mapping) and given.get("optimiser") == "adamw":
            return {**ADAMW, **given}
        return given

    @property
    def network_name(self) -> str:
        """The network as a report names it: `convnet 32 x 3`."""
        return f"{self.network.name} {self.network.width} x {self.network.depth}"

    @property
    def plain(self) -> "Recipe":
        """The same recipe without augmentation and mixup."""
        return self.model_copy(update={"augmentation": NO_AUGMENTATION, "mixup": 0.0})

    def steps_for(self, examples: int) -> int:
        """Training steps of a network that learns from so many examples."""
        return max(self.steps, math.ceil(self.epochs * examples / self.batch_size))
