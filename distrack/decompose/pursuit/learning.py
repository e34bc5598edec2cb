"""Waveforms learnt from one recording: each becomes what it stands for, again and again."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from distrack.decompose.decomposer import Floats
from distrack.decompose.pursuit.coding import Coding
from distrack.decompose.pursuit.waveforms import KEPT, main_partials

# Uses of each waveform in a round, at most, and steps of the solver.
USES, STEPS = 16, 12
# Of the uses' energy; keeps what no use tells anything about as it is.
RIDGE = 1e-6

Doubles = NDArray[np.float64]


class WaveformSearch:
    """Learns waveforms from a clip, then takes the clip apart into them.

    Args:
        wave: ``[channels, samples]``
        count: of waveforms.
        seconds: length of each.
        rounds: of learning.
        events: how many are asked for.
    """

    kind = "waveform"

    def __init__(
        self,
        wave: Floats,
        sample_rate: int,
        *,
        count: int,
        seconds: float,
        rounds: int,
        events: int,
        orthogonal: bool,
        seed: int,
    ) -> None:
        self.wave, self.sample_rate, self.orthogonal, self.rounds = wave, sample_rate, orthogonal, rounds
        self.uses = min(events, USES * count)
        length = min(max(round(seconds * sample_rate), 2), wave.shape[1])
        self.waveforms = first_waveforms(wave, count=count, length=length, seed=seed)
        self.done = 0
        self.coding: Coding | None = None

    @property
    def count(self) -> int:
        """Events so far."""
        return 0 if self.coding is None else len(self.coding)

    @property
    def residual(self) -> Floats:
        """What is left of the clip, ``[channels, samples]``."""
        return self.wave if self.coding is None else self.coding.residual.astype(np.float32)

    @property
    def preparing(self) -> tuple[int, int]:
        """Rounds that are done, and how many there are; then the clip is correlated for the first time."""
        return self.done + (self.coding is not None), self.rounds + 1

    def prepare(self, *, hurried: bool) -> None:
        """One round, or the last of all if there is no time for more."""
        if self.done < self.rounds and not hurried:
            coding = Coding(self.wave, self.waveforms, self.sample_rate, orthogonal=False)
            while len(coding) < self.uses and coding.take() > 0:
                pass
            self.waveforms = improved_waveforms(coding)
            self.done += 1
            # On a clip that is hardly longer there is no room to move.
            if self.done < self.rounds and 2 * self.waveforms.shape[1] <= self.wave.shape[1]:
                self.waveforms = centred(self.waveforms)
        else:
            self.done = self.rounds
            self._begin()

    def _begin(self) -> Coding:
        kept = self.waveforms.astype(np.float32).astype(np.float64)
        self.coding = Coding(self.wave, kept, self.sample_rate, orthogonal=self.orthogonal)
        return self.coding

    def take(self) -> float:
        """Takes one waveform away; returns by how much energy less is left."""
        return (self.coding or self._begin()).take()

    def kept(self) -> dict[str, Floats]:
        """The waveforms."""
        return {KEPT: self.waveforms.astype(np.float32)}

    def rows(self) -> Floats:
        """What was found, in the order in which it was found, as stored: ``[events, columns]``."""
        found = np.zeros((self.count, 4 + len(self.wave)), np.float32)
        if self.coding is not None and self.count:
            number = np.array(self.coding.number)
            found[:, 0] = np.array(self.coding.start) / self.sample_rate
            found[:, 1] = self.waveforms.shape[1] / self.sample_rate
            found[:, 2] = (main_partials(self.kept()[KEPT]) * self.sample_rate)[number]
            found[:, 3:-1] = self.coding.amplitude
            found[:, -1] = number
        return found

    def state(self) -> dict[str, NDArray[Any]]:
        """The waveforms as they are, and what was taken away."""
        found: dict[str, NDArray[Any]] = {"waveforms": self.waveforms.copy(), "done": np.array([self.done])}
        return found if self.coding is None else found | self.coding.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Takes over what another one learnt and found."""
        self.waveforms, self.done = state["waveforms"].copy(), int(state["done"][0])
        self.coding = None
        if "residual" in state:
            self._begin().restore(state)


