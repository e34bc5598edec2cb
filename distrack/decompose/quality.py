"""How near a reconstruction is: signal-to-noise ratio, and spectral convergence."""

import math
from collections.abc import Iterator

import numpy as np
import scipy.fft
import scipy.signal
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

SIZES = (512, 1024, 2048, 4096)
# Samples of frames that are looked at together: what is kept in memory of a clip of any length.
BLOCK = 1 << 20

Floats = NDArray[np.float32]


def snr_db(wave: Floats, reconstruction: Floats) -> float:
    """Energy of the clip over that of what is missing, in dB; 200 at most, and 0 of a silent clip.

    Shape:
        - both: ``[channels, samples]``

    Raises:
        ValueError: they differ in shape.

    >>> round(snr_db(np.ones((1, 4), np.float32), np.full((1, 4), 0.9, np.float32)))
    20
    """
    _refuse_shapes(wave, reconstruction)
    lost = float(np.square(wave - reconstruction, dtype=np.float64).sum())
    whole = float(np.square(wave, dtype=np.float64).sum())
    return min(10 * math.log10(whole / lost), 200.0) if lost > 0 < whole else (200.0 if whole > 0 else 0.0)


def spectral_convergence(wave: Floats, reconstruction: Floats) -> float:
    """Distance of the magnitudes, as a share of the clip's; 0 is equal, 1 is what silence has.

    The mean over Hann STFTs of 512, 1024, 2048 and 4096 samples, hop a quarter, of the Frobenius norm of the difference
    of magnitudes over that of the clip's, each at the reconstruction's best gain. A silent clip has 0: so has whatever
    is compared with it, at a gain of 0.

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
    found = []
    for size in SIZES:
        whole = power = product = 0.0
        for real, other in zip(_magnitudes(wave, size), _magnitudes(reconstruction, size), strict=True):
            whole += float(np.square(real).sum())
            power += float(np.square(other).sum())
            product += float((real * other).sum())
        # At the best gain, product / power, the squared distance is what this leaves.
        lost = whole - (product * product / power if power > 0 else 0.0)
        found.append(math.sqrt(max(lost, 0.0) / whole) if whole > 0 else 0.0)
    return float(np.mean(found))


def _refuse_shapes(wave: Floats, reconstruction: Floats) -> None:
    if wave.shape != reconstruction.shape:
        raise ValueError(
            f"a clip of shape {wave.shape} cannot be compared with a reconstruction of {reconstruction.shape}"
        )


def _magnitudes(wave: Floats, size: int) -> Iterator[NDArray[np.float64]]:
    """Of the STFT, so many frames at a time; the first is centred on the first sample."""
    window = scipy.signal.get_window("hann", size)
    together = max(BLOCK // size, 1)
    for channel in np.pad(wave, ((0, 0), (size // 2, size // 2 + size))):
        frames = sliding_window_view(channel, size)[:: size // 4]
        for first in range(0, len(frames), together):
            yield np.abs(scipy.fft.rfft(frames[first : first + together] * window))
