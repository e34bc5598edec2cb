"""Least squares for the amplitudes of all uses of waveforms at once, by conjugate gradients."""

import numpy as np

from distrack.arrays import Doubles, Floats, Integers

# Steps of the solver, and the share of the first error at which it ends.
_STEPS, _ENOUGH = 30, 1e-6
# Most pairs of overlapping uses: they take 40 bytes each.
MOST_PAIRS = 1 << 22


def overlapping(places: Integers, length: int) -> tuple[Integers, Integers] | None:
    """All pairs of uses that overlap, in both orders, and each use with itself; None if there are too many.

    >>> [use.tolist() for use in overlapping(np.array([5, 0, 9]), 5)]
    [[1, 0, 0, 2, 2], [1, 0, 2, 0, 2]]
    """
    order = np.argsort(places, kind="stable")
    first = np.searchsorted(places[order], places[order] - length, side="right")
    counts = np.searchsorted(places[order], places[order] + length, side="left") - first
    if counts.sum() > MOST_PAIRS:
        return None
    others = np.arange(counts.sum()) + np.repeat(first - np.cumsum(counts) + counts, counts)
    return np.repeat(order, counts), order[others]


def fitted_change(pairs: tuple[Integers, Integers], products: Floats, right: Doubles) -> Doubles:
    """The change of all amplitudes that removes the most energy from a residual.

    Args:
        pairs: uses that overlap.
        products: inner product of the waveforms of each pair.
        right: inner product of each use's waveform with the residual.

    Shape:
        - products: ``[pairs]``
        - right: ``[uses, channels]``
        - returns: ``[uses, channels]``
    """
    change, error, step = np.zeros_like(right), right.copy(), right.copy()
    size = np.square(error).sum(axis=0)
    enough = _ENOUGH * size
    for _ in range(_STEPS):
        if (size <= enough).all():
            break
        product = np.stack([np.bincount(pairs[0], products * one[pairs[1]], len(right)) for one in step.T], axis=1)
        length = size / np.maximum((step * product).sum(axis=0), 1e-300)
        change += length * step
        error -= length * product
        before, size = size, np.square(error).sum(axis=0)
        step = error + size / np.maximum(before, 1e-300) * step
    return change
