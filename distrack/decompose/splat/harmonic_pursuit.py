"""A greedy pursuit of harmonic groups: what the events are before the first step of gradient descent.

Each step takes the strongest peak of the residual's spectrograms at three resolutions, asks of which pitch it may be a
harmonic, and takes the group (pitch, envelope, onset) that holds the most energy; its harmonics are then fitted to the
samples together and taken away.
"""

from typing import NamedTuple

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from distrack.decompose.splat.resonance import ORDER

Floats = NDArray[np.float64]
HARMONICS = 4
LOWEST = 25.0
# Seconds: windows of the three spectrograms; attack and decay of the envelopes that are tried, hits and swells.
WINDOWS = (0.023, 0.093, 0.372)
HITS = tuple((0.003, decay) for decay in (0.01, 0.03, 0.1, 0.3, 1.0))
SWELLS = tuple((2 * decay, decay) for decay in (0.004, 0.01, 0.025, 0.06, 0.15, 0.4))
# The group is looked for in the seconds before and after its peak, and its envelope at so many points a second.
BEFORE, AFTER = 1.0, 2.0
POINTS = 400
# An onset may lie so many points before the clip; of an envelope's energy so much must lie within it.
LEAD = 60
LEAST_VISIBLE = 0.3


class Group(NamedTuple):
    """Harmonics that share an onset, a pitch and an envelope.

    Shape:
        - parts: ``[channels, harmonics, 2]``, the cosine and sine part of each at the onset
    """

    onset: float
    frequency: float
    attack: float
    decay: float
    parts: Floats


def envelope(time: Floats, attack: float, decay: float) -> Floats:
    """As `resonance` has it, with its peak at 1."""
    risen = ORDER * decay / (attack + ORDER * decay)
    peak = risen**ORDER * (1 - risen) ** (attack / decay)
    past = np.maximum(time, 0)
    shape: Floats = (-np.expm1(-past / attack)) ** ORDER * np.exp(-past / decay) / peak
    return shape


