"""The functions of `compiled_correlations.py` in NumPy, for machines without numba and for short searches."""

from distrack.arrays import Floats


def measure(correlations: Floats, peaks: Floats, first: int, last: int) -> None:
    """Writes the largest energy of some blocks of places, whose correlations were written; see `Correlations`."""
    block = correlations.shape[2] // len(peaks)
    parts = correlations[:, :, first * block : last * block]
    energies = (parts * parts).sum(axis=0).max(axis=0)
    peaks[first:last] = energies.reshape(-1, block).max(axis=1)


def lessen(correlations: Floats, peaks: Floats, cross: Floats, first: int, places: int, amplitudes: Floats) -> None:
    """Takes a use of a waveform out of the correlations of all waveforms.

    Args:
        cross: correlations of all waveforms with the one that was used, at every distance.
        first: place of the first distance; it may lie before the clip.
        places: how many there are.
    """
    low, high = max(first, 0), min(first + cross.shape[1], places)
    correlations[:, :, low:high] -= amplitudes[:, None, None] * cross[:, low - first : high - first]
    block = correlations.shape[2] // len(peaks)
    measure(correlations, peaks, low // block, -(-high // block))
