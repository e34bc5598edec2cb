"""The configuration of a distillation: one frozen object, filled from a preset where a value is not given."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from distrack import images
from distrack.audio import SAMPLE_RATE
from distrack.augmentation import NO_AUGMENTATION, AugmentationConfig
from distrack.datasets import DATASETS, LayoutField, Reading, SubsetField
from distrack.distill.domains import DOMAINS, Domain
from distrack.distill.initialisations import INITIALISATIONS
from distrack.distill.objectives import OBJECTIVES
from distrack.distill.optimisers import OPTIMISERS
from distrack.distill.parameterisations import PARAMETERISATIONS, Parameterisation, Plan
from distrack.distill.presets import PRESETS, Target
from distrack.errors import ConfigError
from distrack.features import FEATURES, FeatureConfig, Normalisation
from distrack.images import Material
from distrack.networks import NETWORKS, NetworkConfig, check_shape
from distrack.progress import DetailedProgress, unwatched
from distrack.registry import Choice, ChosenFrom, NameIn, Registry, entry_name, filled_choices
from distrack.settings import AbsolutePath
from distrack.validation import Config, Option, overlaid

# Seconds of a track, and tracks per class.
SHORTEST, LONGEST = 0.1, 30.0
MOST_TRACKS = 1000
# What is chosen where neither a person nor a preset chooses.
DATASET, PRESET, FEATURE, DOMAIN = "SPOKEN_DIGITS", "quick", "logmelspectrogram", "spectral"
PARAMETERISATION, INITIALISATION, OBJECTIVE, OPTIMISER = "identity", "real", "mean", "adam"


class PoolConfig(Config):
    """The networks that embed real clips and tracks."""

    size: Annotated[int, Field(ge=0, le=1000, title="Networks")] = 32
    """Number of networks that the steps share; 0 takes a new network at every step."""
    grow_every: Annotated[int, Field(ge=1, title="Steps until another network joins")] = 10
    """Steps until another network joins the pool; the first step then waits for one network only."""
    refresh_every: Annotated[int, Field(ge=0, title="Steps until the pool is replaced")] = 0
    """Steps after which new networks replace all networks of the pool; 0 never replaces them."""
    clips_per_class: Annotated[int, Field(ge=1, title="Real clips per class"), Option("clips-per-class")] = 50
    """Random real clips of each class that a network embeds, once for all its steps."""
    training: Annotated[int, Field(ge=0, le=10_000, title="Network pre-training steps")] = 0
    """Each network is trained on real clips for 0 to this many steps; 0 leaves all of them random. Students begin as
    random networks in any case."""
    architectures: Annotated[tuple[Annotated[str, NameIn(NETWORKS)], ...], Field(title="Other architectures")] = ()
    """Other architectures, of the embedding network's width and depth, that the networks have in turn with its own."""
    widths: Annotated[tuple[Annotated[int, Field(ge=1, le=1024)], ...], Field(title="Other widths")] = ()
    """Other widths of the embedding network that the networks have in turn with its own."""


class StudentConfig(Config):
    """The networks that learn from the tracks while these form, and take the place of the random ones."""

    count: Annotated[int, Field(ge=0, le=64, title="Students")] = 0
    """Networks that learn from the tracks, and embed them at the later steps; 0 has random networks at all steps."""
    start: Annotated[float, Field(ge=0, lt=1, title="Share of the steps before the first lesson")] = 0.375
    """Share of the steps before the first lesson; they have random networks."""
    lessons: Annotated[int, Field(ge=1, le=10_000, title="Lessons")] = 20
    """Lessons of all students together, spread evenly over the steps that are left."""
    lesson: Annotated[int, Field(ge=1, le=10_000, title="Training steps of a lesson")] = 30
    """Training steps on the tracks in each lesson."""
    stay: Annotated[int, Field(ge=1, le=1000, title="Lessons of a student")] = 7
    """Lessons of a student before a random network takes its place."""


class Timetable(NamedTuple):
    """When students have lessons.

    Attributes:
        first: the step that the first lesson begins with.
        every: steps from the beginning of a lesson to that of the next one.
        takes_over: the first step that students embed the tracks at; after the last step if there are none.
        steps: steps of the distillation.
    """

    first: int
    every: int
    takes_over: int
    steps: int

    def begins(self, step: int) -> bool:
        """Whether a lesson begins with a step; none begins that would end after the last step."""
        return step >= self.first and (step - self.first) % self.every == 0 and step + self.every < self.steps

    def ended(self, step: int) -> int:
        """Number of lessons that have ended by a step."""
        return (step - self.first) // self.every


def _default(registry: Registry[Any], name: str) -> Any:
    return Field(default_factory=lambda: registry.choice(name))


