"""Sparse coding with waveforms at any place: which of them, where, and how loud."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.fft
import scipy.linalg
from numpy.typing import NDArray

from distrack.decompose.pursuit.waveforms import begins

# Places whose best is found together, and places that are correlated at once.
BLOCK, AT_ONCE = 512, 1 << 15
# Waveforms that are fitted together at most.
MOST = 48

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Whole = NDArray[np.int64]


class Coding:
    """A sound as a sum of waveforms, found by matching pursuit.

    Args:
        wave: ``[channels, samples]``; it is copied.
        waveforms: ``[waveforms, length]``, each of energy 1, none longer than the sound.
        orthogonal: amplitudes of those that overlap are fitted anew together after each one.
    """

    def __init__(self, wave: Floats, waveforms: Doubles, sample_rate: int, *, orthogonal: bool) -> None:
        self.waveforms, self.sample_rate, self.orthogonal = waveforms, sample_rate, orthogonal
        self.residual = wave.astype(np.float64)
        self.length = waveforms.shape[1]
        self.places = wave.shape[1] - self.length + 1
        blocks = -(-self.places // BLOCK)
        self.strength, self.which, self.where = np.zeros(blocks), np.zeros(blocks, np.int64), np.zeros(blocks, np.int64)
        self.number: list[int] = []
        self.start: list[int] = []
        self.amplitude: list[Doubles] = []
        self._spectra: dict[int, NDArray[np.complex128]] = {}
        self._look(0, self.places)

    def __len__(self) -> int:
        return len(self.number)

    def _look(self, first: int, last: int) -> None:
        """Finds the best of every block anew that holds places from `first` up to `last`."""
        last = min(last, self.places)
        begin = max(first, 0) // BLOCK * BLOCK
        while begin < last:
            end = min(begin + AT_ONCE, -(-last // BLOCK) * BLOCK, self.places)
            energy = self._energies(begin, end)
            padded = np.zeros((len(energy), -(-(end - begin) // BLOCK) * BLOCK))
            padded[:, : end - begin] = energy
            cut = padded.reshape(len(energy), -1, BLOCK).swapaxes(0, 1).reshape(-1, len(energy) * BLOCK)
            best = cut.argmax(axis=1)
            some = slice(begin // BLOCK, begin // BLOCK + len(cut))
            self.strength[some] = cut[np.arange(len(cut)), best]
            self.which[some], self.where[some] = best // BLOCK, begin + np.arange(len(cut)) * BLOCK + best % BLOCK
            begin = end

    def _energies(self, begin: int, end: int) -> Doubles:
        """What each waveform takes away at each place: ``[waveforms, places]``."""
        sound = self.residual[:, begin : end + self.length - 1]
        count = scipy.fft.next_fast_len(sound.shape[1], real=True)
        if count not in self._spectra:
            if len(self._spectra) > 8:
                self._spectra.clear()
            self._spectra[count] = scipy.fft.rfft(self.waveforms, count, axis=1).conj()
        spectrum = scipy.fft.rfft(sound, count, axis=1)
        found: Doubles = np.zeros((len(self.waveforms), end - begin))
        for channel in spectrum:
            found += np.square(scipy.fft.irfft(self._spectra[count] * channel, count, axis=1)[:, : end - begin])
        return found

    def take(self) -> float:
        """Takes the best waveform away; returns by how much energy less is left, 0 or less where nothing was taken."""
        block = int(self.strength.argmax())
        number = int(self.which[block])
        # Where the stored time says, which on very long clips is not to the sample.
        start = begins(float(np.float32(self.where[block] / self.sample_rate)), self.sample_rate)
        start = min(max(start, 0), self.places - 1)
        inside = slice(start, start + self.length)
        before = self.residual[:, inside].copy()
        amplitude = _stored(before @ self.waveforms[number])
        self.residual[:, inside] -= np.outer(amplitude, self.waveforms[number])
        gained = float(np.square(before).sum() - np.square(self.residual[:, inside]).sum())
        if gained <= 0:
            self.residual[:, inside] = before
            return 0.0
        self.number.append(number)
        self.start.append(start)
        self.amplitude.append(amplitude)
        touched = inside
        if self.orthogonal and len(self) > 1:
            more, touched = self._refit()
            gained += more
        self._look(touched.start - self.length + 1, touched.stop)
        return gained

    def _overlapping(self) -> list[int]:
        """The last one, those that it overlaps with, those that these overlap with, and so on."""
        starts = np.array(self.start)
        found, new = [len(self) - 1], [len(self) - 1]
        left = np.ones(len(self), np.bool_)
        left[-1] = False
        while new and len(found) < MOST:
            near = left & (np.abs(starts[:, None] - starts[new]).min(axis=1) < self.length)
            new = np.flatnonzero(near)[: MOST - len(found)].tolist()
            left[new] = False
            found += new
        return found

    def _refit(self) -> tuple[float, slice]:
        """Least squares over those that hang together, by their Gram matrix."""
        some = self._overlapping()
        first = min(self.start[use] for use in some)
        span = slice(first, max(self.start[use] for use in some) + self.length)
        columns = np.zeros((len(some), span.stop - first))
        for row, use in enumerate(some):
            at = self.start[use] - first
            columns[row, at : at + self.length] = self.waveforms[self.number[use]]
        gram = columns @ columns.T
        gram[np.diag_indices_from(gram)] += 1e-9
        before = self.residual[:, span].copy()
        change = scipy.linalg.solve(gram, columns @ before.T, assume_a="pos")
        old = np.array([self.amplitude[use] for use in some])
        new = _stored(old + change)
        self.residual[:, span] -= (new - old).T @ columns
        for row, use in enumerate(some):
            self.amplitude[use] = new[row]
        return float(np.square(before).sum() - np.square(self.residual[:, span]).sum()), span

    def state(self) -> dict[str, NDArray[Any]]:
        """What was found, and what is left."""
        return {
            "residual": self.residual.copy(),
            "strength": self.strength.copy(),
            "which": self.which.copy(),
            "where": self.where.copy(),
            "number": np.array(self.number, np.int64),
            "start": np.array(self.start, np.int64),
            "amplitude": np.array(self.amplitude, np.float64).reshape(len(self), -1),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Takes over what another one found with the same waveforms."""
        for name in ("residual", "strength", "which", "where"):
            getattr(self, name)[:] = state[name]
        self.number, self.start = state["number"].tolist(), state["start"].tolist()
        self.amplitude = [row.copy() for row in state["amplitude"]]


def _stored(amplitude: Doubles) -> Doubles:
    return amplitude.astype(np.float32).astype(np.float64)
