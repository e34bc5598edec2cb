"""How near matching pursuit comes to real music, and what it costs.

Writes `pursuit.md`: spectral convergence and signal-to-noise ratio of four segments of 1.5 s at 22.05 kHz, mono, with
64 and with 204 atoms of each shape; and seconds and memory against the number of atoms and the length of the clip.

    python -m benchmarks.pursuit --music FOLDER
"""

import argparse
import os
import platform
import resource
import time
from pathlib import Path
from typing import Any, NamedTuple

from distrack.environment import compute_fast

compute_fast("benchmarks.pursuit")

import numpy as np
from numpy.typing import NDArray

from distrack.audio import read_segment
from distrack.decompose import DECOMPOSERS, DecomposeConfig, render, snr_db, spectral_convergence

TABLE = Path(__file__).with_suffix(".md")
RATE, SECONDS = 22_050, 1.5
SEGMENTS = {
    "string orchestra": ("hungarian_dance_string_orchestra.ogg", 5.0),
    "celesta": ("sugar_plum_fairy.ogg", 20.0),
    "vibraphone": ("vibe_ace.ogg", 10.0),
    "trumpet": ("solo_trumpet.ogg", 1.0),
}
KINDS: dict[str, dict[str, Any]] = {
    "Gabor": {},
    "Gabor, orthogonal": {"orthogonal": True},
    "damped": {"atoms": "damped"},
    "both": {"atoms": "both"},
    "learned, 12 waveforms of 50 ms": {"atoms": "learned"},
}


class Found(NamedTuple):
    """What a pursuit came to."""

    convergence: float
    snr: float
    floats: int
    seconds: float


def pursued(wave: NDArray[np.float32], count: int, **asked: Any) -> Found:
    """One clip taken apart."""
    begun = time.perf_counter()
    fit = DECOMPOSERS["matching-pursuit"](wave, RATE, DecomposeConfig(events=count, pursuit=asked))
    for _ in fit:
        pass
    seconds = time.perf_counter() - begun
    events = fit.events()
    sound = render(events)
    return Found(spectral_convergence(wave, sound), snr_db(wave, sound), events.floats, seconds)


def clip(music: Path, name: str, seconds: float) -> NDArray[np.float32]:
    """A segment, mono."""
    file, start = SEGMENTS[name]
    return read_segment(music / file, start=start, seconds=seconds, sample_rate=RATE, mono=True).wave


def quality(music: Path) -> list[str]:
    """Rows of the first table."""
    rows = []
    clips = [clip(music, name, SECONDS) for name in SEGMENTS]
    for kind, asked in KINDS.items():
        for atoms in (64, 204):
            found = [pursued(wave, atoms, **asked) for wave in clips]
            each = " | ".join(f"{one.convergence:.3f} ({one.snr:.1f})" for one in found)
            mean = float(np.mean([one.convergence for one in found]))
            seconds = float(np.mean([one.seconds for one in found]))
            rows.append(f"| {kind} | {atoms} | {found[0].floats:,} | {each} | **{mean:.3f}** | {seconds:.1f} |")
            print(rows[-1])
    return rows


def cost(music: Path) -> list[str]:
    """Rows of the second table."""
    rows = []
    for seconds, atoms in ((3, 250), (10, 250), (30, 250), (10, 500), (10, 1000)):
        found = pursued(clip(music, "string orchestra", seconds), atoms)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.append(
            f"| {seconds} | {atoms:,} | {found.seconds:.1f} | {1000 * found.seconds / atoms:.1f} | {peak:.0f} |"
        )
        print(rows[-1])
    return rows


def main() -> None:
    """Measures, and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--music", type=Path, required=True, help="Folder of the four recordings.")
    music = parser.parse_args().music
    costs = cost(music)
    names = " | ".join(SEGMENTS)
    lines = [
        "# Matching pursuit of real music",
        "",
        f"`python -m benchmarks.pursuit --music FOLDER`; {os.cpu_count()} cores of {platform.machine()}.",
        "",
        "Spectral convergence (`distrack.decompose.quality`; lower is nearer), and in brackets signal to noise in dB, "
        "of 1.5 s at 22.05 kHz, mono; seconds: the mean of one. Floats count the waveforms that were learnt.",
        "",
        f"| atoms | number | floats | {names} | mean | seconds |",
        "|---|---|---|" + "---|" * len(SEGMENTS) + "---|---|",
        *quality(music),
        "",
        "What it costs: the string orchestra, Gabor atoms. Memory is the most that the process had by then.",
        "",
        "| seconds of sound | atoms | seconds | ms an atom | MB |",
        "|---|---|---|---|---|",
        *costs,
    ]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
