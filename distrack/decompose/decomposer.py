"""What a kind of event and a way to find events must be able to do, and where they are registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from distrack.registry import Registry

if TYPE_CHECKING:
    from distrack.decompose.config import DecomposeConfig
    from distrack.decompose.events import Events

Floats = NDArray[np.float32]


class Column(NamedTuple):
    """One of the numbers that an event is.

    Attributes:
        name: "time", "frequency"; what kinds have in common is called the same.
        unit: "s", "Hz", "dB", "" of a bare number.
        about: one line for whoever reads the table.
    """

    name: str
    unit: str
    about: str


class Box(NamedTuple):
    """Where events are on the time-frequency plane, an entry for each.

    Attributes:
        start, end: when it begins and when it has died away, in seconds.
        onset: when it is struck, in seconds.
        low, high: edges of its band, in Hz.
        pitch: what is heard as its pitch, in Hz; 0 where it has none.
        energy: sum of its squared samples, alone and dry.
    """

    start: Floats
    end: Floats
    onset: Floats
    low: Floats
    high: Floats
    pitch: Floats
    energy: Floats


class Kind:
    """How an event sounds, and how it changes. Every change gives new parameters and leaves the old ones alone.

    Common columns of every kind: "time" in seconds, "frequency" in Hz, "amplitude". A gain scales every column whose
    name begins with "amplitude", such as one for each channel.
    """

    def columns(self, channels: int) -> tuple[Column, ...]:
        """What is stored of an event, in the order of its row; at most 20."""
        raise NotImplementedError

    def check(self, events: Events) -> None:
        """Refuses what cannot be rendered.

        Raises:
            EventsError: a number is out of its range, or something kept is missing.
        """
        raise NotImplementedError

    def synthesise(self, events: Events, gains: Floats) -> Floats:
        """The sum of all events, each at its gain, without a room; the same on every call and in every process.

        Memory is bounded: whatever the number of events, chunks of them are rendered.

        Shape:
            - gains: ``[events]``; what has gain 0 costs nothing
            - returns: ``[channels, samples]``
        """
        raise NotImplementedError

    def boxes(self, events: Events) -> Box:
        """Where each event is on the time-frequency plane."""
        raise NotImplementedError

    def stretched(self, events: Events, which: NDArray[np.bool_], factor: float) -> Floats:
        """Parameters of events that last longer by `factor`, at the same pitch; their times are left alone."""
        raise NotImplementedError

    def transposed(self, events: Events, which: NDArray[np.bool_], semitones: float) -> Floats:
        """Parameters of events at another pitch, as long as before."""
        raise NotImplementedError

    def decayed(self, events: Events, which: NDArray[np.bool_], factor: float) -> Floats:
        """Parameters of events that die away more slowly by `factor`; their onsets stay."""
        raise NotImplementedError

    def coloured(self, events: Events, which: NDArray[np.bool_], octaves: float) -> Floats:
        """Parameters of events that are brighter (above 0) or darker, with the same pitch.

        A pitch above which energy is moved has no sharper meaning for all kinds: a kind says what it does.
        """
        raise NotImplementedError

    def between(self, one: Floats, other: Floats, share: float) -> Floats:
        """Rows on the way from `one` (share 0) to `other` (share 1): straight in time, by ratio in pitch and scale."""
        raise NotImplementedError


class Progress(NamedTuple):
    """How far a decomposition is.

    Attributes:
        step, steps: of the work; steps is the most there will be.
        events: found so far.
        snr_db: of the reconstruction; None where phases are not fitted.
        loss: what is lowered; None where there is none.
    """

    step: int
    steps: int
    events: int
    snr_db: float | None
    loss: float | None


class Decomposer(Protocol):
    """Takes one clip apart. It yields after every small step; whoever drives it decides what to do with that.

    A decomposer that was given the `state` of another goes on bit for bit as that one would have.
    """

    def __init__(self, wave: Floats, sample_rate: int, config: DecomposeConfig) -> None:
        """Takes the clip, ``[channels, samples]``; audio was checked already: finite, and not silent."""

    def __iter__(self) -> Iterator[Progress]:
        """From where it is to the end."""

    def events(self) -> Events:
        """What was found so far, the most energetic first."""

    def state(self) -> Mapping[str, NDArray[Any]]:
        """All that going on needs."""

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Takes the state of another over."""


KINDS: Registry[Kind] = Registry("kind of event")
DECOMPOSERS: Registry[Callable[[Floats, int, DecomposeConfig], Decomposer]] = Registry("method")
