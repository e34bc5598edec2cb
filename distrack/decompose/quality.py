"""How near a reconstruction is: signal-to-noise ratio, and spectral convergence."""

import math

import numpy as np
import scipy.signal
from numpy.typing import NDArray

SIZES = (512, 1024, 2048, 4096)

Floats = NDArray[np.float32]


def snr_db(wave: Floats, reconstruction: Floats) -> float:
    """Energy of the clip over that of what is missing, in dB; 200 at most.

    Shape:
        - both: ``[channels, samples]``

    >>> round(snr_db(np.ones((1, 4), np.float32), np.full((1, 4), 0.9, np.float32)))
    20
    """
    lost = float(np.square(wave - reconstruction, dtype=np.float64).sum())
    whole = float(np.square(wave, dtype=np.float64).sum())
    return min(10 * math.log10(whole / lost), 200.0) if lost > 0 < whole else (200.0 if whole > 0 else 0.0)


def spectral_convergence(wave: Floats, reconstruction: Floats) -> float:
    """Distance of the magnitudes, as a share of the clip's; 0 is equal, 1 is what silence has.

    The mean over Hann STFTs of 512, 1024, 2048 and 4096 samples, hop a quarter, of the Frobenius norm of the difference
    of magnitudes over that of the clip's, each at the reconstruction's best gain.

    Shape:
        - both: ``[channels, samples]``

    Source:
        Arik, Jun and Diamos, "Fast Spectrogram Inversion Using Multi-Head Convolutional Neural Networks", 2019, eq. 2.

    >>> clip = np.sin(np.arange(9000, dtype=np.float32))[None]
    >>> abs(round(spectral_convergence(clip, 0.5 * clip), 6)), spectral_convergence(clip, 0 * clip)
    (0.0, 1.0)
    """
    found = []
    for size in SIZES:
        real, other = _magnitudes(wave, size), _magnitudes(reconstruction, size)
        whole = float(np.linalg.norm(real))
        power = float(np.square(other).sum())
        gain = float((real * other).sum()) / power if power > 0 else 0.0
        found.append(float(np.linalg.norm(real - gain * other)) / whole if whole > 0 else 0.0)
    return float(np.mean(found))


def _magnitudes(wave: Floats, size: int) -> NDArray[np.float64]:
    wave = np.pad(wave.astype(np.float64), ((0, 0), (size // 2, size // 2 + size)))
    _, _, spectrum = scipy.signal.stft(
        wave, window="hann", nperseg=size, noverlap=size - size // 4, boundary=None, padded=False
    )
    magnitudes: NDArray[np.float64] = np.abs(spectrum).ravel()
    return magnitudes
