"""Makes the sounds that come with the project: four finished decompositions and two rooms. `make examples` runs it.

Everything is synthesised: a melody, spoken digits (eSpeak NG, from the included dataset), a drum loop, and rooms of
decaying noise. The sounds may be used under the licence of the project.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from distrack import datasets, jobs, runs
from distrack.audio import decode_clip
from distrack.jobs.decomposition import DecomposeJob
from distrack.validation import from_preset

HERE = Path(__file__).parent
RATE = 16_000
Wave = NDArray[np.float64]
# Files of a finished run that the page shows.
KEPT = ("config.json", "status.json", "report.json", "original.wav", "events.safetensors")


def melody() -> Wave:
    """A melody of plucked strings over a bass, 4 s."""
    wave = np.zeros(4 * RATE)
    notes = [(0.0, 69), (0.5, 72), (1.0, 76), (1.5, 74), (2.0, 72), (2.5, 69), (3.0, 71), (3.25, 67), (3.5, 69)]
    for onset, note in [*notes, (0.0, 45), (1.0, 48), (2.0, 41), (3.0, 43)]:
        time = np.arange(len(wave) - round(onset * RATE)) / RATE
        pitch = 440 * 2 ** ((note - 69) / 12)
        string = sum(np.sin(2 * np.pi * k * pitch * time) * np.exp(-k * 2.2 * time) / k**1.3 for k in range(1, 6))
        wave[-len(time) :] += 0.25 * string * (1 - np.exp(-time / 0.002))
    return wave


def speech() -> Wave:
    """The digits three, one, four, one, five by one voice of the included dataset, about 3 s."""
    index = datasets.look("SPOKEN_DIGITS")
    speaker = index.clips[0].group
    clips = {clip.label: clip.path for clip in index.clips if clip.group == speaker}
    words = [
        decode_clip(clips[digit], seconds=1.0, sample_rate=RATE).wave.astype(np.float64) for digit in (3, 1, 4, 1, 5)
    ]
    return np.concatenate([word[: np.flatnonzero(np.abs(word) > 0.01).max() + 800] for word in words])


def drums() -> Wave:
    """Two bars of bass drum, snare drum and hi-hat at 120 beats per minute, 4 s."""
    random = np.random.default_rng(0)
    wave = np.zeros(4 * RATE)

    def strike(onset: float, sound: Wave) -> None:
        start = round(onset * RATE)
        part = sound[: len(wave) - start]
        wave[start : start + len(part)] += part

    time = np.arange(RATE // 2) / RATE
    kick = np.sin(2 * np.pi * (50 * time + 6 * (1 - np.exp(-time / 0.03)))) * np.exp(-time / 0.12)
    noise = random.standard_normal(len(time))
    snare = 0.35 * noise * np.exp(-time / 0.06) + 0.4 * np.sin(2 * np.pi * 190 * time) * np.exp(-time / 0.07)
    hat = np.diff(noise, 2, append=[0, 0]) * np.exp(-time / 0.018)
    for beat in range(8):
        strike(0.5 * beat, (0.8 * kick, 0.6 * snare)[beat % 2])
        for half in (0, 0.25):
            strike(0.5 * beat + half, (0.05 if half else 0.08) * hat)
    strike(1.75, 0.6 * kick)
    return wave


EXAMPLES: dict[str, tuple[Any, dict[str, Any]]] = {
    "melody": (melody, {"events": 96, "method": {"name": "matching-pursuit", "atoms": "damped"}}),
    "speech": (speech, {"events": 128, "method": {"name": "matching-pursuit", "atoms": "gabor"}}),
    "drums": (drums, {"events": 64, "method": {"name": "splat"}}),
    "notes": (melody, {"events": 16, "method": {"name": "siam", "refine": 200}}),
}


def _strip(run: runs.Run, file: str) -> None:
    """Leaves of a finished run what the page shows, without traces of this machine."""
    for path in run.path.iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    config = json.loads((run.path / "config.json").read_text(encoding="utf-8"))
    status = json.loads((run.path / "status.json").read_text(encoding="utf-8"))
    run.write("config.json", json.dumps(config | {"file": Path(file).name}, indent=2))
    run.write(
        "status.json", json.dumps(status | {"host": "", "command": [], "pid": 0, "process_started": 0.0}, indent=2)
    )


def main() -> None:
    """Writes `examples/` and `rooms/` beside this file."""
    places = HERE / "examples", HERE / "rooms"
    for place in places:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
    for name, (make, settings) in EXAMPLES.items():
        wave = make()
        file = HERE / "examples" / f"{name}.wav"
        soundfile.write(file, 0.8 * wave / np.abs(wave).max(), RATE)
        run = from_preset(DecomposeJob, {"file": file, **settings}).create(HERE / "examples", name)
        jobs.work(run)
        file.unlink()
        _strip(run, str(file))
    random = np.random.default_rng(0)
    for name, seconds in {"room": 0.4, "hall": 2.2}.items():
        time = np.arange(round(1.1 * seconds * RATE)) / RATE
        # The energy falls by 60 dB in the given time; the direct sound stands before it.
        tail = random.standard_normal((len(time), 2)) * np.exp(-6.9 * time / seconds)[:, None]
        tail *= 0.5 / np.sqrt(np.square(tail).sum(axis=0))
        tail[0] += 0.7
        soundfile.write(HERE / "rooms" / f"{name}.flac", tail, RATE, subtype="PCM_16")
    shutil.rmtree(HERE / "examples" / ".queue", ignore_errors=True)


if __name__ == "__main__":
    main()
