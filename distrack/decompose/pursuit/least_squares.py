"""Local least squares: refits the amplitudes of an atom and of the atoms that overlap it, all at once."""

from collections.abc import Sequence

import numpy as np
import scipy.linalg

from distrack.arrays import Complex, Doubles, Floats
from distrack.decompose.pursuit.atoms import Atom

# Most atoms that are fitted at once: the cost grows with their square, and those that overlap little gain little.
MOST = 12
# Two atoms that overlap less than this are fitted apart.
LEAST = 0.02
# Ridge as a share of the atoms' mean energy: without it, two nearly equal atoms get large amplitudes that cancel.
RIDGE = 1e-6


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
