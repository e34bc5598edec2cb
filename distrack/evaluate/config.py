"""The configuration of an evaluation: which evaluators, which baselines, and the one recipe they all train with."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from distrack.augmentation import AugmentationConfig
from distrack.evaluate.contract import BASELINES, EVALUATORS
from distrack.networks import NETWORKS, NetworkConfig


class EvaluationConfig(BaseModel):
    """How a synthetic set is measured. The recipe is the same for the set and for its baselines.

    Attributes:
        evaluators: `random-cnn` trains a randomly initialised CNN; `prototype` compares in the latent space of one,
            `prototype-ensemble` in that of several and `prototype-trained` in that of one which was briefly trained on
            real clips; `linear-probe` is a logistic regression on cepstral statistics; `recognition` trains a CNN on
            all real training clips and has it name the tracks.
        baselines: real clips in the place of the tracks. As many as there are tracks: `random-selection`, `herding`,
            `k-means` (the medoids), `k-means-centres` (in the latent space of a prototype evaluator). `class-mean` is
            one mean of each class, `full` all training clips.
        seeds: networks (and selections) a figure is the mean of.
        network: what learns, and whose latent space prototypes are compared in.
        architectures: other networks, of the same width and depth, that `random-cnn` is repeated with.
        metric: by which a prototype is the nearest.
        steps: training steps of the CNN; a large set takes `epochs` passes where these are more.
        batch_size: examples a step at most.
        smallest_batch: a smaller set is repeated up to this number, each copy augmented anew.
        learning_rate: peak of the one-cycle schedule of AdamW.
        learning_rates: where there are any, the one of these that is the best on a held-out part of the training clips
            takes the place of `learning_rate`, for each training set its own. The part is left out of what baselines
            choose from meanwhile; tracks were distilled from all training clips.
        augmentation: how far the CNN's training images are changed, each anew at every step.
        mixup: parameter of the Beta distribution of mixup, 0 for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    evaluators: tuple[str, ...] = ("random-cnn", "prototype")
    baselines: tuple[str, ...] = ("random-selection", "class-mean")
    seeds: Annotated[int, Field(ge=1, le=100)] = 3
    network: NetworkConfig = NetworkConfig()
    architectures: tuple[str, ...] = ()
    metric: Literal["cosine", "euclidean"] = "cosine"
    steps: Annotated[int, Field(ge=1, le=100_000)] = 400
    epochs: Annotated[int, Field(ge=1, le=1000)] = 12
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 32
    smallest_batch: Annotated[int, Field(ge=1, le=4096)] = 10
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 6e-3
    learning_rates: tuple[Annotated[float, Field(gt=0, le=10)], ...] = ()
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

    @field_validator("architectures")
    @classmethod
    def _architectures(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(NETWORKS.name(name) for name in names)

    def recipe(self) -> dict[str, Any]:
        """All that one measurement depends on, as JSON has it: not how many there are, and of what."""
        how_many = {"evaluators", "baselines", "seeds", "architectures"}
        return self.model_dump(mode="json", exclude=how_many)
