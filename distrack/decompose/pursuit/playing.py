"""A waveform played at another pitch, for another length, independently."""

import math

import numpy as np
import scipy.fft
from numpy.typing import NDArray

# Samples between samples that are computed exactly; straight lines between these are at -70 dB of an octave below
# Nyquist, and far lower below.
FINER = 16
# Periods in a grain, and grains in a waveform, at least.
PERIODS, GRAINS = 4, 4

Doubles = NDArray[np.float64]


def played(waveform: NDArray[np.float32], *, ratio: float, longer: float, frequency: float) -> Doubles:
    """The waveform itself where both factors are 1; else made of grains of it.

    Grains overlap by half. Each is taken from about the same share of the waveform as it is put in, moved by whole
    periods so that all are in phase. Partials that would pass half of the sample rate are left out.

    Args:
        ratio: of the new pitch to the old one.
        longer: ratio of the new length to the old one.
        frequency: of the waveform's main partial, in cycles per sample; grains are in phase there.

    Shape:
        - waveform: ``[samples]``
        - returns: ``[longer * samples]``, at least 1

    Source:
        After pitch-synchronous overlap-add: Moulines and Charpentier, "Pitch-synchronous waveform processing techniques
        for text-to-speech synthesis using diphones", Speech Communication 9, 1990.
    """
    if ratio == 1 and longer == 1:
        return waveform.astype(np.float64)
    length = max(round(len(waveform) * longer), 1)
    fine = _finer(waveform, highest=0.5 / ratio)
    period = 1 / (frequency * ratio)
    grain = max(PERIODS * period, min(len(waveform) / ratio, length) / GRAINS, 2.0)
    hop = grain / 2
    found, weights = np.zeros(length), np.zeros(length)
    for number in range(math.ceil(length / hop) + 1):
        middle = number * hop
        begin, end = max(math.ceil(middle - hop), 0), min(math.floor(middle + hop) + 1, length)
        if begin >= end:
            continue
        place = np.arange(begin, end)
        # At the old pitch the whole is length / longer long, of which the new pitch plays `ratio` samples in one.
        moved = round((middle - middle / longer / ratio) / period) * period
        window = 0.5 + 0.5 * np.cos(np.pi * np.clip((place - middle) / hop, -1, 1))
        found[begin:end] += window * np.interp(ratio * (place - moved), fine[0], fine[1], left=0.0, right=0.0)
        weights[begin:end] += window
    whole: Doubles = found / np.maximum(weights, 1e-9)
    return whole


def _finer(waveform: NDArray[np.float32], *, highest: float) -> tuple[Doubles, Doubles]:
    """The waveform between its samples, without what lies above a frequency: places, and values there."""
    count = scipy.fft.next_fast_len(2 * len(waveform), real=True)
    spectrum = scipy.fft.rfft(waveform.astype(np.float64), count)
    spectrum[np.arange(len(spectrum)) / count >= highest] = 0
    values = scipy.fft.irfft(spectrum, count * FINER) * FINER
    places = np.arange(len(waveform) * FINER) / FINER
    return places, values[: len(places)]
