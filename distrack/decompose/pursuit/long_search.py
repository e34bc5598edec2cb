"""Matching pursuit of a sound of any length, section by section, in memory that does not grow with the length.

A pursuit takes the atoms of a sound in falling order of energy. Here a pass through all sections takes the atoms above
one energy from each of them, and the next pass those above a lower one.
"""

import math
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distrack.arrays import Floats
from distrack.decompose.pursuit.atoms import GABOR, REACH, as_complex
from distrack.decompose.pursuit.cells import number_of_cells
from distrack.decompose.pursuit.gabor_search import GaborSearch, Part, rounds, rows_of
from distrack.decompose.pursuit.grid import SCALES, frame_lengths, hop_of
from distrack.decompose.pursuit.kernels import COMPILED_FROM
from distrack.decompose.pursuit.newton import WIDEST
from distrack.decompose.pursuit.rounding import Rounding
from distrack.decompose.pursuit.sound import summed
from distrack.stored_sound import Sound

# Samples of all channels in one section, between its margins, whose cells take 335 MB; and those up to which a sound is
# searched in one piece, whose cells take 670 MB. Of ten minutes, sections take as long as one piece.
SECTION, ONE_PIECE = 1 << 22, 1 << 23
# A pass looks for so many atoms more than there shall be, as an estimate that is too low takes one more pass.
MORE = 1.05
# All atoms are refined when there is this share of the number at which that is due.
NEARLY = 0.8
# By what the energy falls, at least and at most, while the number of atoms doubles. From fewer atoms nothing is
# estimated: the next pass goes down to a share of the best one that was left.
SLOWEST, FASTEST, FEW, OF_THE_BEST = 1.05, 8.0, 16, 0.25
# A section is passed over if its best atom had less than this share of the pass's energy when it was left.
PASSED_OVER = 0.5
# Below this share of the sound's energy there is rounding error alone.
NOTHING = 1e-14
# Atoms that are refined in one step.
TOGETHER = 256


