"""Local least squares: the amplitudes of an atom and of those that it overlaps with, fitted anew together."""

from collections.abc import Sequence

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from distrack.decompose.pursuit.atoms import Atom

# How many are fitted at once: cost grows by the square, and those that overlap little gain little.
MOST = 12
# Overlap below which two atoms have nothing to settle between them.
LEAST = 0.02
# Of the mean energy of the atoms: two that are nearly the same would be given large amplitudes that cancel.
RIDGE = 1e-6

Doubles = NDArray[np.float64]
Complex = NDArray[np.complex128]


def overlaps(atoms: Doubles, last: Atom) -> Doubles:
    """About how alike atoms and one of them are, 1 for the same, as if all were Gaussians.

    Shape:
        - atoms: ``[atoms, 4]``
        - returns: ``[atoms]``

    Source:
        The inner product of two Gabor atoms without chirp: Mallat and Zhang, 1993, appendix E.
    """
    shape, time, scale, frequency = atoms.T
    # The centre of a decay's energy is half a scale after its onset.
    time, mine = time + shape * scale / 2, last.time + last.shape * last.scale / 2
    square = scale**2 + last.scale**2
    between = ((time - mine) ** 2 / 2 + 2 * (np.pi * scale * last.scale * (frequency - last.frequency)) ** 2) / square
    found: Doubles = np.sqrt(2 * scale * last.scale / square) * np.exp(-between)
    return found


def neighbours(atoms: Doubles) -> list[int]:
    """Rows of the last atom and of those that overlap with it most, the nearest first."""
    shape, time, scale, frequency = atoms[-1]
    alike = overlaps(atoms[:-1], Atom(int(shape), time, scale, frequency))
    near = np.flatnonzero(alike > LEAST)
    order = near[np.argsort(-alike[near], kind="stable")]
    return [len(atoms) - 1, *(int(row) for row in order[: MOST - 1])]


def improved(atoms: Sequence[Atom], residual: NDArray[np.float32], sample_rate: int) -> tuple[slice, Doubles, Complex]:
    """By how much amplitudes are to change so that the residual is least.

    Shape:
        - residual: ``[channels, samples]``

    Returns:
        the samples in which any of the atoms is heard, the atoms' cosines and sines there, ``[2 * atoms, samples]``,
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