class DistillConfig(Config):
    """A distillation: what is distilled, into how much storage, and how. The preset gives what is not given here."""

    dataset: Annotated[str, NameIn(DATASETS)] = DATASET
    """Name of the dataset."""
    data_path: Annotated[AbsolutePath | None, Field(title="Dataset folder")] = None
    """Folder that holds the dataset; needed where the dataset is not below the data path."""
    test_fold: int | None = None
    """Fold to test on, where the dataset has folds."""
    layout: LayoutField = "auto"
    subset: SubsetField = False
    duration: Annotated[
        Annotated[float, Field(ge=SHORTEST, le=LONGEST)] | None,
        Field(title="Track length (s)", validate_default=True, json_schema_extra={"step": 0.1}),
    ] = None
    """Length of a track in seconds; the dataset's own where it is not given. Longer clips are cut, shorter ones
    padded."""
    feature: Annotated[
        FeatureConfig, ChosenFrom(FEATURES, FEATURE), Field(title="Representation"), Option("", own="feature-type")
    ] = _default(FEATURES, FEATURE)
    """Image that a waveform becomes."""
    domain: Annotated[Choice, ChosenFrom(DOMAINS, DOMAIN), Field(title="Optimise")] = _default(DOMAINS, DOMAIN)
    """Spectrograms are faster and more accurate. Waveforms are audio throughout."""
    parameterisation: Annotated[Choice, ChosenFrom(PARAMETERISATIONS, PARAMETERISATION)] = _default(
        PARAMETERISATIONS, PARAMETERISATION
    )
    """How stored numbers become tracks; the storage budget stays the same."""
    pitch_is_class: Annotated[bool, Field(title="Pitch is the class")] = False
    """For folders whose classes are pitches: no augmentation shifts images in frequency, to another class."""
    ipc: Annotated[int, Field(ge=1, le=MOST_TRACKS, title="Budget (tracks per class)")] = 1
    """Storage budget of a class, in whole tracks."""
    factor: Annotated[int, Field(ge=1, le=1000, title="Tracks per stored track")] = 1
    """Tracks rendered from the storage of one; more tracks have less detail each. The parameterisation's usual factor
    where it is not given."""
    initialisation: Annotated[Choice, ChosenFrom(INITIALISATIONS, INITIALISATION), Field(title="Initialise from")] = (
        _default(INITIALISATIONS, INITIALISATION)
    )
    """What the tracks are before the first step."""
    objective: Annotated[Choice, ChosenFrom(OBJECTIVES, OBJECTIVE)] = _default(OBJECTIVES, OBJECTIVE)
    """Matching objective that the steps lower."""
    classification: Annotated[
        float, Field(ge=0, le=1000, title="Classification loss weight", json_schema_extra={"step": 0.05})
    ] = 0.0
    """Weight of a cross-entropy of the tracks in the pre-trained networks of the pool, as long as there are no students
    yet."""
    regression: Annotated[
        float, Field(ge=0, le=1000, title="Ridge regression weight", json_schema_extra={"step": 0.5})
    ] = 0.0
    """Weight of the error with which the tracks of all classes predict the classes of real clips (ridge regression)."""
    hearings: Annotated[int, Field(ge=0, le=10_000, title="Times that tracks are heard")] = 0
    """Times that images are made audible and analysed again, evenly spread over the steps, so that networks see them as
    their sounds will be; 0 never does."""
    network: Annotated[NetworkConfig, Field(title="Embedding network"), Option("")] = NetworkConfig()
    """Network used to compare real and synthetic data."""
    pool: Annotated[PoolConfig, Field(title="Network pool")] = PoolConfig()
    """Networks that embed real clips and tracks."""
    students: Annotated[StudentConfig, Field(title="Students")] = StudentConfig()
    """Networks that learn from the tracks while these form, and take the place of the random ones."""
    augmentation: Annotated[AugmentationConfig, Field(title="Siamese augmentation (DSA)"), Option("")] = NO_AUGMENTATION
    """Random shifts, gain and noise, the same for real clips and tracks."""
    optimiser: Annotated[Choice, ChosenFrom(OPTIMISERS, OPTIMISER), Option("optimiser", aliases=("optimizer",))] = (
        _default(OPTIMISERS, OPTIMISER)
    )
    """How a gradient becomes a step."""
    learning_rate: Annotated[float, Field(gt=0, le=1000)] = 0.05
    """Size of a step of the tracks' parameters."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """Course of the learning rate over the steps."""
    balance: Annotated[Literal["none", "spread"], Field(title="Balance of the networks")] = "spread"
    """Loss weighting across networks."""
    tracks_per_step: Annotated[int, Field(ge=0, le=1000)] = 0
    """Random stored tracks of a class that a step changes; 0 changes all of them."""
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 400
    """Optimisation steps; more steps match more closely."""
    snapshots: Annotated[int, Field(ge=2, le=200)] = 20
    """Number of states of the tracks that are saved."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of all random draws; the same seed gives the same tracks."""
    device: str = "auto"
    """Device that computes: auto, cpu, cuda, cuda:N or mps."""
    devices: Annotated[int, Field(ge=1, le=256, title="Devices")] = 1
    """GPUs, or processes of a CPU, that share the classes; the result on a CPU does not depend on it."""
    preset: Annotated[str, NameIn(PRESETS)] = PRESET
    """Recipe that gives every setting that is not given."""

    @model_validator(mode="before")
    @classmethod
    def _recipe(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        try:
            dataset = DATASETS[given.get("dataset", DATASET)]
            chosen = entry_name(given.get("parameterisation", {}))
            target = Target(
                domain=DOMAINS.name(entry_name(given.get("domain", {})) or DOMAIN),
                ipc=int(given.get("ipc", 1)),
                seconds=float(dataset.seconds if given.get("duration") is None else given["duration"]),
                feature=FEATURES.name(entry_name(given.get("feature", {})) or FEATURE),
                parameterisation=chosen and PARAMETERISATIONS.name(chosen),
            )
            recipe = PRESETS[given.get("preset", PRESET)]
            if not 1 <= target.ipc <= MOST_TRACKS or not SHORTEST <= target.seconds <= LONGEST:
                return given
            # Augmentation's own defaults are those of an evaluation; where a preset names none, there is none.
            usual = overlaid({"augmentation": NO_AUGMENTATION.model_dump()}, recipe(target))
            if "evaluation" not in cls.model_fields:  # it belongs to the job
                usual.pop("evaluation", None)
            preset_form = entry_name(usual.get("parameterisation", {})) or PARAMETERISATION
            form = entry_name(given.get("parameterisation", {})) or preset_form
            if PARAMETERISATIONS.name(form) != PARAMETERISATIONS.name(preset_form):
                usual.pop("factor", None)  # it belongs to the preset's parameterisation
            usual.setdefault("factor", PARAMETERISATIONS[form].usual_factor(target.ipc))
            return filled_choices(cls, usual, given)
        except (ConfigError, TypeError, ValueError, AttributeError, OverflowError):
            return given  # the field's own rule says what is wrong

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
        for network in self.networks:
            check_shape(network, self.feature.shape(self.samples))
        kinds = len(self.networks)
        for field, count in (("pool.size", self.pool.size), ("students.count", self.students.count)):
            if 0 < count < kinds:
                raise ValueError(f"{field} {count}: there are {kinds} kinds of networks; choose {kinds} or more")
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
        size, whole = (each.size_of(self.feature, self.samples) for each in (self._rendered, DOMAINS[self.domain.name]))
        return Plan(classes, self.ipc, self.factor, size, clip_floats=math.prod(whole) + 1)

    def domain_of(self, normalisation: Normalisation) -> Domain:
        """The domain of what the parameterisation renders, with images that are normalised that way."""
        settings = self.domain.settings if self._rendered is DOMAINS[self.domain.name] else {}
        return self._rendered(self.feature, self.samples, normalisation, **settings)

    @property
    def _rendered(self) -> type[Domain]:
        """The kind of domain of what the parameterisation renders."""
        stores_images = PARAMETERISATIONS[self.parameterisation.name].stores_images
        return DOMAINS["spectral" if stores_images else self.domain.name]

    @property
    def inverts(self) -> bool:
        """Whether an inversion makes the sounds, from images."""
        return self._rendered is DOMAINS["spectral"]

    def material(self, *, cache_path: Path | None = None, progress: DetailedProgress = unwatched) -> Material:
        """The dataset's clips and images; see `distrack.images.load` for arguments and errors."""
        return images.load(**self._source, **self.reading, cache_path=cache_path, progress=progress)

    def cached_material(self) -> Material | None:
        """The dataset's clips and images, or None where the clips were not decoded before."""
        return images.load_cached(**self._source, **self.reading)

    @property
    def _source(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("dataset", "data_path", "seconds", "feature", "pitch_is_class")}

    @property
    def reading(self) -> Reading:
        """How the dataset is read."""
        return {"test_fold": self.test_fold, "layout": self.layout, "subset": self.subset}

    @property
    def networks(self) -> tuple[NetworkConfig, ...]:
        """What the networks of the pool and the students are, in turn: the embedding network first."""
        others: list[dict[str, Any]] = [{"name": name} for name in self.pool.architectures]
        others += [{"width": width} for width in self.pool.widths]
        return self.network, *(self.network.model_copy(update=other) for other in others)

    @property
    def timetable(self) -> Timetable:
        """When students have lessons; never if there are none."""
        if not self.students.count:
            return Timetable(self.steps, 1, self.steps, self.steps)
        first = round(self.students.start * self.steps)
        every = max(1, (self.steps - first) // self.students.lessons)
        return Timetable(first, every, min(first + every, self.steps), self.steps)

    def hears(self, step: int) -> bool:
        """Whether the tracks are made audible after that many steps."""
        every = max(1, round(self.steps / (self.hearings + 1)))
        return self.inverts and self.hearings > 0 and 0 < step < self.steps and step % every == 0

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
