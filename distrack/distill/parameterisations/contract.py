"""What a parameterisation is: a pair of maps between stored numbers and tracks, within a budget."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar, NamedTuple

from torch import Tensor

from distrack.registry import Registry

# Everything that is stored, by name. "parameters" is what distillation moves; the rest is chosen once, at the start.
Stored = dict[str, Tensor]
# Real clips of every class as tracks ``[n, ...]`` with their labels ``[n]``, a batch at a time.
Examples = Callable[[], Iterator[tuple[Tensor, Tensor]]]


class Plan(NamedTuple):
    """What is to be stored.

    Attributes:
        classes: how many there are.
        ipc: the budget of a class, in whole tracks.
        factor: how many tracks are to be rendered from the storage of one.
        size: of a whole track: ``(1, bands, frames)`` or ``(samples,)``.
    """

    classes: int
    ipc: int
    factor: int
    size: tuple[int, ...]

    @property
    def clip_floats(self) -> int:
        """Numbers that one clip or whole track takes with its label."""
        return math.prod(self.size) + 1

    @property
    def budget(self) -> int:
        """Storage budget of a class: the numbers of `ipc` whole tracks. No parameterisation stores more."""
        return self.ipc * self.clip_floats


class Parameterisation(ABC):
    """A pair of maps between what is stored and the tracks that it renders to.

    Stored parameters and rendered tracks stand class by class, every class with as many of each.

    Attributes:
        summary: what it does, in half a line of the screen.
        domains: where it makes sense.
        factors: what a plan's factor may be.
        keeps: names of what is stored beside the parameters.
    """

    summary: ClassVar[str]
    domains: ClassVar[tuple[str, ...]] = ("spectral", "waveform")
    factors: ClassVar[tuple[int, ...]] = (1,)
    keeps: ClassVar[tuple[str, ...]] = ()

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    @property
    def time_factor(self) -> int:
        """How many numbers of a track, along time, a stored number stands for."""
        return 1

    def tracks(self, clips: int) -> int:  # noqa: ARG002
        """Tracks rendered for a class, where the smallest class has so many real clips."""
        return self.plan.ipc * self.plan.factor

    @classmethod
    def usual_factor(cls, ipc: int) -> int:  # noqa: ARG003
        """The factor where none was asked for."""
        return cls.factors[0]

    def check(self) -> None:  # noqa: B027
        """Refuses a plan whose numbers do not come out.

        Raises:
            ValueError: says why, and what to do.
        """

    def floats(self, tracks: int) -> int:  # noqa: ARG002
        """Numbers stored for a class that renders to so many tracks, labels and all else counted."""
        return self.plan.budget

    def rendered(self, rows: int) -> int:
        """Tracks that so many stored rows render to."""
        return rows

    @abstractmethod
    def store(self, tracks: Tensor, examples: Examples) -> Stored:
        """What renders to the given tracks, or as near to them as the budget allows.

        Shape:
            - tracks: ``[classes * tracks, *size]``
        """

    @abstractmethod
    def render(self, parameters: Tensor, stored: Stored) -> Tensor:
        """Tracks of the given parameters, differentiable.

        Args:
            parameters: all of `stored["parameters"]`, or the same number of rows of each class.
            stored: the rest of what is stored.

        Shape:
            - returns: ``[classes * m, *size]``
        """


PARAMETERISATIONS: Registry[type[Parameterisation]] = Registry("parameterisation")
