"""Thousands of damaged files: every reader refuses them with an error of its own, in bounded time and memory.

    python -m benchmarks.hostile [--inputs 3000] [--seed 0]

Whole files of every kind that DisTrack reads are changed at random: bits, lengths, cuts, repetitions, text of other
files. Each is read as a user's file is. Processes read a part each, so that a crash ends one and is counted. Prints a
table and writes it beside this file; ends with an error where an exception is no error of DisTrack's, a process
crashes, or a file appears outside of the folder that is read and written.
"""

import argparse
import io
import json
import os
import platform
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from distrack.audio import decode_clip, read_impulse_response
from distrack.datasets import index, prepare
from distrack.datasets.archive import unpack
from distrack.datasets.upload import length_and_rate, preview, store_recording, store_upload
from distrack.decompose import Rendered, storage
from distrack.decompose.siam.model import load as load_model
from distrack.distill import SyntheticSet
from distrack.errors import DistrackError
from distrack.jobs.contract import job_of, titles_of
from distrack.jobs.decomposition import decomposition_report, history
from distrack.jobs.results import evaluation_report
from distrack.recording import read_segment
from distrack.runs import Run
from distrack.runs.about import about
from distrack.settings import PROJECT
from distrack.stored_sound import blocks

_TABLE = Path(__file__).with_suffix(".md")
_PART = 250
_RATE = 16_000


class Target(NamedTuple):
    """A kind of file: whole examples of it, and what reads one."""

    examples: Callable[[], list[bytes]]
    read: Callable[[bytes, Path], object]


def sounds(container: str, subtype: str | None = None) -> list[bytes]:
    """A second of a noisy tone in stereo and in mono."""
    now = np.arange(_RATE) / _RATE
    wave = 0.3 * np.sin(2 * np.pi * 440 * now) + np.random.default_rng(0).normal(0, 0.05, _RATE)
    files = []
    both = np.stack([wave, wave[::-1]], axis=1)
    for samples in (wave,) if container == "SVX" else (wave, both):
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, _RATE, format=container, subtype=subtype)
        files.append(buffer.getvalue())
    return files


def zips() -> list[bytes]:
    """A dataset in a zip, stored and deflated."""
    files = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name in ("dog/1.wav", "dog/2.wav", "owl/1.wav", "owl/\u9ce5.wav", "notes.txt"):
                archive.writestr(name, sounds("WAV")[0][:2000])
        files.append(buffer.getvalue())
    return files


def stored(*names: str) -> list[bytes]:
    """Files of the project."""
    return [(PROJECT / name).read_bytes() for name in names]


def read_sound(content: bytes, folder: Path) -> None:
    """As a clip, as a segment, as a room, and as an upload."""
    path = folder / "x.bin"
    path.write_bytes(content)
    for read in (
        partial(decode_clip, path, seconds=1.0),
        partial(read_segment, path, start=0.2, seconds=0.5),
        partial(read_impulse_response, path, longest=20.0),
        partial(length_and_rate, "x.bin", path),
        partial(store_recording, "x.wav", content, data_path=folder),
    ):
        attempt(read)


def attempt(read: Callable[[], object]) -> None:
    """Reads; an error of DisTrack's is an answer."""
    try:
        read()
    except DistrackError as error:
        if not error.problem or "\n" in error.problem or "Traceback" in error.problem:
            raise AssertionError(f"an error that nobody can read: {error.problem[:200]!r}") from error


def read_zip(content: bytes, folder: Path) -> None:
    """As an archive that was downloaded, and as an upload."""
    path = folder / "x.zip"
    path.write_bytes(content)
    (folder / "into").mkdir(exist_ok=True)
    attempt(partial(unpack, path, folder / "into", most_bytes=10_000_000))
    files: Any = [("x.zip", io.BytesIO(content))]
    attempt(partial(preview, files))
    files = [("x.zip", io.BytesIO(content))]
    attempt(partial(store_upload, "x", files, data_path=folder / "data", most_bytes=10_000_000))
    made = folder / "data/uploads/x"
    if made.is_dir():
        attempt(lambda: prepare(index("FOLDER", made), seconds=0.1, cache_path=folder / "cache"))


