"""Correlations: how much of each waveform a residual holds at each place, kept up to date by cross-correlations."""

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import scipy
from numpy.typing import NDArray

from distrack.arrays import Complex, Doubles, Floats, Integers

# Places of a block whose largest energy is kept, and places that are correlated at once.
BLOCK, AT_ONCE = 256, 1 << 14
# Most bytes of the correlations that are kept. Where it would be more, each change correlates a part of the residual.
MOST_BYTES = 1 << 30
# Where the largest energy fell to this share, all correlations are computed anew: they have the precision of float32.
_FALLEN = 1e-8
# Multiplications in all from which compiled code pays: it takes a quarter of a second and 70 MB to load.
COMPILED_FROM = 1 << 28


class Kernels(Protocol):
    """What compiled code and NumPy have, with the same results to 1e-6."""

    def measure(self, correlations: Floats, peaks: Floats, first: int, last: int, /) -> None:
        """Writes the largest energy of some blocks of places, whose correlations were written."""

    def lessen(
        self, correlations: Floats, peaks: Floats, cross: Floats, first: int, places: int, amplitudes: Floats, /
    ) -> None:
        """Takes a use of a waveform out of the correlations of all waveforms."""


def kernels_for(uses: int, *, channels: int, waveforms: int, length: int) -> Kernels:
    """The kernels for a search of so many uses, the same in every process."""
    if 2 * uses * channels * waveforms * length >= COMPILED_FROM:
        try:
            from distrack.decompose.pursuit import compiled_correlations
        except ImportError:
            pass
        else:
            return compiled_correlations
    from distrack.decompose.pursuit import plain_correlations

    return plain_correlations


