"""Time and memory of the preparation of a dataset: generated one-second clips at 48 kHz, in two numbers.

    python -m benchmarks.preparation [--clips 2000,30000]

Each dataset is prepared by `python -m distrack prepare` in a process of its own, whose largest resident size the system
reports.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from distrack.settings import PROJECT

_RATE = 48_000
_TABLE = Path(__file__).with_suffix(".md")


def write_clips(root: Path, count: int, *, rate: int = _RATE) -> None:
    """Ten classes of noise bursts, 16 bit, mono."""
    draw = np.random.default_rng(0)
    for number in range(count):
        folder = root / f"class{number % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        wave = 0.3 * draw.standard_normal(rate).astype(np.float32) * np.exp(-np.arange(rate) / draw.uniform(4e3, 3e4))
        soundfile.write(folder / f"{number:06}.wav", np.clip(wave, -1, 1), rate, subtype="PCM_16")


def measured(count: int) -> tuple[float, float]:
    """Seconds of the preparation, and the largest resident size of its process in MB."""
    with tempfile.TemporaryDirectory() as place:
        root, output = Path(place) / "clips", Path(place) / "found.json"
        write_clips(root, count)
        words = [sys.executable, "-m", "distrack", "prepare", "--dataset", "FOLDER", "--data-path", str(root)]
        environment = {**os.environ, "DISTRACK_DATA_PATH": f"{place}/data"}
        with output.open("wb") as file:
            process = subprocess.Popen(
                [*words, "--json", "--quiet"], cwd=PROJECT, env=environment, stdout=file, stderr=subprocess.DEVNULL
            )
            _, status, used = os.wait4(process.pid, 0)
        if status:
            raise RuntimeError("the preparation failed")
        return json.loads(output.read_text())["took"], used.ru_maxrss / 1024


def main() -> None:
    """Writes the table beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", default="2000,30000")
    lines = [
        f"One-second clips at 48 kHz, 16 bit, read by FOLDER; {platform.machine()}, {os.cpu_count()} cores.",
        "Index, decoding, resampling to 16 kHz and the log-mel-spectrogram of each, by `python -m distrack prepare`.",
        "",
        "| clips | seconds | clips a second | peak memory (MB) |",
        "|---|---|---|---|",
    ]
    for count in map(int, parser.parse_args().clips.split(",")):
        took, peak = measured(count)
        lines.append(f"| {count:,} | {took:.1f} | {count / took:.0f} | {peak:.0f} |")
        sys.stdout.write(lines[-1] + "\n")
    _TABLE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
