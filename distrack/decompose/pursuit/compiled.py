"""The inner loops of a pursuit of Gabor atoms, compiled by numba. `plain.py` has the same functions in NumPy.

Numba compiles them at their first use, within ten seconds, and keeps the result; see `distrack.compiled`. No loop adds
numbers in an order that the compiler may choose: the same clip gives the same bits.

Times and scales are in samples, frequencies in cycles per sample.
"""

import math

import numpy as np

from distrack.arrays import Complex, Doubles, Floats
from distrack.compiled import compiled
from distrack.decompose.pursuit.atoms import GABOR
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
    GROUPS,
    HOP,
    LEAD,
    LENGTH,
    Store,
)
from distrack.decompose.pursuit.newton import CONVERGED, FINE, STEPS, SUMMED, WIDEST

# Digest of all constants that this file takes from others. Numba keeps what it compiled as long as this file is the
# same, so that a change of one of them has to change this file, too.
CONSTANTS = "1f2a43bf40a02904"
_TURN = 2 * math.pi
# Samples that a step of a recurrence computes side by side; samples of a sinusoid after which one is exact again; and
# numbers that are added one by one.
_LANES, _EXACT, _FEW = 64, 32, 12
_REACH = SUMMED[GABOR]
# Columns of an atom that is computed step by step: its values, and what takes each to the sample `_LANES` further on.
_RE, _IM, _FACTOR_RE, _FACTOR_IM = range(4)


# No sum is reordered; values that are not numbers do not occur.
_compiled = compiled(fastmath=frozenset({"nnan", "nsz"}))


@_compiled
def _start(begin: int, time: float, scale: float, frequency: float, state: Doubles) -> None:
    """Writes the values of an atom from a sample on, and the factors that lead to the next samples, ``[4, lanes]``."""
    away, inverse = begin - time, 1 / (scale * scale)
    size, turn = math.exp(-0.5 * away * away * inverse), _TURN * ((frequency * away) % 1.0)
    re, im = size * math.cos(turn), size * math.sin(turn)
    turn = _TURN * ((frequency * _LANES) % 1.0)
    factor = math.exp(-_LANES * (away + 0.5 * _LANES) * inverse)
    factor_re, factor_im = factor * math.cos(turn), factor * math.sin(turn)
    # From lane to lane.
    turn = _TURN * (frequency % 1.0)
    turn_re, turn_im = math.cos(turn), math.sin(turn)
    shrink, shrinking, falling = math.exp(-(away + 0.5) * inverse), math.exp(-inverse), math.exp(-_LANES * inverse)
    for lane in range(_LANES):
        state[_RE, lane], state[_IM, lane] = re, im
        state[_FACTOR_RE, lane], state[_FACTOR_IM, lane] = factor_re, factor_im
        re, im = (re * turn_re - im * turn_im) * shrink, (re * turn_im + im * turn_re) * shrink
        shrink *= shrinking
        factor_re *= falling
        factor_im *= falling


@_compiled
def _advance(state: Doubles) -> None:
    """Moves an atom on by `_LANES` samples, but for what its factors have fallen meanwhile."""
    re, im, factor_re, factor_im = state[_RE], state[_IM], state[_FACTOR_RE], state[_FACTOR_IM]
    for lane in range(_LANES):
        old_re, old_im = re[lane], im[lane]
        re[lane] = old_re * factor_re[lane] - old_im * factor_im[lane]
        im[lane] = old_re * factor_im[lane] + old_im * factor_re[lane]


@_compiled
def _products(residual: Floats, begin: int, end: int, time: float, scale: float, frequency: float) -> Doubles:
    """Inner products of an atom's cosine and sine with themselves, each other and each channel, between two samples.

    Shape:
        - residual: ``[channels, samples]``
        - returns: ``[3 + 2 * channels]``: cosine by cosine, cosine by sine, sine by sine, then of each channel
    """
    channels = len(residual)
    state, sums = np.empty((4, _LANES)), np.zeros((3 + 2 * channels, _LANES))
    _start(begin, time, scale, frequency, state)
    re, im, cosines, both, sines = state[_RE], state[_IM], sums[0], sums[1], sums[2]
    # The factors fall by this from block to block, and the values by all that they have fallen.
    fallen, size, falling = 1.0, 1.0, math.exp(-((_LANES / scale) ** 2))
    for first in range(begin, end, _LANES):
        count = min(_LANES, end - first)
        for lane in range(count):
            cosine, sine = size * re[lane], -size * im[lane]
            cosines[lane] += cosine * cosine
            both[lane] += cosine * sine
            sines[lane] += sine * sine
        for channel in range(channels):
            # A part of a row has no negative places, so that its loop is one of wide instructions.
            piece, by_cosine, by_sine = (
                residual[channel, first : first + count],
                sums[3 + 2 * channel],
                sums[4 + 2 * channel],
            )
            for lane in range(count):
                sample = size * piece[lane]
                by_cosine[lane] += re[lane] * sample
                by_sine[lane] -= im[lane] * sample
        _advance(state)
        size *= fallen
        fallen *= falling
    total = np.zeros(len(sums))
    for row in range(len(sums)):
        for lane in range(_LANES):
            total[row] += sums[row, lane]
    return total


