"""Runs that are killed at a random moment and resumed: how many reach their end, and with the same bits.

    python -m benchmarks.killed [--times 20] [--seed 0]

Five kinds of work (distillation, evaluation, preparation, decomposition, sweep) are run once without disturbance, then
killed with signal 9 after a random part of that time, and resumed by the command. The process and all its children are
killed. Prints a table and writes it beside this file; ends with an error where a result differs.
"""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from distrack.settings import PROJECT

_TABLE = Path(__file__).with_suffix(".md")
_RATE = 16_000


class Kind(NamedTuple):
    """A kind of work.

    Attributes:
        command: words of the command.
        resume: words of the command that continues it.
        result: the files whose bytes, or the evaluations of a report whose figures, are compared.
        prepared: whether a finished distillation, `base`, lies in the folder of runs before.
    """

    command: tuple[str, ...]
    resume: tuple[str, ...]
    result: tuple[str, ...]
    prepared: bool = False


_DATA = ("--dataset", "FOLDER", "--data-path", "sounds", "--duration", "0.5")
_DISTILL = ("distill", *_DATA, "--device", "cpu", "--preset", "quick", "--steps", "60", "--name")
_KINDS = {
    "distillation": Kind((*_DISTILL, "work", "--no-evaluate"), ("resume", "work"), ("work/synthetic.safetensors",)),
    "evaluation": Kind(
        ("evaluate", "base", "--seeds", "2", "--baselines", "random-selection", "--steps", "40"),
        ("evaluate", "base", "--seeds", "2", "--baselines", "random-selection", "--steps", "40"),
        ("base/report.json",),
        prepared=True,
    ),
    "preparation": Kind(("prepare", *_DATA), ("prepare", *_DATA), ("../data/cache",)),
    "decomposition": Kind(
        ("decompose", "sounds/low/0.wav", "--method", "splat", "--events", "6", "--name", "work"),
        ("resume", "work"),
        ("work/events.safetensors",),
    ),
    "sweep": Kind(
        (*_DISTILL, "work", "--ipc", "1,2", "--no-evaluate"),
        ("resume", "work"),
        ("work-ipc1/synthetic.safetensors", "work-ipc2/synthetic.safetensors"),
    ),
}


def make_sounds(folder: Path) -> None:
    """Two classes of noisy tones."""
    draw = np.random.default_rng(0)
    for name, pitch in (("low", 300), ("high", 900)):
        (folder / name).mkdir(parents=True)
        for number in range(300):
            now = np.arange(_RATE // 2) / _RATE
            wave = 0.3 * np.sin(2 * np.pi * pitch * draw.uniform(0.9, 1.1) * now) * np.exp(-3 * now)
            soundfile.write(folder / name / f"{number}.wav", wave + draw.normal(0, 0.01, len(now)), _RATE)


class Place:
    """A folder of runs with its data, in which one piece of work is done."""

    def __init__(self, path: Path, like: Path | None, sounds: Path) -> None:
        self.path = path
        if like is not None:
            shutil.copytree(like, path, symlinks=True)
        else:
            (path / "runs").mkdir(parents=True)
            (path / "sounds").symlink_to(sounds)

    def start(self, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
        """A process of the command, and of a group of its own."""
        environment = {
            **os.environ,
            "DISTRACK_RUNS_PATH": str(self.path / "runs"),
            "DISTRACK_DATA_PATH": str(self.path / "data"),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(PROJECT),
        }
        with (self.path / "log.txt").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "distrack", *words, "--quiet"],
                cwd=self.path,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def digest(self, names: tuple[str, ...]) -> str:
        """Of the results: bytes of arrays and tracks, figures of evaluations."""
        digest = hashlib.sha256()
        for name in names:
            path = self.path / "runs" / name
            if path.name == "report.json":
                lines = json.loads(path.read_text())["evaluations"]
                figures = sorted((e["evaluator"], e["trained_on"], e["accuracy"]["runs"]) for e in lines)
                digest.update(json.dumps(figures).encode())
            for file in sorted(path.rglob("*.npy")) if path.is_dir() else [path] * (path.suffix == ".safetensors"):
                digest.update(file.name.encode() + file.read_bytes())
        return digest.hexdigest()


def killed_once(kind: Kind, place: Place, after: float) -> str:
    """Kills the work after some seconds, resumes it, and says how that ended: empty if it reached its end."""
    process = place.start(kind.command)
    time.sleep(after)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for words in (kind.resume, kind.command):
        # Before its folder was made there is nothing to resume.
        if place.start(words).wait() == 0:
            return ""
    return "did not reach its end"


def trials(name: str, kind: Kind, root: Path, times: int, draw: random.Random) -> tuple[int, int, float]:
    """How often the work reached its end, how often with the same bits, and the seconds that it takes undisturbed."""
    base = root / "base" if kind.prepared else None
    whole = Place(root / f"{name}-whole", base, root / "sounds")
    began = time.monotonic()
    if whole.start(kind.command).wait() != 0:
        raise SystemExit(f"{name} failed without being killed:\n{(whole.path / 'log.txt').read_text()}")
    seconds = time.monotonic() - began
    expected = whole.digest(kind.result)

    def trial(number: int, after: float) -> tuple[bool, bool]:
        place = Place(root / f"{name}-{number}", base, root / "sounds")
        problem = killed_once(kind, place, after)
        same = not problem and place.digest(kind.result) == expected
        if problem or not same:
            print(f"{name} {number}, killed after {after:.2f} s: {problem or 'other bits'}", flush=True)
            print((place.path / "log.txt").read_text()[-2000:], flush=True)
        shutil.rmtree(place.path)
        return not problem, same

    moments = [draw.uniform(0, 1.05 * seconds) for _ in range(times)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        ends = list(pool.map(trial, range(times), moments))
    return sum(reached for reached, _ in ends), sum(same for _, same in ends), seconds


def main() -> None:
    """Kills, resumes, prints and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="times that each kind of work is killed")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    given = parser.parse_args()
    draw = random.Random(given.seed)
    lines = ["| work | seconds undisturbed | killed | reached its end | same bits |", "|---|---|---|---|---|"]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_sounds(root / "sounds")
        base = Place(root / "base", None, root / "sounds")
        if base.start((*_DISTILL, "base", "--no-evaluate")).wait() != 0:
            raise SystemExit((base.path / "log.txt").read_text())
        for name, kind in _KINDS.items():
            reached, same, seconds = trials(name, kind, root, given.times, draw)
            failed += given.times - same
            lines.append(f"| {name} | {seconds:.1f} | {given.times} | {reached} | {same} |")
            print(lines[-1], flush=True)
    head = (
        f"{platform.machine()}, {os.cpu_count()} cores, one thread each; signal 9 at random moments, seed {given.seed}."
    )
    _TABLE.write_text("\n".join([f"# {_TABLE.stem}", "", head, "", *lines, ""]))
    if failed:
        raise SystemExit(f"{failed} of {given.times * len(_KINDS)} differ")


if __name__ == "__main__":
    main()
