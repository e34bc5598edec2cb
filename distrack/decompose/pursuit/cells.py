"""Cells: how much of each atom of a grid a residual holds, kept up to date by closed forms."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distrack.arrays import Complex, Floats
from distrack.decompose.pursuit.atoms import CORE, GABOR
from distrack.decompose.pursuit.grid import AT_ONCE, Scale, frame_lengths, hop_of
from distrack.decompose.pursuit.kernels import Kernels
from distrack.decompose.pursuit.layout import BINS, BLOCK, FIRST_CELL, GROUP, Store

# Bins near 0 Hz, and near half the sample rate, whose atoms may overlap their own conjugates.
_EDGE = 4
_REACH = CORE[GABOR]


class Cells:
    """Inner products of a residual with all Gabor atoms of a grid, and the residual itself.

    They take 80 bytes for each sample of each channel: five scales, and twice as many complex numbers as samples in
    each of them.

    Args:
        residual: it is copied.
        space: memory for the cells, two numbers each or more, which is overwritten; without it they take their own.
        band: lowest and highest frequency of the cells that `transform` computes, in cycles per sample; others hold 0.

    Attributes:
        stale: layer and number of each frame whose cells are inexact until it is transformed.

    Shape:
        - residual: ``[channels, samples]``
        - space: ``[numbers]``
    """

    def __init__(
        self,
        residual: Floats,
        sample_rate: int,
        kernels: Kernels,
        *,
        space: Floats | None = None,
        band: tuple[float, float] = (0.0, 0.5),
    ) -> None:
        channels, self.samples = residual.shape
        self._kernels, self._band = kernels, band
        self.residual = np.array(residual, np.float32, order="C")
        self.scales = [Scale(GABOR, length, self.samples) for length in frame_lengths(self.samples, sample_rate)]
        self.stale = set[tuple[int, int]]()
        totals, sizes = np.zeros(4, np.int64), list[tuple[int, ...]]()
        for scale in self.scales:
            bins = scale.length // 2 + 1
            blocks, groups = -(-bins // BLOCK), -(-scale.count // GROUP)
            sizes.append((*totals, scale.count, bins, blocks, groups, scale.hop, scale.lead, scale.length))
            totals += scale.count * bins, scale.count, scale.count * blocks, groups
        cells, frames, peaks, parts = (int(total) for total in totals)
        if space is None:
            space = np.empty(2 * channels * cells, np.float32)
        products: NDArray[Any] = space[: 2 * channels * cells].view(np.complex64)
        self.store = Store(
            cells=products.reshape(channels, cells),
            peaks=np.zeros(peaks, np.float32),
            frames=np.zeros(frames, np.float32),
            groups=np.zeros(parts, np.float32),
            inside=np.concatenate([scale.weight_inside for scale in self.scales]),
            edges=np.stack([_edges(scale) for scale in self.scales]),
            windows=np.array([(scale.scale, scale.window.max()) for scale in self.scales], np.float64),
            sizes=np.array(sizes, np.int64),
        )

    def leave_out(self, inner: slice) -> None:
        """Gives all atoms no energy whose time is not among these samples."""
        begin = 0
        for scale in self.scales:
            middle = np.arange(scale.count) * scale.hop - scale.lead + scale.length // 2
            self.store.inside[begin : begin + scale.count][(middle < inner.start) | (middle >= inner.stop)] = 0
            begin += scale.count

    def transform(self, layer: int, first: int, last: int) -> None:
        """Computes the cells of some frames of a layer from the residual."""
        scale, (bins, place) = self.scales[layer], self.store.sizes[layer, [BINS, FIRST_CELL]]
        lowest, highest = (frequency * scale.length for frequency in self._band)
        together = max(AT_ONCE // scale.length, 1)
        for start in range(first, last, together):
            stop = min(start + together, last)
            at = start * scale.hop - scale.lead
            span = (stop - start - 1) * scale.hop + scale.length
            low, high = max(at, 0), min(at + span, self.samples)
            for channel, sound in zip(self.store.cells, self.residual, strict=True):
                piece = np.zeros(span, np.float32)
                piece[low - at : high - at] = sound[low:high]
                views = np.lib.stride_tricks.sliding_window_view(piece, scale.length)[:: scale.hop]
                spectra = np.fft.rfft(views * scale.window, axis=1)
                spectra[:, : math.ceil(lowest)] = spectra[:, math.floor(highest) + 1 :] = 0
                channel[place + start * bins : place + stop * bins] = spectra.ravel()
        self._kernels.measure(self.store, layer, first, last)
        if self.stale:
            self.stale = {each for each in self.stale if each[0] != layer or not first <= each[1] < last}

    def fill(self, layer: int) -> None:
        """Computes all cells of a layer."""
        self.transform(layer, 0, self.scales[layer].count)

    def lessen(self, time: float, scale: float, frequency: float, amplitudes: Complex, tolerance: float) -> None:
        """Takes an atom, which was subtracted from the residual, out of the cells that it overlaps.

        Args:
            tolerance: a smaller change of a cell is left out.
        """
        reach = _REACH * scale
        if time < reach or self.samples - 1 - time < reach:
            self._mark(time, scale, at_start=time < reach, at_end=self.samples - 1 - time < reach)
        self._kernels.lessen(self.store, time, scale, frequency, amplitudes, tolerance)

    def _mark(self, time: float, scale: float, *, at_start: bool, at_end: bool) -> None:
        """Marks the frames as stale that an atom changes and that hang over an end of the clip which cuts the atom.

        The closed form knows no end, and is wrong for them.
        """
        for layer, grid in enumerate(self.scales):
            half = _REACH * math.hypot(scale, grid.scale)
            middle = time + grid.lead - grid.length / 2
            first = max(math.ceil((middle - half) / grid.hop), 0)
            last = min(math.floor((middle + half) / grid.hop) + 1, grid.count)
            # Frames between these two lie within the clip.
            inner = -(-grid.lead // grid.hop)
            outer = max((self.samples - grid.length + grid.lead) // grid.hop + 1, first)
            cut = [*range(first, min(inner, last) if at_start else first), *range(outer, last if at_end else outer)]
            self.stale.update((layer, frame) for frame in cut)


def number_of_cells(samples: int, sample_rate: int) -> int:
    """The cells of one channel of a clip of so many samples, or a few more."""
    cells = 0
    for length in frame_lengths(samples, sample_rate):
        cells += ((samples + length) // hop_of(GABOR, length) + 1) * (length // 2 + 1)
    return cells


def _edges(scale: Scale) -> Floats:
    """What `Store.edges` holds for one layer."""
    bins = scale.length // 2 + 1
    values = np.zeros((4, bins), np.float32)
    values[2] = 1
    values[:, scale.edge] = scale.own.real, scale.own.imag, scale.weight, scale.one
    return values[:, np.concatenate([np.arange(_EDGE), np.arange(bins - _EDGE, bins)]).clip(0, bins - 1)]