@_compiled
def fitted(residual: Floats, begin: int, end: int, time: float, scale: float, frequency: float) -> Complex:
    """The complex amplitude of each channel with which an atom fits the residual between two samples.

    Where cosine and sine are one function, at 0 Hz for example, the smallest amplitude that fits is chosen.
    """
    found = _products(residual, begin, end, time, scale, frequency)
    cosine, both, sine = found[0], found[1], found[2]
    trace, determinant = cosine + sine, cosine * sine - both * both
    channels = len(residual)
    amplitudes = np.zeros(channels, np.complex128)
    if not trace > 0:
        return amplitudes
    apart = determinant > 1e-9 * trace * trace
    for channel in range(channels):
        right, other = found[3 + 2 * channel], found[4 + 2 * channel]
        if apart:
            re, im = (sine * right - both * other) / determinant, (cosine * other - both * right) / determinant
        else:
            re, im = (cosine * right + both * other) / trace**2, (both * right + sine * other) / trace**2
        amplitudes[channel] = complex(re, im)
    return amplitudes


@_compiled
def _added(
    residual: Floats, begin: int, end: int, time: float, scale: float, frequency: float, amplitudes: Complex
) -> float:
    """Adds an atom to each channel between two samples, and returns the energy that this adds."""
    state, sums = np.empty((4, _LANES)), np.zeros(_LANES)
    _start(begin, time, scale, frequency, state)
    re, im = state[_RE], state[_IM]
    fallen, size, falling = 1.0, 1.0, math.exp(-((_LANES / scale) ** 2))
    for first in range(begin, end, _LANES):
        count = min(_LANES, end - first)
        for channel in range(len(residual)):
            by_re, by_im = size * amplitudes[channel].real, size * amplitudes[channel].imag
            piece = residual[channel, first : first + count]
            for lane in range(count):
                old = piece[lane]
                new = np.float32(old + (by_re * re[lane] - by_im * im[lane]))
                piece[lane] = new
                sums[lane] += np.float64(new) * new - np.float64(old) * old
        _advance(state)
        size *= fallen
        fallen *= falling
    total = 0.0
    for lane in range(_LANES):
        total += sums[lane]
    return total


