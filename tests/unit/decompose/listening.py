"""What tests measure of a sound."""

import numpy as np

from distrack.arrays import Floats
from distrack.decompose import Events, storage
from tests.tones import RATE


def pitch(wave: Floats, rate: int = RATE) -> float:
    """Frequency of the strongest partial, in Hz."""
    spectrum = np.abs(np.fft.rfft(wave[0] * np.hanning(wave.shape[1]), 1 << 18))
    return float(spectrum.argmax()) * rate / (1 << 18)


def onset(wave: Floats) -> float:
    """Time at which a tenth of the peak is passed, in seconds."""
    return float(np.argmax(np.abs(wave[0]) > 0.1 * np.abs(wave).max())) / RATE


def decay_time(wave: Floats) -> float:
    """Seconds from the onset until the sound stays 20 dB below its peak."""
    above = np.flatnonzero(np.abs(wave[0]) > np.abs(wave).max() / 10)
    return float(above[-1] - above[0]) / RATE


def same(one: Events, other: Events) -> bool:
    """Whether two events are equal in all they store."""
    return storage.to_bytes(one) == storage.to_bytes(other)
