"""Quality of a reconstruction: signal-to-noise ratio and spectral convergence."""

import math
from collections.abc import Iterator

import numpy as np
import scipy
from numpy.lib.stride_tricks import sliding_window_view

from distrack.arrays import Doubles, Floats

# Window lengths of the spectrograms that are compared.
SIZES = (512, 1024, 2048, 4096)
# Samples of the frames that are transformed at once: memory does not grow with the length of the clip.
BLOCK = 1 << 20


def snr_db(wave: Floats, reconstruction: Floats) -> float:
    """Energy of the clip divided by that of the difference, in dB; at most 200, and 0 for a silent clip.

    Shape:
        - both: ``[channels, samples]``

    Raises:
        ValueError: they differ in shape.

    >>> round(snr_db(np.ones((1, 4), np.float32), np.full((1, 4), 0.9, np.float32)))
    20
    """
    _refuse_shapes(wave, reconstruction)
    difference = float(np.square(wave - reconstruction, dtype=np.float64).sum())
    energy = float(np.square(wave, dtype=np.float64).sum())
    if energy <= 0:
        return 0.0
    return min(10 * math.log10(energy / difference), 200.0) if difference > 0 else 200.0


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
    distances = []
    for size in SIZES:
        energy = power = product = 0.0
        for real, other in zip(_magnitudes(wave, size), _magnitudes(reconstruction, size), strict=True):
            energy += float(np.square(real).sum())
            power += float(np.square(other).sum())
            product += float((real * other).sum())
        # The best gain is product / power; this is the squared distance at that gain.
        squared = energy - (product * product / power if power > 0 else 0.0)
        distances.append(math.sqrt(max(squared, 0.0) / energy) if energy > 0 else 0.0)
    return float(np.mean(distances))


def _refuse_shapes(wave: Floats, reconstruction: Floats) -> None:
    if wave.shape != reconstruction.shape:
        raise ValueError(
            f"a clip of shape {wave.shape} cannot be compared with a reconstruction of {reconstruction.shape}"
        )


def _magnitudes(wave: Floats, size: int) -> Iterator[Doubles]:
    """Magnitudes of the STFT, a block of frames at a time; the first frame is centred on the first sample."""
    window = scipy.signal.get_window("hann", size)
    together = max(BLOCK // size, 1)
    for channel in np.pad(wave, ((0, 0), (size // 2, size // 2 + size))):
        frames = sliding_window_view(channel, size)[:: size // 4]
        for first in range(0, len(frames), together):
            yield np.abs(scipy.fft.rfft(frames[first : first + together] * window))
