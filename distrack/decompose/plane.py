"""The time-frequency plane that events are seen on: a spectrogram over octaves."""

import math
from typing import NamedTuple

import numpy as np
import scipy.signal
from numpy.typing import NDArray

LOWEST = 27.5
_SIZE = 2048
_BANDS_PER_OCTAVE = 16
_MOST_FRAMES = 600
# Of a picture, below its loudest point.
_RANGE_DB = 70.0


class Plane(NamedTuple):
    """A spectrogram in dB, 0 the loudest and -70 the least; from `low` to `high` Hz, evenly in octaves.

    Shape:
        - image: ``[bands, frames]``
    """

    image: NDArray[np.float32]
    low: float
    high: float
    seconds: float


def plane(wave: NDArray[np.float32], sample_rate: int) -> Plane:
    """How loud a clip is where on the plane.

    Shape:
        - wave: ``[channels, samples]``
    """
    samples = wave.shape[1]
    size = min(_SIZE, 1 << max(samples - 1, 1).bit_length())
    hop = max(size // 8, math.ceil(samples / _MOST_FRAMES))
    padded = np.pad(wave, ((0, 0), (size // 2, size // 2 + hop)))
    frequencies, _, spectrum = scipy.signal.stft(
        padded, sample_rate, nperseg=size, noverlap=size - hop, nfft=2 * size, boundary=None, padded=False
    )
    high = sample_rate / 2
    low = min(LOWEST, high / 4)
    edges = np.geomspace(low, high, math.ceil(_BANDS_PER_OCTAVE * math.log2(high / low)))
    # Of both channels: what is in one alone, or in opposite phase, is seen too.
    power = np.square(np.abs(spectrum)).mean(axis=0)
    bands = np.stack([np.interp(edges, frequencies, frame) for frame in power.T], axis=1)
    image = 10 * np.log10(np.maximum(bands / max(float(bands.max(initial=0.0)), 1e-20), 10 ** (-_RANGE_DB / 10)))
    return Plane(image.astype(np.float32), low, high, samples / sample_rate)
