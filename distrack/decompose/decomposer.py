"""Methods of decomposition: what each must be able to do, their registry, and the config that selects one."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from numpy.typing import NDArray
from pydantic import Field, model_validator

from distrack.arrays import Floats
from distrack.decompose.events import MOST_EVENTS, Events
from distrack.registry import Choice, ChosenFrom, Registry, filled_choices
from distrack.stored_sound import LONG, Sound
from distrack.validation import Config, Option


class Budget(Config):
    """What a decomposition may use, whatever its method."""

    events: Annotated[int, Field(ge=1, le=MOST_EVENTS, title="Max. events")] = 64
    """The sound is split into at most this many. Each is a row of at most 20 numbers, 80 bytes."""
    time_limit: Annotated[float | None, Field(gt=0, le=86_400, title="Time limit (s)")] = None
    """Seconds of computing after which the events found so far are the result."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of all random choices."""


class Progress(NamedTuple):
    """How far a decomposition is.

    Attributes:
        step, steps: steps done, and the most steps that there will be.
        snr_db: signal-to-noise ratio of the reconstruction; None where the method does not fit phases.
        loss: value of the loss; None for a method without one.
    """

    step: int
    steps: int
    events: int
    snr_db: float | None
    loss: float | None


class Method(Choice):
    """The selected method of decomposition and its settings.

    Attributes:
        suggested_rate: the sample rate in Hz that the page selects at first; None for that of the recording.
        uses_torch: whether the method computes with torch; a command with one that does not never imports it.
    """

    suggested_rate: ClassVar[int | None] = None
    uses_torch: ClassVar[bool] = True

    @property
    def longest(self) -> float:
        """The longest clip that the method decomposes, in seconds; one above `LONG` comes as a `StoredSound`."""
        return LONG

    def check(self, sample_rate: int) -> None:
        """Refuses settings that are impossible at a sample rate in Hz, before any work.

        Raises:
            ConfigError: the message says what to change.
        """

    def files(self, runs_path: Path) -> Mapping[str, bytes]:  # noqa: ARG002
        """Files that a run of this method keeps in its folder, by name, so that it does not need their origin again.

        Raises:
            ConfigError: there is no such file.
        """
        return {}

    @classmethod
    def offered(cls, field: str, runs_path: Path) -> Sequence[str]:  # noqa: ARG003
        """The values of a field that a person can choose from; none where any value may be typed."""
        return ()

    def within(self, folder: Path) -> Self:  # noqa: ARG002
        """The same method with the files that a run keeps in its folder."""
        return self


class Decomposer(ABC):
    """Decomposes one clip. It yields after every small step, so that its driver can show, store or stop it.

    A decomposer that restores the state of another one continues bit for bit as the other one would have.

    Args:
        wave: finite and not silent.
        settings: an instance of the config that the method is registered with.

    Shape:
        - wave: ``[channels, samples]``
    """

    def __init__(self, wave: Floats, sample_rate: int, budget: Budget, settings: Any) -> None:
        self.wave, self.sample_rate, self.budget, self.settings = wave, sample_rate, budget, settings
        self.seconds_spent = 0.0

    def __iter__(self) -> Iterator[Progress]:
        """Continues from the current state to the end."""
        while not self.over:
            began = time.monotonic()
            self.step()
            self.seconds_spent += time.monotonic() - began
            yield self.progress()

    def late(self, share: float = 1.0) -> bool:
        """Whether this share of the time limit is used up."""
        limit = self.budget.time_limit
        return limit is not None and self.seconds_spent >= share * limit

    @property
    @abstractmethod
    def over(self) -> bool:
        """Whether the decomposition has ended. However short the time limit, one event is found."""

    @abstractmethod
    def step(self) -> None:
        """Does one small step."""

    @abstractmethod
    def progress(self) -> Progress:
        """How far the decomposition is."""

    @abstractmethod
    def events_in_order(self) -> Events:
        """The events found so far, in the order in which they were found."""

    def events(self) -> Events:
        """The events found so far, those with the most energy first."""
        return self.events_in_order().by_energy()

    def clip_events(self, kind_name: str, rows: Floats, **rest: Any) -> Events:
        """Events of the clip from their rows; see `Events` for the rest."""
        channels, samples = self.wave.shape
        clip = {"sample_rate": self.sample_rate, "samples": samples, "channels": channels, "seed": self.budget.seed}
        return Events.of(kind_name, rows, **clip, **rest)

    @abstractmethod
    def state(self) -> Mapping[str, NDArray[Any]]:
        """Arrays that hold everything needed to continue."""

    @abstractmethod
    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continues from the state of another decomposer of the same clip and config."""


# (wave, sample rate, budget, settings) -> decomposer, as `Decomposer` takes them.
DECOMPOSERS: Registry[Callable[[Any, int, Budget, Any], Decomposer]] = Registry("method")

DEFAULT = "matching-pursuit"
# The published setting of splatting.
_PAPER: dict[str, Any] = {"method": {"name": "splat", "iterations": 3_000}, "events": 64}


class DecomposeConfig(Budget):
    """A method of decomposition and its budget."""

    preset: Literal["quick", "paper"] = "quick"
    """Values of the fields that are not given: quick for the defaults, paper for the published setting of splatting."""
    method: Annotated[Method, ChosenFrom(DECOMPOSERS, DEFAULT), Option("")] = Field(
        default_factory=lambda: DECOMPOSERS.choice(DEFAULT)
    )
    """How the sound is decomposed."""

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, given: Any) -> Any:
        paper = isinstance(given, Mapping) and given.get("preset") == "paper"
        return filled_choices(cls, _PAPER, given) if paper else given

    def decomposer(self, wave: Sound, sample_rate: int) -> Decomposer:
        """A decomposer of one clip: an array, or what `Method.longest` allows.

        Shape:
            - wave: ``[channels, samples]``; finite and not silent
        """
        return DECOMPOSERS[self.method.name](wave, sample_rate, self, self.method)
