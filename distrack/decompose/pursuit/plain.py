"""The functions of `compiled.py` in NumPy, for machines without numba. They take ten times as long.

Times and scales are in samples, frequencies in cycles per sample.
"""

import math

import numpy as np

from distrack.arrays import Complex, Floats
from distrack.decompose.pursuit import newton
from distrack.decompose.pursuit.atoms import GABOR, Atom
from distrack.decompose.pursuit.atoms import fitted as fitted_to
from distrack.decompose.pursuit.layout import (
    BINS,
    BLOCK,
    BLOCKS,
    FIRST_CELL,
    FIRST_FRAME,
    FIRST_GROUP,
    FIRST_PEAK,
    FRAMES,
    GROUP,
    HOP,
    LEAD,
    LENGTH,
    Store,
)


def fitted(residual: Floats, begin: int, end: int, time: float, scale: float, frequency: float) -> Complex:
    """The complex amplitude of each channel with which an atom fits the residual between two samples."""
    waveform = Atom(GABOR, time, scale, frequency).waveform(slice(begin, end), 1)
    return fitted_to(residual[:, begin:end].astype(np.float64), waveform)


def subtract(
    residual: Floats,
    begin: int,
    end: int,
    time: float,
    scale: float,
    frequency: float,
    amplitudes: Complex,
    only_if_less: bool,
) -> float:
    """Subtracts an atom from each channel between two samples, and returns the energy that this removes.

    Args:
        only_if_less: whether the residual stays as it was unless the energy falls; the returned number is then
            what would have been removed.
    """
    sound = Atom(GABOR, time, scale, frequency).sound(amplitudes, slice(begin, end), 1)
    before = residual[:, begin:end].astype(np.float64)
    after = (before - sound).astype(np.float32)
    removed = float(np.square(before).sum() - np.square(after, dtype=np.float64).sum())
    if removed > 0 or not only_if_less:
        residual[:, begin:end] = after
    return removed


def refined(
    residual: Floats,
    time: float,
    scale: float,
    frequency: float,
    highest: float,
) -> tuple[float, float, float, float, float]:
    """The Gabor atom near a given one that removes about the most energy, that energy, and that of the given one."""
    atom, energy, given = newton.refined(Atom(GABOR, time, scale, frequency), residual, 1, highest)
    return atom.time, atom.scale, atom.frequency, energy, given


def measure(store: Store, layer: int, first: int, last: int) -> None:
    """Writes the largest energies of some frames of a layer, whose cells were written."""
    if last > first:
        _measure(store, layer, first, last, 0, int(store.sizes[layer, BLOCKS]))


