"""Plays a waveform at another pitch and at another length, each without changing the other."""

import math

import numpy as np
import scipy.fft

from distrack.arrays import Doubles, Floats

# Points per sample that are computed exactly. The error of linear interpolation between them is -70 dB an octave below
# half the sample rate, and far lower below that.
FINER = 16
# Fewest periods in a grain, and fewest grains in a waveform.
PERIODS, GRAINS = 4, 4


def played(waveform: Floats, *, ratio: float, longer: float, frequency: float) -> Doubles:
    """The waveform itself if both factors are 1; otherwise a sum of grains cut from it.

    Grains overlap by half. Each comes from the same relative position of the waveform that it goes to, shifted by whole
    periods so that all grains are in phase. Partials above half the sample rate are left out.

    Args:
        ratio: new pitch divided by old pitch.
        longer: new length divided by old length.
        frequency: frequency of the main partial, in cycles per sample, at which grains are in phase.

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
    total, weights = np.zeros(length), np.zeros(length)
    for number in range(math.ceil(length / hop) + 1):
        middle = number * hop
        begin, end = max(math.ceil(middle - hop), 0), min(math.floor(middle + hop) + 1, length)
        if begin >= end:
            continue
        place = np.arange(begin, end)
        # At the old pitch the waveform has length / longer samples; the new pitch plays `ratio` of them per sample.
        moved = round((middle - middle / longer / ratio) / period) * period
        window = 0.5 + 0.5 * np.cos(np.pi * np.clip((place - middle) / hop, -1, 1))
        total[begin:end] += window * np.interp(ratio * (place - moved), fine[0], fine[1], left=0.0, right=0.0)
        weights[begin:end] += window
    wave: Doubles = total / np.maximum(weights, 1e-9)
    return wave


def _finer(waveform: Floats, *, highest: float) -> tuple[Doubles, Doubles]:
    """The waveform at points between its samples, low-passed at `highest` cycles per sample: positions and values."""
    count = scipy.fft.next_fast_len(2 * len(waveform), real=True)
    spectrum = scipy.fft.rfft(waveform.astype(np.float64), count)
    spectrum[np.arange(len(spectrum)) / count >= highest] = 0
    values = scipy.fft.irfft(spectrum, count * FINER) * FINER
    places = np.arange(len(waveform) * FINER) / FINER
    return places, values[: len(places)]
