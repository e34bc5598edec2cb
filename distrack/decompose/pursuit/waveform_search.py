"""Matching pursuit with waveforms that are learned from the clip itself."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from distrack.arrays import Doubles, Floats, Integers
from distrack.decompose.decomposer import Budget
from distrack.decompose.pursuit.coding import Coding, rounds
from distrack.decompose.pursuit.config import PursuitConfig
from distrack.decompose.pursuit.correlations import kernels_for
from distrack.decompose.pursuit.waveform_kind import WAVEFORMS, main_partials

# Most uses of each waveform in a round of learning, and steps of the solver.
USES, STEPS = 16, 12
# Ridge as a share of the uses' energy: samples of a waveform that no use determines stay as they are.
RIDGE = 1e-6


class WaveformSearch:
    """Learns waveforms from a clip, then decomposes the clip into them.

    Args:
        wave: ``[channels, samples]``
    """

    kind_name = "waveform"
    settled = True

    def __init__(self, wave: Floats, sample_rate: int, budget: Budget, settings: PursuitConfig) -> None:
        self.wave, self.sample_rate = wave, sample_rate
        self.rounds, self.uses = settings.learning, min(budget.events, USES * settings.waveforms)
        length = min(max(round(settings.waveform_seconds * sample_rate), 2), wave.shape[1])
        self.waveforms = first_waveforms(wave, count=settings.waveforms, length=length, seed=budget.seed)
        self._refined_at = rounds(budget.events) if settings.orthogonal else []
        uses = self.rounds * self.uses + budget.events + sum(self._refined_at)
        self._kernels = kernels_for(uses, channels=len(wave), waveforms=settings.waveforms, length=length)
        self.done = 0
        self.coding: Coding | None = None

    @property
    def count(self) -> int:
        return 0 if self.coding is None else len(self.coding)

    @property
    def residual(self) -> Floats:
        return self.wave if self.coding is None else self.coding.residual.astype(np.float32)

    @property
    def preparing(self) -> tuple[int, int]:
        """Rounds of learning that are done, and how many there are; correlating the clip counts as one more round."""
        return self.done + (self.coding is not None), self.rounds + 1

    @property
    def refining(self) -> bool:
        return self.coding is not None and self.coding.refining

    @property
    def refinement(self) -> tuple[int, int]:
        return 0 if self.coding is None else self.coding.refined, sum(self._refined_at)

    def prepare(self, *, hurried: bool) -> None:
        """Does one round of learning; after the last one, or if `hurried`, correlates the clip with the waveforms."""
        if self.done < self.rounds and not hurried:
            coding = Coding(self.wave, self.waveforms, self.sample_rate, self._kernels)
            while len(coding) < self.uses and coding.take() > 0:
                pass
            self.waveforms = improved_waveforms(coding)
            self.done += 1
            # On a clip that is hardly longer than a waveform there is no room to shift it.
            if self.done < self.rounds and 2 * self.waveforms.shape[1] <= self.wave.shape[1]:
                self.waveforms = centred(self.waveforms)
        else:
            self.done = self.rounds
            self._begin()

    def _begin(self) -> Coding:
        stored = self.waveforms.astype(np.float32).astype(np.float64)
        self.coding = Coding(self.wave, stored, self.sample_rate, self._kernels, refined_at=self._refined_at)
        return self.coding

    def take(self) -> float:
        # A coding without a use is false.
        return (self._begin() if self.coding is None else self.coding).take()

    def shared(self) -> dict[str, Floats]:
        return {WAVEFORMS: self.waveforms.astype(np.float32)}

    def rows(self) -> Floats:
        rows = np.zeros((self.count, 4 + len(self.wave)), np.float32)
        if self.coding is not None and self.count:
            number = np.array(self.coding.number)
            rows[:, 0] = np.array(self.coding.start) / self.sample_rate
            rows[:, 1] = self.waveforms.shape[1] / self.sample_rate
            rows[:, 2] = (main_partials(self.shared()[WAVEFORMS]) * self.sample_rate)[number]
            rows[:, 3:-1] = self.coding.amplitude
            rows[:, -1] = number
        return rows

    def state(self) -> dict[str, NDArray[Any]]:
        """The current waveforms, the rounds done, and the coding of the clip."""
        state: dict[str, NDArray[Any]] = {"waveforms": self.waveforms.copy(), "done": np.array([self.done])}
        return state if self.coding is None else state | self.coding.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.waveforms, self.done = state["waveforms"].copy(), int(state["done"][0])
        self.coding = None
        if "residual" in state:
            self._begin().restore(state)


def first_waveforms(wave: Floats, *, count: int, length: int, seed: int) -> Doubles:
    """Random pieces of the clip, loud ones with a higher probability: ``[count, length]``, each of energy 1."""
    draw = np.random.default_rng(seed)
    mono = wave.mean(axis=0, dtype=np.float64)
    energy = np.maximum(_energies(mono, length), 0) + 1e-12
    places = draw.choice(len(energy), count, p=energy / energy.sum())
    # Channels of opposite phase cancel in the mean; a little noise keeps the norm of every piece above 0.
    pieces = np.stack([mono[place : place + length] for place in places])
    pieces += 1e-6 * draw.standard_normal(pieces.shape) * max(float(np.abs(wave).max()), 1e-12)
    waveforms: Doubles = pieces / np.linalg.norm(pieces, axis=1, keepdims=True)
    return waveforms


def improved_waveforms(coding: Coding) -> Doubles:
    """Updates one waveform after another, and the amplitudes of its uses, while the others stay as they are.

    For given amplitudes, the waveform that leaves the smallest residual solves a Toeplitz system, as its uses may
    overlap; for a given waveform, each amplitude is a projection. A waveform without a use becomes the loudest piece of
    the residual.

    Source:
        The one waveform at a time of Aharon, Elad and Bruckstein, "K-SVD: An Algorithm for Designing Overcomplete
        Dictionaries for Sparse Representation", IEEE Transactions on Signal Processing 54(11), 2006, and the shifts of
        Mailhé, Lesage, Gribonval, Bimbot and Vandergheynst, "Shift-invariant dictionary learning for sparse
        representations: extending K-SVD", EUSIPCO 2008.
    """
    waveforms, length, residual = coding.waveforms.copy(), coding.length, coding.residual
    number, start = np.array(coding.number, np.int64), np.array(coding.start, np.int64)
    for each in range(len(waveforms)):
        uses = np.flatnonzero(number == each)
        if not len(uses):
            waveforms[each] = _loudest_piece(residual, length)
            continue
        amplitude = np.array([coding.amplitude[use] for use in uses])
        right = sum(a @ residual[:, p : p + length] for a, p in zip(amplitude, start[uses], strict=True))
        change = _solved(_overlap(amplitude, start[uses], length), np.asarray(right))
        for a, p in zip(amplitude, start[uses], strict=True):
            residual[:, p : p + length] -= np.outer(a, change)
        changed = waveforms[each] + change
        norm = float(np.linalg.norm(changed))
        if not norm > 0:
            continue
        waveforms[each] = changed / norm
        amplitude *= norm
        for row, (use, place) in enumerate(zip(uses, start[uses], strict=True)):
            part = residual[:, place : place + length]
            step = part @ waveforms[each]
            part -= np.outer(step, waveforms[each])
            coding.amplitude[use] = amplitude[row] + step
    return waveforms


def centred(waveforms: Doubles) -> Doubles:
    """Waveforms shifted so that their energy lies in the middle: the next round can then learn an end that was cut."""
    shifted = np.zeros_like(waveforms)
    length = waveforms.shape[1]
    for each, waveform in enumerate(waveforms):
        middle = float((np.square(waveform) * np.arange(length)).sum() / np.square(waveform).sum())
        shift = round((length - 1) / 2 - middle)
        inside = slice(max(-shift, 0), length - max(shift, 0))
        shifted[each, max(shift, 0) : length - max(-shift, 0)] = waveform[inside]
    norms: Doubles = np.linalg.norm(shifted, axis=1, keepdims=True)
    return np.where(norms > 0, shifted / np.maximum(norms, 1e-300), waveforms)


def _overlap(amplitude: Doubles, start: Integers, length: int) -> Doubles:
    """First column of the Toeplitz matrix that overlapping uses make: by distance in samples, ``[length]``."""
    column = np.zeros(length)
    for row, place in enumerate(start):
        distance = start - place
        near = (distance >= 0) & (distance < length)
        np.add.at(column, distance[near], amplitude[near] @ amplitude[row])
    # At distance 0 both orders of a pair were counted, as they must be; at any other distance, one of them.
    return column


def _solved(column: Doubles, right: Doubles) -> Doubles:
    """Solution of a symmetric Toeplitz system, given by its first column: conjugate gradients, products by FFT."""
    length = len(column)
    count = scipy.fft.next_fast_len(2 * length, real=True)
    circle = np.zeros(count)
    circle[:length] = column
    circle[count - length + 1 :] = column[:0:-1]
    circle[0] += RIDGE * column[0]
    spectrum = scipy.fft.rfft(circle).real

    solution, residual = np.zeros(length), right.copy()
    step, size = residual.copy(), float(residual @ residual)
    tolerance = 1e-12 * size
    for _ in range(STEPS):
        if size <= tolerance:
            break
        product = scipy.fft.irfft(spectrum * scipy.fft.rfft(step, count), count)[:length]
        curve = float(step @ product)
        if curve <= 0:
            break
        solution += size / curve * step
        residual -= size / curve * product
        before, size = size, float(residual @ residual)
        step = residual + size / before * step
    return solution


def _energies(mono: Doubles, length: int) -> Doubles:
    """Energy of the piece of this length at each place."""
    sums = np.concatenate([[0.0], np.cumsum(np.square(mono))])
    energies: Doubles = sums[length:] - sums[:-length]
    return energies


def _loudest_piece(residual: Doubles, length: int) -> Doubles:
    """The loudest piece of the residual, scaled to energy 1; a constant if the residual is silent."""
    mono = residual.mean(axis=0)
    place = int(_energies(mono, length).argmax())
    piece: Doubles = mono[place : place + length]
    norm = float(np.linalg.norm(piece))
    return piece / norm if norm > 0 else np.full(length, length**-0.5)
