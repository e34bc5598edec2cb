"""Spectrogram with a logarithmic frequency axis, on which the app draws events."""

import math
from typing import NamedTuple

import numpy as np
import scipy

from distrack.arrays import Floats

# Lowest frequency in Hz.
LOWEST = 27.5
_SIZE = 2048
_BANDS_PER_OCTAVE = 16
_MOST_FRAMES = 600
# Decibels from the loudest to the quietest point.
_RANGE_DB = 70.0


class Plane(NamedTuple):
    """A spectrogram in dB, from 0 at the loudest point down to -70.

    Attributes:
        low, high: lowest and highest frequency in Hz; the bands between them are evenly spaced in octaves.

    Shape:
        - image: ``[bands, frames]``
    """

    image: Floats
    low: float
    high: float
    seconds: float


def plane(wave: Floats, sample_rate: int) -> Plane:
    """Spectrogram of a clip.

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
    # The mean over channels of the power also shows sounds of one channel, or of opposite phases.
    power = np.square(np.abs(spectrum)).mean(axis=0)
    bands = np.stack([np.interp(edges, frequencies, frame) for frame in power.T], axis=1)
    image = 10 * np.log10(np.maximum(bands / max(float(bands.max(initial=0.0)), 1e-20), 10 ** (-_RANGE_DB / 10)))
    return Plane(image.astype(np.float32), low, high, samples / sample_rate)