def read_file(read: Callable[[Path], object], ending: str) -> Callable[[bytes, Path], object]:
    """Reads a file of this ending."""

    def from_bytes(content: bytes, folder: Path) -> None:
        path = folder / f"x{ending}"
        path.write_bytes(content)
        attempt(partial(read, path))

    return from_bytes


def in_a_run(name: str, like: str) -> Callable[[bytes, Path], object]:
    """Reads a run of which one file is damaged, as the pages and the commands do."""

    def from_bytes(content: bytes, folder: Path) -> None:
        run = Run(folder / "run")
        shutil.copytree(PROJECT / like, run.path)
        (run.path / name).write_bytes(content)
        of_a_run: tuple[Callable[[Run], object], ...] = (
            about,
            job_of,
            evaluation_report,
            decomposition_report,
            history,
        )
        readers: list[Callable[[], object]] = [run.status, run.metrics, run.snapshots, partial(titles_of, [run])]
        readers += [partial(each, run) for each in of_a_run]
        for read in readers:
            attempt(read)

    return from_bytes


def rendered(path: Path) -> object:
    """Events that can be read can be heard, in parts: they may last for hours."""
    return [block.shape for block in blocks(Rendered(storage.load(path)))]


_RUN = "assets/demo"
_FORMATS: dict[str, str | None] = {
    **dict.fromkeys(("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3", "VOC", "SVX", "NIST")),
    "OGG ": "OPUS",
}


def targets() -> dict[str, Target]:
    """Every kind of file."""
    every = {
        f"sound, {(subtype or name).strip()}": Target(partial(sounds, name.strip(), subtype), read_sound)
        for name, subtype in _FORMATS.items()
    }
    example = next((PROJECT / "assets/examples").glob("*/events.safetensors")).parent.relative_to(PROJECT).as_posix()
    every |= {
        "zip": Target(zips, read_zip),
        "tracks": Target(
            partial(stored, f"{_RUN}/synthetic.safetensors"),
            read_file(lambda path: SyntheticSet.load(path).render(), ".safetensors"),
        ),
        "events": Target(partial(stored, f"{example}/events.safetensors"), read_file(rendered, ".safetensors")),
        "events as JSON": Target(events_as_json, read_file(rendered, ".json")),
        "event model": Target(
            partial(stored, "distrack/decompose/siam/models/notes.safetensors"), read_file(load_model, ".safetensors")
        ),
    }
    for name in ("config.json", "status.json", "report.json", "metrics.jsonl"):
        every[f"{name} of a distillation"] = Target(partial(stored, f"{_RUN}/{name}"), in_a_run(name, _RUN))
    for name in ("config.json", "report.json"):
        every[f"{name} of a decomposition"] = Target(partial(stored, f"{example}/{name}"), in_a_run(name, example))
    edits = [b'{"done": [{"name": "transpose", "which": [0, 1], "arguments": {"semitones": 12.0}}], "undone": []}']
    every["edits.json"] = Target(lambda: edits, in_a_run("edits.json", example))
    notes = [b'{"title": "A run", "note": "What to remember", "tags": ["one", "two"], "star": true}']
    every["notes.json"] = Target(lambda: notes, in_a_run("notes.json", _RUN))
    return every


def events_as_json() -> list[bytes]:
    """Events of an example, as they are exported."""
    example = next((PROJECT / "assets/examples").glob("*/events.safetensors"))
    return [storage.to_json(storage.load(example)).encode()]


