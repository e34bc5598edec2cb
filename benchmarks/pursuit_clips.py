"""The clips of `benchmarks.pursuit`, and one decomposition of a clip."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr

from distrack.arrays import Floats
from distrack.decompose import DecomposeConfig, Events

RATE, SECONDS = 22_050, 1.5
SEGMENTS = {
    "string orchestra": ("hungarian_dance_string_orchestra.ogg", 5.0),
    "celesta": ("sugar_plum_fairy.ogg", 20.0),
    "vibraphone": ("vibe_ace.ogg", 10.0),
    "trumpet": ("solo_trumpet.ogg", 1.0),
}

# The settings of a pursuit that does not refine its atoms together.
PLAIN: dict[str, Any] = {"orthogonal": False}


class Result(NamedTuple):
    """The decomposition of one clip.

    Attributes:
        events: the atoms.
        seconds: processor time of the decomposition.
        times: seconds from the start to each atom.
    """

    events: Events
    seconds: float
    times: list[float]


def peak_memory() -> float:
    """The most memory that this process had, in MB; `ru_maxrss` counts that of the process before it, too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("peak memory is measured on Linux alone")


def segment(folder: Path, name: str, seconds: float) -> Floats:
    """A segment of a recording in mono, ``[1, samples]``."""
    file, start = SEGMENTS[name]
    return recording(folder / file, start, seconds)


def recording(file: Path, start: float, seconds: float) -> Floats:
    """A part of a file in mono, ``[1, samples]``."""
    with soundfile.SoundFile(file) as sound:
        sound.seek(round(start * sound.samplerate))
        piece = sound.read(round(seconds * sound.samplerate), dtype="float32", always_2d=True).mean(axis=1)
        resampled = soxr.resample(piece, sound.samplerate, RATE, quality="HQ")
    return np.ascontiguousarray(resampled[None], dtype=np.float32)


def medley(folder: Path, seconds: float) -> Floats:
    """All recordings, one after another and again, ``[1, samples]``."""
    parts: list[Floats] = []
    while sum(part.shape[1] for part in parts) < seconds * RATE:
        parts += [recording(folder / file, 0.0, 60.0) for file, _ in SEGMENTS.values()]
    return np.concatenate(parts, axis=1)[:, : round(seconds * RATE)]


def decomposed(wave: Floats, events: int, settings: dict[str, Any]) -> Result:
    """Runs a matching pursuit to its end."""
    config = DecomposeConfig.validated({"method": settings, "events": events})
    began, times = time.process_time(), []
    decomposer = config.decomposer(wave, RATE)
    for progress in decomposer:
        if progress.events:
            times.append(time.process_time() - began)
    return Result(decomposer.events(), time.process_time() - began, times)
