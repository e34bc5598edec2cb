"""The configuration of a distillation: one frozen object, what a preset says and over it what was asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from distrack.audio import SAMPLE_RATE
from distrack.augmentation import NO_AUGMENTATION, AugmentationConfig
from distrack.datasets import DATASETS
from distrack.distill.domains import DOMAINS
from distrack.distill.initialisation import INITIALISATIONS
from distrack.distill.objectives import OBJECTIVES
from distrack.distill.optimisers import OPTIMISERS
from distrack.distill.parameterisations import PARAMETERISATIONS, Plan
from distrack.distill.presets import PRESETS, Job
from distrack.errors import ConfigError
from distrack.features import FEATURES, FeatureConfig
from distrack.networks import NetworkConfig, check_shape
from distrack.registry import Registry
from distrack.settings import user_path
from distrack.validation import filled

# Seconds of a track, and tracks per class.
SHORTEST, LONGEST = 0.1, 30.0
MOST_TRACKS = 1000


class PoolConfig(BaseModel):
    """Which networks embed both sides.

    Attributes:
        size: how many networks share the steps; 0 takes a fresh one at every step.
        grow_every: steps between two networks joining the pool, so that the first step need not wait for the last one.
        refresh_every: steps after which all of them are replaced by new ones; 0 is never.
        clips_per_class: random real clips of each class that a network embeds, once for as long as it serves.
        training: steps that networks are trained on real clips before they serve, spread from none to so many.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Annotated[int, Field(ge=0, le=1000)] = 32
    grow_every: Annotated[int, Field(ge=1)] = 10
    refresh_every: Annotated[int, Field(ge=0)] = 0
    clips_per_class: Annotated[int, Field(ge=1)] = 50
    training: Annotated[int, Field(ge=0, le=10_000)] = 0


