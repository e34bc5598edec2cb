"""Quality and speed of matching pursuit on real music, and what its time depends on.

Writes `pursuit.md`: spectral convergence of four segments of 1.5 s at 22.05 kHz with 64 and with 204 atoms of every
type, plain and orthogonal; a thousand atoms of 10 s; the time per atom by their number and by the clip's length; atoms
in few bits; published tools that are installed (`benchmarks/pursuit_peers.py`); and what the pursuit is held to.

    python -m benchmarks.pursuit --music FOLDER
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distrack.process_environment import compute_fast

compute_fast()

import numpy as np

from benchmarks.pursuit_bits import BUDGET, equal_atoms, equal_bits, other_codecs, within_budget
from benchmarks.pursuit_clips import PLAIN, RATE, SECONDS, SEGMENTS, decomposed, peak_memory, segment
from benchmarks.pursuit_long import commands, in_sections
from benchmarks.pursuit_peers import Peer, peers
from benchmarks.pursuit_targets import TARGETS, targets
from distrack.decompose import render, snr_db, spectral_convergence

TABLE = Path(__file__).with_suffix(".md")
COUNTS = (64, 204)
VARIANTS: dict[str, dict[str, Any]] = {
    "Gabor": PLAIN,
    "Gabor, orthogonal": {},
    "damped": {"atoms": "damped", **PLAIN},
    "both": {"atoms": "both", **PLAIN},
    "both, orthogonal": {"atoms": "both"},
    "learned": {"atoms": "learned", **PLAIN},
    "learned, orthogonal": {"atoms": "learned"},
}
LENGTHS = (5.0, 10.0, 20.0, 40.0)
MANY = 1000


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
    result = decomposed(wave, MANY, PLAIN)
    peak = peak_memory()
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
        result = decomposed(segment(folder, "string orchestra", seconds), 200, PLAIN)
        cost = 1000 * (result.times[-1] - result.times[0]) / (len(result.times) - 1)
        lines.append(f"| {seconds:g} | {1000 * result.times[0]:.0f} | {cost:.1f} |")
        print(lines[-1], flush=True)
    return lines


def thousand(folder: Path) -> list[str]:
    """The second table: `many` of each recording, each row in a process of its own."""
    lines = [
        "| 1,000 atoms of 10 s | seconds | an atom, ms | peak memory, MB | SNR, dB | convergence | rendered, ms |",
        "|---" * 7 + "|",
    ]
    for name in SEGMENTS:
        command = [sys.executable, "-m", "benchmarks.pursuit", "--music", str(folder), "--many", name]
        lines.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
        print(lines[-1], flush=True)
    return lines


def beside_peers(folder: Path) -> list[str]:
    """Decibels of ours and of the published tools at equal atoms, floats and bits, and processor seconds."""
    found = peers()
    atoms, floats = (64, 204, 1000), (320, 1_020, 5_000)
    head = [*(f"{count:,} atoms" for count in atoms), *(f"{count:,} floats" for count in floats), f"{BUDGET:,} bits"]
    lines = ["| SNR, dB | " + " | ".join(head) + f" | processor s, {atoms[-1]:,} atoms |"]
    lines.append("|---" * (len(head) + 2) + "|")
    for title, settings in (("ours", PLAIN), ("ours, orthogonal", {})):
        lines.append(_ours(folder, title, settings, atoms, floats))
        print(lines[-1], flush=True)
    for peer in found:
        if peer.run is not None:
            lines.append(_theirs(folder, peer, atoms, floats))
            print(lines[-1], flush=True)
    return [*lines, "", *(f"- {peer.name}: {peer.settings}." for peer in found)]


def _ours(folder: Path, title: str, settings: dict[str, Any], atoms: tuple[int, ...], floats: tuple[int, ...]) -> str:
    levels: dict[int, list[float]] = {}
    seconds, in_bits = [], []
    for name in SEGMENTS:
        wave = segment(folder, name, SECONDS)
        for count in sorted({*atoms, *(number // 5 for number in floats)}):
            result = decomposed(wave, count, settings)
            levels.setdefault(count, []).append(snr_db(wave, render(result.events)))
            if count == atoms[-1]:
                seconds.append(result.seconds)
        in_bits.append(within_budget(wave, {**settings, "bits": 22})[1])
    shown = [float(np.mean(levels[count])) for count in (*atoms, *(number // 5 for number in floats))]
    return _row(title, [*shown, float(np.mean(in_bits))], float(np.mean(seconds)))


def _theirs(folder: Path, peer: Peer, atoms: tuple[int, ...], floats: tuple[int, ...]) -> str:
    assert peer.run is not None
    levels, seconds = [], []
    for name in SEGMENTS:
        wave = segment(folder, name, SECONDS)
        counts = [*atoms, *(number // peer.floats for number in floats)]
        fitting = peer.atoms_in(BUDGET, wave.shape[1])
        runs = peer.run(wave, RATE, [*counts, fitting] if fitting else counts)
        levels.append([run.snr_db for run in runs])
        seconds.append(runs[len(atoms) - 1].seconds)
    means = np.mean(levels, axis=0).tolist()
    return _row(peer.name, means, float(np.mean(seconds)), bits=len(means) > len(atoms) + len(floats))


def _row(title: str, levels: list[float], seconds: float, *, bits: bool = True) -> str:
    cells = [f"{level:.1f}" for level in levels] + ([] if bits else ["-"])
    return f"| {title} | {' | '.join(cells)} | {seconds:.2f} |"


# The parts of the report: what each says before its table, and the table.
PARTS: dict[str, tuple[str, Callable[[Path], list[str]]]] = {
    "quality": (
        "Spectral convergence (`distrack.decompose.quality`; lower is nearer) of each segment, its mean, the mean SNR\n"
        "and the range of it, and the mean time. A learned dictionary's floats count all of its samples.",
        quality,
    ),
    "thousand": (
        "A thousand Gabor atoms, each row in a process of its own; an atom: mean of the second, fifth and tenth\n"
        "hundred.",
        thousand,
    ),
    "lengths": (
        "The same recording (string orchestra), 200 atoms, over the length of the clip. Longer clips hold other\n"
        "music, so that the scales of what is found differ too.",
        lengths,
    ),
    "equal-atoms": (
        "Atoms in few bits: bits that were asked for (`--bits`), bits that the codes take, and the mean SNR.",
        equal_atoms,
    ),
    "equal-bits": (f"As many atoms as fit into {BUDGET:,} bits (1,020 floats).", equal_bits),
    "codecs": ("The same clips in other codecs.", other_codecs),
    "peers": (
        "Beside published tools that were found on this machine. Floats: five an atom of ours and of empi, three of a\n"
        "dictionary on a grid (place, amplitude, phase), two of scikit-learn's. Bits of a grid's atom are an estimate\n"
        "in its favour: the entropy of its place and 7.3 bits, as if rounding cost nothing; ours are those that the\n"
        "codes take.",
        beside_peers,
    ),
    "sections": (
        "A minute (vibraphone) in 10,000 atoms, searched in one piece and section by section, as longer recordings\n"
        "are; processor seconds of the search. Loudest atoms: of the 1,000 loudest of one piece, those found again.",
        in_sections,
    ),
    "hours": ("The whole command, orthogonal: reading, searching, measuring, and writing the sound.", commands),
    "targets": ("What the pursuit is held to; processor seconds of one thread.", targets),
}


def main() -> None:
    """Measures and writes the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--music", type=Path, required=True, help="folder of the recordings")
    parser.add_argument("--part", choices=list(PARTS), action="append", help="print this part alone; may be repeated")
    parser.add_argument("--many", choices=list(SEGMENTS), help="print one row of the second table, and nothing else")
    parser.add_argument("--target", choices=list(TARGETS), help="print one figure of the last table, and nothing else")
    arguments = parser.parse_args()
    if arguments.many:
        print(many(arguments.music, arguments.many))
        return
    if arguments.target:
        print(TARGETS[arguments.target][1](arguments.music))
        return
    lines = [
        f"Matching pursuit; {platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}. Segments of "
        f"{SECONDS:g} s at {RATE:,} Hz in mono.",
    ]
    for part in arguments.part or PARTS:
        about, table = PARTS[part]
        lines += ["", about, "", *table(arguments.music)]
    if arguments.part:
        print("\n".join(lines))
    else:
        TABLE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