class LongSearch:
    """Finds Gabor atoms in a long sound.

    A section is decomposed by a `GaborSearch` of its samples and a margin on both sides, without all atoms that were
    found before. Only the atoms are kept when the next section begins, so that a search which is restored begins its
    section again, and finds the same.

    Args:
        sound: ``[channels, samples]``
        events: the most atoms that will be found.
        orthogonal: whether all atoms are refined in what the others leave, as by `GaborSearch`.
        energy: that of the sound.
        enough: energy of the residual at which there are enough atoms.
        section: samples of all channels in one section.
    """

    kind_name, preparing = "gabor", (0, 0)

    def __init__(
        self,
        sound: Sound,
        sample_rate: int,
        *,
        events: int,
        orthogonal: bool,
        rounding: Rounding,
        energy: float,
        enough: float = 0.0,
        section: int = SECTION,
    ) -> None:
        self.sound, self.sample_rate, self.events, self.enough = sound, sample_rate, events, enough
        self._rounding, self._energy = rounding, energy
        self.channels, self.samples = sound.shape
        longest = frame_lengths(self.samples, sample_rate)[-1]
        self._hop, self._around = hop_of(GABOR, longest), longest // 2
        # The greatest scale of an atom that is found from the longest frame, and may grow once more when it is refined.
        self._widest = WIDEST * longest / SCALES[GABOR]
        sections = max(math.ceil(self.samples * self.channels / section), 1)
        self._edges = np.linspace(0, self.samples, sections + 1).round().astype(int).tolist()
        self._rounds = rounds(events) if orthogonal else []
        # The numbers of each atom as in `GaborSearch`, its energy on the grid, and the energy that it removed.
        self._table, self._pairs = np.zeros((0, 3)), np.zeros((0, self.channels, 2), np.float32)
        self._energies, self._removed = np.zeros(0), np.zeros(0)
        # The energy of the best atom that was left in each section.
        self._best = np.full(sections, np.inf)
        # The energy down to which this pass goes; at first there are at most as many atoms above it as there shall be.
        self._floor, self._left = energy / events, energy
        # The atoms before this pass.
        self._before = 0
        self._section = self._rounds_done = self._refined = 0
        self._refines = self._ended = False
        self._search: GaborSearch | None = None
        # All sections have their cells in the same memory: to get it from the system takes longer than to fill it.
        longest_part = math.ceil(self.samples / sections) + 2 * self._margin(self._widest) + self._hop
        self._space = np.empty(2 * self.channels * number_of_cells(longest_part, sample_rate), np.float32)
        self._steps = self._work()

    @property
    def count(self) -> int:
        new = 0 if self._search is None else self._search.count
        return min(len(self._table) + new, self.events)

    @property
    def settled(self) -> bool:
        """Whether the atoms are the strongest of all sections, so that a pursuit may end here."""
        return self._section == 0 and self._search is None

    @property
    def refining(self) -> bool:
        return not self._ended

    @property
    def refinement(self) -> tuple[int, int]:
        return self._refined, sum(self._rounds)

    def prepare(self, *, hurried: bool) -> None:
        """There is nothing to prepare: a section is correlated when its turn comes."""

    def take(self) -> float:
        """Does one step; the energy of a section's atoms is removed at once, with its last step."""
        return next(self._steps, 0.0)

    def rows(self) -> Floats:
        table, pairs = self._table, self._pairs
        if self._search is not None:
            found = self._search.count
            table = np.concatenate([table, self._search.table[:found]])
            pairs = np.concatenate([pairs, self._search.pairs[:found]])
        return rows_of(table[: self.events], pairs[: self.events])

    def shared(self) -> dict[str, Floats]:
        """Nothing: the row of an atom says all about it."""
        return {}

    def _work(self) -> Generator[float]:
        while not self._ended:
            while self._section < len(self._edges) - 1:
                removed = yield from self._refined_section() if self._refines else self._searched_section()
                self._left -= removed
                self._search = None
                self._section += 1
                yield removed
            self._section = 0
            lost = self._next_pass()
            self._left += lost
            yield -lost

    def _searched_section(self) -> Generator[float, None, float]:
        """Adds the atoms of a section down to the pass's energy."""
        if self._best[self._section] < PASSED_OVER * self._floor:
            return 0.0
        most = max(self._goal - self._before, COMPILED_FROM)
        search = self._search = self._begun(most, widest=self._widest, space=self._space)
        while search.preparing[0] < search.preparing[1]:
            search.prepare(hurried=False)
            yield 0.0
        removed = []
        while search.count < search.events and (energy := search.take()) > 0:
            removed.append(energy)
            yield 0.0
        found = search.count
        self._best[self._section] = search.best_energy
        self._table = np.concatenate([self._table, search.table[:found]])
        self._pairs = np.concatenate([self._pairs, search.pairs[:found]])
        self._energies = np.concatenate([self._energies, search.energies[:found]])
        self._removed = np.concatenate([self._removed, removed])
        return sum(removed) - self._keep_strongest(self._goal)

    def _refined_section(self) -> Generator[float, None, float]:
        """Refines the atoms whose times lie in a section."""
        begin, end = self._edges[self._section : self._section + 2]
        # An atom may have its middle before the sound or after it.
        time = np.clip(self._table[:, 0] * self.sample_rate, 0, self.samples - 1)
        rows = np.flatnonzero((time >= begin) & (time < end))
        if not len(rows):
            return 0.0
        search = self._begun(max(len(rows), COMPILED_FROM), widest=WIDEST * self._widest)
        search.hold(self._table[rows], self._pairs[rows])
        removed = 0.0
        for row in range(len(rows)):
            removed += search.retune(row)
            if row % TOGETHER == 0:
                yield 0.0
        self._table[rows], self._pairs[rows] = search.table[: len(rows)], search.pairs[: len(rows)]
        self._refined += len(rows)
        return removed

    def _margin(self, widest: float) -> int:
        """Samples on both sides of a section that atoms within it reach, up to a scale."""
        return math.ceil(REACH[GABOR] * widest) + self._around

    def _begun(self, events: int, *, widest: float, space: Floats | None = None) -> GaborSearch:
        """A search of a section and its margins, without all atoms so far."""
        begin, end = self._edges[self._section : self._section + 2]
        # The grid of every section is that of the whole sound.
        first = max(begin - self._margin(widest), 0) // self._hop * self._hop
        last = min(end + self._margin(widest), self.samples)
        part = Part(first, slice(begin - first, end - first), self._floor, widest)
        shapes = np.full(len(self._table), GABOR)
        found = (shapes, self._table, as_complex(self._pairs), self.sample_rate, self.samples)
        return GaborSearch(
            self.sound[:, first:last] - summed(*found, first=first, last=last),
            self.sample_rate,
            events=events,
            orthogonal=False,
            rounding=self._rounding,
            part=part,
            space=space,
        )

    def _keep_strongest(self, count: int) -> float:
        """Leaves out the atoms with the least energy, above which later sections go; returns what these removed."""
        weakest = np.argsort(-self._energies, kind="stable")[count:]
        if not len(weakest):
            return 0.0
        kept = np.ones(len(self._table), np.bool_)
        kept[weakest] = False
        lost = float(self._removed[weakest].sum())
        self._table, self._pairs = self._table[kept], self._pairs[kept]
        self._energies, self._removed = self._energies[kept], self._removed[kept]
        self._floor = float(self._energies.min())
        return lost

    def _next_pass(self) -> float:
        """Decides what the next pass does, or that there is none; returns the energy of atoms that are left out."""
        count, lost = len(self._table), 0.0
        if self._left <= self.enough and not self._refines:
            # The weakest ones that are not needed are left out again.
            energies = np.cumsum(self._removed[np.argsort(self._energies)])
            count -= int(np.searchsorted(energies, self.enough - self._left, side="right"))
            self._ended, lost = True, self._keep_strongest(max(count, 1))
            return lost
        complete = count == self.events or self._floor == 0
        self._refines = not self._refines and self._is_due(count, complete=complete)
        self._rounds_done += self._refines
        self._ended = complete and not self._refines and self._rounds_done == len(self._rounds)
        if not self._refines:
            self._before, self._floor = count, self._lower()
        return lost

    @property
    def _goal(self) -> int:
        """The atoms up to which a pass adds some: those at which all are refined, or all."""
        return self._rounds[self._rounds_done] if self._rounds_done < len(self._rounds) else self.events

    def _is_due(self, count: int, *, complete: bool) -> bool:
        """Whether the atoms are to be refined before there is another one."""
        if self._rounds_done == len(self._rounds):
            return False
        return complete or (self._goal < self.events and count >= NEARLY * self._goal)

    def _lower(self) -> float:
        """The energy above which there are probably a little more atoms than shall be in the next pass."""
        strongest, count = np.sort(self._energies)[::-1], len(self._energies)
        if count < FEW:
            energy = min(self._floor, float(self._best.max())) * OF_THE_BEST
        else:
            falling = min(max(strongest[count // 2] / strongest[-1], SLOWEST), FASTEST)
            energy = self._floor * falling ** -math.log2(max(MORE * self._goal / count, MORE))
        return energy if energy > NOTHING * self._energy else 0.0

    def state(self) -> dict[str, NDArray[Any]]:
        """The atoms that were found before this section, and where the search is."""
        numbers = [self._section, self._before, self._rounds_done, self._refined, self._refines, self._ended]
        return {
            "numbers": np.array(numbers, np.int64),
            "energy": np.array([self._floor, self._left]),
            "table": self._table.copy(),
            "pairs": self._pairs.copy(),
            "energies": self._energies.copy(),
            "best": self._best.copy(),
            "removed": self._removed.copy(),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continues from the begin of the section in which the other search was.

        Raises:
            ValueError: the state is of another sound or config.
        """
        section, before, rounds_done, refined, refines, ended = state["numbers"].tolist()
        count = len(state["table"])
        shapes = {"table": (count, 3), "pairs": (count, self.channels, 2), "energies": (count,), "removed": (count,)}
        shapes |= {"energy": (2,), "best": self._best.shape}
        fits = all(state[name].shape == shape for name, shape in shapes.items())
        fits = fits and 0 <= section < len(self._edges) and 0 <= rounds_done <= len(self._rounds)
        if not (fits and 0 <= before <= count <= self.events):
            raise ValueError("it is of another clip or of other settings")
        self._section, self._before, self._rounds_done, self._refined = section, before, rounds_done, refined
        self._refines, self._ended = bool(refines), bool(ended)
        self._floor, self._left = state["energy"].tolist()
        self._table, self._pairs = state["table"].copy(), state["pairs"].copy()
        self._energies, self._removed = state["energies"].copy(), state["removed"].copy()
        self._best = state["best"].copy()
