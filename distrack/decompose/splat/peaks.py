"""The strongest peak of a residual, on the grid of times, frequencies and scales of the pursuit of Gabor atoms."""

import numpy as np

from distrack.arrays import Doubles
from distrack.decompose.pursuit.cells import Cells
from distrack.decompose.pursuit.kernels import kernels_for


class Peaks:
    """The energies of a residual's peaks, of which those are computed anew that a change of its samples reaches.

    They take 80 bytes for each sample of each channel.

    Args:
        residual: ``[channels, samples]``
        events: how many peaks will be found, about.
        lowest, highest: the band of the peaks, in Hz.
    """

    def __init__(self, residual: Doubles, sample_rate: int, *, events: int, lowest: float, highest: float) -> None:
        self._sample_rate, self._lowest, self._highest = sample_rate, lowest, highest
        self._kernels = kernels_for(events)
        band = lowest / sample_rate, highest / sample_rate
        self._cells = Cells(residual.astype(np.float32), sample_rate, self._kernels, band=band)
        for layer in range(len(self._cells.scales)):
            self._cells.fill(layer)

    def update(self, residual: Doubles, first: int, last: int) -> None:
        """Computes the peaks anew that lie near these samples, as the residual changed there."""
        self._cells.residual[:, first:last] = residual[:, first:last]
        for layer, scale in enumerate(self._cells.scales):
            self._cells.transform(layer, *scale.frames(slice(first, last)))

    def strongest(self) -> tuple[float, float]:
        """Time in seconds and frequency in Hz of the strongest peak, not on the grid alone; 0 Hz for silence."""
        energy, layer, frame, at = self._kernels.best(self._cells.store)
        if not energy > 0:
            return 0.0, 0.0
        rate = self._sample_rate
        atom = self._cells.scales[layer].atom(frame, at, rate)
        near = atom.time * rate, atom.scale * rate, atom.frequency / rate
        time, _, frequency, _, _ = self._kernels.refined(self._cells.residual, *near, self._highest / rate)
        return time / rate, min(max(frequency * rate, self._lowest), self._highest)
