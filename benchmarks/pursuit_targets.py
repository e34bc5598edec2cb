"""The figures that the matching pursuit is held to: quality and processor time of one thread."""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.pursuit_bits import BUDGET, within_budget
from benchmarks.pursuit_clips import (
    PLAIN,
    RATE,
    SECONDS,
    SEGMENTS,
    decomposed,
    medley,
    peak_memory,
    recording,
    segment,
)
from distrack.arrays import Floats
from distrack.decompose import render, snr_db
from distrack.errors import DistrackError

VIBRAPHONE = SEGMENTS["vibraphone"][0]
# Lengths and numbers of atoms over which the time of an atom should not change.
LENGTHS, PLACES = (5.0, 60.0, 600.0), (200, 1_000, 10_000, 100_000)


def one_minute(folder: Path) -> str:
    """60 s in 10,000 atoms."""
    return _measured(recording(folder / VIBRAPHONE, 0.0, 60.0), 10_000, PLAIN)


def one_minute_orthogonal(folder: Path) -> str:
    """60 s in 10,000 atoms, orthogonal."""
    return _measured(recording(folder / VIBRAPHONE, 0.0, 60.0), 10_000, {})


def ten_seconds(folder: Path) -> str:
    """10 s in 1,000 atoms."""
    return _measured(recording(folder / VIBRAPHONE, 0.0, 10.0), 1_000, PLAIN)


def few_bits(folder: Path) -> str:
    """The mean of the four clips in as many bits as 1,020 floats."""
    fitted = [within_budget(segment(folder, name, SECONDS), {"bits": 22}) for name in SEGMENTS]
    mean = np.mean([level for _, level in fitted])
    return f"{mean:.2f} dB in {BUDGET:,} bits, {min(fitted)[0]:,} to {max(fitted)[0]:,} atoms"


def whole_command(folder: Path) -> str:
    """The command for 64 atoms of 1.5 s."""
    with tempfile.TemporaryDirectory() as place:
        clip = Path(place) / "clip.wav"
        soundfile.write(clip, segment(folder, "vibraphone", SECONDS).T, RATE, subtype="FLOAT")
        words = ["decompose", str(clip), "--events", "64", "--quiet", "--runs-path", place]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        subprocess.run([sys.executable, "-m", "distrack", *words], check=True, env=environment, capture_output=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return f"{used.ru_utime + used.ru_stime:.2f} s, {used.ru_maxrss / 1024:.0f} MB"


def ten_minutes(folder: Path) -> str:
    """600 s in 100,000 atoms."""
    return _measured(medley(folder, 600.0), 100_000, PLAIN)


def time_of_an_atom(folder: Path) -> str:
    """Milliseconds of an atom at several numbers of atoms and lengths of the clip."""
    cells = []
    for seconds in LENGTHS:
        wave = medley(folder, seconds)
        most = min(PLACES[-1], round(170 * seconds))
        try:
            times = decomposed(wave, most, PLAIN).times
        except DistrackError as error:
            cells.append(f"{seconds:g} s: refused ({str(error).splitlines()[0][:60]})")
            continue
        each = [f"{1000 * (times[place - 1] - times[place - 101]) / 100:.3f}" for place in PLACES if place <= most]
        cells.append(f"{seconds:g} s: {' / '.join(each)} ms")
    return "; ".join(cells)


# What is asked for, and what measures it.
TARGETS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "60 s, 10,000 atoms": ("22.1 dB, 2.2 s", one_minute),
    "60 s, 10,000 atoms, orthogonal": ("23.4 dB, 3 s", one_minute_orthogonal),
    "10 s, 1,000 atoms": ("19 dB, 0.3 s", ten_seconds),
    "four clips": (f"23.5 dB in {BUDGET:,} bits", few_bits),
    "whole command, 64 atoms of 1.5 s": ("0.6 s, 150 MB", whole_command),
    "600 s, 100,000 atoms": ("15 s, 1.5 GB", ten_minutes),
    "an atom (the 200th, 1,000th, ... by the length of the clip)": ("within 20 %", time_of_an_atom),
}


def targets(folder: Path) -> list[str]:
    """The table of all figures."""
    lines = ["| | asked for | measured |", "|---|---|---|"]
    for name, (asked, _) in TARGETS.items():
        command = [sys.executable, "-m", "benchmarks.pursuit", "--music", str(folder), "--target", name]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
        lines.append(f"| {name} | {asked} | {done.stdout.strip()} |")
        print(lines[-1], flush=True)
    return lines


def _measured(wave: Floats, events: int, settings: dict[str, Any]) -> str:
    try:
        result = decomposed(wave, events, settings)
    except DistrackError as error:
        return f"refused: {str(error).splitlines()[0][:80]}"
    # The peak is that of the search: rendering comes after it.
    peak = peak_memory()
    return f"{snr_db(wave, render(result.events)):.2f} dB, {result.seconds:.2f} s, {peak:.0f} MB"
