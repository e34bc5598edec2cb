"""What a method of decomposition must be able to do, and the registry of methods."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

from numpy.typing import NDArray

from distrack.arrays import Floats
from distrack.decompose.budget import Budget
from distrack.decompose.events import Events
from distrack.registry import Choice, Registry


class Progress(NamedTuple):
    """How far a decomposition is.

    Attributes:
        step, steps: steps done, and the most steps that there will be.
        events: events found so far.
        snr_db: signal-to-noise ratio of the reconstruction; None where the method does not fit phases.
        loss: value of the loss; None for a method without one.
    """

    step: int
    steps: int
    events: int
    snr_db: float | None
    loss: float | None


class Decomposer(Protocol):
    """Decomposes one clip. It yields after every small step, so that its driver can show, store or stop it.

    A decomposer that restores the state of another one continues bit for bit as the other one would have.
    """

    def __iter__(self) -> Iterator[Progress]:
        """Continues from the current state to the end."""

    def events(self) -> Events:
        """The events found so far, those with the most energy first."""

    def state(self) -> Mapping[str, NDArray[Any]]:
        """Arrays that hold everything needed to continue."""

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continues from the state of another decomposer of the same clip and config."""


class Method(Choice):
    """The selected method of decomposition and its settings.

    Attributes:
        suggested_rate: the sample rate in Hz that the page selects at first; None for that of the recording.
    """

    suggested_rate: ClassVar[int | None] = None

    def check(self, sample_rate: int) -> None:
        """Refuses settings that are impossible at a sample rate in Hz, before any work.

        Raises:
            ConfigError: the message says what to change.
        """


# (wave, sample rate, budget, settings) -> decomposer. The wave is [channels, samples], finite and not silent; the
# settings are an instance of the config that the entry is registered with.
DECOMPOSERS: Registry[Callable[[Floats, int, Budget, Any], Decomposer]] = Registry("method")
