"""The contract of parameterisations: a pair of maps between stored numbers and tracks, within a storage budget."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar, NamedTuple

from torch import Tensor

from distrack.registry import Registry

# All stored numbers by name: "parameters", which the distillation moves, and constants, which are chosen at the start.
Stored = dict[str, Tensor]
# Real clips of every class as tracks ``[n, *size]`` with their labels ``[n]``, a batch at a time.
Examples = Callable[[], Iterator[tuple[Tensor, Tensor]]]


class Plan(NamedTuple):
    """Number and size of the tracks that are stored.

    Attributes:
        ipc: storage budget of a class, in whole tracks.
        factor: number of tracks that are rendered from the storage of one.
        size: size of a rendered track: ``(1, bands, frames)`` or ``(samples,)``.
        clip_floats: numbers that one whole track of the domain takes with its label, and so does one clip.
    """

    classes: int
    ipc: int
    factor: int
    size: tuple[int, ...]
    clip_floats: int

    @property
    def budget(self) -> int:
        """Storage budget of a class: the numbers of `ipc` whole tracks. No parameterisation stores more."""
        return self.ipc * self.clip_floats


class Parameterisation(ABC):
    """A pair of maps between stored numbers and the tracks that are rendered from them.

    Stored parameters and rendered tracks are in the order of their classes, and every class has as many. A subclass
    takes the settings of its own config as further keyword arguments.

    Attributes:
        summary: what it stores, in a few words; its label in menus.
        domains: domains that it can store tracks of.
        stores_images: whether it renders images that a fixed inversion makes the sounds of the waveform domain.
        factors: possible values of a plan's factor; the first is the usual one.
        limited_by_clips: whether a class has no more tracks than the smallest class has clips; each then stores more.
        constants: names of what is stored beside the parameters.
        shared: names of those that all classes have in common; the others are stored class by class.
    """

    summary: ClassVar[str]
    domains: ClassVar[tuple[str, ...]] = ("spectral", "waveform")
    stores_images: ClassVar[bool] = False
    factors: ClassVar[tuple[int, ...]] = (1,)
    limited_by_clips: ClassVar[bool] = False
    constants: ClassVar[tuple[str, ...]] = ()
    shared: ClassVar[tuple[str, ...]] = ()

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    @classmethod
    def usual_factor(cls, ipc: int) -> int:  # noqa: ARG003
        """The factor for a budget of `ipc` tracks, where none is given."""
        return cls.factors[0]

    def check(self) -> None:  # noqa: B027
        """Refuses a plan that cannot be stored.

        Raises:
            ValueError: says why, and what to change.
        """

    @property
    def tracks_per_row(self) -> int:
        """Tracks that a stored row holds side by side along time; a number stands for as many numbers of a track."""
        return 1

    def tracks(self, clips: int) -> int:
        """Tracks rendered for a class, if the smallest class has that many real clips."""
        planned = self.plan.ipc * self.plan.factor
        return min(planned, max(clips, self.plan.ipc)) if self.limited_by_clips else planned

    def floats(self, tracks: int) -> int:  # noqa: ARG002
        """Numbers stored for a class of that many rendered tracks, labels and constants counted."""
        return self.plan.budget

    @abstractmethod
    def store(self, tracks: Tensor, examples: Examples) -> Stored:
        """The numbers that render to the given tracks, or as near to them as the budget allows.

        Args:
            examples: real clips that constants may be fitted to.

        Shape:
            - tracks: ``[classes * tracks, *size]``
        """

    def sizes(self, stored: Stored, examples: Examples) -> Tensor | None:  # noqa: ARG002
        """Typical size of each parameter among the real clips of a class, in proportion to which it is moved.

        Shape:
            - returns: ``[classes, numbers of a row]``; None if all parameters are moved by steps of one size
        """
        return None

    @abstractmethod
    def render(self, parameters: Tensor, stored: Stored) -> Tensor:
        """The tracks of the given parameters, differentiable.

        Args:
            parameters: all rows of the stored parameters, or the same number of rows of each class.

        Shape:
            - returns: ``[classes * m, *size]``
        """


PARAMETERISATIONS: Registry[type[Parameterisation]] = Registry("parameterisation")
