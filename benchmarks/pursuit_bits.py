"""Events in few bits: what rounding costs at equal atoms, and how many decibels a number of bits buys."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pursuit_clips import PLAIN, RATE, SECONDS, SEGMENTS, decomposed, segment
from distrack.arrays import Floats
from distrack.decompose import Events, render, snr_db, storage
from distrack.decompose.codecs import flac, opus

# 1,020 floats.
BUDGET = 32_640
COUNTS = (64, 204, 1000)
BITS = (40, 34, 30, 26, 22)


def bits_of(events: Events) -> int:
    """The bits of rounded events, or 32 for each float."""
    content = storage.coded(events)
    return 32 * events.floats if content is None else 8 * len(content)


def equal_atoms(folder: Path) -> list[str]:
    """Bits an atom and decibels, each the mean of the four clips, by the bits that are asked for."""
    lines = ["| --bits | " + " | ".join(f"{count:,} atoms: bits an atom | SNR, dB" for count in COUNTS) + " |"]
    lines.append("|---" * (1 + 2 * len(COUNTS)) + "|")
    for bits in (None, *BITS):
        cells = []
        for count in COUNTS:
            sizes, levels = _mean_of(folder, count, {"bits": bits, **PLAIN})
            cells.append(f"{sizes / count:.1f} | {levels:.2f}")
        lines.append(f"| {bits or 'floats'} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return lines


def equal_bits(folder: Path) -> list[str]:
    """As many atoms of each clip as fit into `BUDGET` bits, by the bits that are asked for."""
    lines = [f"| --bits | atoms in {BUDGET:,} bits | " + " | ".join(SEGMENTS) + " | mean SNR, dB |"]
    lines.append("|---" * (3 + len(SEGMENTS)) + "|")
    variants: list[dict[str, Any]] = [{"bits": bits, **PLAIN} for bits in (None, *BITS)]
    for settings in [*variants, {"bits": BITS[-1]}]:
        fitted = [within_budget(segment(folder, name, SECONDS), settings) for name in SEGMENTS]
        levels = [snr for _, snr in fitted]
        counts = " to ".join(f"{edge(count for count, _ in fitted):,}" for edge in (min, max))
        title = f"{settings['bits'] or 'floats'}{', orthogonal' * ('orthogonal' not in settings)}"
        each = " | ".join(f"{level:.2f}" for level in levels)
        lines.append(f"| {title} | {counts} | {each} | **{np.mean(levels):.2f}** |")
        print(lines[-1], flush=True)
    return lines


def other_codecs(folder: Path) -> list[str]:
    """The size of the four clips in FLAC and Opus; Opus at the bit rate of `BUDGET`, or the lowest above it."""
    lines = ["| codec | clip | bytes | kbit/s | SNR, dB |", "|---|---|---|---|---|"]
    for name in SEGMENTS:
        wave = segment(folder, name, SECONDS)
        for file in (flac(wave, RATE), opus(wave, RATE, bits_per_second=BUDGET / SECONDS)):
            rate = file.size * 8 / SECONDS / 1000
            lines.append(f"| {file.name} | {name} | {file.size:,} | {rate:.1f} | {file.snr_db:.1f} |")
    return lines


def within_budget(wave: Floats, settings: dict[str, Any]) -> tuple[int, float]:
    """The number of atoms of a clip that fit into `BUDGET` bits, and the decibels that they reach."""
    count = BUDGET // 160 if settings["bits"] is None else BUDGET // settings["bits"]
    events = decomposed(wave, count, settings).events
    # More atoms take fewer bits each, so that the first estimate is low, and the second is nearly exact.
    for _ in range(4):
        spent = bits_of(events)
        more = int((BUDGET - spent) / (spent / count))
        if 0 <= more <= 2:
            break
        count += more if more > 0 else min(more, -1)
        events = decomposed(wave, count, settings).events
    while bits_of(events) > BUDGET:
        count -= 1
        events = decomposed(wave, count, settings).events
    return count, snr_db(wave, render(events))


def _mean_of(folder: Path, count: int, settings: dict[str, Any]) -> tuple[float, float]:
    """Bits and decibels of so many atoms, each the mean of the four clips."""
    sizes, levels = [], []
    for name in SEGMENTS:
        wave = segment(folder, name, SECONDS)
        events = decomposed(wave, count, settings).events
        sizes.append(bits_of(events))
        levels.append(snr_db(wave, render(events)))
    return float(np.mean(sizes)), float(np.mean(levels))
