"""The method "matching-pursuit": how it starts, ends, and continues from a stored state."""

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from distrack.arrays import Floats
from distrack.decompose.decomposer import DECOMPOSERS, Budget, Decomposer, Progress
from distrack.decompose.events import Events
from distrack.decompose.pursuit.atom_search import AtomSearch
from distrack.decompose.pursuit.config import PursuitConfig
from distrack.decompose.pursuit.gabor_search import GaborSearch
from distrack.decompose.pursuit.long_search import ONE_PIECE, LongSearch
from distrack.decompose.pursuit.rounding import BitRounding, FloatRounding
from distrack.decompose.pursuit.steps import Steps, steps_for
from distrack.decompose.pursuit.waveform_search import WaveformSearch
from distrack.stored_sound import blocks

# A residual below this share of the clip's energy is rounding error.
NOTHING = 1e-12
# Share of the time limit after which optional preparation is left out.
PREPARATION = 0.5


class Search(Protocol):
    """Finds one atom after another in one clip."""

    kind_name: str

    @property
    def count(self) -> int:
        """Number of atoms found."""

    @property
    def preparing(self) -> tuple[int, int]:
        """How many preparation steps are done, and how many there are, before the first atom can be found."""

    def prepare(self, *, hurried: bool) -> None:
        """Does one preparation step; if `hurried`, optional steps are left out."""

    @property
    def settled(self) -> bool:
        """Whether a pursuit may end here: not while only a part of a long sound was searched."""

    @property
    def refining(self) -> bool:
        """Whether the next step may remove nothing without being the last one: it refines atoms, for example."""

    @property
    def refinement(self) -> tuple[int, int]:
        """How many atoms were refined, each time that one was, and how many will be."""

    def take(self) -> float:
        """Subtracts one more atom, or refines some, and returns the energy removed from the residual.

        Where it is 0 or less and no atom was refined, there is no atom left.
        """

    def rows(self) -> Floats:
        """The events found, in the order in which they were found: ``[events, columns]``."""

    def shared(self) -> dict[str, Floats]:
        """Arrays that all events share."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays that hold everything needed to continue."""

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continues from the state of another search of the same clip and config."""


@DECOMPOSERS.register("matching-pursuit", aliases=("mp",), config=PursuitConfig, title="Matching pursuit (fast)")
class MatchingPursuit(Decomposer):
    """Subtracts the atom that removes the most energy from the residual, again and again.

    Source:
        Mallat and Zhang, "Matching Pursuits With Time-Frequency Dictionaries", IEEE Transactions on Signal Processing
        41(12), 1993; correlations by FFT, and only where something changed: Krstulovic and Gribonval, "MPTK: Matching
        Pursuit made Tractable", ICASSP 2006; local least squares: Mailhé, Gribonval, Bimbot and Vandergheynst, "A low
        complexity Orthogonal Matching Pursuit for sparse signal approximation with shift-invariant dictionaries",
        ICASSP 2009.
    """

    def __init__(self, wave: Floats, sample_rate: int, budget: Budget, settings: PursuitConfig) -> None:
        super().__init__(wave, sample_rate, budget, settings)
        channels, samples = wave.shape
        self.steps: Steps | None = None
        if settings.bits is not None:
            self.steps = steps_for(settings.bits, events=budget.events, samples=samples, channels=channels)
        self.clip_energy = sum(float(np.square(part, dtype=np.float64).sum()) for part in blocks(wave))
        self.residual_energy = self.clip_energy
        self.search: Search
        if settings.atoms == "learned":
            self.search = WaveformSearch(wave, sample_rate, budget, settings)
        elif settings.atoms == "gabor":
            self.search = self._gabor_search()
        else:
            self.search = AtomSearch(wave, sample_rate, atoms=settings.atoms, orthogonal=settings.orthogonal)
        self.exhausted = False

    def _gabor_search(self) -> Search:
        """A search in one piece, or section by section where the clip is long."""
        wave, rate, settings = self.wave, self.sample_rate, self.settings
        rounding = FloatRounding() if self.steps is None else BitRounding(self.steps, rate)
        usual: dict[str, Any] = {"events": self.budget.events, "orthogonal": settings.orthogonal, "rounding": rounding}
        if math.prod(wave.shape) <= ONE_PIECE:
            return GaborSearch(wave[:, :], rate, **usual)
        target = settings.snr_db
        enough = 0.0 if target is None else self.clip_energy * 10 ** (-target / 10)
        return LongSearch(wave, rate, energy=self.clip_energy, enough=enough, **usual)

    @property
    def over(self) -> bool:
        """Whether there are enough atoms, or the residual is small enough, or nothing is left, or time is up."""
        target, count = self.settings.snr_db, self.search.count
        near = target is not None and self.snr_db() >= target and self.search.settled
        nothing = self.exhausted or self.residual_energy <= NOTHING * self.clip_energy
        enough = count >= self.budget.events and not self.search.refining
        return (count > 0 and (self.late() or near)) or nothing or enough

    def step(self) -> None:
        """One step of preparation, or one more atom."""
        done, steps = self.search.preparing
        if done < steps:
            self.search.prepare(hurried=self.late(PREPARATION))
        else:
            refining = self.search.refining
            removed = self.search.take()
            self.residual_energy -= removed
            self.exhausted = removed <= 0 and not refining

    def snr_db(self) -> float:
        """Signal-to-noise ratio of the reconstruction so far, in dB."""
        if self.clip_energy <= 0:
            return 0.0
        return 10 * math.log10(self.clip_energy / max(self.residual_energy, 1e-20 * self.clip_energy))

    def progress(self) -> Progress:
        """Preparation and refinement count as well as atoms."""
        (done, steps), (refined, in_all), count = self.search.preparing, self.search.refinement, self.search.count
        return Progress(done + count + refined, steps + self.budget.events + in_all, count, self.snr_db(), None)

    def events_in_order(self) -> Events:
        rows, shared = self.search.rows(), self.search.shared()
        return self.clip_events(self.search.kind_name, rows, shared=shared, steps=self.steps)

    def state(self) -> Mapping[str, NDArray[Any]]:
        numbers = {"left": self.residual_energy, "spent": self.seconds_spent, "exhausted": float(self.exhausted)}
        return {f"pursuit.{name}": np.array([number]) for name, number in numbers.items()} | self.search.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.residual_energy = float(state["pursuit.left"][0])
        self.seconds_spent = float(state["pursuit.spent"][0])
        self.exhausted = bool(state["pursuit.exhausted"][0])
        self.search.restore(state)