class DistillConfig(BaseModel):
    """What is distilled, into how much, and how. What is not given is what the preset says, `quick` unless named.

    Attributes:
        duration: seconds of a track; None is the dataset's own.
        factor: how many tracks are rendered from the storage of one; the parameterisation's usual one unless given.
        ipc: the budget of a class, in whole tracks.
        classification: weight of a cross-entropy of the tracks in those networks of the pool that were trained.
        augmentation: drawn once for each network, applied to real clips and tracks alike.
        prior: "spectrum" moves a waveform in proportion to its class's spectrum, "none" all frequencies alike.
        tracks_per_step: stored tracks of a class that a step moves, at random; 0 is all of them.
        balance: "spread" divides a network's loss by the spread of its real class means, "none" does not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = "SPOKEN_DIGITS"
    data_path: Path | None = None
    test_fold: int | None = None
    duration: Annotated[float, Field(ge=SHORTEST, le=LONGEST)] | None = Field(None, validate_default=True)
    feature: FeatureConfig = FeatureConfig()
    domain: str = "spectral"
    parameterisation: str = "identity"
    ipc: Annotated[int, Field(ge=1, le=MOST_TRACKS)] = 1
    factor: Annotated[int, Field(ge=1, le=1000)] = Field(default_factory=lambda data: _usual_factor(data))  # noqa: PLW0108
    initialisation: str = "real"
    objective: str = "mean"
    classification: Annotated[float, Field(ge=0, le=1000)] = 0.0
    network: NetworkConfig = NetworkConfig()
    pool: PoolConfig = PoolConfig()
    augmentation: AugmentationConfig = NO_AUGMENTATION
    prior: Literal["none", "spectrum"] = "spectrum"
    optimiser: str = "adam"
    learning_rate: Annotated[float, Field(gt=0, le=1000)] = 0.05
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.5
    schedule: Literal["constant", "cosine"] = "cosine"
    balance: Literal["none", "spread"] = "spread"
    tracks_per_step: Annotated[int, Field(ge=0, le=1000)] = 0
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 400
    snapshots: Annotated[int, Field(ge=2, le=200)] = 20
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    device: str = "auto"
    preset: str = "quick"

    @model_validator(mode="before")
    @classmethod
    def _recipe(cls, asked: Any) -> Any:
        """What was asked for, and what the preset says of the rest."""
        if not isinstance(asked, Mapping):
            return asked
        try:
            name = DATASETS.name(asked.get("dataset", "SPOKEN_DIGITS"))
            seconds = float(DATASETS[name].seconds if asked.get("duration") is None else asked["duration"])
            feature = asked.get("feature", {})
            name = feature.name if isinstance(feature, FeatureConfig) else feature.get("name", "logmelspectrogram")
            job = Job(
                domain=DOMAINS.name(asked.get("domain", "spectral")),
                ipc=int(asked.get("ipc", 1)),
                seconds=seconds,
                feature=FEATURES.name(name),
            )
            recipe = PRESETS[asked.get("preset", "quick")]
            form = PARAMETERISATIONS.name(asked.get("parameterisation", "identity"))
        except (ConfigError, TypeError, ValueError, AttributeError, OverflowError):
            return asked  # the field's own rule says what is wrong
        if not 1 <= job.ipc <= MOST_TRACKS or not SHORTEST <= job.seconds <= LONGEST:
            return asked
        says = dict(recipe(job))
        if "parameterisation" in asked and form != says.get("parameterisation"):
            says.pop("factor", None)  # another one has its own
        # What a recipe says nothing of is not augmented; the augmentation's own defaults are those of evaluation.
        return filled({"augmentation": NO_AUGMENTATION.model_dump()}, filled(says, asked))

    @field_validator("dataset")
    @classmethod
    def _dataset(cls, name: str) -> str:
        return DATASETS.name(name)

    @field_validator("data_path")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else user_path(path)

    @field_validator("test_fold")
    @classmethod
    def _official_fold(cls, fold: int | None, info: ValidationInfo) -> int | None:
        if "dataset" in info.data:
            DATASETS[info.data["dataset"]].check_fold(fold)
        return fold

    @field_validator("duration")
    @classmethod
    def _dataset_rule(cls, seconds: float | None, info: ValidationInfo) -> float | None:
        name = info.data.get("dataset")
        return DATASETS[name].seconds if seconds is None and name else seconds

    @field_validator("domain", "parameterisation", "initialisation", "objective", "optimiser")
    @classmethod
    def _registered(cls, name: str, info: ValidationInfo) -> str:
        registries: dict[str, Registry[Any]] = {
            "domain": DOMAINS,
            "parameterisation": PARAMETERISATIONS,
            "initialisation": INITIALISATIONS,
            "objective": OBJECTIVES,
            "optimiser": OPTIMISERS,
        }
        return registries[str(info.field_name)].name(name)

    @field_validator("preset")
    @classmethod
    def _preset(cls, name: str) -> str:
        return PRESETS.name(name)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        shape = self.feature.shape(self.samples)
        check_shape(self.network, shape)
        form = PARAMETERISATIONS[self.parameterisation]
        if self.domain not in form.domains:
            possible = [name for name in PARAMETERISATIONS if self.domain in PARAMETERISATIONS[name].domains]
            raise ValueError(
                f"parameterisation {self.parameterisation} is not for domain {self.domain}: "
                f"choose {' or '.join(possible)}"
            )
        if self.factor not in form.factors:
            allowed = ", ".join(map(str, form.factors))
            raise ValueError(f"factor {self.factor}: parameterisation {self.parameterisation} takes {allowed}")
        form.check(self.plan(1))
        return self

    def plan(self, classes: int) -> Plan:
        """What is to be stored, for so many classes."""
        return Plan(classes, self.ipc, self.factor, DOMAINS[self.domain].size_of(self.feature, self.samples))

    @property
    def samples(self) -> int:
        """Length of a track in samples."""
        return round(self.seconds * SAMPLE_RATE)

    @property
    def seconds(self) -> float:
        """Length of a track; the dataset's own where none was asked for."""
        return DATASETS[self.dataset].seconds if self.duration is None else self.duration

    @property
    def snapshot_steps(self) -> frozenset[int]:
        """Steps after which the tracks are kept: the start, the end, and evenly in between."""
        return frozenset(round(k * self.steps / (self.snapshots - 1)) for k in range(self.snapshots))


def _usual_factor(data: Mapping[str, Any]) -> int:
    """The factor of a parameterisation where none was asked for."""
    name = data.get("parameterisation")
    return PARAMETERISATIONS[name].usual_factor(data["ipc"]) if name and "ipc" in data else 1
