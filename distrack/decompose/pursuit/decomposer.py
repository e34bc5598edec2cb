"""Matching pursuit as a method: begins, stops, goes on, says how far it is."""

import math
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from distrack.decompose.decomposer import DECOMPOSERS, Floats, Progress
from distrack.decompose.pursuit.fit import AtomSearch
from distrack.decompose.pursuit.learning import WaveformSearch

if TYPE_CHECKING:
    from distrack.decompose.config import DecomposeConfig
    from distrack.decompose.events import Events

# Of the clip's energy: below it there is only rounding.
NOTHING = 1e-12
# Of a time limit, what preparing may take.
PREPARING = 0.5


class Search(Protocol):
    """Finds one atom after another in one clip."""

    kind: str

    @property
    def count(self) -> int:
        """Atoms so far."""

    @property
    def residual(self) -> Floats:
        """What is left of the clip, ``[channels, samples]``."""

    @property
    def preparing(self) -> tuple[int, int]:
        """How many steps before the first atom are done, of how many."""

    def prepare(self, *, hurried: bool) -> None:
        """One of these steps; hurried, of those that can be left out none is done."""

    def take(self) -> float:
        """Takes one atom away; returns by how much energy less is left, 0 or less where nothing was taken."""

    def rows(self) -> Floats:
        """What was found, ``[events, columns]``."""

    def kept(self) -> dict[str, Floats]:
        """What all events share."""

    def state(self) -> dict[str, NDArray[Any]]:
        """All that going on needs."""

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Takes the state of another over."""


@DECOMPOSERS.register("matching-pursuit", aliases=("mp",))
class MatchingPursuit:
    """The atom that takes most energy away, again and again.

    Args:
        wave: ``[channels, samples]``

    Source:
        Mallat and Zhang, "Matching Pursuits With Time-Frequency Dictionaries", IEEE Transactions on Signal Processing
        41(12), 1993; correlations by FFT, and only where something changed: Krstulovic and Gribonval, "MPTK: Matching
        Pursuit made Tractable", ICASSP 2006; local least squares: Mailhé, Gribonval, Bimbot and Vandergheynst, "A low
        complexity Orthogonal Matching Pursuit for sparse signal approximation with shift-invariant dictionaries",
        ICASSP 2009.
    """

    look_every: ClassVar[int] = 8

    def __init__(self, wave: Floats, sample_rate: int, config: "DecomposeConfig") -> None:
        self.wave, self.sample_rate, self.config = wave, sample_rate, config
        self.search = _search(wave, sample_rate, config)
        self.whole = self.left = float(np.square(wave, dtype=np.float64).sum())
        self.spent = 0.0
        self.exhausted = False

    def __iter__(self) -> Iterator[Progress]:
        while not self.over:
            began = time.monotonic()
            done, steps = self.search.preparing
            if done < steps:
                limit = self.config.time_limit
                self.search.prepare(hurried=limit is not None and self.spent > PREPARING * limit)
            else:
                gained = self.search.take()
                self.left -= gained
                self.exhausted = gained <= 0
            self.spent += time.monotonic() - began
            yield self.progress()

    @property
    def over(self) -> bool:
        """Whether enough was found, or nothing is left, or no time; one atom is found in any time."""
        limit, enough = self.config.time_limit, self.config.pursuit.snr_db
        late = limit is not None and self.spent >= limit and self.search.count > 0
        reached = enough is not None and self.search.count > 0 and self.snr_db() >= enough
        nothing = self.exhausted or self.left <= NOTHING * self.whole
        return late or reached or nothing or self.search.count >= self.config.events

    def snr_db(self) -> float:
        """Of what was found so far."""
        return 10 * math.log10(self.whole / max(self.left, 1e-20 * self.whole)) if self.whole > 0 else 0.0

    def progress(self) -> Progress:
        """How far it is."""
        done, steps = self.search.preparing
        count = self.search.count
        return Progress(done + count, steps + self.config.events, count, self.snr_db(), None)

    def events(self) -> "Events":
        """What was found so far, the most energetic first."""
        from dataclasses import replace

        from distrack.decompose.events import Events

        channels, samples = self.wave.shape
        found = Events.of(
            self.search.kind,
            self.search.rows(),
            sample_rate=self.sample_rate,
            samples=samples,
            channels=channels,
            seed=self.config.seed,
            kept=self.search.kept(),
        )
        order = np.argsort(-found.how.boxes(found).energy, kind="stable")
        return replace(found, parameters=found.parameters[order])

    def state(self) -> Mapping[str, NDArray[Any]]:
        """All that going on needs."""
        own = {"left": self.left, "spent": self.spent, "exhausted": float(self.exhausted)}
        return {f"pursuit.{name}": np.array([value]) for name, value in own.items()} | self.search.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Takes the state of another over."""
        self.left, self.spent = float(state["pursuit.left"][0]), float(state["pursuit.spent"][0])
        self.exhausted = bool(state["pursuit.exhausted"][0])
        self.search.restore(state)


def _search(wave: Floats, sample_rate: int, config: "DecomposeConfig") -> Search:
    how = config.pursuit
    if how.atoms != "learned":
        return AtomSearch(wave, sample_rate, atoms=how.atoms, orthogonal=how.orthogonal)
    return WaveformSearch(
        wave,
        sample_rate,
        count=how.waveforms,
        seconds=how.waveform_seconds,
        rounds=how.learning,
        events=config.events,
        orthogonal=how.orthogonal,
        seed=config.seed,
    )