def _measure(store: Store, layer: int, first: int, last: int, first_block: int, last_block: int) -> None:
    """Writes the largest energies of some blocks of bins of some frames, of those frames, and of their groups."""
    sizes = store.sizes[layer]
    frames, bins, blocks = int(sizes[FRAMES]), int(sizes[BINS]), int(sizes[BLOCKS])
    low, high = first_block * BLOCK, min(last_block * BLOCK, bins)
    padded = np.zeros((last - first, (last_block - first_block) * BLOCK), np.float32)
    padded[:, : high - low] = _energies(store, layer, first, last, low, high)
    row, place, group = int(sizes[FIRST_PEAK]), int(sizes[FIRST_FRAME]), int(sizes[FIRST_GROUP])
    peaks = store.peaks[row + first * blocks : row + last * blocks].reshape(last - first, blocks)
    peaks[:, first_block:last_block] = padded.reshape(last - first, -1, BLOCK).max(axis=2)
    store.frames[place + first : place + last] = peaks.max(axis=1)
    for number in range(first // GROUP, (last - 1) // GROUP + 1):
        part = store.frames[place + number * GROUP : place + min((number + 1) * GROUP, frames)]
        store.groups[group + number] = part.max()


def _energies(store: Store, layer: int, first: int, last: int, low: int, high: int) -> Floats:
    """The energy that the atom of each cell of some frames and bins removes, ``[frames, bins]``."""
    sizes, edge = store.sizes[layer], store.edges.shape[2] // 2
    bins, place = int(sizes[BINS]), int(sizes[FIRST_FRAME])
    cells = _of(store, layer)[:, first:last, low:high]
    energies = np.square(cells.real) + np.square(cells.imag)
    if low < edge or high > bins - edge:
        columns = np.arange(bins)
        columns = np.where(columns < edge, columns, np.maximum(columns - bins + 2 * edge, edge - 1))
        columns = columns[low:high]
        where = np.flatnonzero((np.arange(low, high) < edge) | (columns >= edge))
        real, imaginary, weight, one = store.edges[layer][:, columns[where]]
        own = (real + 1j * imaginary).astype(np.complex64)
        both = energies[:, :, where] - np.where(one > 0, 0, (own * cells[:, :, where] ** 2).real)
        energies[:, :, where] = both * weight
    total: Floats = 2 * energies.sum(axis=0) * store.inside[place + first : place + last, None]
    return total


def best(store: Store) -> tuple[float, int, int, int]:
    """The energy that the best atom of all layers removes, and its layer, frame and bin."""
    top = int(store.groups.argmax())
    layer = int(np.searchsorted(store.sizes[:, FIRST_GROUP], top, side="right")) - 1
    sizes = store.sizes[layer]
    low = (top - int(sizes[FIRST_GROUP])) * GROUP
    place = int(sizes[FIRST_FRAME])
    frame = low + int(store.frames[place + low : place + min(low + GROUP, int(sizes[FRAMES]))].argmax())
    energies = _energies(store, layer, frame, frame + 1, 0, int(sizes[BINS]))[0]
    at = int(energies.argmax())
    return float(energies[at]), layer, frame, at


def lessen(store: Store, time: float, scale: float, frequency: float, amplitudes: Complex, tolerance: float) -> None:
    """Takes an atom out of the cells that it overlaps; see `compiled.lessen`."""
    largest = float(np.abs(amplitudes).max())
    for layer, sizes in enumerate(store.sizes):
        own, gain = store.windows[layer]
        hop, lead, length = int(sizes[HOP]), int(sizes[LEAD]), int(sizes[LENGTH])
        square = scale**2 + own**2
        spread = scale**2 * own**2 / square
        narrow = 4 * math.pi**2 * spread
        top = 0.5 * gain * math.sqrt(2 * math.pi * spread)
        if not top * largest > tolerance:
            continue
        reach = 2 * math.log(top * largest / tolerance)
        half, widest = math.sqrt(reach * square), math.sqrt(reach / narrow)
        middle = time + lead - length / 2
        first = max(math.ceil((middle - half) / hop), 0)
        last = min(math.floor((middle + half) / hop) + 1, int(sizes[FRAMES]))
        if last <= first:
            continue
        images = [(frequency, 0.0, amplitudes)]
        images += [(-frequency, 0.0, amplitudes.conj())] if frequency <= widest else []
        images += [(1 - frequency, time % 1, amplitudes.conj())] if frequency >= 0.5 - widest else []
        begin = np.arange(first, last) * hop - lead
        away = begin + length / 2 - time
        between = time + away * scale**2 / square
        in_time = top * np.exp(-0.5 * away**2 / square)
        lowest, above = int(sizes[BINS]), 0
        for centre, turned, sizes_of_channels in images:
            low = max(math.ceil((centre - widest) * length), 0)
            high = min(math.floor((centre + widest) * length) + 1, int(sizes[BINS]))
            if high <= low:
                continue
            bins = np.arange(low, high) / length
            phase = (centre * (between - time))[:, None] + bins * (begin - between)[:, None] + turned
            product = in_time[:, None] * np.exp(-0.5 * narrow * (bins - centre) ** 2) * np.exp(2j * np.pi * (phase % 1))
            _of(store, layer)[:, first:last, low:high] -= sizes_of_channels[:, None, None] * product
            lowest, above = min(lowest, low), max(above, high)
        if above > lowest:
            _measure(store, layer, first, last, lowest // BLOCK, (above - 1) // BLOCK + 1)


def _of(store: Store, layer: int) -> Complex:
    """The cells of a layer, ``[channels, frames, bins]``, which share memory with all."""
    sizes = store.sizes[layer]
    first, count, bins = int(sizes[FIRST_CELL]), int(sizes[FRAMES]), int(sizes[BINS])
    cells: Complex = store.cells[:, first : first + count * bins].reshape(len(store.cells), count, bins)
    return cells
