"""The method "matching-pursuit": it starts, ends, continues from a stored state, and reports its progress."""

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from distrack.arrays import Floats
from distrack.decompose.budget import Budget
from distrack.decompose.decomposer import DECOMPOSERS, Progress
from distrack.decompose.events import Events
from distrack.decompose.pursuit.atom_search import AtomSearch
from distrack.decompose.pursuit.config import PursuitConfig
from distrack.decompose.pursuit.waveform_search import WaveformSearch

# A residual below this share of the clip's energy is rounding error.
NOTHING = 1e-12
# Share of the time limit that preparation may take.
PREPARATION = 0.5


class Search(Protocol):
    """Finds one atom after another in one clip."""

    kind_name: str

    @property
    def count(self) -> int:
        """Number of atoms found."""

    @property
    def residual(self) -> Floats:
        """The clip minus all atoms found, ``[channels, samples]``."""

    @property
    def preparing(self) -> tuple[int, int]:
        """How many preparation steps are done, and how many there are, before the first atom can be found."""

    def prepare(self, *, hurried: bool) -> None:
        """Does one preparation step; if `hurried`, optional steps are left out."""

    def take(self) -> float:
        """Subtracts one more atom; returns the energy removed from the residual, 0 or less if there was no atom."""

    def rows(self) -> Floats:
        """The events found, in the order in which they were found: ``[events, columns]``."""

    def shared(self) -> dict[str, Floats]:
        """Arrays that all events share."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays that hold everything needed to continue."""

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continues from the state of another search of the same clip and config."""


@DECOMPOSERS.register("matching-pursuit", aliases=("mp",), config=PursuitConfig, title="Matching pursuit (fast)")
class MatchingPursuit:
    """Subtracts the atom that removes the most energy from the residual, again and again.

    Args:
        wave: ``[channels, samples]``

    Source:
        Mallat and Zhang, "Matching Pursuits With Time-Frequency Dictionaries", IEEE Transactions on Signal Processing
        41(12), 1993; correlations by FFT, and only where something changed: Krstulovic and Gribonval, "MPTK: Matching
        Pursuit made Tractable", ICASSP 2006; local least squares: Mailhé, Gribonval, Bimbot and Vandergheynst, "A low
        complexity Orthogonal Matching Pursuit for sparse signal approximation with shift-invariant dictionaries",
        ICASSP 2009.
    """

    def __init__(self, wave: Floats, sample_rate: int, budget: Budget, settings: PursuitConfig) -> None:
        self.wave, self.sample_rate, self.budget, self.settings = wave, sample_rate, budget, settings
        self.search = _search(wave, sample_rate, budget, settings)
        self.clip_energy = self.residual_energy = float(np.square(wave, dtype=np.float64).sum())
        self.seconds_spent = 0.0
        self.exhausted = False

    def __iter__(self) -> Iterator[Progress]:
        limit = self.budget.time_limit
        while not self.over:
            began = time.monotonic()
            done, steps = self.search.preparing
            if done < steps:
                self.search.prepare(hurried=limit is not None and self.seconds_spent > PREPARATION * limit)
            else:
                removed = self.search.take()
                self.residual_energy -= removed
                self.exhausted = removed <= 0
            self.seconds_spent += time.monotonic() - began
            yield self._progress()

    @property
    def over(self) -> bool:
        """Whether the pursuit has ended: enough atoms, near enough, nothing left, or out of time.

        However short the time limit, one atom is found.
        """
        limit, target = self.budget.time_limit, self.settings.snr_db
        late = limit is not None and self.seconds_spent >= limit and self.search.count > 0
        near = target is not None and self.search.count > 0 and self.snr_db() >= target
        nothing = self.exhausted or self.residual_energy <= NOTHING * self.clip_energy
        return late or near or nothing or self.search.count >= self.budget.events

    def snr_db(self) -> float:
        """Signal-to-noise ratio of the reconstruction so far, in dB."""
        if self.clip_energy <= 0:
            return 0.0
        return 10 * math.log10(self.clip_energy / max(self.residual_energy, 1e-20 * self.clip_energy))

    def _progress(self) -> Progress:
        done, steps = self.search.preparing
        count = self.search.count
        return Progress(done + count, steps + self.budget.events, count, self.snr_db(), None)

    def events(self) -> Events:
        """The events found so far, those with the most energy first."""
        channels, samples = self.wave.shape
        events = Events.of(
            self.search.kind_name,
            self.search.rows(),
            sample_rate=self.sample_rate,
            samples=samples,
            channels=channels,
            seed=self.budget.seed,
            shared=self.search.shared(),
        )
        return events.by_energy()

    def state(self) -> Mapping[str, NDArray[Any]]:
        """Arrays that hold everything needed to continue."""
        numbers = {
            "left": self.residual_energy,
            "spent": self.seconds_spent,
            "exhausted": float(self.exhausted),
        }
        return {f"pursuit.{name}": np.array([number]) for name, number in numbers.items()} | self.search.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continues from the state of another pursuit of the same clip and config."""
        self.residual_energy = float(state["pursuit.left"][0])
        self.seconds_spent = float(state["pursuit.spent"][0])
        self.exhausted = bool(state["pursuit.exhausted"][0])
        self.search.restore(state)


def _search(wave: Floats, sample_rate: int, budget: Budget, settings: PursuitConfig) -> Search:
    if settings.atoms != "learned":
        return AtomSearch(wave, sample_rate, atoms=settings.atoms, orthogonal=settings.orthogonal)
    return WaveformSearch(
        wave,
        sample_rate,
        count=settings.waveforms,
        seconds=settings.waveform_seconds,
        rounds=settings.learning,
        events=budget.events,
        orthogonal=settings.orthogonal,
        seed=budget.seed,
    )
