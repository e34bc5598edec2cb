"""Quality and speed of matching pursuit on real music, and what its time depends on.

Writes `pursuit.md`: spectral convergence of four segments of 1.5 s at 22.05 kHz with 64 and with 204 atoms of every
type, plain and orthogonal; a thousand atoms of 10 s; and the time per atom by their number and by the clip's length.

    python -m benchmarks.pursuit --music FOLDER
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from distrack.process_environment import compute_fast

compute_fast("benchmarks.pursuit")

import numpy as np
import soundfile
import soxr

from distrack.arrays import Floats
from distrack.decompose import DecomposeConfig, Events, render, snr_db, spectral_convergence
from distrack.decompose.pursuit.config import PursuitConfig

TABLE = Path(__file__).with_suffix(".md")
RATE, SECONDS, COUNTS = 22_050, 1.5, (64, 204)
SEGMENTS = {
    "string orchestra": ("hungarian_dance_string_orchestra.ogg", 5.0),
    "celesta": ("sugar_plum_fairy.ogg", 20.0),
    "vibraphone": ("vibe_ace.ogg", 10.0),
    "trumpet": ("solo_trumpet.ogg", 1.0),
}
VARIANTS: dict[str, dict[str, Any]] = {
    "Gabor": {},
    "Gabor, orthogonal": {"orthogonal": True},
    "damped": {"atoms": "damped"},
    "both": {"atoms": "both"},
    "both, orthogonal": {"atoms": "both", "orthogonal": True},
    "learned": {"atoms": "learned"},
    "learned, orthogonal": {"atoms": "learned", "orthogonal": True},
}
LENGTHS = (5.0, 10.0, 20.0, 40.0)
MANY = 1000


class Result(NamedTuple):
    """The decomposition of one clip.

    Attributes:
        events: the atoms.
        seconds: time of the decomposition.
        times: seconds from the start to each atom.
    """

    events: Events
    seconds: float
    times: list[float]


def segment(folder: Path, name: str, seconds: float) -> Floats:
    """A segment of a recording in mono, ``[1, samples]``."""
    file, start = SEGMENTS[name]
    with soundfile.SoundFile(folder / file) as sound:
        sound.seek(round(start * sound.samplerate))
        piece = sound.read(round(seconds * sound.samplerate), dtype="float32", always_2d=True).mean(axis=1)
        resampled = soxr.resample(piece, sound.samplerate, RATE, quality="HQ")
    return np.ascontiguousarray(resampled[None], dtype=np.float32)


def decomposed(wave: Floats, events: int, settings: dict[str, Any]) -> Result:
    """Runs a matching pursuit to its end."""
    config = DecomposeConfig(method=PursuitConfig(**settings), events=events)
    began, times = time.perf_counter(), []
    decomposer = config.decomposer(wave, RATE)
    for progress in decomposer:
        if progress.events:
            times.append(time.perf_counter() - began)
    return Result(decomposer.events(), time.perf_counter() - began, times)


def quality(folder: Path) -> list[str]:
    """The first table: every variant, every segment, both numbers of atoms."""
    lines = ["| atoms | events | floats | " + " | ".join(SEGMENTS) + " | mean | SNR, dB | seconds |"]
    lines.append("|---" * (lines[0].count("|") - 1) + "|")
    for title, settings in VARIANTS.items():
        for count in COUNTS:
            distances, levels, seconds, floats = [], [], [], 0
            for name in SEGMENTS:
                wave = segment(folder, name, SECONDS)
                result = decomposed(wave, count, settings)
                sound = render(result.events)
                distances.append(spectral_convergence(wave, sound))
                levels.append(snr_db(wave, sound))
                seconds.append(result.seconds)
                floats = result.events.floats
            each = " | ".join(f"{value:.3f}" for value in distances)
            snr = f"{np.mean(levels):.1f} ({min(levels):.1f} to {max(levels):.1f})"
            mean = f"**{np.mean(distances):.3f}**"
            row = f"| {title} | {count} | {floats} | {each} | {mean} | {snr} | {np.mean(seconds):.2f} |"
            print(row, flush=True)
            lines.append(row)
    return lines


def many(folder: Path, name: str) -> str:
    """A row of the second table: a thousand atoms of 10 s. Its process must do nothing else, as memory is measured."""
    wave = segment(folder, name, 10.0)
    result = decomposed(wave, MANY, {})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = time.perf_counter()
    sound = render(result.events)
    rendered = time.perf_counter() - began
    hundreds = [1000 * (result.times[end] - result.times[end - 100]) / 100 for end in (199, 499, 999)]
    per_atom = " / ".join(f"{value:.1f}" for value in hundreds)
    return (
        f"| {name} | {result.seconds:.1f} | {per_atom} | {peak:.0f} | {snr_db(wave, sound):.1f} "
        f"| {spectral_convergence(wave, sound):.3f} | {1000 * rendered:.0f} |"
    )


def lengths(folder: Path) -> list[str]:
    """The third table: 200 atoms of clips of several lengths."""
    lines = ["| seconds of sound | before the first atom, ms | an atom, ms |", "|---|---|---|"]
    for seconds in LENGTHS:
        result = decomposed(segment(folder, "string orchestra", seconds), 200, {})
        cost = 1000 * (result.times[-1] - result.times[0]) / (len(result.times) - 1)
        lines.append(f"| {seconds:g} | {1000 * result.times[0]:.0f} | {cost:.1f} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Measures and writes the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--music", type=Path, required=True, help="folder of the recordings")
    parser.add_argument("--many", choices=list(SEGMENTS), help="print one row of the second table, and nothing else")
    arguments = parser.parse_args()
    if arguments.many:
        print(many(arguments.music, arguments.many))
        return
    first = quality(arguments.music)
    second = [
        "| 1,000 atoms of 10 s | seconds | an atom, ms | peak memory, MB | SNR, dB | convergence | rendered, ms |"
    ]
    second.append("|---" * 7 + "|")
    for name in SEGMENTS:
        command = [sys.executable, "-m", "benchmarks.pursuit", "--music", str(arguments.music), "--many", name]
        second.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
        print(second[-1], flush=True)
    lines = [
        f"Matching pursuit; {platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}. Segments of "
        f"{SECONDS:g} s at {RATE:,} Hz in mono.",
        "",
        "Spectral convergence (`distrack.decompose.quality`; lower is nearer) of each segment, its mean, the mean SNR",
        "and the range of it, and the mean time. A learned dictionary's floats count all of its samples.",
        "",
        *first,
        "",
        "A thousand Gabor atoms, each row in a process of its own; an atom: mean of the second, fifth and tenth",
        "hundred.",
        "",
        *second,
        "",
        "The same recording (string orchestra), 200 atoms, over the length of the clip. Longer clips hold other music,",
        "so that the scales of what is found differ too.",
        "",
        *lengths(arguments.music),
    ]
    TABLE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
