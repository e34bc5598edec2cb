"""Matching pursuit with Gabor atoms: their cells are kept up to date by closed forms, and all atoms are refined."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distrack.arrays import Complex, Doubles, Floats
from distrack.decompose.pursuit.atoms import GABOR, REACH, Atom, as_complex, highest
from distrack.decompose.pursuit.cells import Cells
from distrack.decompose.pursuit.kernels import kernels_for
from distrack.decompose.pursuit.rounding import FloatRounding, Rounding

# A cell changes where an atom changes it by more than this share of what the best cell holds.
_TOLERANCE = 2e-3
# A cell that holds less than this share of the energy that was expected is computed anew, and another one may be best.
_HELD = 0.9
# Cells that an end of the clip makes inexact are computed anew after each of so many atoms, as these are the loudest,
# and then after every so many.
_FIRST, _EVERY = 16, 32
# Atoms that are refined in one step.
_TOGETHER = 64
# All atoms are refined when there are these shares of them.
_ROUNDS = (0.25, 0.5, 1.0)


def rounds(events: int) -> list[int]:
    """Numbers of atoms at which all of them are refined.

    >>> rounds(64)
    [16, 32, 64]
    """
    return sorted({math.ceil(share * events) for share in _ROUNDS})


def rows_of(table: Doubles, pairs: Floats) -> Floats:
    """Atoms as they are stored: time, scale and frequency, then amplitude and phase of each channel.

    Shape:
        - table: ``[atoms, 3]``
        - pairs: ``[atoms, channels, 2]``
        - returns: ``[atoms, 3 + 2 * channels]``
    """
    return np.concatenate([table.astype(np.float32), pairs.reshape(len(pairs), 2 * pairs.shape[1])], axis=1)


class Part(NamedTuple):
    """Where a search looks for atoms if its clip is a part of a longer sound. Times are those of the whole sound.

    Attributes:
        first: number of the part's first sample in the whole sound.
        inner: its samples without the margins; only there are atoms found.
        floor: the least energy of an atom of the grid.
        widest: the greatest scale, in samples, of an atom that the margins hold.
    """

    first: int
    inner: slice
    floor: float
    widest: float


class GaborSearch:
    """Finds Gabor atoms in one clip.

    Args:
        wave: ``[channels, samples]``
        events: the most atoms that will be found.
        orthogonal: whether all atoms are refined together: each in turn, in what the others leave.
        rounding: the numbers that are stored of each atom; those of float32 by default.
        part: given if the clip is a part of a longer sound.
        space: see `Cells`.

    Attributes:
        energies: that of each atom's neighbour on the grid when the atom was found, ``[events]``.
    """

    kind_name, settled = "gabor", True

    def __init__(
        self,
        wave: Floats,
        sample_rate: int,
        *,
        events: int,
        orthogonal: bool,
        rounding: Rounding | None = None,
        part: Part | None = None,
        space: Floats | None = None,
    ) -> None:
        self.sample_rate, self.events = sample_rate, events
        self._rounding = rounding or FloatRounding()
        self.channels, self.samples = wave.shape
        self._kernels = kernels_for(events)
        self.cells = Cells(wave, sample_rate, self._kernels, space=space)
        self._offset, self._floor, self._widest = 0, 0.0, math.inf
        if part is not None:
            self._offset, self._floor, self._widest = part.first, part.floor, part.widest
            self.cells.leave_out(part.inner)
        self.filled = self.count = 0
        # Time, scale and frequency of each atom, and amplitude and phase of each of its channels.
        self.table = np.zeros((events, 3))
        self.pairs = np.zeros((events, self.channels, 2), np.float32)
        self.energies = np.zeros(events)
        # Numbers of atoms at which all are refined.
        self._rounds = rounds(events) if orthogonal else []
        self._rounds_done, self._refined = 0, 0
        # The residual at the last time that all cells were computed from it, and what changed the cells since then.
        self._start, self._first = self.residual.copy(), 0
        self._tolerances: list[float] = []
        self._repairs: list[tuple[int, int, int]] = []

    @property
    def residual(self) -> Floats:
        return self.cells.residual

    @property
    def best_energy(self) -> float:
        """The energy of the best atom of the grid that is left."""
        return self._kernels.best(self.cells.store)[0]

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
            pairs, amplitudes = self._fitted(atom)
            removed = self._subtract(atom, amplitudes, only_if_less=True)
            if removed > 0:
                break
        else:
            return 0.0
        tolerance = _TOLERANCE * math.sqrt(expected / 2)
        self._lessen(atom, amplitudes, tolerance)
        self._tolerances.append(tolerance)
        self.table[self.count], self.pairs[self.count], self.energies[self.count] = atom[1:], pairs, expected
        self.count += 1
        if self.count < _FIRST or self.count % _EVERY == 0:
            for layer, frame in sorted(self.cells.stale):
                self._repair(layer, frame)
        return removed

    def _candidates(self) -> tuple[float, list[Atom]]:
        """The energy of the best cell, and the atoms to try: the best one near it, and its own."""
        while True:
            energy, layer, frame, at = self._kernels.best(self.cells.store)
            if not energy > self._floor:
                return 0.0, []
            if (layer, frame) in self.cells.stale:
                self._repair(layer, frame)
                continue
            coarse = self.cells.scales[layer].atom(frame, at, self.sample_rate)
            coarse = coarse._replace(time=coarse.time + self._offset / self.sample_rate)
            near, estimate, held = self._near(coarse)
            if held >= _HELD * energy or self._repairs[-1:] == [(self.count, layer, frame)]:
                break
            # Changes that were too small to be made may have added up.
            self._repair(layer, frame)
        # The estimate is inexact for an atom of few periods, so the grid's own atom stays a candidate.
        both = [near, self._rounding.atom(coarse)]
        return energy, both if estimate >= energy else both[::-1]

    def _repair(self, layer: int, frame: int) -> None:
        self.cells.transform(layer, frame, frame + 1)
        self._repairs.append((self.count, layer, frame))

    def _refine(self) -> float:
        """Refines the next atoms of a round, each in the residual without it; an atom that gets no better stays."""
        removed = 0.0
        for row in range(self._refined, min(self._refined + _TOGETHER, self.count)):
            removed += self.retune(row)
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

    def retune(self, row: int) -> float:
        """Fits an atom again in what the others leave, if that removes energy, and returns how much."""
        old, amplitudes = Atom(GABOR, *self.table[row].tolist()), as_complex(self.pairs[row])
        removed = self._subtract(old, -amplitudes)
        new, _, _ = self._near(old)
        pairs, changed = self._fitted(new)
        more = self._subtract(new, changed, only_if_less=True)
        if more <= 0 or removed + more <= 0:
            if more > 0:
                removed += more + self._subtract(new, -changed)
            return removed + self._subtract(old, amplitudes)
        self.table[row], self.pairs[row] = new[1:], pairs
        return removed + more

    def _near(self, atom: Atom) -> tuple[Atom, float, float]:
        """The best atom near a given one, its energy, and that of the given one."""
        rate = self.sample_rate
        _, numbers = self._placed(atom)
        time, scale, frequency, energy, held = self._kernels.refined(self.residual, *numbers, highest(rate) / rate)
        if scale > self._widest:
            return self._rounding.atom(atom), held, held
        found = Atom(GABOR, (time + self._offset) / rate, scale / rate, frequency * rate)
        return self._rounding.atom(found), energy, held

    def _placed(self, atom: Atom) -> tuple[tuple[int, int], tuple[float, float, float]]:
        """The samples of the clip in which an atom sounds; its time and scale in samples, and its cycles per sample."""
        rate = self.sample_rate
        time, scale, frequency = atom.time * rate - self._offset, atom.scale * rate, atom.frequency / rate
        begin = min(max(math.ceil(time - REACH[GABOR] * scale), 0), self.samples)
        end = min(math.floor(time + REACH[GABOR] * scale) + 1, self.samples)
        return (begin, max(begin, end)), (time, scale, frequency)

    def _fitted(self, atom: Atom) -> tuple[Floats, Complex]:
        """Absolute values and phases with which an atom fits the residual, as stored, and as complex numbers."""
        where, numbers = self._placed(atom)
        return self._rounding.amplitudes(self._kernels.fitted(self.residual, *where, *numbers))

    def _subtract(self, atom: Atom, amplitudes: Complex, *, only_if_less: bool = False) -> float:
        """Subtracts an atom from the residual, and returns the energy that this removes."""
        where, numbers = self._placed(atom)
        return self._kernels.subtract(self.residual, *where, *numbers, amplitudes, only_if_less)

    def _lessen(self, atom: Atom, amplitudes: Complex, tolerance: float) -> None:
        _, numbers = self._placed(atom)
        self.cells.lessen(*numbers, amplitudes, tolerance)

    def hold(self, table: Doubles, pairs: Floats) -> None:
        """Takes atoms that are subtracted already as the first ones that were found, which `retune` can fit again."""
        self.count = len(table)
        self.table[: self.count], self.pairs[: self.count] = table, pairs

    def rows(self) -> Floats:
        return rows_of(self.table[: self.count], self.pairs[: self.count])

    def shared(self) -> dict[str, Floats]:
        """Nothing: the row of an atom says all about it."""
        return {}

    def state(self) -> dict[str, NDArray[Any]]:
        """The atoms, and what the cells can be computed from again."""
        return {
            "numbers": np.array([self.filled, self._rounds_done, self._refined, self._first]),
            "table": self.table[: self.count].copy(),
            "pairs": self.pairs[: self.count].copy(),
            "start": self._start.copy(),
            "residual": self.residual.copy(),
            "tolerances": np.array(self._tolerances),
            "repairs": np.array(self._repairs, np.int64).reshape(-1, 3),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._check(state)
        self.filled, self._rounds_done, self._refined, self._first = (int(number) for number in state["numbers"])
        self.count = len(state["table"])
        self.table[: self.count], self.pairs[: self.count] = state["table"], state["pairs"]
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
                atom, amplitudes = Atom(GABOR, *self.table[row].tolist()), as_complex(self.pairs[row])
                self._subtract(atom, amplitudes)
                self._lessen(atom, amplitudes, self._tolerances[row - self._first])
