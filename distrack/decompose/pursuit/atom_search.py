"""Matching pursuit with Gabor atoms and damped sinusoids: each step subtracts the atom that removes the most energy."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distrack.arrays import Floats
from distrack.decompose.pursuit.atoms import DAMPED, GABOR, Atom, as_complex, fitted, stored
from distrack.decompose.pursuit.grid import Grid
from distrack.decompose.pursuit.least_squares import improved, neighbours
from distrack.decompose.pursuit.newton import refined

SHAPES = {"gabor": (GABOR,), "damped": (DAMPED,), "both": (GABOR, DAMPED)}
KIND_NAMES = {"gabor": "gabor", "damped": "damped", "both": "atoms"}
# Factor on the energy of each shape where both compete. The onset of a decay is a break that other atoms must repair if
# the clip has none there. The best Gaussian removes 0.80 of a decay.
FAVOUR = {GABOR: 1.0, DAMPED: 0.85}
# Neighbours whose time, scale and frequency are refined again after each atom of an orthogonal pursuit.
RETUNED = 2


class AtomSearch:
    """Finds Gabor atoms, damped sinusoids or both in one clip.

    Args:
        wave: ``[channels, samples]``
        atoms: a key of `SHAPES`.
        orthogonal: refit the amplitudes of overlapping atoms after each new atom.
    """

    def __init__(self, wave: Floats, sample_rate: int, *, atoms: str, orthogonal: bool) -> None:
        self.kind_name, self.sample_rate, self.orthogonal = KIND_NAMES[atoms], sample_rate, orthogonal
        self.channels, self.samples = wave.shape
        self.shapes = SHAPES[atoms]
        self.grid = Grid(wave, sample_rate, self.shapes)
        self.filled = 0
        # Shape, time, scale and frequency of each atom, and amplitude and phase of each of its channels.
        self.table = np.zeros((0, 4))
        self.pairs = np.zeros((0, self.channels, 2), np.float32)

    @property
    def count(self) -> int:
        return len(self.table)

    @property
    def residual(self) -> Floats:
        return self.grid.residual

    @property
    def preparing(self) -> tuple[int, int]:
        """How many scales of the grid have been correlated with the clip, and how many there are."""
        return self.filled, len(self.grid.scales)

    def prepare(self, *, hurried: bool) -> None:  # noqa: ARG002
        """Correlates the clip with one more scale. None can be left out: the best atom is the best of all scales."""
        self.grid.fill(self.filled)
        self.filled += 1

    def take(self) -> float:
        candidates = []
        for shape in self.shapes:
            energy, coarse = self.grid.best(shape)
            if energy > 0:
                near, estimate = refined(coarse, self.residual, self.sample_rate)
                # The estimate is inexact for an atom of few periods, so the grid's own atom stays a candidate.
                favour = FAVOUR[shape] if len(self.shapes) > 1 else 1.0
                candidates += [(favour * estimate, near.stored()), (favour * energy, coarse.stored())]
        for _, atom in sorted(candidates, reverse=True):
            removed = self._subtract(atom)
            if removed > 0:
                return removed
        return 0.0

    def _subtract(self, atom: Atom) -> float:
        where = atom.support(self.sample_rate, self.samples)
        if where.stop == where.start:
            return 0.0
        waveform = atom.waveform(where, self.sample_rate)
        before = self.residual[:, where].astype(np.float64)
        pairs, amplitudes = stored(fitted(before, waveform))
        after = (before - (amplitudes[:, None] * waveform).real).astype(np.float32)
        removed = _energy(before) - _energy(after)
        if removed <= 0:
            return removed
        self.residual[:, where] = after
        self.table = np.vstack([self.table, atom])
        self.pairs = np.concatenate([self.pairs, pairs[None]])
        others: list[Atom] = []
        if self.orthogonal:
            more, others = self._refit()
            removed += more
        self.grid.changed([atom, *others])
        return removed

    def _atom(self, row: int) -> Atom:
        shape, *rest = self.table[row].tolist()
        return Atom(int(shape), *rest)

    def _refit(self) -> tuple[float, list[Atom]]:
        """Refits the last atom and its neighbours; returns the energy removed, and the atoms before and after."""
        rows = neighbours(self.table)
        if len(rows) == 1:
            return 0.0, []
        before = [self._atom(row) for row in rows]
        removed = sum(self._retune(row) for row in rows[1 : 1 + RETUNED])
        removed += self._refit_amplitudes(rows)
        return removed, [*before, *(self._atom(row) for row in rows[1 : 1 + RETUNED])]

    def _retune(self, row: int) -> float:
        """Refines an atom in the residual without it; keeps the old atom if the new one removes no more energy."""
        atom, amplitudes = self._atom(row), as_complex(self.pairs[row])
        old = atom.support(self.sample_rate, self.samples)
        before = self.residual[:, old].copy()
        self.residual[:, old] += (amplitudes[:, None] * atom.waveform(old, self.sample_rate)).real.astype(np.float32)
        near = refined(atom, self.residual, self.sample_rate)[0].stored()
        new = near.support(self.sample_rate, self.samples)
        sound = self.residual[:, new].astype(np.float64)
        waveform = near.waveform(new, self.sample_rate)
        pairs, amplitudes = stored(fitted(sound, waveform))
        after = (sound - (amplitudes[:, None] * waveform).real).astype(np.float32)
        removed = _energy(before) - _energy(self.residual[:, old]) + _energy(sound) - _energy(after)
        if removed <= 0:
            self.residual[:, old] = before
            return 0.0
        self.residual[:, new] = after
        self.table[row], self.pairs[row] = near, pairs
        return removed

    def _refit_amplitudes(self, rows: list[int]) -> float:
        """Refits these atoms' amplitudes by least squares; keeps the old ones if rounding makes the result worse."""
        where, parts, change = improved([self._atom(row) for row in rows], self.residual, self.sample_rate)
        old = as_complex(self.pairs[rows])
        pairs, new = stored(old + change)
        step = new - old
        weights = np.stack([step.real, step.imag], axis=1).reshape(-1, self.channels)
        before = self.residual[:, where].astype(np.float64)
        after = (before - weights.T @ parts).astype(np.float32)
        removed = _energy(before) - _energy(after)
        if removed <= 0:
            return 0.0
        self.residual[:, where] = after
        self.pairs[rows] = pairs
        return removed

    def rows(self) -> Floats:
        columns = [self.table[:, 1:].astype(np.float32), self.pairs.reshape(-1, 2 * self.channels)]
        if self.kind_name == "atoms":
            columns.append(self.table[:, :1].astype(np.float32))
        return np.concatenate(columns, axis=1)

    def shared(self) -> dict[str, Floats]:
        """Nothing: the row of an atom says all about it."""
        return {}

    def state(self) -> dict[str, NDArray[Any]]:
        filled = np.array([self.filled])
        return {"filled": filled, "table": self.table.copy(), "pairs": self.pairs.copy(), **self.grid.state()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.filled = int(state["filled"][0])
        self.table, self.pairs = state["table"].copy(), state["pairs"].copy()
        self.grid.restore(state)


def _energy(sound: NDArray[np.floating[Any]]) -> float:
    return float(np.square(sound, dtype=np.float64).sum())