def mutated(content: bytes, draw: random.Random) -> bytes:
    """The same file with one to four damages, most of them near its beginning, where the headers are."""
    data = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        size = max(len(data), 1)
        place = draw.randrange(min(size, 200) if draw.random() < 0.6 else size)
        kind = draw.randrange(8)
        if kind == 0 and data:
            data[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[place : place + draw.choice((1, 2, 4, 8))] = draw.choice(
                (b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff" * 8)
            )
        elif kind == 2:
            del data[place:]
        elif kind == 3:
            del data[place : place + draw.randint(1, 64)]
        elif kind == 4:
            data[place:place] = draw.randbytes(draw.randint(1, 64))
        elif kind == 5:
            data[place:place] = data[place : place + draw.randint(1, 4000)]
        elif kind == 6:
            data[place : place + 32] = draw.choice(
                (
                    b"../../../outside.wav",
                    b"1e999, NaN, -Infinity",
                    b'"a":{"a":{"a":',
                    b"<script>alert(1)</script>",
                    b"null",
                )
            )
        else:
            data += draw.randbytes(draw.randint(1, 2000))
    return bytes(data)


def work(numbers: range, seed: int, folder: Path) -> dict[str, Any]:
    """Reads a part of all inputs in this process; what was found as JSON."""
    every = targets()
    examples = {name: target.examples() for name, target in every.items()}
    counts, problems, slowest = Counter[str](), list[str](), (0.0, "")
    for number in numbers:
        draw = random.Random(f"{seed} {number}")
        name = sorted(every)[number % len(every)]
        content = mutated(draw.choice(examples[name]), draw)
        place = folder / "inside" / str(number)
        place.mkdir(parents=True)
        print(number, file=sys.stderr, flush=True)
        began = time.monotonic()
        try:
            every[name].read(content, place)
        except Exception as error:  # noqa: BLE001
            problems.append(f"{name}, input {number}: {type(error).__name__}: {str(error)[:200]}")
        slowest = max(slowest, (time.monotonic() - began, f"{name}, input {number}"))
        counts[name] += 1
        shutil.rmtree(place)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"counts": counts, "problems": problems, "slowest": slowest, "peak": peak}


def main() -> None:
    """Starts the processes, adds up, prints and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=3000, help="number of damaged files")
    parser.add_argument("--seed", type=int, default=0, help="of the damages")
    parser.add_argument("--part", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part is not None:
        print(json.dumps(work(range(*given.part), given.seed, given.folder)))
        return
    counts, problems = Counter[str](), list[str]()
    slowest, peak, began = (0.0, ""), 0.0, time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "inside").mkdir()
        environment = {**os.environ, "DISTRACK_DATA_PATH": str(folder / "inside/data"), "HOME": str(folder / "home")}
        for start in range(0, given.inputs, _PART):
            part = (start, min(start + _PART, given.inputs))
            words = ["--seed", given.seed, "--folder", folder, "--part", *part]
            process = subprocess.run(
                [sys.executable, "-m", "benchmarks.hostile", *map(str, words)],
                cwd=PROJECT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if process.returncode:
                problems.append(f"inputs {part}: the process ended with {process.returncode}: {process.stderr[-300:]}")
                continue
            found = json.loads(process.stdout.splitlines()[-1])
            counts.update(found["counts"])
            problems += found["problems"]
            slowest, peak = max(slowest, tuple(found["slowest"])), max(peak, found["peak"])
        outside = sorted(path.name for path in folder.iterdir() if path.name != "inside")
        problems += [f"written outside: {name}" for name in outside]
    lines = [f"| {kind} | {counts[kind]} |" for kind in sorted(counts)]
    about_all = (
        f"{platform.machine()}; {sum(counts.values())} inputs, seed {given.seed}, {time.monotonic() - began:.0f} s in "
        f"all; the slowest took {slowest[0]:.1f} s ({slowest[1]}); most memory of a process {peak:.0f} MiB."
    )
    lines = [about_all, "", "| kind | inputs |", "|---|---|", *lines, "", f"Problems: {len(problems)}.", *problems]
    print("\n".join(lines))
    _TABLE.write_text("\n".join([f"# {_TABLE.stem}", "", *lines, ""]))
    if problems:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
