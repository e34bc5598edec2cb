"""The configuration of an evaluation: which evaluators, which baselines, and the one recipe they all train with."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from distrack.augmentation import AugmentationConfig
from distrack.evaluate.contract import BASELINES, EVALUATORS
from distrack.networks import NetworkConfig


class EvaluationConfig(BaseModel):
    """How a synthetic set is measured. The recipe is the same for the set and for its baselines.

    Attributes:
        evaluators: `random-cnn` trains a randomly initialised CNN, `prototype` compares in the latent space of one,
            `recognition` trains a CNN on all real training clips and has it name the tracks.
        baselines: `random-selection` has as many real clips as there are tracks, `class-mean` is the mean of all
            training clips in the prototype network's latent space, `full` trains the CNN on all of them.
        seeds: networks (and random selections) a figure is the mean of.
        steps: training steps of the CNN; a large set takes `epochs` passes where these are more.
        batch_size: examples a step at most.
        smallest_batch: a smaller set is repeated up to this number, each copy augmented anew.
        learning_rate: peak of the one-cycle schedule of AdamW.
        augmentation: how far the CNN's training images are changed, each anew at every step.
        mixup: parameter of the Beta distribution of mixup, 0 for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    evaluators: tuple[str, ...] = ("random-cnn", "prototype")
    baselines: tuple[str, ...] = ("random-selection", "class-mean")
    seeds: Annotated[int, Field(ge=1, le=100)] = 3
    network: NetworkConfig = NetworkConfig()
    steps: Annotated[int, Field(ge=1, le=100_000)] = 400
    epochs: Annotated[int, Field(ge=1, le=1000)] = 12
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 32
    smallest_batch: Annotated[int, Field(ge=1, le=4096)] = 10
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 6e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 1e-2
    augmentation: AugmentationConfig = AugmentationConfig()
    mixup: Annotated[float, Field(ge=0, le=10)] = 0.3

    @field_validator("evaluators")
    @classmethod
    def _evaluators(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(EVALUATORS.name(name) for name in names)

    @field_validator("baselines")
    @classmethod
    def _baselines(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(BASELINES.name(name) for name in names)
