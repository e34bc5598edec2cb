"""The configuration of a distillation: one frozen object, filled from a preset where a value is not given."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from distrack import images
from distrack.audio import SAMPLE_RATE
from distrack.augmentation import NO_AUGMENTATION, AugmentationConfig
from distrack.datasets import DATASETS
from distrack.distill.domains import DOMAINS, Domain
from distrack.distill.initialisations import INITIALISATIONS
from distrack.distill.objectives import OBJECTIVES
from distrack.distill.optimisers import OPTIMISERS
from distrack.distill.parameterisations import PARAMETERISATIONS, Parameterisation, Plan
from distrack.distill.presets import PRESETS, Target
from distrack.errors import ConfigError
from distrack.features import FEATURES, FeatureConfig, Normalisation
from distrack.images import Material
from distrack.networks import NetworkConfig, check_shape
from distrack.progress import DetailedProgress
from distrack.registry import Choice, ChosenFrom, NameIn, Registry, entry_name, filled_choices
from distrack.settings import user_path
from distrack.validation import Option, filled

# Seconds of a track, and tracks per class.
SHORTEST, LONGEST = 0.1, 30.0
MOST_TRACKS = 1000
# What is chosen where neither a person nor a preset chooses.
DATASET, PRESET, FEATURE, DOMAIN = "SPOKEN_DIGITS", "quick", "logmelspectrogram", "spectral"
PARAMETERISATION, INITIALISATION, OBJECTIVE, OPTIMISER = "identity", "real", "mean", "adam"


class PoolConfig(BaseModel):
    """The networks that embed real clips and tracks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Annotated[
        int,
        Field(
            ge=0,
            le=1000,
            title="Networks",
            description="Number of networks that the steps share; 0 takes a new network at every step.",
        ),
    ] = 32
    grow_every: Annotated[
        int,
        Field(
            ge=1,
            title="Steps until another network joins",
            description="Steps until another network joins the pool; the first step then waits for one network only.",
        ),
    ] = 10
    refresh_every: Annotated[
        int,
        Field(
            ge=0,
            title="Steps until the pool is replaced",
            description="Steps after which new networks replace all networks of the pool; 0 never replaces them.",
        ),
    ] = 0
    clips_per_class: Annotated[
        int,
        Field(
            ge=1,
            title="Real clips per class",
            description="Random real clips of each class that a network embeds, once for all its steps.",
        ),
        Option("clips-per-class"),
    ] = 50
    training: Annotated[
        int,
        Field(
            ge=0,
            le=10_000,
            title="Network pre-training steps",
            description="Each network is trained on real clips for 0 to this many steps; 0 leaves all of them random.",
        ),
    ] = 0


def _default(registry: Registry[Any], name: str) -> Any:
    return Field(default_factory=lambda: registry.choice(name))


