"""A greedy pursuit of harmonic groups, from which gradient descent starts.

Each step finds the strongest peak of the residual (`peaks.py`), tries the pitches of which it may be a harmonic, and
selects the group (pitch, envelope, onset) with the most energy. The harmonics of the group are fitted to the samples,
all at once, and subtracted.
"""

from typing import NamedTuple

import numpy as np
import scipy

from distrack.arrays import Complex, Doubles
from distrack.decompose.synthesis.envelope import SHAPES, envelope

HARMONICS = 4
# Lowest pitch in Hz.
LOWEST = 25.0
# The onset is searched in these seconds before and after the peak, at so many points per second.
BEFORE, AFTER = 1.0, 2.0
POINTS = 400
# An onset may lie this many points before the clip. Less of an envelope's energy within the clip counts as this share.
LEAD = 60
LEAST_VISIBLE = 0.3
# Harmonics above this share of the sample rate are not fitted. A lower pitch must have more energy by a factor.
HIGHEST, BETTER = 0.475, 1.02
# Ridge as a share of the mean energy: without it, harmonics of a short sound get large amplitudes that cancel.
RIDGE = 1e-3


class Group(NamedTuple):
    """Harmonics that share an onset, a pitch and an envelope.

    Shape:
        - parts: ``[channels, harmonics, 2]``, the cosine and the sine part of each harmonic at the onset
    """

    onset: float
    frequency: float
    attack: float
    decay: float
    parts: Doubles