def strongest(residual: Floats, *, sample_rate: int) -> tuple[float, float]:
    """Time in seconds and frequency in Hz of the atom, of one of three lengths, that holds the most energy."""
    best = (-1.0, 0.0, 0.0)
    for seconds in WINDOWS:
        size = max(16, 2 ** round(np.log2(seconds * sample_rate)))
        hop = size // 4
        window = scipy.signal.get_window("hann", size)
        padded = np.pad(residual, ((0, 0), (size // 2, size)))
        frames = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, ::hop]
        power = np.square(np.abs(scipy.fft.rfft(frames * window, axis=2))).sum(0) / np.square(window).sum()
        low = int(np.ceil(LOWEST * size / sample_rate))
        power[:, :low] = 0
        frame, found = np.unravel_index(int(power.argmax()), power.shape)
        at = int(found)
        if power[frame, at] > best[0]:
            shift = 0.0
            if 0 < at < power.shape[1] - 1:
                left, middle, right = np.log(power[frame, at - 1 : at + 2] + 1e-30)
                bend = left - 2 * middle + right
                shift = float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0
            best = (float(power[frame, at]), float(frame) * hop / sample_rate, (at + shift) * sample_rate / size)
    return best[1], best[2]


def next_group(residual: Floats, *, sample_rate: int) -> Group | None:
    """The group of the most energy at the residual's strongest peak; None where no energy is left.

    Shape:
        - residual: ``[channels, samples]``
    """
    peak, found = strongest(residual, sample_rate=sample_rate)
    if found <= 0:
        return None
    first = max(0, int((peak - BEFORE) * sample_rate))
    piece = residual[:, first : first + int((BEFORE + AFTER) * sample_rate)]
    step = max(1, sample_rate // POINTS)
    # What sounds at the clip's first sample may have begun before it.
    lead = LEAD * step if first == 0 else 0
    first -= lead
    points = -(-(lead + piece.shape[1]) // step)
    inside = np.zeros(points * step)
    inside[lead : lead + piece.shape[1]] = 1 / step
    piece = np.pad(piece, ((0, 0), (lead, points * step - piece.shape[1] - lead)))
    grid = np.arange(points) * step / sample_rate
    shapes = [(attack, decay) for attack, decay in (*HITS, *SWELLS)]
    bank = np.stack([envelope(grid + 0.5 * step / sample_rate, *shape) for shape in shapes])
    bank /= np.sqrt(np.square(bank).sum(1, keepdims=True) * step)
    size = scipy.fft.next_fast_len(2 * points)
    spectra = np.conj(scipy.fft.rfft(bank, size, axis=1))
    # The share of an envelope's energy that the clip would hold; where it is little, what is found would be a guess.
    there = scipy.fft.rfft(inside.reshape(points, step).sum(1), size)
    held = scipy.fft.irfft(there * np.conj(scipy.fft.rfft(np.square(bank) * step, size, axis=1)), size, axis=1)
    visible = np.maximum(held[:, :points], LEAST_VISIBLE)
    energies: dict[int, Floats] = {}
    bases: dict[int, NDArray[np.complex128]] = {}
    time = np.arange(piece.shape[1]) / sample_rate

    def energy(numerator: int) -> Floats:
        """Of every envelope at every onset, at `numerator` twelfths of the peak's frequency."""
        if numerator not in energies:
            frequency = found * numerator / 12
            turning = np.exp(-2j * np.pi * frequency * time)
            bases[numerator] = (piece * turning).reshape(len(piece), points, step).sum(2)
            halves = [scipy.fft.rfft(part, size, axis=1) for part in (bases[numerator].real, bases[numerator].imag)]
            met = [scipy.fft.irfft(half[:, None] * spectra, size, axis=2)[:, :, :points] for half in halves]
            energies[numerator] = 2 * (np.square(met[0]) + np.square(met[1])).sum(0) / visible
        return energies[numerator]

    best: tuple[float, int, tuple[int, int]] = (-1.0, 1, (0, 0))
    for divisor in range(1, HARMONICS + 1):
        pitch = found / divisor
        if pitch < LOWEST:
            break
        multiples = [k for k in range(1, HARMONICS + 1) if k * pitch < 0.49 * sample_rate]
        total = np.sum([energy(12 * k // divisor) for k in multiples], axis=0)
        shape, onset = np.unravel_index(int(total.argmax()), total.shape)
        if total[shape, onset] > best[0] * 1.02:
            best = (float(total[shape, onset]), divisor, (int(shape), int(onset)))
    _, divisor, (shape, onset) = best
    attack, decay = shapes[shape]
    pitch = found / divisor
    # The pitch, finer: a share of the resolution that so long an envelope allows.
    shifts = np.linspace(-1, 1, 33) * min(0.5 / (attack + decay), 0.03 * pitch)
    gained = np.zeros(len(shifts))
    weight = np.zeros(points)
    weight[onset:] = bank[shape, : points - onset]
    for k in range(1, HARMONICS + 1):
        if 12 * k // divisor in bases:
            turning = np.exp(-2j * np.pi * k * shifts[:, None] * (grid + 0.5 * step / sample_rate)) * weight
            gained += np.square(np.abs(turning @ bases[12 * k // divisor].T)).sum(1)
    pitch += float(shifts[int(gained.argmax())])
    start = (first + onset * step) / sample_rate
    group = Group(start, pitch, attack, decay, np.zeros((len(residual), HARMONICS, 2)))
    return group._replace(parts=fitted(residual, group, sample_rate=sample_rate))


def atoms(group: Group, *, sample_rate: int, samples: int) -> tuple[int, Floats]:
    """First sample, and the cosine and sine of each harmonic under the envelope, ``[2 * harmonics, length]``."""
    first = max(0, int(np.ceil(group.onset * sample_rate)))
    last = min(samples, int((group.onset + group.attack * 2.2 + 9.2 * group.decay) * sample_rate) + 1)
    time = np.arange(first, max(last, first)) / sample_rate - group.onset
    shape = envelope(time, group.attack, group.decay)
    k = np.arange(1, HARMONICS + 1)[:, None]
    angle = 2 * np.pi * group.frequency * k * time
    pair = np.stack([np.cos(angle), -np.sin(angle)], 1) * shape * (k * group.frequency < 0.49 * sample_rate)[:, None]
    return first, pair.reshape(2 * HARMONICS, -1)


def fitted(residual: Floats, group: Group, *, sample_rate: int) -> Floats:
    first, basis = atoms(group, sample_rate=sample_rate, samples=residual.shape[1])
    target = residual[:, first : first + basis.shape[1]]
    gram = basis @ basis.T
    gram[np.diag_indices_from(gram)] += 1e-6 * gram.trace() / len(gram) + 1e-12
    parts = np.linalg.solve(gram, basis @ target.T).T
    return parts.reshape(len(residual), HARMONICS, 2)


def heard(group: Group, *, sample_rate: int, samples: int) -> tuple[int, Floats]:
    """First sample and the group's sound, ``[channels, length]``."""
    first, basis = atoms(group, sample_rate=sample_rate, samples=samples)
    return first, group.parts.reshape(len(group.parts), -1) @ basis


def refitted(groups: list[Group], wave: Floats, *, sample_rate: int) -> list[Group]:
    """The same groups, with all harmonics of all of them fitted to the clip together."""
    matrix = np.zeros((len(groups) * 2 * HARMONICS, wave.shape[1]), np.float32)
    for row, group in enumerate(groups):
        first, basis = atoms(group, sample_rate=sample_rate, samples=wave.shape[1])
        matrix[row * 2 * HARMONICS : (row + 1) * 2 * HARMONICS, first : first + basis.shape[1]] = basis
    gram = (matrix @ matrix.T).astype(np.float64)
    gram[np.diag_indices_from(gram)] += 1e-4 * gram.trace() / len(gram)
    parts = np.linalg.solve(gram, (matrix @ wave.T.astype(np.float32)).astype(np.float64)).T
    shaped = parts.reshape(len(wave), len(groups), HARMONICS, 2)
    return [group._replace(parts=shaped[:, place]) for place, group in enumerate(groups)]
