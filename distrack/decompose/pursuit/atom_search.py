"""Matching pursuit with Gabor atoms and damped sinusoids: each step subtracts the atom that removes the most energy."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from distrack.arrays import Complex, Doubles, Floats
from distrack.decompose.pursuit.atoms import DAMPED, GABOR, Atom, as_complex, fitted, stored
from distrack.decompose.pursuit.grid import Grid
from distrack.decompose.pursuit.newton import refined

SHAPES = {"gabor": (GABOR,), "damped": (DAMPED,), "both": (GABOR, DAMPED)}
KIND_NAMES = {"gabor": "gabor", "damped": "damped", "both": "atoms"}
# Factor on the energy of each shape where both compete. The onset of a decay is a break that other atoms must repair if
# the clip has none there. The best Gaussian removes 0.80 of a decay.
FAVOUR = {GABOR: 1.0, DAMPED: 0.85}
# Neighbours whose time, scale and frequency are refined again after each atom of an orthogonal pursuit.
RETUNED = 2
# Most atoms that are fitted at once: the cost grows with their square, and those that overlap little gain little.
MOST = 12
# Two atoms that overlap less than this are fitted apart.
LEAST = 0.02
# Ridge as a share of the atoms' mean energy: without it, two nearly equal atoms get large amplitudes that cancel.
RIDGE = 1e-6


class AtomSearch:
    """Finds Gabor atoms, damped sinusoids or both in one clip.

    Args:
        wave: ``[channels, samples]``
        atoms: a key of `SHAPES`.
        orthogonal: refit the amplitudes of overlapping atoms after each new atom.
    """

    settled, refining, refinement = True, False, (0, 0)

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
                near, estimate, _ = refined(coarse, self.residual, self.sample_rate)
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
        pairs, before, after = self._fit(atom, where)
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

    def _fit(self, atom: Atom, where: slice) -> tuple[Floats, Doubles, Floats]:
        """Amplitudes and phases with which an atom fits the residual, as stored, and the residual before and after."""
        waveform = atom.waveform(where, self.sample_rate)
        before = self.residual[:, where].astype(np.float64)
        pairs, amplitudes = stored(fitted(before, waveform))
        return pairs, before, (before - (amplitudes[:, None] * waveform).real).astype(np.float32)

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
        pairs, sound, after = self._fit(near, new)
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


def overlaps(atoms: Doubles, last: Atom) -> Doubles:
    """Approximate inner product of each atom with one atom, 1 for equal ones, as if all of them were Gaussians.

    Shape:
        - atoms: ``[atoms, 4]``
        - returns: ``[atoms]``

    Source:
        The inner product of two Gabor atoms without chirp: Mallat and Zhang, 1993, appendix E.
    """
    shape, time, scale, frequency = atoms.T
    # The centre of a decay's energy is half a scale after its onset.
    time, last_time = time + shape * scale / 2, last.time + last.shape * last.scale / 2
    square = scale**2 + last.scale**2
    between = (
        (time - last_time) ** 2 / 2 + 2 * (np.pi * scale * last.scale * (frequency - last.frequency)) ** 2
    ) / square
    products: Doubles = np.sqrt(2 * scale * last.scale / square) * np.exp(-between)
    return products


def neighbours(atoms: Doubles) -> list[int]:
    """Rows of the last atom and of the atoms that overlap it most, in falling order of overlap."""
    shape, time, scale, frequency = atoms[-1]
    overlap = overlaps(atoms[:-1], Atom(int(shape), time, scale, frequency))
    near = np.flatnonzero(overlap > LEAST)
    order = near[np.argsort(-overlap[near], kind="stable")]
    return [len(atoms) - 1, *(int(row) for row in order[: MOST - 1])]


def improved(atoms: Sequence[Atom], residual: Floats, sample_rate: int) -> tuple[slice, Doubles, Complex]:
    """The change of all amplitudes that makes the residual smallest.

    Shape:
        - residual: ``[channels, samples]``

    Returns:
        the samples in which any of the atoms sounds, the atoms' cosines and sines there, ``[2 * atoms, samples]``,
        and the changes, ``[atoms, channels]``
    """
    supports = [atom.support(sample_rate, residual.shape[1]) for atom in atoms]
    where = slice(min(each.start for each in supports), max(each.stop for each in supports))
    parts = np.zeros((2 * len(atoms), where.stop - where.start))
    for number, (atom, support) in enumerate(zip(atoms, supports, strict=True)):
        wave = atom.waveform(support, sample_rate)
        inside = slice(support.start - where.start, support.stop - where.start)
        parts[2 * number, inside], parts[2 * number + 1, inside] = wave.real, -wave.imag
    gram = parts @ parts.T
    gram[np.diag_indices_from(gram)] += RIDGE * np.trace(gram) / len(gram)
    change = scipy.linalg.solve(gram, parts @ residual[:, where].T.astype(np.float64), assume_a="pos")
    return where, parts, change[0::2] + 1j * change[1::2]
