"""The configuration of a distillation: one frozen object, and the presets that fill it."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from distrack.datasets import DATASETS
from distrack.distill.initialisation import INITIALISATIONS
from distrack.distill.objectives import OBJECTIVES
from distrack.distill.optimisers import OPTIMISERS
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.errors import ConfigError
from distrack.features import FeatureConfig
from distrack.networks import NetworkConfig
from distrack.registry import Registry
from distrack.settings import user_path


class PoolConfig(BaseModel):
    """Which networks embed both sides.

    Attributes:
        size: how many networks share the steps; 0 takes a fresh one at every step.
        grow_every: steps between two networks joining the pool, so that the first step need not wait for the last one.
        clips_per_class: random real clips of each class that a network embeds, once for as long as it serves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Annotated[int, Field(ge=0, le=1000)] = 32
    grow_every: Annotated[int, Field(ge=1)] = 10
    clips_per_class: Annotated[int, Field(ge=1)] = 50


def quick_steps(ipc: int) -> int:
    """Steps of the preset `quick`: fewer where each costs more, and needs to move each track less.

    >>> quick_steps(1), quick_steps(10)
    (600, 300)
    """
    return max(100, int(600 / math.pow(ipc, 0.3)))


class DistillConfig(BaseModel):
    """What is distilled, into how much, and how. Its defaults are the preset `quick`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = "SPOKEN_DIGITS"
    data_path: Path | None = None
    test_fold: int | None = None
    duration: Annotated[float, Field(ge=0.1, le=30.0)] | None = Field(None, validate_default=True)
    feature: FeatureConfig = FeatureConfig()
    domain: Literal["spectral"] = "spectral"
    parameterisation: str = "identity"
    ipc: Annotated[int, Field(ge=1, le=1000)] = 1
    initialisation: str = "real"
    objective: str = "mean"
    network: NetworkConfig = NetworkConfig()
    pool: PoolConfig = PoolConfig()
    optimiser: str = "adam"
    learning_rate: Annotated[float, Field(gt=0, le=1000)] = 0.05
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.5
    schedule: Literal["constant", "cosine"] = "cosine"
    balance: Literal["none", "spread"] = "spread"
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = Field(default_factory=lambda data: quick_steps(data["ipc"]))
    snapshots: Annotated[int, Field(ge=2, le=200)] = 20
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    device: str = "auto"
    preset: str = "quick"

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

    @field_validator("parameterisation", "initialisation", "objective", "optimiser")
    @classmethod
    def _registered(cls, name: str, info: ValidationInfo) -> str:
        registries: dict[str, Registry[Any]] = {
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
    def _image_fits(self) -> Self:
        bands, frames = self.feature.shape(round(self.seconds * 16_000))
        if min(bands, frames) < 2**self.network.depth:
            raise ValueError(
                f"an image of {bands} bands x {frames} frames is too small for a network of depth "
                f"{self.network.depth}: choose a smaller depth, a longer duration, a shorter hop or more bands"
            )
        return self

    @property
    def seconds(self) -> float:
        """Length of a track; the dataset's own where none was asked for."""
        return DATASETS[self.dataset].seconds if self.duration is None else self.duration

    @property
    def snapshot_steps(self) -> frozenset[int]:
        """Steps after which the tracks are kept: the start, the end, and evenly in between."""
        return frozenset(round(k * self.steps / (self.snapshots - 1)) for k in range(self.snapshots))


Overrides = Mapping[str, Any]
C = TypeVar("C", bound=BaseModel)

PRESETS: Registry[Overrides] = Registry("preset")

# A laptop's two cores, under a minute: see benchmarks/.
PRESETS.add("quick", {})

# Zhao and Bilen, WACV 2023, as applied to audio: everything as published.
PRESETS.add(
    "paper",
    {
        "feature": {"name": "melspectrogram", "n_fft": 2048, "hop_length": 512, "n_mels": 128},
        "network": {"name": "convnet", "width": 128, "depth": 3},
        "pool": {"size": 0, "clips_per_class": 64},
        "initialisation": "noise",
        "optimiser": "sgd",
        "learning_rate": 2.0,
        "momentum": 0.5,
        "schedule": "constant",
        "balance": "none",
        "steps": 1000,
    },
)


def merged(base: Overrides, over: Overrides) -> dict[str, Any]:
    """`base` with the values of `over`, nested settings merged one by one; None means "not asked for"."""
    result = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping):
            result[key] = merged(result.get(key, {}), value)
        elif value is not None:
            result[key] = value
    return result


def from_preset(model: type[C], asked: Overrides) -> C:
    """A config: the preset that `asked` names (or `quick`), and over it what else was asked for.

    Raises:
        ConfigError: one line that names the field, the value and what is allowed.
    """
    preset = str(asked.get("preset") or "quick")
    try:
        return model.model_validate(merged(PRESETS[preset], asked))
    except pydantic.ValidationError as error:
        raise ConfigError(explain(error)) from None


def explain(error: pydantic.ValidationError) -> str:
    """The first thing that is wrong with a config, in one line."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    value = first["input"]
    return f"{field} {value!r}: {message}" if field and not isinstance(value, Mapping) else f"{field} {message}".strip()
