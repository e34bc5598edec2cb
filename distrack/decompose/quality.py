"""Quality of a reconstruction: signal-to-noise ratio and spectral convergence."""

import math
from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from distrack.arrays import Doubles, Floats

# Window lengths of the spectrograms that are compared.
SIZES = (512, 1024, 2048, 4096)
# Samples of the frames that are transformed at once: they fit in a processor's cache, and memory does not grow with the
# length of the clip.
BLOCK = 1 << 17
# Most samples of a clip whose magnitudes are kept for the next comparison, 32 bytes for each: 64 MB.
KEPT = 1 << 21


class Reference:
    """A clip that reconstructions are compared with; what depends on it alone is computed once.

    Shape:
        - wave: ``[channels, samples]``
    """

    def __init__(self, wave: Floats) -> None:
        self.wave = wave
        self._kept: dict[int, list[Floats]] = {}

    @cached_property
    def _energy(self) -> float:
        return _energy(self.wave)

    def snr_db(self, reconstruction: Floats) -> float:
        """As the function `snr_db`."""
        _refuse_shapes(self.wave, reconstruction)
        difference = _energy(self.wave - reconstruction)
        if self._energy <= 0:
            return 0.0
        return min(10 * math.log10(self._energy / difference), 200.0) if difference > 0 else 200.0

    def spectral_convergence(self, reconstruction: Floats) -> float:
        """As the function `spectral_convergence`."""
        _refuse_shapes(self.wave, reconstruction)
        return float(np.mean([_distance(self._magnitudes(size), reconstruction, size) for size in SIZES]))

    def _magnitudes(self, size: int) -> Iterable[Floats | Doubles]:
        if self.wave.size > KEPT:
            return _magnitudes(self.wave, size)
        if size not in self._kept:
            self._kept[size] = [block.astype(np.float32) for block in _magnitudes(self.wave, size)]
        return self._kept[size]


def snr_db(wave: Floats, reconstruction: Floats) -> float:
    """Energy of the clip divided by that of the difference, in dB; at most 200, and 0 for a silent clip.

    Shape:
        - both: ``[channels, samples]``

    Raises:
        ValueError: they differ in shape.

    >>> round(snr_db(np.ones((1, 4), np.float32), np.full((1, 4), 0.9, np.float32)))
    20
    """
    return Reference(wave).snr_db(reconstruction)


def spectral_convergence(wave: Floats, reconstruction: Floats) -> float:
    """Distance of magnitude spectrograms relative to the clip's: 0 for equal ones, 1 for silence.

    The Frobenius norm of the difference of magnitudes, divided by that of the clip's magnitudes, averaged over STFTs
    with Hann windows of 512, 1024, 2048 and 4096 samples and a hop of a quarter window. The reconstruction is scaled to
    its best gain in each. The value is 0 for a silent clip.

    Shape:
        - both: ``[channels, samples]``

    Raises:
        ValueError: they differ in shape.

    Source:
        Arik, Jun and Diamos, "Fast Spectrogram Inversion Using Multi-Head Convolutional Neural Networks", 2019, eq. 2.

    >>> clip = np.sin(np.arange(9000, dtype=np.float32))[None]
    >>> abs(round(spectral_convergence(clip, 0.5 * clip), 6)), spectral_convergence(clip, 0 * clip)
    (0.0, 1.0)
    """
    _refuse_shapes(wave, reconstruction)
    return float(np.mean([_distance(_magnitudes(wave, size), reconstruction, size) for size in SIZES]))


def _distance(magnitudes: Iterable[Floats | Doubles], reconstruction: Floats, size: int) -> float:
    """Distance at the best gain for one window length, relative to the clip."""
    energy = power = product = 0.0
    for real, other in zip(magnitudes, _magnitudes(reconstruction, size), strict=True):
        energy += _energy(real)
        power += _energy(other)
        product += float((real * other).sum())
    # The best gain is product / power; this is the squared distance at that gain.
    squared = energy - (product * product / power if power > 0 else 0.0)
    return math.sqrt(max(squared, 0.0) / energy) if energy > 0 else 0.0


def _energy(values: Floats | Doubles) -> float:
    return float(np.square(values, dtype=np.float64).sum())


def _refuse_shapes(wave: Floats, reconstruction: Floats) -> None:
    if wave.shape != reconstruction.shape:
        raise ValueError(
            f"a clip of shape {wave.shape} cannot be compared with a reconstruction of {reconstruction.shape}"
        )


def _magnitudes(wave: Floats, size: int) -> Iterator[Doubles]:
    """Magnitudes of the STFT, a block of frames at a time; the first frame is centred on the first sample."""
    window = _hann(size)
    together = max(BLOCK // size, 1)
    for channel in np.pad(wave, ((0, 0), (size // 2, size // 2 + size))):
        frames = sliding_window_view(channel, size)[:: size // 4]
        for first in range(0, len(frames), together):
            yield np.abs(np.fft.rfft(frames[first : first + together] * window))


def _hann(size: int) -> Doubles:
    """A periodic Hann window."""
    window: Doubles = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    return window
