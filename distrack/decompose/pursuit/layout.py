"""Where the cells of a pursuit lie in memory."""

from typing import NamedTuple

from distrack.arrays import Complex, Doubles, Floats, Integers

# Bins of a block and frames of a group, whose largest energies are kept, so that the best atom is found quickly.
BLOCK, GROUP = 8, 64
# Columns of the table of sizes, a row for each layer: where its numbers begin in each array, and how many there are.
FIRST_CELL, FIRST_FRAME, FIRST_PEAK, FIRST_GROUP, FRAMES, BINS, BLOCKS, GROUPS, HOP, LEAD, LENGTH = range(11)


class Store(NamedTuple):
    """The cells of all layers, one after another; a layer has all frames and bins of one scale.

    Attributes:
        cells: inner product of the residual with each atom of the grid, ``[channels, cells]``.
        peaks: largest energy that an atom of each block of bins removes, ``[blocks]``.
        frames, groups: the same for each frame and for each group of frames.
        inside: factor on the energies of a frame, more than 1 where an end of the clip cuts it, ``[frames]``.
        edges: for the lowest and highest bins, the inner product of an atom with its conjugate (real and imaginary
            part), the factor on its energy, and whether cosine and sine are one atom: ``[layers, 4, 2 * edge]``.
        windows: scale of a layer's windows in samples, and their largest value, ``[layers, 2]``.
        sizes: ``[layers, 11]``.
    """

    cells: Complex
    peaks: Floats
    frames: Floats
    groups: Floats
    inside: Floats
    edges: Floats
    windows: Doubles
    sizes: Integers