class _Search:
    """The residual around a peak, and the energy that each envelope has there at each onset.

    Frequencies are multiples of a twelfth of the peak's frequency, so that the harmonics of all pitches that the peak
    may belong to are whole numbers.
    """

    def __init__(self, residual: Doubles, peak: float, frequency: float, *, sample_rate: int) -> None:
        first = max(0, int((peak - BEFORE) * sample_rate))
        piece = residual[:, first : first + int((BEFORE + AFTER) * sample_rate)]
        self.frequency, self.sample_rate = frequency, sample_rate
        self.step = max(1, sample_rate // POINTS)
        # A sound at the first sample of the clip may have begun before it.
        lead = LEAD * self.step if first == 0 else 0
        self.first = first - lead
        self.points = -(-(lead + piece.shape[1]) // self.step)
        after = self.points * self.step - piece.shape[1] - lead
        inside = np.pad(np.ones(piece.shape[1]), (lead, after)).reshape(self.points, self.step).mean(1)
        self.piece = np.pad(piece, ((0, 0), (lead, after)))
        self.grid = (np.arange(self.points) + 0.5) * self.step / sample_rate
        self.bank = np.stack([envelope(self.grid, *shape) for shape in SHAPES])
        self.bank /= np.sqrt(np.square(self.bank).sum(1, keepdims=True) * self.step)
        self.size = scipy.fft.next_fast_len(2 * self.points)
        self.spectra = np.conj(scipy.fft.rfft(self.bank, self.size, axis=1))
        # Share of each envelope's energy within the clip; where it is small, energies are uncertain.
        squares = np.conj(scipy.fft.rfft(np.square(self.bank) * self.step, self.size, axis=1))
        share = scipy.fft.irfft(scipy.fft.rfft(inside, self.size) * squares, self.size, axis=1)[:, : self.points]
        self.visible = np.maximum(share, LEAST_VISIBLE)
        self.bases: dict[int, Complex] = {}
        self.energies: dict[int, Doubles] = {}

    def energy(self, twelfths: int) -> Doubles:
        """Energy at a multiple of a twelfth of the peak's frequency: ``[envelopes, onsets]``."""
        if twelfths not in self.energies:
            # The turn to a sample is that to its point and that within the point.
            turn = -2j * np.pi * self.frequency * twelfths / 12 / self.sample_rate
            within = np.exp(turn * np.arange(self.step))
            sums = self.piece.reshape(len(self.piece), self.points, self.step) @ np.stack([within.real, within.imag], 1)
            base = (sums[:, :, 0] + 1j * sums[:, :, 1]) * np.exp(turn * self.step * np.arange(self.points))
            halves = [scipy.fft.rfft(part, self.size, axis=1) for part in (base.real, base.imag)]
            products = [scipy.fft.irfft(half[:, None] * self.spectra, self.size, axis=2) for half in halves]
            power = (np.square(products[0]) + np.square(products[1])).sum(0)[:, : self.points]
            self.bases[twelfths], self.energies[twelfths] = base, 2 * power / self.visible
        return self.energies[twelfths]

    def best(self) -> tuple[int, int, int]:
        """The number of the peak among the harmonics of its pitch, the envelope and the onset, by energy."""
        best, most = (1, 0, 0), -1.0
        for divisor in range(1, HARMONICS + 1):
            pitch = self.frequency / divisor
            if divisor > 1 and pitch < LOWEST:
                break
            multiples = [k for k in range(1, HARMONICS + 1) if k == 1 or k * pitch < HIGHEST * self.sample_rate]
            total = np.sum([self.energy(12 * k // divisor) for k in multiples], axis=0)
            shape, onset = divmod(int(total.argmax()), self.points)
            if total[shape, onset] > most * BETTER:
                best, most = (divisor, shape, onset), float(total[shape, onset])
        return best

    def tuned(self, divisor: int, shape: int, onset: int) -> float:
        """The pitch that has the most energy near the peak's, within the resolution of the envelope's length."""
        pitch, (attack, decay) = self.frequency / divisor, SHAPES[shape]
        shifts = np.linspace(-1, 1, 33) * min(0.5 / (attack + decay), 0.03 * pitch)
        weight = np.zeros(self.points)
        weight[onset:] = self.bank[shape, : self.points - onset]
        energy = np.zeros(len(shifts))
        for k in range(1, HARMONICS + 1):
            if 12 * k // divisor in self.bases:
                turning = np.exp(-2j * np.pi * k * shifts[:, None] * self.grid) * weight
                energy += np.square(np.abs(turning @ self.bases[12 * k // divisor].T)).sum(1)
        return pitch + float(shifts[int(energy.argmax())])


def group_near(residual: Doubles, peak: float, frequency: float, *, sample_rate: int) -> Group:
    """The group with the most energy of those that have a harmonic at a peak (its time in seconds, and its frequency).

    Shape:
        - residual: ``[channels, samples]``
    """
    search = _Search(residual, peak, frequency, sample_rate=sample_rate)
    divisor, shape, onset = search.best()
    start = (search.first + onset * search.step) / sample_rate
    attack, decay = SHAPES[shape]
    pitch = search.tuned(divisor, shape, onset)
    group = Group(start, pitch, attack, decay, np.zeros((len(residual), HARMONICS, 2)))
    return group._replace(parts=fitted(residual, group, sample_rate=sample_rate))


def atoms(group: Group, *, sample_rate: int, samples: int) -> tuple[int, Doubles]:
    """First sample of a group, and cosine and sine of each harmonic under its envelope: ``[2 * harmonics, length]``."""
    first = max(0, int(np.ceil(group.onset * sample_rate)))
    last = min(samples, int((group.onset + group.attack * 2.2 + 9.2 * group.decay) * sample_rate) + 1)
    time = np.arange(first, max(last, first)) / sample_rate - group.onset
    shape = envelope(time, group.attack, group.decay)
    # Cosine and sine of a harmonic are a power of those of the first.
    turns = [np.exp(-2j * np.pi * group.frequency * time)]
    while len(turns) < HARMONICS:
        turns.append(turns[-1] * turns[0])
    pairs = np.array([[turn.real, turn.imag] for turn in turns])
    audible = np.arange(1, HARMONICS + 1) * group.frequency < HIGHEST * sample_rate
    return first, (pairs * shape * audible[:, None, None]).reshape(2 * HARMONICS, -1)


def fitted(residual: Doubles, group: Group, *, sample_rate: int) -> Doubles:
    """The parts of the group's harmonics that come nearest to the residual: ``[channels, harmonics, 2]``."""
    first, basis = atoms(group, sample_rate=sample_rate, samples=residual.shape[1])
    target = residual[:, first : first + basis.shape[1]]
    return _parts(basis @ basis.T, basis @ target.T)[:, 0]


def _parts(gram: Doubles, right: Doubles) -> Doubles:
    """Solution of the normal equations of some groups, with a ridge: ``[channels, groups, harmonics, 2]``."""
    gram[np.diag_indices_from(gram)] += RIDGE * gram.trace() / len(gram) + 1e-12
    parts = np.linalg.solve(gram, right).T
    return parts.reshape(right.shape[1], -1, HARMONICS, 2).astype(np.float64)


def sound_of(group: Group, *, sample_rate: int, samples: int) -> tuple[int, Doubles]:
    """First sample and sound of a group, ``[channels, length]``."""
    first, basis = atoms(group, sample_rate=sample_rate, samples=samples)
    return first, group.parts.reshape(len(group.parts), -1) @ basis


def refitted(groups: list[Group], wave: Doubles, *, sample_rate: int) -> list[Group]:
    """The same groups with the harmonics of all of them fitted to the clip at once."""
    matrix = np.zeros((len(groups) * 2 * HARMONICS, wave.shape[1]), np.float32)
    for row, group in enumerate(groups):
        first, basis = atoms(group, sample_rate=sample_rate, samples=wave.shape[1])
        matrix[row * 2 * HARMONICS : (row + 1) * 2 * HARMONICS, first : first + basis.shape[1]] = basis
    right = (matrix @ wave.T.astype(np.float32)).astype(np.float64)
    parts = _parts((matrix @ matrix.T).astype(np.float64), right)
    return [group._replace(parts=parts[:, place]) for place, group in enumerate(groups)]
