"""Matching pursuit with Gabor atoms: their cells are kept up to date by closed forms, and all atoms are refined."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distrack.arrays import Complex, Floats
from distrack.decompose.pursuit.atoms import GABOR, Atom, as_complex, highest
from distrack.decompose.pursuit.cells import Cells
from distrack.decompose.pursuit.kernels import kernels_for
from distrack.decompose.pursuit.rounding import FloatRounding, Rounding

# A cell changes where an atom changes it by more than this share of what the best cell holds.
_TOLERANCE = 2e-3
# A cell that holds less than this share of the energy that was expected is computed anew, and another one may be best.
_HELD = 0.9
# Atoms that are refined in one step.
_TOGETHER = 64
# All atoms are refined when there are these shares of them.
_ROUNDS = (0.25, 0.5, 1.0)


class GaborSearch:
    """Finds Gabor atoms in one clip.

    Args:
        wave: ``[channels, samples]``
        events: the most atoms that will be found.
        orthogonal: whether all atoms are refined together: each in turn, in what the others leave.
        rounding: the numbers that are stored of each atom; those of float32 by default.
    """

    kind_name = "gabor"

    def __init__(
        self, wave: Floats, sample_rate: int, *, events: int, orthogonal: bool, rounding: Rounding | None = None
    ) -> None:
        self.sample_rate, self.events = sample_rate, events
        self._rounding = rounding or FloatRounding()
        self.channels, self.samples = wave.shape
        self._kernels = kernels_for(events)
        self.cells = Cells(wave, sample_rate, self._kernels)
        self.filled = self.count = 0
        # Time, scale and frequency of each atom, and amplitude and phase of each of its channels.
        self._table = np.zeros((events, 3))
        self._pairs = np.zeros((events, self.channels, 2), np.float32)
        # Numbers of atoms at which all are refined.
        rounds = {math.ceil(share * events) for share in _ROUNDS} if orthogonal else set()
        self._rounds = sorted(rounds)
        self._rounds_done, self._refined = 0, 0
        # The residual at the last time that all cells were computed from it, and what changed the cells since then.
        self._start, self._first = self.residual.copy(), 0
        self._tolerances: list[float] = []
        self._repairs: list[tuple[int, int, int]] = []

    @property
    def residual(self) -> Floats:
        return self.cells.residual

    @property
    def preparing(self) -> tuple[int, int]:
        """How many scales of the grid have been correlated with the clip, and how many there are."""
        return self.filled, len(self.cells.scales)

    @property
    def refining(self) -> bool:
        """Whether the atoms that were found are to be refined before there is another one."""
        return self._rounds_done < len(self._rounds) and self.count >= self._rounds[self._rounds_done]

    @property
    def refinement(self) -> tuple[int, int]:
        """How many atoms were refined, each time that one was, and how many will be."""
        return sum(self._rounds[: self._rounds_done]) + self._refined, sum(self._rounds)

    def prepare(self, *, hurried: bool) -> None:  # noqa: ARG002
        """Correlates the clip with one more scale. None can be left out: the best atom is the best of all scales."""
        self.cells.fill(self.filled)
        self.filled += 1

    def take(self) -> float:
        if self.refining:
            return self._refine()
        expected, candidates = self._candidates()
        for atom in candidates:
            pairs, amplitudes = self._rounding.amplitudes(self._fitted(atom))
            removed = self._subtract(atom, amplitudes, only_if_less=True)
            if removed > 0:
                break
        else:
            return 0.0
        tolerance = _TOLERANCE * math.sqrt(expected / 2)
        self._lessen(atom, amplitudes, tolerance)
        self._tolerances.append(tolerance)
        self._table[self.count], self._pairs[self.count] = atom[1:], pairs
        self.count += 1
        return removed

    def _candidates(self) -> tuple[float, list[Atom]]:
        """The energy of the best cell, and the atoms to try: the best one near it, and its own."""
        while True:
            energy, layer, frame, at = self._kernels.best(self.cells.store)
            coarse = self.cells.scales[layer].atom(frame, at, self.sample_rate)
            if not energy > 0:
                return 0.0, []
            near, estimate, held = self._near(coarse)
            if held >= _HELD * energy or self._repairs[-1:] == [(self.count, layer, frame)]:
                break
            # Changes that were too small to be made may have added up.
            self.cells.transform(layer, frame, frame + 1)
            self._repairs.append((self.count, layer, frame))
        # The estimate is inexact for an atom of few periods, so the grid's own atom stays a candidate.
        both = [near, self._rounding.atom(coarse)]
        return energy, both if estimate >= energy else both[::-1]

    def _refine(self) -> float:
        """Refines the next atoms of a round, each in the residual without it; an atom that gets no better stays."""
        removed = 0.0
        for row in range(self._refined, min(self._refined + _TOGETHER, self.count)):
            removed += self._retune(row)
        self._refined = min(self._refined + _TOGETHER, self.count)
        if self._refined == self.count:
            self._refined, self._rounds_done = 0, self._rounds_done + 1
            if not self.refining and self.count < self.events:
                self._begin_again()
        return removed

    def _begin_again(self) -> None:
        """Computes all cells from the residual."""
        for layer in range(len(self.cells.scales)):
            self.cells.fill(layer)
        self._start, self._first = self.residual.copy(), self.count
        self._tolerances, self._repairs = [], []

    def _retune(self, row: int) -> float:
        old, amplitudes = Atom(GABOR, *self._table[row].tolist()), as_complex(self._pairs[row])
        removed = self._subtract(old, -amplitudes)
        new, _, _ = self._near(old)
        pairs, changed = self._rounding.amplitudes(self._fitted(new))
        more = self._subtract(new, changed, only_if_less=True)
        if more <= 0 or removed + more <= 0:
            if more > 0:
                removed += more + self._subtract(new, -changed)
            return removed + self._subtract(old, amplitudes)
        self._table[row], self._pairs[row] = new[1:], pairs
        return removed + more

    def _near(self, atom: Atom) -> tuple[Atom, float, float]:
        """The best atom near a given one, its energy, and that of the given one."""
        rate = self.sample_rate
        limit = highest(rate) / rate
        time, scale, frequency, energy, held = self._kernels.refined(self.residual, *self._in_samples(atom), limit)
        found = Atom(GABOR, time / rate, scale / rate, frequency * rate)
        return self._rounding.atom(found), energy, held

    def _in_samples(self, atom: Atom) -> tuple[float, float, float]:
        return atom.time * self.sample_rate, atom.scale * self.sample_rate, atom.frequency / self.sample_rate

    def _fitted(self, atom: Atom) -> Complex:
        where = atom.support(self.sample_rate, self.samples)
        return self._kernels.fitted(self.residual, where.start, where.stop, *self._in_samples(atom))

    def _subtract(self, atom: Atom, amplitudes: Complex, *, only_if_less: bool = False) -> float:
        """Subtracts an atom from the residual, and returns the energy that this removes."""
        where = atom.support(self.sample_rate, self.samples)
        return self._kernels.subtract(
            self.residual, where.start, where.stop, *self._in_samples(atom), amplitudes, only_if_less
        )

    def _lessen(self, atom: Atom, amplitudes: Complex, tolerance: float) -> None:
        self.cells.lessen(*self._in_samples(atom), amplitudes, tolerance)

    def rows(self) -> Floats:
        table, pairs = self._table[: self.count], self._pairs[: self.count]
        return np.concatenate([table.astype(np.float32), pairs.reshape(-1, 2 * self.channels)], axis=1)

    def shared(self) -> dict[str, Floats]:
        """Nothing: the row of an atom says all about it."""
        return {}

    def state(self) -> dict[str, NDArray[Any]]:
        """The atoms, and what the cells can be computed from again."""
        return {
            "numbers": np.array([self.filled, self._rounds_done, self._refined, self._first]),
            "table": self._table[: self.count].copy(),
            "pairs": self._pairs[: self.count].copy(),
            "start": self._start.copy(),
            "residual": self.residual.copy(),
            "tolerances": np.array(self._tolerances),
            "repairs": np.array(self._repairs, np.int64).reshape(-1, 3),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._check(state)
        self.filled, self._rounds_done, self._refined, self._first = (int(number) for number in state["numbers"])
        self.count = len(state["table"])
        self._table[: self.count], self._pairs[: self.count] = state["table"], state["pairs"]
        self._start, self._tolerances = state["start"].copy(), state["tolerances"].tolist()
        self._repairs = [(int(count), int(layer), int(frame)) for count, layer, frame in state["repairs"]]
        self.residual[:] = self._start
        for layer in range(self.filled):
            self.cells.fill(layer)
        if not self.refining:
            self._repeat()
        self.residual[:] = state["residual"]

    def _check(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Refuses a state of another clip or config.

        Raises:
            ValueError: an array has another shape, or a number is out of range.
        """
        count, layers = len(state["table"]), len(self.cells.scales)
        shapes = {
            "numbers": (4,),
            "table": (count, 3),
            "pairs": (count, self.channels, 2),
            "start": self.residual.shape,
            "residual": self.residual.shape,
        }
        filled, done, refined, first = state["numbers"].tolist()
        changes = len(state["tolerances"]), count - first
        fits = all(state[name].shape == shape for name, shape in shapes.items())
        fits = fits and count <= self.events and 0 <= first <= count and 0 <= refined <= count
        fits = fits and 0 <= filled <= layers and 0 <= done <= len(self._rounds) and changes[0] == changes[1]
        for at, layer, frame in state["repairs"].reshape(-1, 3).tolist():
            fits = fits and first <= at <= count and 0 <= layer < layers and 0 <= frame < self.cells.scales[layer].count
        if not fits:
            raise ValueError("it is of another clip or of other settings")

    def _repeat(self) -> None:
        """Changes residual and cells as they were changed since all cells were computed."""
        repairs = iter([*self._repairs, (self.count + 1, 0, 0)])
        count, layer, frame = next(repairs)
        for row in range(self._first, self.count + 1):
            while count == row:
                self.cells.transform(layer, frame, frame + 1)
                count, layer, frame = next(repairs)
            if row < self.count:
                atom, amplitudes = Atom(GABOR, *self._table[row].tolist()), as_complex(self._pairs[row])
                self._subtract(atom, amplitudes)
                self._lessen(atom, amplitudes, self._tolerances[row - self._first])