class Correlations:
    """Inner products of a residual with every waveform at every place, and the residual itself.

    They take 4 bytes for each waveform, place and channel, and 8 for each pair of waveforms and each of their samples:
    at most `MOST_BYTES` together.

    Args:
        residual: ``[channels, samples]``; it is copied.
        waveforms: ``[waveforms, length]``, each of energy 1, none longer than the residual.

    Attributes:
        keeps: whether the correlations are kept; where they would take more memory, they are computed where needed.
        peaks: the most energy that a waveform removes at any place of each block, ``[blocks]``.
    """

    def __init__(self, residual: Floats, waveforms: Doubles, kernels: Kernels) -> None:
        self.residual, self.waveforms, self._kernels = residual.astype(np.float64), waveforms, kernels
        count, self.length = waveforms.shape
        self.places: int = residual.shape[1] - self.length + 1
        self.peaks = np.zeros(-(-self.places // BLOCK), np.float32)
        kept = len(residual), count, len(self.peaks) * BLOCK
        pairs = count, count, 2 * self.length - 1
        self.keeps = 4 * (math.prod(kept) + math.prod(pairs)) <= MOST_BYTES
        if self.keeps:
            self._kept = np.zeros(kept, np.float32)
            self._cross = _cross_correlations(waveforms)
        self._spectra: dict[int, Complex] = {}
        self.begin(self.residual)

    def begin(self, residual: Doubles) -> None:
        """Computes all correlations from a residual, and notes what they can be computed from again."""
        self.residual[:] = self._start = residual.copy()
        self._changes: list[tuple[int, int, Doubles]] = []
        self._fill(0, self.places)
        self._largest = float(self.peaks.max())

    def _fill(self, first: int, last: int) -> None:
        """Correlates the residual at the places of all blocks that hold one of these places."""
        first, last = max(first, 0) // BLOCK, -(-min(last, self.places) // BLOCK)
        for begin in range(first, last, AT_ONCE // BLOCK):
            end = min(begin + AT_ONCE // BLOCK, last)
            found = self._computed(begin * BLOCK, min(end * BLOCK, self.places))
            if self.keeps:
                self._kept[:, :, begin * BLOCK : begin * BLOCK + found.shape[2]] = found
                self._kernels.measure(self._kept, self.peaks, begin, end)
            else:
                padded = np.zeros((*found.shape[:2], (end - begin) * BLOCK), np.float32)
                padded[:, :, : found.shape[2]] = found
                self._kernels.measure(padded, self.peaks[begin:end], 0, end - begin)

    def best(self) -> tuple[int, int]:
        """The waveform and the place that remove the most energy."""
        if self.peaks.max() < _FALLEN * self._largest:
            self.begin(self.residual)
        begin = int(self.peaks.argmax()) * BLOCK
        end = min(begin + BLOCK, self.places)
        held = self._kept[:, :, begin:end] if self.keeps else self._computed(begin, end)
        energies = np.square(held).sum(axis=0)
        number, place = divmod(int(energies.argmax()), energies.shape[1])
        return number, begin + place

    def best_near(self, number: int, place: int, amplitudes: Doubles, reach: int) -> tuple[int, int]:
        """The waveform and the place, near that of a given use, that remove the most energy without that use."""
        first, last = max(place - reach, 0), min(place + reach + 1, self.places)
        offset = place - first
        if self.keeps:
            begin = self.length - 1 - offset
            own = self._cross[number, :, begin : begin + last - first]
            held = self._kept[:, :, first:last] + amplitudes.astype(np.float32)[:, None, None] * own
        else:
            sound = self.residual[:, first : last + self.length - 1].copy()
            sound[:, offset : offset + self.length] += np.outer(amplitudes, self.waveforms[number])
            held = self._correlated(sound)
        best, at = divmod(int(np.square(held).sum(axis=0).argmax()), last - first)
        return best, first + at

    def subtract(self, number: int, place: int, amplitudes: Doubles) -> None:
        """Subtracts a waveform at a place from the residual, with an amplitude for each channel."""
        self._changes.append((number, place, amplitudes))
        self.residual[:, place : place + self.length] -= np.outer(amplitudes, self.waveforms[number])
        first = place - self.length + 1
        if self.keeps:
            cross = self._cross[number]
            self._kernels.lessen(self._kept, self.peaks, cross, first, self.places, amplitudes.astype(np.float32))
        else:
            self._fill(first, place + self.length)

    def overlaps(self, one: tuple[Integers, Integers], other: tuple[Integers, Integers]) -> Floats:
        """Inner products of pairs of uses, given by their waveforms and their places; see `keeps`."""
        products: Floats = self._cross[one[0], other[0], other[1] - one[1] + self.length - 1]
        return products

    def _computed(self, begin: int, end: int) -> Floats:
        """Correlations at some places, from the residual: ``[channels, waveforms, places]``."""
        return self._correlated(self.residual[:, begin : end + self.length - 1])

    def _correlated(self, sound: Doubles) -> Floats:
        """Correlations at all places of a sound: ``[channels, waveforms, places]``."""
        count = scipy.fft.next_fast_len(sound.shape[1], real=True)
        if count not in self._spectra:
            if len(self._spectra) > 8:
                self._spectra.clear()
            self._spectra[count] = scipy.fft.rfft(self.waveforms, count, axis=1).conj()
        spectra = scipy.fft.rfft(sound, count, axis=1)[:, None] * self._spectra[count]
        found: Doubles = scipy.fft.irfft(spectra, count, axis=2)[:, :, : sound.shape[1] - self.length + 1]
        return found.astype(np.float32)

    def state(self) -> dict[str, NDArray[Any]]:
        """The residual at the last time that all correlations were computed from it, and its changes since then."""
        number, place, amplitudes = zip(*self._changes, strict=True) if self._changes else ((), (), ())
        return {
            "residual": self._start.copy(),
            "changed.number": np.array(number, np.int64),
            "changed.place": np.array(place, np.int64),
            "changed.amplitude": np.array(amplitudes, np.float64).reshape(-1, len(self.residual)),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Repeats the changes of another residual."""
        self.begin(state["residual"])
        changes = (state[f"changed.{name}"] for name in ("number", "place", "amplitude"))
        for number, place, amplitudes in zip(*changes, strict=True):
            self.subtract(int(number), int(place), amplitudes)


def _cross_correlations(waveforms: Doubles) -> Floats:
    """Inner products of each waveform with all waveforms at every distance: ``[waveforms, waveforms, 2 * length - 1]``.

    The first distance is that of a waveform that begins ``length - 1`` samples before the given one.
    """
    count, length = waveforms.shape
    size = scipy.fft.next_fast_len(2 * length - 1, real=True)
    spectra = scipy.fft.rfft(waveforms, size, axis=1)
    cross = np.empty((count, count, 2 * length - 1), np.float32)
    for given, row in zip(spectra, cross, strict=True):
        circular = scipy.fft.irfft(given * spectra.conj(), size, axis=1)
        row[:, length - 1 :], row[:, : length - 1] = circular[:, :length], circular[:, size - length + 1 :]
    return cross
