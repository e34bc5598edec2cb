"""Correlations with every atom of a grid, by FFT: for each frame of each scale the best one, kept up to date."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from distrack.decompose.pursuit.atoms import DAMPED, GABOR, Atom

# Samples of the shortest and seconds of the longest frame, which is eight standard deviations of a Gaussian and six
# times of a decay.
_SHORTEST, _LONGEST = 0.004, 1.6
_SIGMAS, _DECAYS = 8.0, 6.0
# Frames in a frame's length: neighbours of a grid are near enough for the Newton step to find what lies between.
_FRAMES = {GABOR: 4, DAMPED: 12}
# Where cosine and sine are nearly one, an atom's energy cannot be told from its correlation.
_LEAST_OVERLAP, _MOST_OVERLAP = 0.01, 0.95
# Frames transformed at once, in samples, and frames whose best is found together.
_AT_ONCE = 1 << 21
_TOGETHER = 256


class Best(NamedTuple):
    """The best atom of a grid: the energy that it takes away, and where it stands."""

    energy: float
    scale: int
    frame: int
    bin: int


class Scale:
    """One shape and length of atoms: where they stand, and the best of every frame.

    Args:
        shape: of the atoms.
        length: of a frame, in samples; a power of two.
        samples: of the clip.
    """

    def __init__(self, shape: int, length: int, samples: int) -> None:
        self.shape, self.length = shape, length
        self.hop = max(length // _FRAMES[shape], 1)
        # Atoms may begin before the clip and end after it.
        self.before = length // 2 if shape == GABOR else 0
        self.frames = 1 + (samples + self.before - 1) // self.hop
        relative = np.arange(length)
        self.scale = length / (_SIGMAS if shape == GABOR else _DECAYS)
        window = (
            np.exp(-0.5 * ((relative - length / 2) / self.scale) ** 2)
            if shape == GABOR
            else np.exp(-relative / self.scale)
        )
        window /= np.linalg.norm(window)
        self.window = window.astype(np.float32)
        # How far an atom's complex waveform overlaps with its own conjugate, at each frequency.
        twice = scipy.fft.fft(np.square(window)).conj()
        overlap = twice[(2 * np.arange(length // 2 + 1)) % length]
        # Only there, near 0 Hz and half of the sample rate, does it matter.
        self.near = np.flatnonzero(np.abs(overlap) > _LEAST_OVERLAP)
        self.overlap = overlap[self.near].astype(np.complex64)
        usable = np.abs(self.overlap) < _MOST_OVERLAP
        self.weight = np.where(usable, 2 / np.maximum(1 - np.abs(self.overlap) ** 2, 1e-6), 0).astype(np.float32)
        self.energy = np.zeros(self.frames, np.float32)
        self.bin = np.zeros(self.frames, np.int32)
        self.highest = np.zeros(-(-self.frames // _TOGETHER), np.float32)

    def touched(self, first: int, last: int) -> tuple[int, int]:
        """The frames that samples from `first` up to `last` lie in."""
        begin = max(-(-(first + self.before - self.length + 1) // self.hop), 0)
        return begin, min((last - 1 + self.before) // self.hop + 1, self.frames)

    def update(self, padded: NDArray[np.float32], offset: int, begin: int, end: int) -> None:
        """Finds the best of the frames from `begin` up to `end` anew.

        Args:
            padded: the residual, ``[channels, samples]``, with zeros on both sides.
            offset: where the clip begins in it.
        """
        at_once = max(_AT_ONCE // self.length, 1)
        for first in range(begin, end, at_once):
            last = min(first + at_once, end)
            some = slice(first, last)
            place = first * self.hop - self.before + offset
            views = np.lib.stride_tricks.sliding_window_view(padded[:, place:], self.length, axis=1)[:, :: self.hop]
            spectrum = scipy.fft.rfft(views[:, : last - first] * self.window, axis=2, overwrite_x=True)
            energy = self._energy(spectrum[0])
            for channel in spectrum[1:]:
                energy += self._energy(channel)
            self.bin[some] = energy.argmax(axis=1)
            self.energy[some] = energy[np.arange(last - first), self.bin[some]]
        for group in range(begin // _TOGETHER, -(-end // _TOGETHER)):
            self.highest[group] = self.energy[group * _TOGETHER : (group + 1) * _TOGETHER].max()

    def _energy(self, spectrum: NDArray[np.complex64]) -> NDArray[np.float32]:
        """What the real part of every atom takes away, if its phase is the best one, ``[frames, bins]``."""
        some = spectrum[:, self.near]
        parts = spectrum.view(np.float32)
        parts *= parts
        energy: NDArray[np.float32] = parts[:, 0::2] + parts[:, 1::2]
        energy *= 2
        power = np.square(some.real) + np.square(some.imag)
        energy[:, self.near] = (power - (self.overlap * some * some).real) * self.weight
        return energy

    def best(self) -> tuple[float, int]:
        """The highest energy, and its frame."""
        group = int(self.highest.argmax())
        frame = group * _TOGETHER + int(self.energy[group * _TOGETHER : (group + 1) * _TOGETHER].argmax())
        return float(self.energy[frame]), frame

    def atom(self, frame: int, sample_rate: int) -> Atom:
        """The best atom of a frame."""
        start = frame * self.hop - self.before
        time = (start + (self.length / 2 if self.shape == GABOR else 0)) / sample_rate
        return Atom(self.shape, time, self.scale / sample_rate, int(self.bin[frame]) * sample_rate / self.length)


class Scales:
    """All scales of some shapes over one residual.

    Args:
        residual: ``[channels, samples]``, as it is now; `changed` is to be called whenever it changes.
        sample_rate: in Hz.
        shapes: of the atoms.
    """

    def __init__(self, residual: NDArray[np.float64], sample_rate: int, shapes: tuple[int, ...]) -> None:
        samples = residual.shape[1]
        lengths = _lengths(samples, sample_rate)
        self.sample_rate = sample_rate
        self.all = [Scale(shape, length, samples) for shape in shapes for length in lengths]
        self.offset = max(lengths)
        self.padded = np.zeros((len(residual), samples + 2 * self.offset + max(lengths)), np.float32)
        self._copy(residual, 0, samples)

    def fill(self) -> Iterator[int]:
        """Correlates everything for the first time, a scale at a time; yields how many are done."""
        for number, scale in enumerate(self.all, 1):
            scale.update(self.padded, self.offset, 0, scale.frames)
            yield number

    def changed(self, residual: NDArray[np.float64], first: int, last: int) -> None:
        """The residual's samples from `first` up to `last` are others now."""
        self._copy(residual, first, last)
        for scale in self.all:
            scale.update(self.padded, self.offset, *scale.touched(first, last))

    def _copy(self, residual: NDArray[np.float64], first: int, last: int) -> None:
        self.padded[:, self.offset + first : self.offset + last] = residual[:, first:last]

    def best(self) -> tuple[float, Atom]:
        """The atom of the grid that takes most energy away, and how much that is."""
        found = [(*scale.best(), scale) for scale in self.all]
        energy, frame, scale = max(found, key=lambda each: each[0])
        return energy, scale.atom(frame, self.sample_rate)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """What was correlated, so that it need not be again."""
        return {
            f"{name}.{number}": getattr(scale, name)
            for number, scale in enumerate(self.all)
            for name in ("energy", "bin", "highest")
        }

    def restore(self, state: dict[str, NDArray[np.generic]], residual: NDArray[np.float64]) -> None:
        """Takes over what another one correlated with this residual."""
        self._copy(residual, 0, residual.shape[1])
        for number, scale in enumerate(self.all):
            for name in ("energy", "bin", "highest"):
                getattr(scale, name)[:] = state[f"{name}.{number}"]


def _lengths(samples: int, sample_rate: int) -> list[int]:
    """Of frames: powers of two between the shortest and the longest, none much longer than the clip."""
    shortest = max(4, 2 ** round(math.log2(_SHORTEST * sample_rate)))
    whole = 2 ** math.ceil(math.log2(max(samples, 1)))
    longest = max(shortest, min(2 ** round(math.log2(_LONGEST * sample_rate)), whole))
    return [2**power for power in range(int(math.log2(shortest)), int(math.log2(longest)) + 1)]
