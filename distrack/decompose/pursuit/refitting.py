"""Local least squares: an atom and those that it overlaps with are fitted together."""

from collections.abc import Sequence

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from distrack.decompose.pursuit.atoms import DAMPED, Atom, rounded

# More neighbours gain next to nothing, and cost by their square.
_MOST = 16
# Scales, and widths in frequency, within which two atoms are said to overlap.
_NEAR_IN_TIME, _NEAR_IN_FREQUENCY = 3.0, 3.0
_RIDGE = 1e-9


def neighbours(atoms: Sequence[Atom]) -> list[int]:
    """Numbers of the last atom and of those it overlaps with, the nearest first."""
    last = atoms[-1]
    table = np.array(atoms, np.float64)
    centre = table[:, 1] + np.where(table[:, 0] == DAMPED, table[:, 2], 0)
    apart = np.abs(centre - centre[-1]) / (table[:, 2] + last.scale) / _NEAR_IN_TIME
    width = 1 / (2 * np.pi * table[:, 2])
    beside = np.abs(table[:, 3] - last.frequency) / (width + width[-1]) / _NEAR_IN_FREQUENCY
    distance = np.maximum(apart, beside)
    order = np.argsort(distance, kind="stable")
    near = [int(number) for number in order[: _MOST + 1] if distance[number] < 1 and number != len(atoms) - 1]
    return [len(atoms) - 1, *near[:_MOST]]


def refit(
    residual: NDArray[np.float64],
    sample_rate: int,
    atoms: Sequence[Atom],
    amplitudes: Sequence[NDArray[np.complex128]],
) -> tuple[tuple[int, int], list[NDArray[np.complex128]]]:
    """Changes the amplitudes of some atoms so that the residual is least, and the residual with them.

    Shape:
        - residual: ``[channels, samples]``
        - amplitudes: ``[channels]`` each

    Returns:
        the samples that changed, and the new amplitudes
    """
    supports = [atom.support(sample_rate, residual.shape[1]) for atom in atoms]
    first, last = min(where.start for where in supports), max(where.stop for where in supports)
    columns = np.zeros((2 * len(atoms), last - first))
    for number, (atom, where) in enumerate(zip(atoms, supports, strict=True)):
        wave = atom.waveform(where, sample_rate)
        inside = slice(where.start - first, where.stop - first)
        columns[2 * number, inside], columns[2 * number + 1, inside] = wave.real, -wave.imag
    gram = columns @ columns.T
    gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / len(gram)
    steps = scipy.linalg.solve(gram, columns @ residual[:, first:last].T, assume_a="pos")
    before = np.array(amplitudes)
    after = np.array([rounded(value) for value in before + (steps[0::2] + 1j * steps[1::2])])
    change = after - before
    weights = np.empty((2 * len(atoms), len(residual)))
    weights[0::2], weights[1::2] = change.real, change.imag
    residual[:, first:last] -= weights.T @ columns
    return (first, last), list(after)
