"""A grid of atoms of all scales, places and frequencies: which one takes most from what is left of a clip."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from distrack.decompose.pursuit.atoms import CORE, DAMPED, GABOR, Atom, highest

# Seconds of the shortest and of the longest frame.
SHORTEST, LONGEST = 0.006, 1.6
# Scales in a frame: a Gaussian is cut at -70 dB of its peak, a decay at -52 dB.
SCALES = {GABOR: 8, DAMPED: 6}
# Frames that begin within the length of one, and how much longer the next frames are. Half as many and twice as far
# apart as is usual costs 0.1 dB with 200 atoms, as refining finds what lies between, and a third of the time.
FRAMES = {GABOR: 4, DAMPED: 12}
OCTAVES = 2
# Samples in the frames that are transformed at once, and frames whose highest is looked for again together.
AT_ONCE, GROUP = 1 << 19, 256
# Of the energy that any frame has within the clip, what each must have there.
INSIDE = 0.05
# Of the energy that a frame is said to have, what it must have still: changes far below it were not looked at.
STILL = 0.98

Floats = NDArray[np.float32]


class Scale:
    """Atoms of one shape and length.

    Args:
        length: of a frame in samples, a power of two.
        samples: of the clip.
    """

    def __init__(self, shape: int, length: int, samples: int) -> None:
        self.shape, self.length, self.samples = shape, length, samples
        self.hop = max(length // FRAMES[shape], 1)
        self.lead = length // 2 if shape == GABOR else 0
        self.count = 1 + (samples - 1 + self.lead) // self.hop
        self.scale = length / SCALES[shape]
        place = np.arange(length)
        envelope = (
            np.exp(-0.5 * ((place - length / 2) / self.scale) ** 2) if shape == GABOR else np.exp(-place / self.scale)
        )
        envelope /= np.linalg.norm(envelope)
        self.window = envelope.astype(np.float32)
        self._conjugates(envelope)
        self._ends(envelope)
        self.energy = np.zeros(self.count, np.float32)
        self.bin = np.zeros(self.count, np.int32)
        self.highest = np.zeros(-(-self.count // GROUP), np.float32)

    def _conjugates(self, envelope: NDArray[np.float64]) -> None:
        """Where an atom is not orthogonal to its own conjugate: near 0 Hz and near half of the sample rate."""
        own = scipy.fft.fft(np.square(envelope))[(-2 * np.arange(self.length // 2 + 1)) % self.length]
        self.edge = np.flatnonzero(np.abs(own) > 0.01)
        self.own = own[self.edge].astype(np.complex64)
        # Cosine and sine that are the same but for their sign cannot be told apart: then there is only one of them.
        apart = 1 - np.abs(own[self.edge]) ** 2
        self.weight = np.where(apart > 0.1, 1 / np.maximum(apart, 0.1), 0.5).astype(np.float32)
        self.one = apart <= 0.1

    def _ends(self, envelope: NDArray[np.float64]) -> None:
        """What is beyond the clip takes nothing: atoms that are cut there have less energy of their own."""
        sums = np.concatenate([[0.0], np.cumsum(np.square(envelope))])
        start = np.arange(self.count) * self.hop - self.lead
        inside = sums[np.clip(self.samples - start, 0, self.length)] - sums[np.clip(-start, 0, self.length)]
        least = INSIDE * float(inside.max())
        self.worth = np.where(inside > least, 1 / np.maximum(inside, least), 0.0).astype(np.float32)

    def frames(self, where: slice) -> tuple[int, int]:
        """The frames that any of these samples lies in, from one up to another."""
        begin = max((where.start + self.lead - self.length) // self.hop + 1, 0)
        return begin, min((where.stop - 1 + self.lead) // self.hop + 1, self.count)

    def touched(self, atom: Atom, sample_rate: int) -> tuple[int, int]:
        """The frames in which all but a few thousandths of an atom is seen, from one up to another.

        Between two Gaussians that overlap by their tails alone there is nothing to see.
        """
        if DAMPED in {self.shape, atom.shape}:
            return self.frames(atom.support(sample_rate, self.samples, CORE))
        reach = CORE[GABOR] * math.hypot(atom.scale * sample_rate, self.scale)
        place = atom.time * sample_rate + self.lead - self.length / 2
        begin = max(math.ceil((place - reach) / self.hop), 0)
        return begin, min(math.floor((place + reach) / self.hop) + 1, self.count)

    def look(self, padded: Floats, offset: int, begin: int, end: int) -> None:
        """Looks for the best of some frames anew."""
        together = max(AT_ONCE // self.length, 1)
        for start in range(begin, end, together):
            stop = min(start + together, end)
            total = self._energies(padded, offset, start, stop)
            best = total.argmax(axis=1)
            self.bin[start:stop] = best
            self.energy[start:stop] = total[np.arange(stop - start), best] * self.worth[start:stop]
        for group in range(begin // GROUP, -(-end // GROUP)):
            self.highest[group] = self.energy[group * GROUP : (group + 1) * GROUP].max()

    def _energies(self, padded: Floats, offset: int, start: int, stop: int) -> Floats:
        """What each atom takes at its best phase, over all channels, ``[frames, bins]``."""
        at = offset + start * self.hop - self.lead
        span = (stop - start - 1) * self.hop + self.length
        total: Floats | None = None
        for channel in padded:
            views = np.lib.stride_tricks.sliding_window_view(channel[at : at + span], self.length)[:: self.hop]
            spectrum = scipy.fft.rfft(views * self.window, axis=1)
            edge = spectrum[:, self.edge]
            size = np.square(edge.real) + np.square(edge.imag)
            both = np.where(self.one, size, size - (self.own * edge * edge).real)
            flat = spectrum.view(np.float32)
            flat *= flat
            found = flat[:, ::2] + flat[:, 1::2]
            found[:, self.edge] = both * self.weight
            total = found if total is None else total + found
        if total is None:
            raise ValueError("a clip without channels")
        # The real part of a unit atom has half of its energy.
        total *= 2
        return total

    def best(self) -> tuple[float, int]:
        """The most energy, as far as is known, and its frame."""
        group = int(self.highest.argmax())
        frame = group * GROUP + int(self.energy[group * GROUP : (group + 1) * GROUP].argmax())
        return float(self.energy[frame]), frame

    def atom(self, frame: int, sample_rate: int) -> Atom:
        """The best one of a frame."""
        place = frame * self.hop - self.lead + (self.length / 2 if self.shape == GABOR else 0)
        frequency = min(int(self.bin[frame]) * sample_rate / self.length, highest(sample_rate))
        return Atom(self.shape, place / sample_rate, self.scale / sample_rate, frequency)


class Grid:
    """All scales of some shapes over one clip.

    Memory is the clip's, once more, and some numbers for every frame; frames themselves are transformed in blocks that
    overlap, whatever the length of the clip.

    Args:
        residual: ``[channels, samples]``; it is copied.
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
        """Looks at all there is with one of the scales, for the first time."""
        scale = self.scales[number]
        scale.look(self.padded, self.offset, 0, scale.count)

    def changed(self, atoms: Sequence[Atom]) -> None:
        """To be called after these atoms were taken from `residual`, or other ones in their place."""
        for scale in self.scales:
            spans = [scale.touched(atom, self.sample_rate) for atom in atoms]
            for begin, end in _joined(spans):
                scale.look(self.padded, self.offset, begin, end)

    def best(self, shape: int) -> tuple[float, Atom]:
        """The atom of a shape that takes most energy away, and how much that is."""
        scales = [scale for scale in self.scales if scale.shape == shape]
        while True:
            said, frame, scale = max(((*scale.best(), scale) for scale in scales), key=lambda each: each[0])
            # Once more, as changes too small to be looked at may have added up.
            scale.look(self.padded, self.offset, frame, frame + 1)
            energy = float(scale.energy[frame])
            if energy >= STILL * said:
                return energy, scale.atom(frame, self.sample_rate)

    def state(self) -> dict[str, NDArray[Any]]:
        """What was found, and what is left of the clip."""
        found: dict[str, NDArray[Any]] = {"residual": self.residual.copy()}
        for number, scale in enumerate(self.scales):
            found |= {f"energy.{number}": scale.energy.copy(), f"bin.{number}": scale.bin.copy()}
        return found

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Takes over what another one found."""
        self.residual[:] = state["residual"]
        for number, scale in enumerate(self.scales):
            scale.energy[:], scale.bin[:] = state[f"energy.{number}"], state[f"bin.{number}"]
            for group in range(len(scale.highest)):
                scale.highest[group] = scale.energy[group * GROUP : (group + 1) * GROUP].max()


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans without those that overlap: these are one.

    >>> _joined([(5, 9), (1, 3), (2, 4), (7, 7)])
    [(1, 4), (5, 9)]
    """
    found: list[tuple[int, int]] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def frame_lengths(samples: int, sample_rate: int) -> list[int]:
    """Powers of four times the shortest; none is four times as long as the clip.

    >>> frame_lengths(33_075, 22_050)
    [128, 512, 2048, 8192, 32768]
    >>> frame_lengths(1, 22_050)
    [128]
    """
    low = max(round(math.log2(SHORTEST * sample_rate)), 3)
    high = min(round(math.log2(LONGEST * sample_rate)), math.ceil(math.log2(samples)) + 1)
    return [2**power for power in range(low, max(low, high) + 1, OCTAVES)]
