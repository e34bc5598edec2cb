"""Perceptual distances of sounds whose distance to the ear is known, and of splattings that were fitted by each loss.

Writes `perception.md`. The splattings need a folder of recordings; they take about ten minutes.

    python -m benchmarks.perception [--music FOLDER --events 16 --iterations 400]
"""

import argparse
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

from distrack.process_environment import compute_fast

compute_fast()

import numpy as np

from benchmarks.splat import RATE, SEGMENTS, segment
from distrack.arrays import Floats
from distrack.decompose import DecomposeConfig, render, snr_db, spectral_convergence
from distrack.decompose.losses import LOSSES
from distrack.decompose.splat.config import SplatConfig
from distrack.perception import DISTANCES, distance

TABLE = Path(__file__).with_suffix(".md")
SEEDS = 3
_EXPLANATION = """\
*Noise*: an octave of noise against another draw of it, against noise half an octave higher, and the ratio of the two;
means of three pairs. *Tone*: against tones 1, 2 ... 7 semitones higher. *Missing fundamental*: ten harmonics against
nine without the first one, and against ten a semitone higher and lower. All at 22.05 kHz."""
_FITS = """\
Splattings of 1.5 s by each loss, seed 0. The loss of a row brings down its own column."""


def noise(low: float, seed: int, seconds: float) -> Floats:
    """An octave of Gaussian noise from a frequency in Hz on, ``[1, samples]``."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=round(seconds * RATE)))
    frequencies = np.linspace(0, RATE / 2, len(spectrum))
    spectrum[(frequencies < low) | (frequencies > 2 * low)] = 0
    return np.fft.irfft(spectrum, round(seconds * RATE)).astype(np.float32)[None]


def tone(frequency: float, harmonics: range = range(1, 2), seconds: float = 1.5) -> Floats:
    """Harmonics of equal amplitude, ``[1, samples]``."""
    past = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * frequency * n * past + n * n) for n in harmonics)
    return np.asarray(wave, np.float32)[None]


def higher(frequency: float, semitones: float) -> float:
    """A frequency that is so many semitones above another."""
    return float(frequency * 2 ** (semitones / 12))


def sounds(name: str) -> Iterator[tuple[str, str]]:
    """What is compared, and the distances."""
    for low in (100.0, 300.0, 1000.0, 3000.0):
        for seconds in (1.0, 2.0, 4.0):
            pairs = range(0, 2 * SEEDS, 2)
            same = np.mean([distance(name, noise(low, k, seconds), noise(low, k + 1, seconds), RATE) for k in pairs])
            above = higher(low, 6)
            other = np.mean([distance(name, noise(low, k, seconds), noise(above, k + 1, seconds), RATE) for k in pairs])
            yield f"noise from {low:.0f} Hz, {seconds:.0f} s", f"{same:.3f}, {other:.3f}; {other / same:.1f}"
    for frequency in (110.0, 440.0, 1760.0):
        steps = [distance(name, tone(frequency), tone(higher(frequency, k)), RATE) for k in range(1, 8)]
        yield f"tone of {frequency:.0f} Hz", ", ".join(f"{step:.2f}" for step in steps)
    for frequency in (110.0, 200.0, 440.0):
        ten = range(1, 11)
        whole = tone(frequency, ten)
        missing = distance(name, whole, tone(frequency, range(2, 11)), RATE)
        up, down = (distance(name, whole, tone(higher(frequency, k), ten), RATE) for k in (1, -1))
        yield f"missing fundamental of {frequency:.0f} Hz", f"{missing:.2f}; {up:.2f}, {down:.2f}"


def fits(folder: Path, events: int, iterations: int) -> Iterator[tuple[str, ...]]:
    """Segment, loss, seconds, and how near the fit comes by every measure."""
    for name in SEGMENTS:
        wave = segment(folder, name)
        for loss in LOSSES:
            method = SplatConfig(iterations=iterations, loss=loss)
            began = time.monotonic()
            fit = DecomposeConfig(method=method, events=events).decomposer(wave, RATE)
            for _ in fit:
                pass
            seconds, sound = time.monotonic() - began, render(fit.events())
            perceptual = [f"{distance(one, wave, sound, RATE):.3f}" for one in DISTANCES]
            nearness = (f"{snr_db(wave, sound):.1f}", f"{spectral_convergence(wave, sound):.3f}", *perceptual)
            yield name, loss, f"{seconds:.0f}", *nearness


def main() -> None:
    """Measures and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--music", type=Path)
    parser.add_argument("--events", type=int, default=16)
    parser.add_argument("--iterations", type=int, default=400)
    options = parser.parse_args()
    names = list(DISTANCES)
    machine = f"{os.cpu_count()} cores of {platform.machine()}, shared with other work"
    lines = ["# Perceptual distances", "", f"`python -m benchmarks.perception`; {machine}.", "", _EXPLANATION, ""]
    lines += [f"| | {' | '.join(names)} |", "|---" * (1 + len(names)) + "|"]
    for (what, value), *others in zip(*map(sounds, names), strict=True):
        lines.append(f"| {what} | {value} | {' | '.join(other for _, other in others)} |")
        print(lines[-1], flush=True)
    if options.music is not None:
        lines += ["", f"`--music FOLDER --events {options.events} --iterations {options.iterations}`. {_FITS}", ""]
        head = ("segment", "loss", "seconds", "SNR, dB", "spectral convergence", *names)
        lines += [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        for row in fits(options.music, options.events, options.iterations):
            lines.append(f"| {' | '.join(row)} |")
            print(lines[-1], flush=True)
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
