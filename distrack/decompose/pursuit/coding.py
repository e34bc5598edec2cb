"""Sparse coding of a sound with a few waveforms, each at any place and level."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distrack.arrays import Doubles, Floats
from distrack.decompose.pursuit.correlations import Correlations, Kernels
from distrack.decompose.pursuit.joint_fit import fitted_change, overlapping
from distrack.decompose.pursuit.waveform_kind import first_sample

# Uses that are refined in one step.
_TOGETHER = 64
# In an orthogonal pursuit all uses are refined so many times, each time that as many more were found.
_ROUNDS = 8
# A use is moved by this share of a waveform's length at most.
_REACH = 1 / 16
# A use that would remove less than this share of its own energy stays as it is.
_BETTER = 1e-8


def rounds(uses: int) -> list[int]:
    """Numbers of uses at which an orthogonal pursuit refines all of them.

    >>> rounds(64)
    [8, 16, 24, 32, 40, 48, 56, 64]
    """
    return sorted({math.ceil(uses * number / _ROUNDS) for number in range(1, _ROUNDS + 1)})


class Coding:
    """A sound as a sum of uses of waveforms, found by matching pursuit. A use is a waveform at a place and a level.

    Args:
        wave: ``[channels, samples]``; it is copied.
        waveforms: ``[waveforms, length]``, each of energy 1, none longer than the sound.
        refined_at: numbers of uses at which all are refined: each in turn, in what the others leave.

    Attributes:
        number, start, amplitude: waveform, first sample and level in each channel of every use.
    """

    def __init__(
        self, wave: Floats, waveforms: Doubles, sample_rate: int, kernels: Kernels, *, refined_at: Sequence[int] = ()
    ) -> None:
        self.waveforms, self.sample_rate, self.length = waveforms, sample_rate, waveforms.shape[1]
        self._correlations = Correlations(wave, waveforms, kernels)
        self.number: list[int] = []
        self.start: list[int] = []
        self.amplitude: list[Doubles] = []
        self._refined_at, self._rounds_done, self._refined = refined_at, 0, 0

    def __len__(self) -> int:
        return len(self.number)

    @property
    def residual(self) -> Doubles:
        return self._correlations.residual

    @property
    def refining(self) -> bool:
        """Whether the uses that were found are to be refined before there is another one."""
        return self._rounds_done < len(self._refined_at) and len(self) >= self._refined_at[self._rounds_done]

    @property
    def refined(self) -> int:
        """How many uses were refined, each time that one was."""
        return int(sum(self._refined_at[: self._rounds_done])) + self._refined

    def take(self) -> float:
        """Subtracts the best use, or refines some; returns the energy removed from the residual.

        Where it is 0 and no use was refined, there was no use.
        """
        if self.refining:
            return self._refine()
        number, place = self._correlations.best()
        start = self._stored_start(place)
        before = self.residual[:, start : start + self.length]
        amplitude = _stored(before @ self.waveforms[number])
        after = before - np.outer(amplitude, self.waveforms[number])
        removed = float(np.square(before).sum() - np.square(after).sum())
        if removed <= 0:
            return 0.0
        self._correlations.subtract(number, start, amplitude)
        self.number.append(number)
        self.start.append(start)
        self.amplitude.append(amplitude)
        return removed

    def _refine(self) -> float:
        """Refines the next uses of a round; after the last ones, fits the amplitudes of all at once."""
        last = min(self._refined + _TOGETHER, len(self))
        removed = math.fsum(self._retune(use) for use in range(self._refined, last))
        self._refined = last
        if last == len(self):
            removed += self._fit_together()
            self._correlations.begin(self.residual)
            self._refined, self._rounds_done = 0, self._rounds_done + 1
        return removed

    def _retune(self, use: int) -> float:
        """Finds a use again in what the others leave; one that gets no better stays."""
        number, start, amplitude = self.number[use], self.start[use], self.amplitude[use]
        reach = math.ceil(_REACH * self.length)
        other, place = self._correlations.best_near(number, start, amplitude, reach)
        place = self._stored_start(place)
        first, last = min(start, place), max(start, place) + self.length
        before = self.residual[:, first:last]
        after = before.copy()
        after[:, start - first : start - first + self.length] += np.outer(amplitude, self.waveforms[number])
        inside = after[:, place - first : place - first + self.length]
        new = _stored(inside @ self.waveforms[other])
        inside -= np.outer(new, self.waveforms[other])
        removed = float(np.square(before).sum() - np.square(after).sum())
        if removed <= _BETTER * float(amplitude @ amplitude):
            return 0.0
        if (other, place) == (number, start):
            self._correlations.subtract(number, start, new - amplitude)
        else:
            self._correlations.subtract(number, start, -amplitude)
            self._correlations.subtract(other, place, new)
        self.number[use], self.start[use], self.amplitude[use] = other, place, new
        return removed

    def _fit_together(self) -> float:
        """Fits the amplitudes of all uses at once, unless too many overlap or cross-correlations are not kept."""
        number, start, amplitude = np.array(self.number), np.array(self.start), np.array(self.amplitude)
        pairs = overlapping(start, self.length) if self._correlations.keeps else None
        if pairs is None:
            return 0.0
        one, other = ((number[uses], start[uses]) for uses in pairs)
        right = [
            self.residual[:, first : first + self.length] @ self.waveforms[each]
            for each, first in zip(self.number, self.start, strict=True)
        ]
        new = _stored(amplitude + fitted_change(pairs, self._correlations.overlaps(one, other), np.array(right)))
        left = self.residual.copy()
        for each, first, change in zip(self.number, self.start, new - amplitude, strict=True):
            left[:, first : first + self.length] -= np.outer(change, self.waveforms[each])
        removed = float(np.square(self.residual).sum() - np.square(left).sum())
        if removed <= 0:
            return 0.0
        self.residual[:] = left
        self.amplitude = list(new)
        return removed

    def _stored_start(self, place: int) -> int:
        """The nearest place that can be stored: a time is a float32, which on very long clips is another sample."""
        start = first_sample(float(np.float32(place / self.sample_rate)), self.sample_rate)
        return min(max(start, 0), self._correlations.places - 1)

    def state(self) -> dict[str, NDArray[Any]]:
        return {
            **self._correlations.state(),
            "rounds": np.array([self._rounds_done, self._refined]),
            "number": np.array(self.number, np.int64),
            "start": np.array(self.start, np.int64),
            "amplitude": np.array(self.amplitude, np.float64).reshape(-1, len(self.residual)),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._check(state)
        self._correlations.restore(state)
        self._rounds_done, self._refined = state["rounds"].tolist()
        self.number, self.start = state["number"].tolist(), state["start"].tolist()
        self.amplitude = [row.copy() for row in state["amplitude"]]

    def _check(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Refuses a state of another clip or config.

        Raises:
            ValueError: an array has another shape, or a number is out of range.
        """
        number, place, amplitude = (
            np.concatenate([state[name], state[f"changed.{changed}"]])
            for name, changed in (("number", "number"), ("start", "place"), ("amplitude", "amplitude"))
        )
        done, refined = state["rounds"].tolist()
        fits = state["residual"].shape == self.residual.shape and amplitude.shape == (len(number), len(self.residual))
        fits = fits and number.shape == place.shape and len(state["number"]) == len(state["start"])
        fits = fits and bool(((number >= 0) & (number < len(self.waveforms))).all())
        fits = fits and bool(((place >= 0) & (place < self._correlations.places)).all())
        if not (fits and 0 <= done <= len(self._refined_at) and 0 <= refined <= len(state["number"])):
            raise ValueError("it is of another clip or of other settings")


def _stored(amplitude: Doubles) -> Doubles:
    return amplitude.astype(np.float32).astype(np.float64)