class DistillConfig(BaseModel):
    """A distillation: what is distilled, into how much storage, and how. The preset gives what is not given here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: Annotated[str, NameIn(DATASETS), Field(title="Dataset", description="Name of the dataset.")] = DATASET
    data_path: Annotated[
        Path | None,
        Field(
            title="Dataset folder",
            description="Folder that holds the dataset; needed where the dataset is not below the data path.",
        ),
    ] = None
    test_fold: Annotated[
        int | None, Field(title="Test fold", description="Official fold to test on, where the dataset has folds.")
    ] = None
    duration: Annotated[
        Annotated[float, Field(ge=SHORTEST, le=LONGEST)] | None,
        Field(
            title="Track length (s)",
            description="Length of a track in seconds; the dataset's own where it is not given. Longer clips are cut, "
            "shorter ones padded.",
            validate_default=True,
            json_schema_extra={"step": 0.1},
        ),
    ] = None
    feature: Annotated[
        FeatureConfig,
        ChosenFrom(FEATURES, FEATURE),
        Field(title="Representation", description="Image that a waveform becomes."),
        Option("", own="feature-type"),
    ] = _default(FEATURES, FEATURE)
    domain: Annotated[
        Choice,
        ChosenFrom(DOMAINS, DOMAIN),
        Field(
            title="Optimise",
            description="Spectrograms are faster and more accurate. Waveforms are audio throughout.",
        ),
    ] = _default(DOMAINS, DOMAIN)
    parameterisation: Annotated[
        Choice,
        ChosenFrom(PARAMETERISATIONS, PARAMETERISATION),
        Field(
            title="Parameterisation", description="How stored numbers become tracks; the storage budget stays the same."
        ),
    ] = _default(PARAMETERISATIONS, PARAMETERISATION)
    ipc: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_TRACKS,
            title="Budget (tracks per class)",
            description="Storage budget of a class, in whole tracks.",
        ),
    ] = 1
    factor: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            title="Tracks per stored track",
            description="Tracks rendered from the storage of one; more tracks have less detail each. The "
            "parameterisation's usual factor where it is not given.",
        ),
    ] = Field(default_factory=lambda data: _usual_factor(data))  # noqa: PLW0108
    initialisation: Annotated[
        Choice,
        ChosenFrom(INITIALISATIONS, INITIALISATION),
        Field(title="Initialise from", description="What the tracks are before the first step."),
    ] = _default(INITIALISATIONS, INITIALISATION)
    objective: Annotated[
        Choice,
        ChosenFrom(OBJECTIVES, OBJECTIVE),
        Field(title="Objective", description="Matching objective that the steps lower."),
    ] = _default(OBJECTIVES, OBJECTIVE)
    classification: Annotated[
        float,
        Field(
            ge=0,
            le=1000,
            title="Classification loss weight",
            json_schema_extra={"step": 0.05},
            description="Weight of a cross-entropy of the tracks in the pre-trained networks of the pool.",
        ),
    ] = 0.0
    network: Annotated[
        NetworkConfig,
        Field(title="Embedding network", description="Network that compares real clips and tracks."),
        Option(""),
    ] = NetworkConfig()
    pool: Annotated[
        PoolConfig, Field(title="Network pool", description="Networks that embed real clips and tracks.")
    ] = PoolConfig()
    augmentation: Annotated[
        AugmentationConfig,
        Field(
            title="Siamese augmentation (DSA)",
            description="Random shifts, gain and noise, the same for real clips and tracks.",
        ),
        Option(""),
    ] = NO_AUGMENTATION
    optimiser: Annotated[
        Choice,
        ChosenFrom(OPTIMISERS, OPTIMISER),
        Field(title="Optimiser", description="How a gradient becomes a step."),
        Option("optimiser", aliases=("optimizer",)),
    ] = _default(OPTIMISERS, OPTIMISER)
    learning_rate: Annotated[
        float, Field(gt=0, le=1000, title="Learning rate", description="Size of a step of the tracks' parameters.")
    ] = 0.05
    schedule: Annotated[
        Literal["constant", "cosine"],
        Field(title="Schedule", description="Course of the learning rate over the steps."),
    ] = "cosine"
    balance: Annotated[
        Literal["none", "spread"],
        Field(
            title="Balance of the networks",
            description="Whether a network's loss is divided by the spread of its real class means.",
        ),
    ] = "spread"
    tracks_per_step: Annotated[
        int,
        Field(
            ge=0,
            le=1000,
            title="Tracks per step",
            description="Random stored tracks of a class that a step changes; 0 changes all of them.",
        ),
    ] = 0
    steps: Annotated[
        int, Field(ge=1, le=1_000_000, title="Steps", description="Optimisation steps; more steps match more closely.")
    ] = 400
    snapshots: Annotated[
        int,
        Field(ge=2, le=200, title="Snapshots", description="Number of states of the tracks that are saved."),
    ] = 20
    seed: Annotated[
        int,
        Field(
            ge=0, lt=2**32, title="Seed", description="Seed of all random draws; the same seed gives the same tracks."
        ),
    ] = 0
    device: Annotated[
        str, Field(title="Device", description="Device that computes: auto, cpu, cuda, cuda:N or mps.")
    ] = "auto"
    preset: Annotated[
        str, NameIn(PRESETS), Field(title="Preset", description="Recipe that gives every setting that is not given.")
    ] = PRESET

    @model_validator(mode="before")
    @classmethod
    def _recipe(cls, given: Any) -> Any:
        """What is given, and from the preset the rest."""
        if not isinstance(given, Mapping):
            return given
        try:
            dataset = DATASETS[given.get("dataset", DATASET)]
            target = Target(
                domain=DOMAINS.name(entry_name(given.get("domain", {})) or DOMAIN),
                ipc=int(given.get("ipc", 1)),
                seconds=float(dataset.seconds if given.get("duration") is None else given["duration"]),
                feature=FEATURES.name(entry_name(given.get("feature", {})) or FEATURE),
            )
            recipe = PRESETS[given.get("preset", PRESET)]
            if not 1 <= target.ipc <= MOST_TRACKS or not SHORTEST <= target.seconds <= LONGEST:
                return given
            # Augmentation's own defaults are those of an evaluation; where a preset names none, there is none.
            usual = filled({"augmentation": NO_AUGMENTATION.model_dump()}, recipe(target))
            preset_form = entry_name(usual.get("parameterisation", {})) or PARAMETERISATION
            form = entry_name(given.get("parameterisation", {})) or preset_form
            if PARAMETERISATIONS.name(form) != PARAMETERISATIONS.name(preset_form):
                usual.pop("factor", None)  # it belongs to the preset's parameterisation
            return filled_choices(cls, usual, given)
        except (ConfigError, TypeError, ValueError, AttributeError, OverflowError):
            return given  # the field's own rule says what is wrong

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

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_shape(self.network, self.feature.shape(self.samples))
        name, domain = self.parameterisation.name, self.domain.name
        form = PARAMETERISATIONS[name]
        if domain not in form.domains:
            possible = [other for other in PARAMETERISATIONS if domain in PARAMETERISATIONS[other].domains]
            raise ValueError(f"parameterisation {name} is not for domain {domain}: choose {' or '.join(possible)}")
        if self.factor not in form.factors:
            allowed = ", ".join(map(str, form.factors))
            raise ValueError(f"factor {self.factor}: parameterisation {name} takes {allowed}")
        self.form(1).check()
        return self

    def form(self, classes: int) -> Parameterisation:
        """The parameterisation of tracks of that many classes."""
        return PARAMETERISATIONS[self.parameterisation.name](self.plan(classes), **self.parameterisation.settings)

    def plan(self, classes: int) -> Plan:
        """Number and size of the tracks of that many classes."""
        return Plan(classes, self.ipc, self.factor, DOMAINS[self.domain.name].size_of(self.feature, self.samples))

    def domain_of(self, normalisation: Normalisation) -> Domain:
        """The domain of tracks whose images are normalised that way."""
        return DOMAINS[self.domain.name](self.feature, self.samples, normalisation, **self.domain.settings)

    def material(self, *, cache_path: Path | None = None, progress: DetailedProgress | None = None) -> Material:
        """The dataset's clips and images; see `distrack.images.load` for arguments and errors."""
        return images.load(**self._source, cache_path=cache_path, progress=progress)

    def cached_material(self) -> Material | None:
        """The dataset's clips and images, or None where the clips were not decoded before."""
        return images.load_cached(**self._source)

    @property
    def _source(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "data_path": self.data_path,
            "test_fold": self.test_fold,
            "seconds": self.seconds,
            "feature": self.feature,
        }

    @property
    def samples(self) -> int:
        """Length of a track in samples."""
        return round(self.seconds * SAMPLE_RATE)

    @property
    def seconds(self) -> float:
        """Length of a track; the dataset's own where no duration is given."""
        return DATASETS[self.dataset].seconds if self.duration is None else self.duration

    @property
    def snapshot_steps(self) -> frozenset[int]:
        """Steps after which the tracks are saved: the start, the end, and evenly in between."""
        return frozenset(round(k * self.steps / (self.snapshots - 1)) for k in range(self.snapshots))


def _usual_factor(data: Mapping[str, Any]) -> int:
    """The usual factor of the chosen parameterisation."""
    chosen = data.get("parameterisation")
    return PARAMETERISATIONS[chosen.name].usual_factor(data["ipc"]) if chosen and "ipc" in data else 1
