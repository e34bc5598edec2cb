"""Onsets of a clip, and the harmonic group at an onset."""

import numpy as np
import scipy.fft
import scipy.signal

from distrack.arrays import Doubles
from distrack.decompose.splat.harmonic_pursuit import HARMONICS, HIGHEST, LOWEST, Group, fitted

# Length of a frame in seconds.
WINDOW = 0.046
# Seconds after an onset in which its pitch is measured; attack and decay of its group; least time between two onsets.
LISTEN, ATTACK, DECAY, APART = 0.15, 0.005, 0.2, 0.05


def onsets(wave: Doubles, *, sample_rate: int) -> list[float]:
    """Times in seconds at which energy rises in many bands: the beginning of the clip, then the clearest onsets first.

    Shape:
        - wave: ``[channels, samples]``

    Source:
        Bello et al., "A Tutorial on Onset Detection in Music Signals", 2005: the spectral difference, of logarithms.
    """
    size = max(16, 2 ** round(np.log2(WINDOW * sample_rate)))
    hop = size // 4
    padded = np.pad(wave, ((0, 0), (size // 2, size)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, ::hop]
    magnitudes = np.abs(scipy.fft.rfft(frames * scipy.signal.get_window("hann", size), axis=2)).sum(0)
    loud = np.log1p(100 * magnitudes / max(float(magnitudes.max()), 1e-30))
    rise = np.maximum(np.diff(loud, axis=0), 0).sum(1)
    apart = max(1, round(APART * sample_rate / hop))
    peaks, _ = scipy.signal.find_peaks(rise, distance=apart, height=0.1 * float(rise.max(initial=0.0)) + 1e-9)
    clearest = peaks[np.argsort(-rise[peaks], kind="stable")]
    return [0.0, *(float(peak + 1) * hop / sample_rate for peak in clearest)]


def group_at(onset: float, residual: Doubles, *, sample_rate: int) -> Group | None:
    """A group of the residual's strongest pitch just after an onset; None if the residual is silent there.

    Shape:
        - residual: ``[channels, samples]``
    """
    first = min(round(onset * sample_rate), residual.shape[1] - 1)
    piece = residual[:, first : first + max(1, round(LISTEN * sample_rate))]
    size = max(256, 2 ** int(np.ceil(np.log2(4 * piece.shape[1]))))
    window = scipy.signal.get_window("hann", piece.shape[1], fftbins=False) if piece.shape[1] > 2 else 1.0
    power = np.square(np.abs(scipy.fft.rfft(piece * window, size, axis=1))).sum(0)
    power[: int(np.ceil(LOWEST * size / sample_rate))] = 0
    power[int(HIGHEST * size) :] = 0
    if not power.any():
        return None
    pitch = float(power.argmax()) * sample_rate / size
    time = max(onset - 1 / sample_rate, -1.0) if first else -ATTACK
    group = Group(time, pitch, ATTACK, DECAY, np.zeros((len(residual), HARMONICS, 2)))
    return group._replace(parts=fitted(residual, group, sample_rate=sample_rate))
