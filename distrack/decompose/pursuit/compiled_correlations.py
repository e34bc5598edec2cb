"""The inner loops of a pursuit with learned waveforms, compiled by numba. `plain_correlations.py` has them in NumPy.

No loop adds numbers in an order that the compiler may choose: the same clip gives the same bits.
"""

import numpy as np

from distrack.arrays import Floats
from distrack.compiled import compiled

# Values that are not numbers do not occur.
_compiled = compiled(fastmath=frozenset({"nnan", "nsz"}))


@_compiled
def measure(correlations: Floats, peaks: Floats, first: int, last: int) -> None:
    """Writes the largest energy of some blocks of places, whose correlations were written; see `Correlations`."""
    channels, waveforms, padded = correlations.shape
    block = padded // len(peaks)
    largest = np.empty(block, np.float32)
    for each in range(first, last):
        largest[:] = np.float32(0.0)
        start = each * block
        for number in range(waveforms):
            row = correlations[0, number, start : start + block]
            if channels > 1:
                other = correlations[1, number, start : start + block]
                for lane in range(block):
                    largest[lane] = max(largest[lane], row[lane] * row[lane] + other[lane] * other[lane])
            else:
                for lane in range(block):
                    largest[lane] = max(largest[lane], row[lane] * row[lane])
        top = np.float32(0.0)
        for lane in range(block):
            top = max(top, largest[lane])
        peaks[each] = top


@_compiled
def lessen(correlations: Floats, peaks: Floats, cross: Floats, first: int, places: int, amplitudes: Floats) -> None:
    """Takes a use of a waveform out of the correlations of all waveforms.

    Args:
        cross: correlations of all waveforms with the one that was used, at every distance.
        first: place of the first distance; it may lie before the clip.
        places: how many there are.
    """
    channels, waveforms, padded = correlations.shape
    low, high = max(first, 0), min(first + cross.shape[1], places)
    for channel in range(channels):
        for number in range(waveforms):
            row, change = correlations[channel, number, low:high], cross[number, low - first : high - first]
            for at in range(high - low):
                row[at] -= amplitudes[channel] * change[at]
    block = padded // len(peaks)
    measure(correlations, peaks, low // block, -(-high // block))
