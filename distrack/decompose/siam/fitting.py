"""Fits an event to the samples near a proposed onset and pitch: its envelope, its exact pitch, its harmonics."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy

from distrack.arrays import Complex, Doubles, Floats
from distrack.decompose.siam.rows import HARMONICS
from distrack.decompose.siam.scenes import RATE
from distrack.decompose.synthesis.envelope import SHAPES, envelope
from distrack.decompose.synthesis.resonance import END

# An event is fitted on these seconds from before its proposed onset to after it, at POINTS per second.
BEFORE, AFTER, POINTS = 0.2, 2.0, 400
STEP = RATE // POINTS
# Onsets that are tried, in points from the proposed one; those far back are for a sound that the clip begins with.
ONSETS, EARLIER = tuple(range(-16, 17, 4)), tuple(range(-64, -16, 8))
FINER = (-3, -2, -1, 0, 1, 2, 3)
# Share of the pitch within which the exact pitch is searched, at first and then again, at so many places each.
OFF, CLOSER, PLACES = 0.02, 0.004, 9
# Factors on attack and decay in the second search.
FACTORS = (0.6, 1.0, 1.6)
DAMPINGS = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0)
# Harmonics above this share of the sample rate are not fitted.
HIGHEST = 0.47
# Ridge as a share of the mean energy: without it, harmonics of a short sound get large amplitudes that cancel.
RIDGE = 1e-3
# Share of its energy that must lie in the piece, or else the energy of an envelope is not trusted.
VISIBLE = 0.2
# A burst of noise is fitted on a spectrogram with these samples in a window and from one to the next, as the best of
# these widths in octaves, time constants in seconds, and factors on the proposed frequency.
WINDOW, HOP = 512, 128
WIDTHS, CONSTANTS, CENTRES = (0.25, 0.5, 1.0, 2.0), (0.004, 0.01, 0.03, 0.1, 0.3), (0.6, 0.8, 1.0, 1.25, 1.6)


class Tone(NamedTuple):
    """A sound with harmonics that was fitted.

    Attributes:
        onset: in seconds.
        frequency: in Hz.
        attack, decay: time constants in seconds.
        damping: how much faster each higher harmonic falls, in units of 1 / decay.
        harmonics: each harmonic at the onset, as a complex amplitude, ``[harmonics]``.
    """

    onset: float
    frequency: float
    attack: float
    decay: float
    damping: float
    harmonics: Complex


class Burst(NamedTuple):
    """A burst of noise that was fitted.

    Attributes:
        onset: in seconds.
        centre: of its band, in Hz.
        width: of its band, in octaves.
        time_constant: of its envelope, in seconds.
        level: RMS at its loudest.
    """

    onset: float
    centre: float
    width: float
    time_constant: float
    level: float


def fit_tone(residual: Doubles, time: float, frequency: float) -> Tone | None:
    """The tone with the most energy near a proposal; None where the clip is too short for one.

    Shape:
        - residual: ``[samples]``, at 16 kHz
    """
    order = min(HARMONICS, int(HIGHEST * RATE / frequency))
    start = max(0, round((time - BEFORE) * POINTS))
    piece = residual[start * STEP : round((time + AFTER) * RATE)]
    points = len(piece) // STEP
    if points < 8 or order < 1:
        return None
    piece = piece[: points * STEP]
    base = _basebands(piece, frequency, order)
    near = round(time * POINTS) - start
    onsets = EARLIER + ONSETS if start + near < ONSETS[-1] else ONSETS
    bank = _bank(points, near, onsets)
    shape, place, shift = _best(base, bank, np.linspace(-OFF, OFF, PLACES) * frequency, len(onsets))
    attack, decay = SHAPES[shape]
    onset = near + onsets[place]
    shapes = tuple((attack * a, decay * d) for a in FACTORS for d in FACTORS)
    finer = _normalised(shapes, points, onset + np.array(FINER))
    shifts = shift + np.linspace(-CLOSER, CLOSER, PLACES) * frequency
    shape, place, shift = _best(base, finer, shifts, len(FINER))
    attack, decay = shapes[shape]
    late = (onset + FINER[place]) / POINTS
    damping = _damping(base, attack, decay, late, shift)
    harmonics = _harmonics(piece, late, frequency + shift, attack, decay, damping)
    return Tone(start / POINTS + late, frequency + shift, attack, decay, damping, harmonics)


def _basebands(piece: Doubles, frequency: float, order: int) -> Complex:
    """Harmonics of a pitch turned to 0 Hz, at POINTS per second: ``[harmonics, points]``."""
    turning = np.exp(-2j * np.pi * frequency / RATE * np.arange(len(piece))).astype(np.complex64)
    product, result = piece.astype(np.complex64), []
    for _ in range(order):
        product = product * turning
        result.append(product.reshape(-1, STEP).sum(1))
    return np.stack(result)


@lru_cache(maxsize=64)
def _bank(points: int, near: int, onsets: tuple[int, ...]) -> Floats:
    return _normalised(SHAPES, points, near + np.array(onsets))


def _normalised(shapes: tuple[tuple[float, float], ...], points: int, onsets: Doubles) -> Floats:
    """Envelopes of an energy of 1 at all onsets, ``[points, shapes * onsets]``."""
    past = (np.arange(points) + 0.5 - onsets[:, None]) / POINTS
    bank = np.stack([envelope(past, *shape) for shape in shapes])
    size = np.sqrt(np.square(bank).sum(2) * STEP)
    bank /= np.maximum(size, VISIBLE * size.max(1, keepdims=True))[..., None] + 1e-12
    return np.ascontiguousarray(bank.reshape(-1, points).T.astype(np.float32))


def _best(base: Complex, bank: Floats, shifts: Doubles, onsets: int) -> tuple[int, int, float]:
    """Numbers of the shape and the onset, and the shift of the pitch in Hz, that have the most energy."""
    order = np.arange(1, len(base) + 1)
    grid = (np.arange(base.shape[1]) + 0.5) / POINTS
    # The shift of harmonic k is k times that of the first one.
    turning = np.exp(-2j * np.pi * shifts[:, None] * grid).astype(np.complex64)
    energy = np.zeros((len(shifts), bank.shape[1]), np.float32)
    power = np.ones_like(turning)
    for k in order:
        power = power * turning
        moved = power * base[k - 1]
        energy += np.square(moved.real @ bank) + np.square(moved.imag @ bank)
    shift, place = divmod(int(energy.argmax()), energy.shape[1])
    return *divmod(place, onsets), float(shifts[shift])


def _damping(base: Complex, attack: float, decay: float, onset: float, shift: float) -> float:
    """How much faster each higher harmonic falls, in units of 1 / decay."""
    order = np.arange(1, len(base) + 1)[:, None]
    grid = (np.arange(base.shape[1]) + 0.5) / POINTS
    moved = base * np.exp(-2j * np.pi * shift * order * grid)
    past = np.maximum(grid - onset, 0)
    shape = envelope(grid - onset, attack, decay)
    energies = []
    for damping in DAMPINGS:
        bank = shape * np.exp(-damping / decay * (order - 1) * past)
        bank /= np.sqrt(np.square(bank).sum(1, keepdims=True)) + 1e-12
        energies.append(float(np.square(np.abs((moved * bank).sum(1))).sum()))
    return DAMPINGS[int(np.argmax(energies))]


def _harmonics(piece: Doubles, onset: float, frequency: float, attack: float, decay: float, damping: float) -> Complex:
    """Complex amplitudes of the harmonics nearest to a piece, by least squares."""
    order = max(1, min(HARMONICS, int(HIGHEST * RATE / frequency)))
    first = max(0, int(onset * RATE))
    piece = piece[first : first + int((2.2 * attack + END * decay) * RATE) + STEP]
    time = (np.arange(len(piece)) + first) / RATE - onset
    past = np.maximum(time, 0)
    turn = np.exp((2j * np.pi * frequency) * past).astype(np.complex64)
    fall = turn * np.exp(-damping / decay * past).astype(np.float32)
    atom = turn * envelope(time, attack, decay).astype(np.float32)
    basis = np.empty((2 * order, len(piece)), np.float32)
    for k in range(order):
        basis[k], basis[order + k] = atom.real, -atom.imag
        atom = atom * fall
    gram = (basis @ basis.T).astype(np.float64)
    gram[np.diag_indices_from(gram)] += RIDGE * gram.trace() / len(gram) + 1e-12
    solved = np.linalg.solve(gram, (basis @ piece.astype(np.float32)).astype(np.float64))
    parts: Complex = solved[:order] + 1j * solved[order:]
    return parts


def fit_burst(residual: Doubles, time: float, frequency: float) -> Burst | None:
    """The burst of noise whose magnitudes are nearest near a proposal; None where the clip is too short.

    Shape:
        - residual: ``[samples]``, at 16 kHz
    """
    start = max(0, round((time - 0.1) * RATE))
    piece = residual[start : round((time + AFTER) * RATE)]
    if len(piece) < WINDOW:
        return None
    magnitudes = np.abs(spectrogram(piece))
    times = np.arange(magnitudes.shape[1]) * HOP / RATE
    hertz = np.maximum(np.fft.rfftfreq(WINDOW, 1 / RATE), 1.0)
    bands = [(frequency * factor, width) for factor in CENTRES for width in WIDTHS]
    rows = np.stack([np.exp(-0.5 * (np.log2(hertz / centre) / width) ** 2) for centre, width in bands])
    onsets = time - start / RATE + np.arange(-3, 4) * 0.015
    shapes = [(onset, constant) for onset in onsets for constant in CONSTANTS]
    columns = np.stack([_rise(times - onset, constant) for onset, constant in shapes])
    rows /= np.sqrt(np.square(rows).sum(1, keepdims=True)) + 1e-12
    size = np.sqrt(np.square(columns).sum(1, keepdims=True))
    products = rows @ magnitudes @ (columns / (size + 1e-12)).T
    band, shape = divmod(int(products.argmax()), products.shape[1])
    (centre, width), (onset, constant) = bands[band], shapes[shape]
    # Magnitude of the spectrogram of a burst of level 1: the root of its power in each bin, times the mean of a
    # Rayleigh distribution of that power.
    unit = np.exp(-0.5 * (np.log2(hertz / centre) / width) ** 2)
    share = np.square(unit).sum() / len(unit)
    window = scipy.signal.get_window("hann", WINDOW)
    expected = np.sqrt(np.pi / 4 * np.square(window).sum() / max(share, 1e-9)) * unit
    level = float(products.max()) / float(np.sqrt(np.square(expected).sum()) * size[shape, 0] + 1e-12)
    return Burst(start / RATE + float(onset), centre, width, constant, level)


def _rise(past: Doubles, constant: float) -> Doubles:
    """The gamma envelope of a burst, widened by the window through which it is seen."""
    wide = WINDOW / RATE / 4
    x = np.maximum(past + wide, 0) / (constant + wide)
    shape: Doubles = x * np.exp(1 - x)
    return shape


def spectrogram(wave: Doubles) -> Complex:
    """STFT of a sound, ``[bins, frames]``."""
    padded = np.pad(wave, (WINDOW // 2, WINDOW // 2 + HOP))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    spectrum: Complex = scipy.fft.rfft(frames * scipy.signal.get_window("hann", WINDOW), axis=1).T
    return spectrum


def without(wave: Doubles, burst: Doubles) -> Doubles:
    """A sound after the magnitudes of a burst were subtracted from its own; phases stay.

    Shape:
        - both: ``[samples]``

    Source:
        Boll, "Suppression of Acoustic Noise in Speech Using Spectral Subtraction", 1979.
    """
    spectrum, other = spectrogram(wave), np.abs(spectrogram(burst))
    # The noise is another than that of the clip: its magnitudes are smoothed to those that are expected.
    other = scipy.ndimage.uniform_filter(other, size=(9, 3))
    left = spectrum * np.maximum(1 - other / (np.abs(spectrum) + 1e-12), 0.0)
    window = scipy.signal.get_window("hann", WINDOW)
    frames = scipy.fft.irfft(left.T, WINDOW, axis=1) * window
    total = np.zeros(len(wave) + 2 * WINDOW + HOP)
    weight = np.zeros_like(total)
    for number, frame in enumerate(frames):
        total[number * HOP : number * HOP + WINDOW] += frame
        weight[number * HOP : number * HOP + WINDOW] += np.square(window)
    inside = slice(WINDOW // 2, WINDOW // 2 + len(wave))
    result: Doubles = total[inside] / np.maximum(weight[inside], 1e-6)
    return result