@_compiled
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
        only_if_less: whether the residual stays as it was, but for rounding, unless the energy falls; the returned
            number is then what would have been removed.
    """
    removed = -_added(residual, begin, end, time, scale, frequency, -amplitudes)
    if only_if_less and removed <= 0:
        _added(residual, begin, end, time, scale, frequency, amplitudes)
    return removed


@_compiled
def _baseband(residual: Floats, begin: int, end: int, width: int, blocks: int, frequency: float) -> Doubles:
    """The sound between two samples, shifted by a frequency to 0 and summed in blocks: ``[channels, blocks, 2]``."""
    channels = len(residual)
    sums = np.zeros((channels, blocks, 2))
    turns_re, turns_im = np.empty(width), np.empty(width)
    turn = -_TURN * (frequency % 1.0)
    turn_re, turn_im = math.cos(turn), math.sin(turn)
    for at in range(width):
        if at % _EXACT == 0:
            turn = -_TURN * ((frequency * at) % 1.0)
            turns_re[at], turns_im[at] = math.cos(turn), math.sin(turn)
        else:
            re, im = turns_re[at - 1], turns_im[at - 1]
            turns_re[at], turns_im[at] = re * turn_re - im * turn_im, re * turn_im + im * turn_re
    products_re, products_im = np.empty(width), np.empty(width)
    for channel in range(channels):
        for block in range(blocks):
            first = begin + block * width
            count = min(width, end - first)
            piece = residual[channel, first : first + count]
            for at in range(count):
                products_re[at] = piece[at] * turns_re[at]
                products_im[at] = piece[at] * turns_im[at]
            # The second half is added to the first, again and again.
            while count > _FEW:
                half = count // 2
                low_re, high_re = products_re[:half], products_re[count - half : count]
                low_im, high_im = products_im[:half], products_im[count - half : count]
                for at in range(half):
                    low_re[at] += high_re[at]
                    low_im[at] += high_im[at]
                count -= half
            re = im = 0.0
            for at in range(count):
                re += products_re[at]
                im += products_im[at]
            turn = -_TURN * ((frequency * first) % 1.0)
            cosine, sine = math.cos(turn), math.sin(turn)
            sums[channel, block, 0] = re * cosine - im * sine
            sums[channel, block, 1] = re * sine + im * cosine
    return sums


@_compiled
def _newton_step(
    sums: Doubles, middle: Doubles, counts: Doubles, time: float, scale: float, frequency: float
) -> tuple[float, float, float, float]:
    """Newton's steps in time, logarithm of scale and frequency, and the energy that the atom removes.

    Args:
        sums: of `_baseband`.
        middle, counts: middle of each block, and how many samples of it lie within the clip.
        frequency: distance from the frequency that was shifted to 0.

    Source:
        See `newton.py`.
    """
    channels, blocks = sums.shape[:2]
    moments = np.zeros((channels, 6))
    own = own_first = own_second = 0.0
    # From block to block the phase turns evenly, and the logarithm of the envelope falls evenly faster.
    width = middle[1] - middle[0] if blocks > 2 else 0.0
    turn = -_TURN * ((frequency * width) % 1.0)
    turn_re, turn_im = math.cos(turn), math.sin(turn)
    slower = math.exp(-((width / scale) ** 2))
    re, im, factor = 0.0, 0.0, 0.0
    envelope = 0.0
    for block in range(blocks):
        away = (middle[block] - time) / scale
        # The last block may be shorter.
        if block == 0 or block == blocks - 1:
            envelope = math.exp(-0.5 * away * away)
            factor = math.exp(-width / scale * (away + 0.5 * width / scale))
            turn = -_TURN * ((frequency * middle[block]) % 1.0)
            re, im = math.cos(turn), math.sin(turn)
        weight = envelope * envelope * counts[block]
        own += weight
        own_first += weight * away
        own_second += weight * away * away
        cosine, sine = envelope * re, envelope * im
        for channel in range(channels):
            real = sums[channel, block, 0] * cosine - sums[channel, block, 1] * sine
            imaginary = sums[channel, block, 0] * sine + sums[channel, block, 1] * cosine
            moments[channel, 0] += real
            moments[channel, 1] += imaginary
            moments[channel, 2] += real * away
            moments[channel, 3] += imaginary * away
            moments[channel, 4] += real * away * away
            moments[channel, 5] += imaginary * away * away
        envelope *= factor
        factor *= slower
        re, im = re * turn_re - im * turn_im, re * turn_im + im * turn_re
    size = first = first_turned = second = 0.0
    for channel in range(channels):
        re, im, re1, im1, re2, im2 = moments[channel]
        size += re * re + im * im
        first += re * re1 + im * im1
        first_turned += re * im1 - im * re1
        second += re * re2 + im * im2
    if not (size > 0 and own > 0):
        return 0.0, 0.0, 0.0, 0.0
    in_time = scale * (2 * first / size - 2 * own_first / own)
    in_scale = 2 * second / size - 2 * own_second / own
    # The moment times -2 pi i scale: its product with the conjugate has this real part.
    in_frequency = 2 * (_TURN * scale * first_turned) / size / (_TURN**2 * scale**2)
    return in_time, in_scale, in_frequency, 2 * size / own


@_compiled
def refined(
    residual: Floats, time: float, scale: float, frequency: float, highest: float
) -> tuple[float, float, float, float, float]:
    """The Gabor atom near a given one that removes about the most energy, that energy, and that of the given one.

    Source:
        See `newton.refined`.
    """
    samples = residual.shape[1]
    width = max(int(scale / FINE), 1)
    begin = max(math.ceil(time - _REACH * scale), 0)
    end = min(math.floor(time + _REACH * scale) + 1, samples)
    blocks = max(-(-(end - begin) // width), 0)
    sums = _baseband(residual, begin, end, width, blocks, frequency)
    middle, counts = np.empty(blocks), np.empty(blocks)
    for block in range(blocks):
        counts[block] = min(width, end - begin - block * width)
        middle[block] = begin + block * width + (counts[block] - 1) / 2
    best_time, best_scale, best_frequency = time, scale, frequency
    in_time, in_scale, in_frequency, energy = _newton_step(sums, middle, counts, time, scale, 0.0)
    given, share = energy, 1.0
    for _ in range(STEPS):
        new_time = best_time + max(min(share * in_time, best_scale), -best_scale)
        new_scale = best_scale * math.exp(max(min(share * in_scale, 0.5), -0.5))
        new_scale = min(max(new_scale, scale / WIDEST), scale * WIDEST)
        limit = 0.25 / best_scale
        new_frequency = best_frequency + max(min(share * in_frequency, limit), -limit)
        if not 0 < new_frequency < highest:
            break
        found = _newton_step(sums, middle, counts, new_time, new_scale, new_frequency - frequency)
        if found[3] <= energy:
            share /= 4
            continue
        converged = found[3] < CONVERGED * energy
        best_time, best_scale, best_frequency = new_time, new_scale, new_frequency
        in_time, in_scale, in_frequency, energy = found
        if converged:
            break
    return best_time, best_scale, best_frequency, energy, given


@_compiled
def _column(at: int, bins: int, edge: int) -> int:
    """The column of `Store.edges` for a bin; -1 for a bin whose atom does not overlap its conjugate."""
    if at < edge:
        return at
    return at - bins + 2 * edge if at >= bins - edge else -1


@_compiled
def _energy(cells: Complex, edges: Floats, layer: int, at: int, place: int) -> np.float32:
    """Half of the energy that the atom of a cell removes, but for what an end of the clip cuts.

    Args:
        at: the cell.
        place: -1, or the column of `edges` for an atom near 0 or half the sample rate, which overlaps its conjugate.
    """
    energy = np.float32(0.0)
    for channel in range(len(cells)):
        re, im = cells[channel, at].real, cells[channel, at].imag
        size = re * re + im * im
        if place >= 0:
            if edges[layer, 3, place] == 0:
                size -= edges[layer, 0, place] * (re * re - im * im) - edges[layer, 1, place] * 2 * re * im
            size *= edges[layer, 2, place]
        energy += size
    return energy


@_compiled
def _measure(store: Store, layer: int, first: int, last: int, first_block: int, last_block: int) -> None:
    """Writes the largest energies of some blocks of bins of some frames, of those frames, and of their groups."""
    sizes, cells, edges, edge = store.sizes[layer], store.cells, store.edges, store.edges.shape[2] // 2
    bins, blocks, count, place = sizes[BINS], sizes[BLOCKS], sizes[FRAMES], sizes[FIRST_FRAME]
    frames, inside = store.frames[place : place + count], store.inside[place : place + count]
    low, high = first_block * BLOCK, min(last_block * BLOCK, bins)
    energies = np.zeros((last_block - first_block, BLOCK), np.float32)
    row = energies.ravel()
    for frame in range(first, last):
        cell, peak = sizes[FIRST_CELL] + frame * bins, sizes[FIRST_PEAK] + frame * blocks
        # A part of a row has no negative places, so that its loop is one of wide instructions.
        piece = cells[0, cell + low : cell + high]
        for at in range(high - low):
            row[at] = piece[at].real * piece[at].real + piece[at].imag * piece[at].imag
        if len(cells) > 1:
            piece = cells[1, cell + low : cell + high]
            for at in range(high - low):
                row[at] += piece[at].real * piece[at].real + piece[at].imag * piece[at].imag
        for at in range(low, min(edge, high)):
            row[at - low] = _energy(cells, edges, layer, cell + at, at)
        for at in range(max(low, edge, bins - edge), high):
            row[at - low] = _energy(cells, edges, layer, cell + at, at - bins + 2 * edge)
        peaks = store.peaks[peak + first_block : peak + last_block]
        factor = np.float32(2) * inside[frame]
        before, highest, lost = frames[frame], np.float32(0.0), False
        for number in range(last_block - first_block):
            best = np.float32(0.0)
            for within in range(BLOCK):
                best = max(best, energies[number, within])
            best *= factor
            lost |= peaks[number] >= before
            peaks[number] = best
            highest = max(highest, best)
        if highest < before and lost:
            peaks = store.peaks[peak : peak + blocks]
            for number in range(blocks):
                highest = max(highest, peaks[number])
        elif highest < before:
            highest = before
        frames[frame] = highest
    _measure_groups(store, layer, first, last)


@_compiled
def _measure_groups(store: Store, layer: int, first: int, last: int) -> None:
    """Writes the largest energies of the groups that some frames belong to."""
    sizes = store.sizes[layer]
    frames = store.frames[sizes[FIRST_FRAME] : sizes[FIRST_FRAME] + sizes[FRAMES]]
    for number in range(first // GROUP, (last - 1) // GROUP + 1):
        best = np.float32(0.0)
        part = frames[number * GROUP : (number + 1) * GROUP]
        for frame in range(len(part)):
            best = max(best, part[frame])
        store.groups[sizes[FIRST_GROUP] + number] = best


@_compiled
def measure(store: Store, layer: int, first: int, last: int) -> None:
    """Writes the largest energies of some frames of a layer, whose cells were written."""
    if last > first:
        _measure(store, layer, first, last, 0, store.sizes[layer, BLOCKS])


@_compiled
def _first_of_largest(values: Floats) -> tuple[np.float32, int]:
    """The largest of some numbers, and its place."""
    largest = values[0]
    for at in range(len(values)):
        largest = max(largest, values[at])
    for at in range(len(values)):
        if values[at] == largest:
            return largest, at
    return largest, 0


@_compiled
def best(store: Store) -> tuple[float, int, int, int]:
    """The energy that the best atom of all layers removes, and its layer, frame and bin."""
    top, layer, group = np.float32(-1.0), 0, 0
    for each in range(len(store.sizes)):
        first = store.sizes[each, FIRST_GROUP]
        energy, at = _first_of_largest(store.groups[first : first + store.sizes[each, GROUPS]])
        if energy > top:
            top, layer, group = energy, each, at
    sizes = store.sizes[layer]
    first = sizes[FIRST_FRAME]
    begin = first + group * GROUP
    _, at = _first_of_largest(store.frames[begin : min(begin + GROUP, first + sizes[FRAMES])])
    frame = group * GROUP + at
    row = sizes[FIRST_PEAK] + frame * sizes[BLOCKS]
    _, part = _first_of_largest(store.peaks[row : row + sizes[BLOCKS]])
    bins, edge = sizes[BINS], store.edges.shape[2] // 2
    cell = sizes[FIRST_CELL] + frame * bins
    energy, where = np.float32(-1.0), part * BLOCK
    for at in range(part * BLOCK, min((part + 1) * BLOCK, bins)):
        held = _energy(store.cells, store.edges, layer, cell + at, _column(at, bins, edge))
        if held > energy:
            energy, where = held, at
    return float(2 * energy * store.inside[first + frame]), layer, frame, where


@_compiled
def _lessen_image(
    store: Store,
    layer: int,
    first: int,
    last: int,
    low: int,
    high: int,
    time: float,
    scale: float,
    centre: float,
    turned: float,
    top: float,
    amplitudes: Complex,
    conjugate: bool,
) -> None:
    """Takes one of the complex sinusoids of a real atom out of some frames and bins of a layer.

    In a row of bins the phase turns evenly; from frame to frame the phase of the first bin and that turn do, and the
    logarithm of the size falls evenly faster: all are recurrences.
    """
    cells, channels = store.cells, len(store.cells)
    hop, length, bins = store.sizes[layer, HOP], store.sizes[layer, LENGTH], store.sizes[layer, BINS]
    own, first_cell = store.windows[layer, 0], store.sizes[layer, FIRST_CELL]
    square = scale * scale + own * own
    narrow = _TURN * _TURN * scale * scale * own * own / square
    sizes_of_bins = np.empty(high - low)
    distance = low / length - centre
    value, factor = (
        math.exp(-0.5 * narrow * distance * distance),
        math.exp(-narrow * (distance + 0.5 / length) / length),
    )
    slower = math.exp(-narrow / (length * length))
    for at in range(high - low):
        sizes_of_bins[at] = value
        value *= factor
        factor *= slower
    begin = first * hop - store.sizes[layer, LEAD]
    away = begin + 0.5 * length - time
    # Where the product of atom and window has its middle, and how far that moves from frame to frame.
    share = scale * scale / square
    between = time + away * share
    size, shrink = top * math.exp(-0.5 * away * away / square), math.exp(-hop * (away + 0.5 * hop) / square)
    shrinking = math.exp(-hop * hop / square)
    turn = _TURN * ((centre * (between - time)) % 1.0 + (low / length * (begin - between)) % 1.0 + turned)
    phase_re, phase_im = math.cos(turn), math.sin(turn)
    turn = _TURN * ((centre * hop * share) % 1.0 + (low / length * hop * (1 - share)) % 1.0)
    phase_turn_re, phase_turn_im = math.cos(turn), math.sin(turn)
    turn = _TURN * (((begin - between) / length) % 1.0)
    step_re, step_im = math.cos(turn), math.sin(turn)
    turn = _TURN * ((hop * (1 - share) / length) % 1.0)
    step_turn_re, step_turn_im = math.cos(turn), math.sin(turn)
    for frame in range(first, last):
        row = first_cell + frame * bins
        for channel in range(channels):
            a, b = size * amplitudes[channel].real, size * amplitudes[channel].imag
            if conjugate:
                b = -b
            re, im = a * phase_re - b * phase_im, a * phase_im + b * phase_re
            piece = cells[channel, row + low : row + high]
            for at in range(high - low):
                weight = sizes_of_bins[at]
                piece[at] -= np.complex64(complex(weight * re, weight * im))
                re, im = re * step_re - im * step_im, re * step_im + im * step_re
        phase_re, phase_im = (
            phase_re * phase_turn_re - phase_im * phase_turn_im,
            phase_re * phase_turn_im + phase_im * phase_turn_re,
        )
        step_re, step_im = (
            step_re * step_turn_re - step_im * step_turn_im,
            step_re * step_turn_im + step_im * step_turn_re,
        )
        size *= shrink
        shrink *= shrinking


@_compiled
def lessen(store: Store, time: float, scale: float, frequency: float, amplitudes: Complex, tolerance: float) -> None:
    """Takes an atom out of the cells that it overlaps, by the closed form of their inner product.

    The product of an atom and a cell's window is a Gaussian, whose Fourier transform is one, too. A real atom is half
    the sum of a complex one and its conjugate, which lies at -f, and as samples do at 1 - f.

    Args:
        tolerance: a smaller change of a cell is left out.

    Source:
        The inner product of two Gabor atoms: Mallat and Zhang, 1993, appendix E.
    """
    channels = len(store.cells)
    largest = 0.0
    for channel in range(channels):
        largest = max(largest, abs(amplitudes[channel]))
    for layer in range(len(store.sizes)):
        sizes = store.sizes[layer]
        hop, lead, length, count, bins = sizes[HOP], sizes[LEAD], sizes[LENGTH], sizes[FRAMES], sizes[BINS]
        own, gain = store.windows[layer, 0], store.windows[layer, 1]
        square = scale * scale + own * own
        # The variance of the product, and what a squared distance in frequency is divided by.
        spread = scale * scale * own * own / square
        narrow = _TURN * _TURN * spread
        top = 0.5 * gain * math.sqrt(_TURN * spread)
        if not top * largest > tolerance:
            continue
        reach = 2 * math.log(top * largest / tolerance)
        half, widest = math.sqrt(reach * square), math.sqrt(reach / narrow)
        middle = time + lead - 0.5 * length
        first = max(math.ceil((middle - half) / hop), 0)
        last = min(math.floor((middle + half) / hop) + 1, count)
        if last <= first:
            continue
        lowest, above = bins, 0
        for image in range(3):
            if image == 0:
                centre, turned = frequency, 0.0
            elif image == 1:
                if frequency > widest:
                    continue
                centre, turned = -frequency, 0.0
            else:
                if frequency < 0.5 - widest:
                    continue
                centre, turned = 1.0 - frequency, time % 1.0
            low = max(math.ceil((centre - widest) * length), 0)
            high = min(math.floor((centre + widest) * length) + 1, bins)
            if high > low:
                _lessen_image(
                    store, layer, first, last, low, high, time, scale, centre, turned, top, amplitudes, image > 0
                )
                lowest, above = min(lowest, low), max(above, high)
        if above > lowest:
            _measure(store, layer, first, last, lowest // BLOCK, (above - 1) // BLOCK + 1)
