"""Cells: how much of each atom of a grid a residual holds, kept up to date by closed forms."""

import math

import numpy as np

from distrack.arrays import Complex, Floats
from distrack.decompose.pursuit.atoms import CORE, GABOR
from distrack.decompose.pursuit.grid import AT_ONCE, Scale, frame_lengths
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
        band: lowest and highest frequency of the cells that `transform` computes, in cycles per sample; others hold 0.

    Shape:
        - residual: ``[channels, samples]``
    """

    def __init__(
        self, residual: Floats, sample_rate: int, kernels: Kernels, *, band: tuple[float, float] = (0.0, 0.5)
    ) -> None:
        channels, self.samples = residual.shape
        self._kernels, self._band = kernels, band
        self.residual = np.array(residual, np.float32, order="C")
        self.scales = [Scale(GABOR, length, self.samples) for length in frame_lengths(self.samples, sample_rate)]
        totals, sizes = np.zeros(4, np.int64), list[tuple[int, ...]]()
        for scale in self.scales:
            bins = scale.length // 2 + 1
            blocks, groups = -(-bins // BLOCK), -(-scale.count // GROUP)
            sizes.append((*totals, scale.count, bins, blocks, groups, scale.hop, scale.lead, scale.length))
            totals += scale.count * bins, scale.count, scale.count * blocks, groups
        cells, frames, peaks, parts = (int(total) for total in totals)
        self.store = Store(
            cells=np.zeros((channels, cells), np.complex64),
            peaks=np.zeros(peaks, np.float32),
            frames=np.zeros(frames, np.float32),
            groups=np.zeros(parts, np.float32),
            inside=np.concatenate([scale.weight_inside for scale in self.scales]),
            edges=np.stack([_edges(scale) for scale in self.scales]),
            windows=np.array([(scale.scale, scale.window.max()) for scale in self.scales], np.float64),
            sizes=np.array(sizes, np.int64),
        )

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

    def fill(self, layer: int) -> None:
        """Computes all cells of a layer."""
        self.transform(layer, 0, self.scales[layer].count)

    def lessen(self, time: float, scale: float, frequency: float, amplitudes: Complex, tolerance: float) -> None:
        """Takes an atom, which was subtracted from the residual, out of the cells that it overlaps.

        Args:
            tolerance: a smaller change of a cell is left out.
        """
        self._kernels.lessen(self.store, time, scale, frequency, amplitudes, tolerance)
        reach = _REACH * scale
        if time < reach or self.samples - 1 - time < reach:
            self._repair(time, scale, at_start=time < reach, at_end=self.samples - 1 - time < reach)

    def _repair(self, time: float, scale: float, *, at_start: bool, at_end: bool) -> None:
        """Computes those cells anew that an atom changed which an end of the clip cuts.

        The closed form knows no end: it is wrong for the frames that hang over the end, too.
        """
        for layer, grid in enumerate(self.scales):
            half = _REACH * math.hypot(scale, grid.scale)
            middle = time + grid.lead - grid.length / 2
            first = max(math.ceil((middle - half) / grid.hop), 0)
            last = min(math.floor((middle + half) / grid.hop) + 1, grid.count)
            # Frames between these two lie within the clip.
            inner = min(-(-grid.lead // grid.hop), last)
            # A frame that hangs over both ends is computed once.
            outer = max((self.samples - grid.length + grid.lead) // grid.hop + 1, inner if at_start else first, first)
            if at_start and first < inner:
                self.transform(layer, first, inner)
            if at_end and outer < last:
                self.transform(layer, outer, last)


def _edges(scale: Scale) -> Floats:
    """What `Store.edges` holds for one layer."""
    bins = scale.length // 2 + 1
    values = np.zeros((4, bins), np.float32)
    values[2] = 1
    values[:, scale.edge] = scale.own.real, scale.own.imag, scale.weight, scale.one
    return values[:, np.concatenate([np.arange(_EDGE), np.arange(bins - _EDGE, bins)]).clip(0, bins - 1)]
