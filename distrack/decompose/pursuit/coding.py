"""Sparse coding of a sound with a few waveforms, each at any place and level."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from distrack.arrays import Complex, Doubles, Floats
from distrack.decompose.pursuit.waveform_kind import first_sample

# Places of a block whose best use is stored, and places that are correlated at once.
BLOCK, AT_ONCE = 512, 1 << 15
# Most uses whose amplitudes are fitted at once.
MOST = 48
# Arrays of a coding that its state holds as they are.
STORED = ("residual", "strength", "which", "where")


class Coding:
    """A sound as a sum of uses of waveforms, found by matching pursuit. A use is a waveform at a place and a level.

    Args:
        wave: ``[channels, samples]``; it is copied.
        waveforms: ``[waveforms, length]``, each of energy 1, none longer than the sound.
        orthogonal: refit the amplitudes of overlapping uses after each new use.

    Attributes:
        number, start, amplitude: waveform, first sample and level in each channel of every use.
        strength, which, where: energy, waveform and place of the best use in each block of places.
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
        self._spectra: dict[int, Complex] = {}
        self._update(0, self.places)

    def __len__(self) -> int:
        return len(self.number)

    def _update(self, first: int, last: int) -> None:
        """Finds the best use in every block that holds places from `first` up to `last`."""
        last = min(last, self.places)
        begin = max(first, 0) // BLOCK * BLOCK
        while begin < last:
            end = min(begin + AT_ONCE, -(-last // BLOCK) * BLOCK, self.places)
            energy = self._energies(begin, end)
            padded = np.zeros((len(energy), -(-(end - begin) // BLOCK) * BLOCK))
            padded[:, : end - begin] = energy
            cut = padded.reshape(len(energy), -1, BLOCK).swapaxes(0, 1).reshape(-1, len(energy) * BLOCK)
            best = cut.argmax(axis=1)
            blocks = slice(begin // BLOCK, begin // BLOCK + len(cut))
            self.strength[blocks] = cut[np.arange(len(cut)), best]
            self.which[blocks], self.where[blocks] = best // BLOCK, begin + np.arange(len(cut)) * BLOCK + best % BLOCK
            begin = end

    def _energies(self, begin: int, end: int) -> Doubles:
        """Energy that each waveform removes at each place: ``[waveforms, places]``."""
        sound = self.residual[:, begin : end + self.length - 1]
        count = scipy.fft.next_fast_len(sound.shape[1], real=True)
        if count not in self._spectra:
            if len(self._spectra) > 8:
                self._spectra.clear()
            self._spectra[count] = scipy.fft.rfft(self.waveforms, count, axis=1).conj()
        spectrum = scipy.fft.rfft(sound, count, axis=1)
        energies: Doubles = np.zeros((len(self.waveforms), end - begin))
        for channel in spectrum:
            energies += np.square(scipy.fft.irfft(self._spectra[count] * channel, count, axis=1)[:, : end - begin])
        return energies

    def take(self) -> float:
        """Subtracts the best use; returns the energy removed from the residual, 0 or less if there was no use."""
        block = int(self.strength.argmax())
        number = int(self.which[block])
        # A stored time is a float32, which on very long clips may round to another sample.
        start = first_sample(float(np.float32(self.where[block] / self.sample_rate)), self.sample_rate)
        start = min(max(start, 0), self.places - 1)
        inside = slice(start, start + self.length)
        before = self.residual[:, inside].copy()
        amplitude = _stored(before @ self.waveforms[number])
        self.residual[:, inside] -= np.outer(amplitude, self.waveforms[number])
        removed = float(np.square(before).sum() - np.square(self.residual[:, inside]).sum())
        if removed <= 0:
            self.residual[:, inside] = before
            return 0.0
        self.number.append(number)
        self.start.append(start)
        self.amplitude.append(amplitude)
        changed = inside
        if self.orthogonal and len(self) > 1:
            more, changed = self._refit()
            removed += more
        self._update(changed.start - self.length + 1, changed.stop)
        return removed

    def _overlapping(self) -> list[int]:
        """The last use, those that overlap it, those that overlap these, and so on."""
        starts = np.array(self.start)
        group, new = [len(self) - 1], [len(self) - 1]
        outside = np.ones(len(self), np.bool_)
        outside[-1] = False
        while new and len(group) < MOST:
            near = outside & (np.abs(starts[:, None] - starts[new]).min(axis=1) < self.length)
            new = np.flatnonzero(near)[: MOST - len(group)].tolist()
            outside[new] = False
            group += new
        return group

    def _refit(self) -> tuple[float, slice]:
        """Refits the amplitudes of overlapping uses by least squares; returns the energy removed, and the samples."""
        group = self._overlapping()
        first = min(self.start[use] for use in group)
        span = slice(first, max(self.start[use] for use in group) + self.length)
        columns = np.zeros((len(group), span.stop - first))
        for row, use in enumerate(group):
            at = self.start[use] - first
            columns[row, at : at + self.length] = self.waveforms[self.number[use]]
        gram = columns @ columns.T
        gram[np.diag_indices_from(gram)] += 1e-9
        before = self.residual[:, span].copy()
        change = scipy.linalg.solve(gram, columns @ before.T, assume_a="pos")
        old = np.array([self.amplitude[use] for use in group])
        new = _stored(old + change)
        self.residual[:, span] -= (new - old).T @ columns
        for row, use in enumerate(group):
            self.amplitude[use] = new[row]
        return float(np.square(before).sum() - np.square(self.residual[:, span]).sum()), span

    def state(self) -> dict[str, NDArray[Any]]:
        return {
            **{name: getattr(self, name).copy() for name in STORED},
            "number": np.array(self.number, np.int64),
            "start": np.array(self.start, np.int64),
            "amplitude": np.array(self.amplitude, np.float64).reshape(len(self), -1),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        for name in STORED:
            getattr(self, name)[:] = state[name]
        self.number, self.start = state["number"].tolist(), state["start"].tolist()
        self.amplitude = [row.copy() for row in state["amplitude"]]


def _stored(amplitude: Doubles) -> Doubles:
    return amplitude.astype(np.float32).astype(np.float64)
