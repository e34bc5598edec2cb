"""Quality and speed of splatting on real music with 64 events, and the quality without a fifth of them.

Writes `splat.md`: spectral convergence before and after gradient descent, for four segments of 1.5 s at 22.05 kHz, and
the same with a fifth of the events removed on the way.

    python -m benchmarks.splat --music FOLDER [--iterations 3000]
"""

import argparse
import os
import platform
import time
from pathlib import Path
from typing import NamedTuple

from distrack.process_environment import compute_fast

compute_fast()

import numpy as np
import soundfile
import soxr

from distrack.arrays import Floats
from distrack.decompose import DecomposeConfig, Events, render, snr_db, spectral_convergence
from distrack.decompose.decomposer import Budget
from distrack.decompose.losses.spectral import least_important
from distrack.decompose.splat.config import SplatConfig
from distrack.decompose.splat.decomposer import PRUNE_AT, Splatter
from distrack.decompose.transforms import remove

TABLE = Path(__file__).with_suffix(".md")
RATE, SECONDS, SHARE = 22_050, 1.5, 0.2
SEGMENTS = {
    "string orchestra": ("hungarian_dance_string_orchestra.ogg", 5.0),
    "celesta": ("sugar_plum_fairy.ogg", 20.0),
    "vibraphone": ("vibe_ace.ogg", 10.0),
    "trumpet": ("solo_trumpet.ogg", 1.0),
}
_HEADER = (
    "| segment | floats | loss | found | fitted | SNR, dB | seconds | rendered in, ms | pruned | cut off | pursuit |"
)
_EXPLANATION = """\
Spectral convergence (`distrack.decompose.quality`; lower is nearer) as *found*, before gradient descent, and as
*fitted*; *pruned* is with a fifth of the events removed after 40 % of the iterations and the rest fitted on, *cut off*
with a fifth removed at the end and nothing fitted after. Loss: of the first and of the last iteration. Seconds: all of
the fit, finding included; rendered: the best of five. *Pursuit* is matching pursuit with as many floats."""


class Row(NamedTuple):
    """One segment's measurements, in the order of the table."""

    floats: int
    first_loss: float
    last_loss: float
    found: float
    fitted: float
    snr: float
    seconds: float
    rendered: float
    pruned: float
    cut: float
    pursuit: float


def segment(folder: Path, name: str) -> Floats:
    """A second and a half of mono, ``[1, samples]``."""
    file, start = SEGMENTS[name]
    wave, rate = soundfile.read(folder / file, always_2d=True, dtype="float32")
    piece = wave[round(start * rate) : round((start + SECONDS) * rate) + rate // 50].mean(1)
    resampled = soxr.resample(piece, rate, RATE, quality="HQ")[: round(SECONDS * RATE)]
    return np.ascontiguousarray(resampled[None], dtype=np.float32)


def distance(wave: Floats, events: Events) -> float:
    """Spectral convergence of the events' sound."""
    return spectral_convergence(wave, render(events))


def measured(wave: Floats, events: int, iterations: int) -> Row:
    """Fits once without pruning, then once more with pruning from its step on."""
    settings, budget = SplatConfig(iterations=iterations), Budget(events=events)
    fit = Splatter(wave, RATE, budget, settings)
    losses, found, middle = [], 0.0, fit.state()
    began, aside = time.perf_counter(), 0.0
    for progress in fit:
        paused = time.perf_counter()
        if progress.loss is not None:
            losses.append(progress.loss)
        if fit.done == 0:
            found = distance(wave, fit.events())
        if fit.done == max(1, round(PRUNE_AT * iterations)) - 1:
            middle = fit.state()
        aside += time.perf_counter() - paused
    seconds = time.perf_counter() - began - aside
    whole = fit.events()
    other = Splatter(wave, RATE, budget, settings.model_copy(update={"prune": SHARE}))
    other.restore(middle)
    for _ in other:
        pass
    times = []
    for _ in range(5):
        again = time.perf_counter()
        render(whole)
        times.append(time.perf_counter() - again)
    return Row(
        whole.floats,
        losses[0],
        losses[-1],
        found,
        distance(wave, whole),
        snr_db(wave, render(whole)),
        seconds,
        1000 * min(times),
        distance(wave, other.events()),
        distance(wave, remove(whole, least_important(whole, wave, round(SHARE * len(whole))))),
        _pursuit(wave, whole.floats),
    )


def _pursuit(wave: Floats, floats: int) -> float:
    pursuit = DecomposeConfig(events=floats // 5).decomposer(wave, RATE)
    for _ in pursuit:
        pass
    return distance(wave, pursuit.events())


def main() -> None:
    """Measures and writes the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--music", type=Path, required=True, help="the folder of the four recordings")
    parser.add_argument("--events", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=SplatConfig().iterations)
    arguments = parser.parse_args()
    rows = {}
    for name in SEGMENTS:
        rows[name] = measured(segment(arguments.music, name), arguments.events, arguments.iterations)
        print(name, rows[name], flush=True)
    lines = [_line(name, row) for name, row in rows.items()]
    means = {
        field: float(np.mean([getattr(row, field) for row in rows.values()]))
        for field in ("found", "fitted", "pruned", "cut")
    }
    pursuits = [row.pursuit for row in rows.values()]
    lines.append(
        f"| mean | | | {means['found']:.3f} | {means['fitted']:.3f} | | | | {means['pruned']:.3f} | {means['cut']:.3f} "
        f"| {np.mean(pursuits):.3f} |"
    )
    command = (
        f"python -m benchmarks.splat --music FOLDER --events {arguments.events} --iterations {arguments.iterations}"
    )
    machine = f"{os.cpu_count()} cores of {platform.machine()}, shared with other work."
    table = "\n".join([_HEADER, "|---" * (_HEADER.count("|") - 1) + "|", *lines])
    TABLE.write_text(f"# Splats of real music\n\n`{command}`; {machine}\n\n{_EXPLANATION}\n\n{table}\n")


def _line(name: str, row: Row) -> str:
    return (
        f"| {name} | {row.floats} | {row.first_loss:.3f} to {row.last_loss:.3f} | {row.found:.3f} | {row.fitted:.3f} "
        f"| {row.snr:.1f} | {row.seconds:.0f} | {row.rendered:.0f} | {row.pruned:.3f} | {row.cut:.3f} "
        f"| {row.pursuit:.3f} |"
    )


if __name__ == "__main__":
    main()
