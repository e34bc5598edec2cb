"""Matching pursuit with atoms of a formula: again and again the one that takes most away from what is left."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distrack.decompose.decomposer import Floats
from distrack.decompose.pursuit.atoms import DAMPED, GABOR, Atom, as_complex, fitted, stored
from distrack.decompose.pursuit.grid import Grid
from distrack.decompose.pursuit.refining import refined
from distrack.decompose.pursuit.refitting import improved, neighbours

SHAPES = {"gabor": (GABOR,), "damped": (DAMPED,), "both": (GABOR, DAMPED)}
KIND = {"gabor": "gabor", "damped": "damped", "both": "atoms"}
ROOM = 64
# Where there are both, a decay counts for so much: its onset is a break, which other atoms have to mend where there was
# none. Of a decay itself, the best Gaussian takes 0.80.
FAVOUR = {GABOR: 1.0, DAMPED: 0.85}
# Neighbours whose time, scale and frequency are looked for again after each atom of an orthogonal pursuit.
RETUNED = 2


class AtomSearch:
    """Gabor atoms, damped sinusoids or both, taken from one clip.

    Args:
        wave: ``[channels, samples]``
        atoms: a key of `SHAPES`.
        orthogonal: fit the amplitudes of overlapping atoms anew after each one.
    """

    def __init__(self, wave: Floats, sample_rate: int, *, atoms: str, orthogonal: bool) -> None:
        self.kind, self.sample_rate, self.orthogonal = KIND[atoms], sample_rate, orthogonal
        self.channels, self.samples = wave.shape
        self.shapes = SHAPES[atoms]
        self.grid = Grid(wave, sample_rate, self.shapes)
        self.filled = self.count = 0
        self.table = np.zeros((ROOM, 4))
        self.pairs = np.zeros((ROOM, self.channels, 2), np.float32)

    @property
    def residual(self) -> Floats:
        """What is left of the clip, ``[channels, samples]``."""
        return self.grid.residual

    @property
    def preparing(self) -> tuple[int, int]:
        """How many scales were correlated for the first time, of how many."""
        return self.filled, len(self.grid.scales)

    def prepare(self, *, hurried: bool) -> None:  # noqa: ARG002
        """Correlates the clip with one scale more; without all of them no atom can be chosen."""
        self.grid.fill(self.filled)
        self.filled += 1

    def take(self) -> float:
        """Takes one atom away; returns by how much energy less is left, 0 or less where nothing was taken."""
        found = []
        for shape in self.shapes:
            energy, coarse = self.grid.best(shape)
            if energy > 0:
                near, estimate = refined(coarse, self.residual, self.sample_rate)
                # Where periods are few, the search's picture of an atom is not exact, and the grid's own may be better.
                favour = FAVOUR[shape] if len(self.shapes) > 1 else 1.0
                found += [(favour * estimate, near.stored()), (favour * energy, coarse.stored())]
        for _, atom in sorted(found, reverse=True):
            gained = self._taken(atom)
            if gained > 0:
                return gained
        return 0.0

    def _taken(self, atom: Atom) -> float:
        where = atom.support(self.sample_rate, self.samples)
        if where.stop == where.start:
            return 0.0
        waveform = atom.waveform(where, self.sample_rate)
        before = self.residual[:, where].astype(np.float64)
        pairs, amplitudes = stored(fitted(before, waveform))
        after = (before - (amplitudes[:, None] * waveform).real).astype(np.float32)
        gained = _energy(before) - _energy(after)
        if gained <= 0:
            return gained
        self.residual[:, where] = after
        self._add(atom, pairs)
        others: list[Atom] = []
        if self.orthogonal:
            more, others = self._refit()
            gained += more
        self.grid.changed([atom, *others])
        return gained

    def _add(self, atom: Atom, pairs: Floats) -> None:
        if self.count == len(self.table):
            self.table = np.concatenate([self.table, np.zeros_like(self.table)])
            self.pairs = np.concatenate([self.pairs, np.zeros_like(self.pairs)])
        self.table[self.count], self.pairs[self.count] = atom, pairs
        self.count += 1

    def _atom(self, row: int) -> Atom:
        shape, *rest = self.table[row].tolist()
        return Atom(int(shape), *rest)

    def _refit(self) -> tuple[float, list[Atom]]:
        """Fits the last atom and its neighbours anew; returns what that gains, and the atoms that changed."""
        rows = neighbours(self.table[: self.count])
        if len(rows) == 1:
            return 0.0, []
        before = [self._atom(row) for row in rows]
        gained = sum(self._retuned(row) for row in rows[1 : 1 + RETUNED])
        gained += self._together(rows)
        return gained, [*before, *(self._atom(row) for row in rows[1 : 1 + RETUNED])]

    def _retuned(self, row: int) -> float:
        """Looks for a better place of an atom in what is left without it; nothing changes if there is none."""
        atom, amplitudes = self._atom(row), as_complex(self.pairs[row])
        old = atom.support(self.sample_rate, self.samples)
        before = self.residual[:, old].copy()
        self.residual[:, old] += (amplitudes[:, None] * atom.waveform(old, self.sample_rate)).real.astype(np.float32)
        near = refined(atom, self.residual, self.sample_rate)[0].stored()
        new = near.support(self.sample_rate, self.samples)
        sound = self.residual[:, new].astype(np.float64)
        waveform = near.waveform(new, self.sample_rate)
        pairs, amplitudes = stored(fitted(sound, waveform))
        left = (sound - (amplitudes[:, None] * waveform).real).astype(np.float32)
        gained = _energy(before) - _energy(self.residual[:, old]) + _energy(sound) - _energy(left)
        if gained <= 0:
            self.residual[:, old] = before
            return 0.0
        self.residual[:, new] = left
        self.table[row], self.pairs[row] = near, pairs
        return gained

    def _together(self, rows: list[int]) -> float:
        """Least squares; nothing changes where rounding would make it worse."""
        where, parts, change = improved([self._atom(row) for row in rows], self.residual, self.sample_rate)
        old = as_complex(self.pairs[rows])
        pairs, new = stored(old + change)
        step = new - old
        weights = np.stack([step.real, step.imag], axis=1).reshape(-1, self.channels)
        before = self.residual[:, where].astype(np.float64)
        after = (before - weights.T @ parts).astype(np.float32)
        gained = _energy(before) - _energy(after)
        if gained <= 0:
            return 0.0
        self.residual[:, where] = after
        self.pairs[rows] = pairs
        return gained

    def rows(self) -> Floats:
        """What was found, in the order in which it was found, as stored: ``[events, columns]``."""
        found = [
            self.table[: self.count, 1:].astype(np.float32),
            self.pairs[: self.count].reshape(-1, 2 * self.channels),
        ]
        if self.kind == "atoms":
            found.append(self.table[: self.count, :1].astype(np.float32))
        return np.concatenate(found, axis=1)

    def kept(self) -> dict[str, Floats]:
        """Atoms of a formula need nothing beside their rows."""
        return {}

    def state(self) -> dict[str, NDArray[Any]]:
        """What was found, and what was correlated."""
        done = np.array([self.filled])
        table, pairs = self.table[: self.count].copy(), self.pairs[: self.count].copy()
        return {"filled": done, "table": table, "pairs": pairs, **self.grid.state()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Takes over what another one found."""
        self.filled, self.count = int(state["filled"][0]), len(state["table"])
        room = max(self.count, ROOM)
        self.table, self.pairs = np.zeros((room, 4)), np.zeros((room, self.channels, 2), np.float32)
        self.table[: self.count], self.pairs[: self.count] = state["table"], state["pairs"]
        self.grid.restore(state)


def _energy(sound: NDArray[np.floating[Any]]) -> float:
    return float(np.square(sound, dtype=np.float64).sum())
