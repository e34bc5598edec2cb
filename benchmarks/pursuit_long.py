"""Matching pursuit of long recordings: a minute in sections, and the whole command up to an hour."""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.pursuit_clips import RATE, SEGMENTS, decomposed, recording
from distrack.arrays import Floats
from distrack.decompose import Events, render, snr_db
from distrack.decompose.pursuit.long_search import LongSearch
from distrack.decompose.pursuit.rounding import FloatRounding

# Atoms of a minute, and the sections into which it is divided.
EVENTS, SECTIONS = 10_000, (1, 3, 6)
# The atoms that are compared: later ones depend on every small difference of those before them.
LOUDEST = 1_000
# Minutes of the recordings that the command decomposes, and atoms for each of them.
MINUTES, OF_A_MINUTE = (1, 10, 20, 60), 6_000
# Levels of the recordings that follow each other.
LEVELS = (1.0, 0.7, 0.4, 0.9, 0.2)


def in_sections(folder: Path) -> list[str]:
    """The first table: a minute in one piece and in sections."""
    lines = ["| | plain: SNR, dB | loudest atoms | s | orthogonal: SNR, dB | s |", "|---" * 6 + "|"]
    wave = recording(folder / SEGMENTS["vibraphone"][0], 0.0, 60.0)
    plain, seconds = _searched(wave, 0, orthogonal=False)
    expected = _places(plain)
    for sections in (0, *SECTIONS):
        plain, seconds = _searched(wave, sections, orthogonal=False)
        refined, more = _searched(wave, sections, orthogonal=True)
        same = len(_places(plain) & expected) / len(expected)
        levels = [snr_db(wave, render(events)) for events in (plain, refined)]
        name = f"{sections} section{'s' if sections > 1 else ''}" if sections else "one piece"
        lines.append(f"| {name} | {levels[0]:.2f} | {same:.0%} | {seconds:.1f} | {levels[1]:.2f} | {more:.1f} |")
        print(lines[-1], flush=True)
    return lines


def _searched(wave: Floats, sections: int, *, orthogonal: bool) -> tuple[Events, float]:
    """The atoms of a search in so many sections, 0 for one piece, and its processor time."""
    if not sections:
        result = decomposed(wave, EVENTS, {"orthogonal": orthogonal})
        return result.events, result.seconds
    began, energy = time.process_time(), float(np.square(wave, dtype=np.float64).sum())
    search = LongSearch(
        wave,
        RATE,
        events=EVENTS,
        orthogonal=orthogonal,
        rounding=FloatRounding(),
        energy=energy,
        section=-(-wave.size // sections),
    )
    while search.refining:
        search.take()
    events = Events.of(search.kind_name, search.rows(), sample_rate=RATE, samples=wave.shape[1])
    return events, time.process_time() - began


def _places(events: Events) -> set[tuple[float, ...]]:
    """Time, scale and frequency of the loudest atoms, to a hundredth of a second and of a hertz."""
    loudest = events.by_energy().parameters[:LOUDEST, :3].astype(np.float64)
    return {tuple(row) for row in np.round(loudest, 2).tolist()}


def commands(folder: Path) -> list[str]:
    """The second table: the whole command, each in a process of its own."""
    lines = ["| minutes | atoms | processor s | s a minute | peak memory, MB | SNR, dB |", "|---" * 6 + "|"]
    for minutes in MINUTES:
        with tempfile.TemporaryDirectory() as place:
            sound = Path(place) / "sound.wav"
            _write(sound, folder, minutes * 60 * RATE)
            seconds, peak, report = _command(sound, minutes * OF_A_MINUTE, Path(place))
        lines.append(
            f"| {minutes} | {report['events']:,} | {seconds:.1f} | {seconds / minutes:.2f} | {peak:.0f} "
            f"| {report['snr_db']:.2f} |"
        )
        print(lines[-1], flush=True)
    return lines


def _write(path: Path, folder: Path, samples: int) -> None:
    """A recording of so many samples: all recordings in turn, at changing levels."""
    pieces = [recording(folder / file, 0.0, 60.0)[0] for file, _ in SEGMENTS.values()]
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as sound:
        for piece, level in zip(itertools.cycle(pieces), itertools.cycle(LEVELS), strict=False):
            sound.write(level * piece[: samples - sound.tell()])
            if sound.tell() == samples:
                break


# A process between this one and the command: memory that this one had would be counted as the command's.
_MEASURED = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "distrack", *sys.argv[1:]], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def _command(sound: Path, events: int, place: Path) -> tuple[float, float, dict[str, Any]]:
    """The processor seconds of the command, its peak memory in MB, and its report."""
    words = ["decompose", str(sound), "--events", str(events), "--quiet", "--runs-path", str(place), "--name", "long"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _MEASURED, *words]
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True)
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak, json.loads((place / "long" / "report.json").read_text())