def first_waveforms(wave: Floats, *, count: int, length: int, seed: int) -> Doubles:
    """Stretches of the clip, drawn by their energy: ``[count, length]``, each of energy 1."""
    draw = np.random.default_rng(seed)
    mono = wave.mean(axis=0, dtype=np.float64)
    sums = np.concatenate([[0.0], np.cumsum(np.square(mono))])
    energy = np.maximum(sums[length:] - sums[:-length], 0) + 1e-12
    places = draw.choice(len(energy), count, p=energy / energy.sum())
    # Channels that cancel leave nothing; a little noise keeps any stretch from being nothing.
    stretches = np.stack([mono[place : place + length] for place in places])
    stretches += 1e-6 * draw.standard_normal(stretches.shape) * max(float(np.abs(wave).max()), 1e-12)
    found: Doubles = stretches / np.linalg.norm(stretches, axis=1, keepdims=True)
    return found


def improved_waveforms(coding: Coding) -> Doubles:
    """Each waveform as it explains best what it is used for, and its amplitudes with it; the others as they are.

    Given the amplitudes of its uses, the waveform that leaves least is the solution of a Toeplitz system, as uses may
    overlap; given the waveform, each amplitude is a projection. What is not used becomes what is missing most.

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
            waveforms[each] = _missing(residual, length)
            continue
        amplitude = np.array([coding.amplitude[use] for use in uses])
        wanted = sum(a @ residual[:, p : p + length] for a, p in zip(amplitude, start[uses], strict=True))
        change = _solved(_own(amplitude, start[uses], length), np.asarray(wanted))
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
    """Moved so that the middle of the energy is in the middle: one that was cut off there can be learnt to its end."""
    found = np.zeros_like(waveforms)
    length = waveforms.shape[1]
    for each, waveform in enumerate(waveforms):
        middle = float((np.square(waveform) * np.arange(length)).sum() / np.square(waveform).sum())
        shift = round((length - 1) / 2 - middle)
        kept = slice(max(-shift, 0), length - max(shift, 0))
        found[each, max(shift, 0) : length - max(-shift, 0)] = waveform[kept]
    norms: Doubles = np.linalg.norm(found, axis=1, keepdims=True)
    return np.where(norms > 0, found / np.maximum(norms, 1e-300), waveforms)


def _own(amplitude: Doubles, start: NDArray[np.int64], length: int) -> Doubles:
    """How a waveform's samples weigh on each other through uses that overlap: by their distance, ``[length]``."""
    found = np.zeros(length)
    for row, place in enumerate(start):
        apart = start - place
        near = (apart >= 0) & (apart < length)
        np.add.at(found, apart[near], amplitude[near] @ amplitude[row])
    # Each pair of two at one place was counted from both sides, as it must be; at a distance, from one.
    return found


def _solved(own: Doubles, wanted: Doubles) -> Doubles:
    """The solution of a symmetric Toeplitz system, by conjugate gradients; each product is an FFT."""
    length = len(own)
    count = scipy.fft.next_fast_len(2 * length, real=True)
    circle = np.zeros(count)
    circle[:length] = own
    circle[count - length + 1 :] = own[:0:-1]
    circle[0] += RIDGE * own[0]
    spectrum = scipy.fft.rfft(circle).real

    found, left = np.zeros(length), wanted.copy()
    step, size = left.copy(), float(left @ left)
    enough = 1e-12 * size
    for _ in range(STEPS):
        if size <= enough:
            break
        product = scipy.fft.irfft(spectrum * scipy.fft.rfft(step, count), count)[:length]
        curve = float(step @ product)
        if curve <= 0:
            break
        found += size / curve * step
        left -= size / curve * product
        before, size = size, float(left @ left)
        step = left + size / before * step
    return found


def _missing(residual: Doubles, length: int) -> Doubles:
    """The loudest stretch of what is left, of energy 1."""
    mono = residual.mean(axis=0)
    sums = np.concatenate([[0.0], np.cumsum(np.square(mono))])
    place = int((sums[length:] - sums[:-length]).argmax())
    found = mono[place : place + length]
    norm = float(np.linalg.norm(found))
    if norm > 0:
        return np.asarray(found / norm, np.float64)
    flat: Doubles = np.full(length, length**-0.5)
    return flat
