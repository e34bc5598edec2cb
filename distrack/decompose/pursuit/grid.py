"""A grid of atoms of all scales, times and frequencies, and which of them removes the most energy from a residual."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distrack.arrays import Doubles, Floats
from distrack.decompose.pursuit.atoms import CORE, DAMPED, GABOR, Atom, highest

# Length of the shortest and of the longest frame, in seconds.
SHORTEST, LONGEST = 0.006, 1.6
# How many scales of the atom a frame is long: a Gaussian is cut at -70 dB of its peak, a decay at -52 dB.
SCALES = {GABOR: 8, DAMPED: 6}
# Frames that begin within the length of one frame, and octaves between one frame length and the next. This grid is
# half as dense in each as usual: it costs 0.1 dB with 200 atoms, as Newton's steps find the atoms in between, and takes
# a third of the time.
FRAMES = {GABOR: 4, DAMPED: 12}
OCTAVES = 2
# Samples of the frames that are transformed at once.
AT_ONCE = 1 << 19
# Share of its energy that an atom must have within the clip, relative to the atom that has the most there.
INSIDE = 0.05
# A frame whose energy turns out lower than this share of the stored one is not the best: small changes of the residual
# do not update all frames.
UNCHANGED = 0.98


class Scale:
    """All atoms of one shape and length on the grid.

    Args:
        shape: `GABOR` or `DAMPED`.
        length: length of a frame in samples, a power of two.

    Attributes:
        energy: the energy that the best atom of each frame removes, ``[frames]``.
        bin: frequency of that atom, in bins of the frame's spectrum, ``[frames]``.
    """

    def __init__(self, shape: int, length: int, samples: int) -> None:
        self.shape, self.length, self.samples = shape, length, samples
        self.hop = hop_of(shape, length)
        self.lead = length // 2 if shape == GABOR else 0
        self.count = 1 + (samples - 1 + self.lead) // self.hop
        self.scale = length / SCALES[shape]
        place = np.arange(length)
        envelope = (
            np.exp(-0.5 * ((place - length / 2) / self.scale) ** 2) if shape == GABOR else np.exp(-place / self.scale)
        )
        envelope /= np.linalg.norm(envelope)
        self.window = envelope.astype(np.float32)
        self._measure_conjugates(envelope)
        self._measure_ends(envelope)
        self.energy = np.zeros(self.count, np.float32)
        self.bin = np.zeros(self.count, np.int32)

    def _measure_conjugates(self, envelope: Doubles) -> None:
        """Prepares the bins near 0 Hz and near half the sample rate, where an atom overlaps its own conjugate."""
        own = np.fft.fft(np.square(envelope))[(-2 * np.arange(self.length // 2 + 1)) % self.length]
        self.edge = np.flatnonzero(np.abs(own) > 0.01)
        self.own = own[self.edge].astype(np.complex64)
        # Where cosine and sine differ in sign only, there is one atom and not two.
        apart = 1 - np.abs(own[self.edge]) ** 2
        self.weight = np.where(apart > 0.1, 1 / np.maximum(apart, 0.1), 0.5).astype(np.float32)
        self.one = apart <= 0.1

    def _measure_ends(self, envelope: Doubles) -> None:
        """Prepares the factor on atoms that the ends of the clip cut: they have less energy of their own."""
        sums = np.concatenate([[0.0], np.cumsum(np.square(envelope))])
        start = np.arange(self.count) * self.hop - self.lead
        inside = sums[np.clip(self.samples - start, 0, self.length)] - sums[np.clip(-start, 0, self.length)]
        least = INSIDE * float(inside.max())
        self.weight_inside = np.where(inside > least, 1 / np.maximum(inside, least), 0.0).astype(np.float32)

    def frames(self, where: slice) -> tuple[int, int]:
        """First frame that holds any of these samples, and the frame after the last one."""
        begin = max((where.start + self.lead - self.length) // self.hop + 1, 0)
        return begin, min((where.stop - 1 + self.lead) // self.hop + 1, self.count)

    def touched(self, atom: Atom, sample_rate: int) -> tuple[int, int]:
        """First frame and the frame after the last one that an atom changes by more than a few thousandths.

        Two Gaussians that overlap in their tails alone do not change each other noticeably.
        """
        if DAMPED in {self.shape, atom.shape}:
            return self.frames(atom.support(sample_rate, self.samples, CORE))
        reach = CORE[GABOR] * math.hypot(atom.scale * sample_rate, self.scale)
        place = atom.time * sample_rate + self.lead - self.length / 2
        begin = max(math.ceil((place - reach) / self.hop), 0)
        return begin, min(math.floor((place + reach) / self.hop) + 1, self.count)

    def update(self, padded: Floats, offset: int, begin: int, end: int) -> None:
        """Finds the best atom of the frames from `begin` up to `end` in the current residual.

        Args:
            padded: the residual between zeros, ``[channels, samples]``.
            offset: position of the residual's first sample in it.
        """
        together = max(AT_ONCE // self.length, 1)
        for start in range(begin, end, together):
            stop = min(start + together, end)
            at = offset + start * self.hop - self.lead
            span = (stop - start - 1) * self.hop + self.length
            energies = [self._energies(channel[at : at + span]) for channel in padded]
            total = sum(energies[1:], start=energies[0])
            best = total.argmax(axis=1)
            self.bin[start:stop] = best
            # The real part of a unit atom has half of its energy.
            self.energy[start:stop] = 2 * total[np.arange(stop - start), best] * self.weight_inside[start:stop]

    def _energies(self, channel: Floats) -> Floats:
        """Half of the energy that each atom removes from a channel at its best phase: ``[frames, bins]``."""
        views = np.lib.stride_tricks.sliding_window_view(channel, self.length)[:: self.hop]
        spectrum = np.fft.rfft(views * self.window, axis=1)
        edge = spectrum[:, self.edge]
        size = np.square(edge.real) + np.square(edge.imag)
        both = np.where(self.one, size, size - (self.own * edge * edge).real)
        flat = spectrum.view(np.float32)
        flat *= flat
        energy: Floats = flat[:, ::2] + flat[:, 1::2]
        energy[:, self.edge] = both * self.weight
        return energy

    def atom(self, frame: int, at: int, sample_rate: int) -> Atom:
        """The atom of a frame and a bin."""
        place = frame * self.hop - self.lead + (self.length / 2 if self.shape == GABOR else 0)
        frequency = min(at * sample_rate / self.length, highest(sample_rate))
        return Atom(self.shape, place / sample_rate, self.scale / sample_rate, frequency)


class Grid:
    """All scales of some shapes over one clip.

    It holds a copy of the clip and a few numbers for every frame. Frames are transformed block by block, so that memory
    does not grow further with the length of the clip.

    Args:
        residual: ``[channels, samples]``; it is copied.
        shapes: `GABOR`, `DAMPED` or both.
    """

    def __init__(self, residual: Floats, sample_rate: int, shapes: tuple[int, ...]) -> None:
        samples = residual.shape[1]
        lengths = frame_lengths(samples, sample_rate)
        self.sample_rate = sample_rate
        self.offset = lengths[-1]
        self.padded = np.zeros((len(residual), samples + 2 * lengths[-1]), np.float32)
        self.residual = self.padded[:, self.offset : self.offset + samples]
        self.residual[:] = residual
        self.scales = [Scale(shape, length, samples) for shape in shapes for length in lengths]

    def fill(self, number: int) -> None:
        """Correlates the whole residual with one of the scales, for the first time."""
        scale = self.scales[number]
        scale.update(self.padded, self.offset, 0, scale.count)

    def changed(self, atoms: Sequence[Atom]) -> None:
        """Updates the frames that these atoms overlap; to be called after `residual` changed there."""
        for scale in self.scales:
            spans = [scale.touched(atom, self.sample_rate) for atom in atoms]
            for begin, end in _merged(spans):
                scale.update(self.padded, self.offset, begin, end)

    def best(self, shape: int) -> tuple[float, Atom]:
        """The energy that the best atom of a shape removes, and that atom."""
        scales = [scale for scale in self.scales if scale.shape == shape]
        while True:
            scale = max(scales, key=lambda each: float(each.energy.max()))
            frame = int(scale.energy.argmax())
            expected = float(scale.energy[frame])
            # Changes that were too small for an update may have added up.
            scale.update(self.padded, self.offset, frame, frame + 1)
            energy = float(scale.energy[frame])
            if energy >= UNCHANGED * expected:
                return energy, scale.atom(frame, int(scale.bin[frame]), self.sample_rate)

    def state(self) -> dict[str, NDArray[Any]]:
        state: dict[str, NDArray[Any]] = {"residual": self.residual.copy()}
        for number, scale in enumerate(self.scales):
            state |= {f"energy.{number}": scale.energy.copy(), f"bin.{number}": scale.bin.copy()}
        return state

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.residual[:] = state["residual"]
        for number, scale in enumerate(self.scales):
            scale.energy[:], scale.bin[:] = state[f"energy.{number}"], state[f"bin.{number}"]


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in rising order; overlapping ones become one, empty ones are left out.

    >>> _merged([(5, 9), (1, 3), (2, 4), (7, 7)])
    [(1, 4), (5, 9)]
    """
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def hop_of(shape: int, length: int) -> int:
    """Samples from the begin of one frame to that of the next, at a frame length in samples."""
    return max(length // FRAMES[shape], 1)


def frame_lengths(samples: int, sample_rate: int) -> list[int]:
    """Frame lengths in samples: powers of four times the shortest one; none is four times as long as the clip.

    >>> frame_lengths(33_075, 22_050)
    [128, 512, 2048, 8192, 32768]
    >>> frame_lengths(1, 22_050)
    [128]
    """
    low = max(round(math.log2(SHORTEST * sample_rate)), 3)
    high = min(round(math.log2(LONGEST * sample_rate)), math.ceil(math.log2(samples)) + 1)
    return [2**power for power in range(low, max(low, high) + 1, OCTAVES)]
