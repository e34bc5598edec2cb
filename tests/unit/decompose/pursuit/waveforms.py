"""Two waveforms, and clips in which they are hidden."""

import numpy as np

from distrack.arrays import Doubles, Floats

RATE = 8_000
LENGTH = 200


def two_waveforms() -> Doubles:
    """A falling chirp and a burst of noise, each of energy 1 and silent at both ends: ``[2, LENGTH]``."""
    now = np.linspace(0, 1, LENGTH)
    waveforms = np.stack([np.sin(2 * np.pi * (40 * now - 15 * now**2)), np.random.default_rng(5).normal(size=LENGTH)])
    waveforms *= np.sin(np.pi * now)
    return np.asarray(waveforms / np.linalg.norm(waveforms, axis=1, keepdims=True), np.float64)


def hidden(*, uses: int = 40, seconds: float = 1.5, channels: int = 1) -> Floats:
    """A clip with both waveforms at random places and levels, and a little noise: ``[channels, samples]``."""
    draw = np.random.default_rng(1)
    wave = 0.003 * draw.normal(size=(channels, round(seconds * RATE)))
    for use in range(uses):
        place = draw.integers(0, wave.shape[1] - LENGTH)
        levels = draw.uniform(0.5, 1.5, (channels, 1)) * draw.choice([-1, 1])
        wave[:, place : place + LENGTH] += levels * two_waveforms()[use % 2]
    return wave.astype(np.float32)


def similarity(one: Doubles, other: Doubles) -> float:
    """The largest correlation over all shifts; 1 for the same waveform."""
    return float(np.abs(np.correlate(one, other, "full")).max() / np.linalg.norm(one) / np.linalg.norm(other))


def tone(frequency: float, *, length: int = 800) -> Floats:
    """Two partials under a Hann window; the frequency is in cycles per sample."""
    now = np.arange(length)
    wave = np.sin(2 * np.pi * frequency * now) + 0.5 * np.sin(4 * np.pi * frequency * now + 1)
    return np.asarray(wave * np.hanning(length), np.float32)


def peak(wave: Doubles) -> float:
    """Frequency of the strongest partial, in cycles per sample."""
    return float(np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 1 << 17)).argmax()) / (1 << 17)
