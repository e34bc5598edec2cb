"""What a trained model of events hears: four segments of real music, synthetic scenes, and single notes.

Writes `siam.md`. The model was trained on none of these sounds.

    python -m benchmarks.siam --music FOLDER --notes FOLDER [--model NAME]
"""

import argparse
import os
import platform
import time
from pathlib import Path
from typing import NamedTuple

from distrack.process_environment import compute_fast

compute_fast()

import librosa
import numpy as np

from benchmarks.splat import RATE, SEGMENTS, distance, segment
from distrack.decompose import DecomposeConfig, Events
from distrack.decompose.siam.measuring import NEAR_PITCH, held_out_scenes, scenes_found
from distrack.decompose.siam.model import load
from distrack.decompose.siam.model_files import DEFAULT, model_file
from distrack.decompose.siam.scenes import RATE as HEARD
from distrack.recording import read_segment

TABLE = Path(__file__).with_suffix(".md")
# Scenes, whose seed no training and no choice used, and the most notes.
SCENES, SEED, NOTES = 200, 2_026, 1_200
# Seconds of a note from where it begins.
SECONDS = 2.0
# Events, steps of refinement, and the limit in seconds, if there is one.
FITS = {
    "16 events, one pass": (16, 0, None),
    "16 events, refined": (16, 150, 30.0),
    "64 events, refined": (64, 150, None),
}


class Note(NamedTuple):
    """A single note: the pitch that its file's name says, the one that is heard, and the event found in it."""

    instrument: str
    named: float
    heard: float
    event: Events


def decomposed(wave: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]", rate: int, **settings: object) -> Events:
    """The events of a clip."""
    method = {"name": "siam", "model": settings.pop("model"), "refine": settings.pop("refine", 0)}
    decomposer = DecomposeConfig.model_validate({"method": method, **settings}).decomposer(wave, rate)
    for _ in decomposer:
        pass
    return decomposer.events()


def music(folder: Path, model: str) -> list[str]:
    """Rows of the table of segments: spectral convergence and seconds."""
    rows = []
    for title, (events, refine, limit) in FITS.items():
        distances, seconds = [], []
        for name in SEGMENTS:
            wave = segment(folder, name)
            began = time.perf_counter()
            result = decomposed(wave, RATE, model=model, refine=refine, events=events, time_limit=limit)
            seconds.append(time.perf_counter() - began)
            distances.append(distance(wave, result))
            print(title, name, f"{distances[-1]:.3f} in {seconds[-1]:.1f} s", flush=True)
        each = " | ".join(f"{one:.3f}" for one in distances)
        rows.append(f"| {title} | {result.floats} | {each} | {np.mean(distances):.3f} | {max(seconds):.1f} |")
    return rows


def notes(folder: Path, model: str) -> list[Note]:
    """The strongest event of single notes, in files named `instrument_note_length_dynamic_technique`."""
    found = []
    files = sorted(folder.glob("*/*.mp3"))
    for path in files[:: max(1, len(files) // NOTES)]:
        instrument, name = path.stem.split("_")[:2]
        wave, rate = read_segment(path, sample_rate=HEARD, mono=True)[:2]
        loud = np.flatnonzero(np.abs(wave[0]) > 0.01 * np.abs(wave).max())
        piece = wave[:, max(0, loud[0] - rate // 20) :][:, : round(SECONDS * rate)]
        track = librosa.yin(piece[0], fmin=40, fmax=3_000, sr=rate, frame_length=2_048)
        power = librosa.feature.rms(y=piece[0], frame_length=2_048, hop_length=512)[0][: len(track)]
        heard = float(np.median(track[: len(power)][power > 0.3 * power.max()]))
        event = decomposed(piece, rate, model=model, events=1)
        found.append(Note(instrument, float(librosa.note_to_hz(name.replace("s", "#"))), heard, event))
    return found


def near(one: float, other: float) -> bool:
    """Whether two pitches are within 50 cents."""
    return bool(abs(np.log2(one / other)) <= NEAR_PITCH)


def same_instrument(given: list[Note]) -> tuple[float, float]:
    """Share of notes whose nearest event by timbre is of the same instrument, and that share by chance."""
    vectors = np.concatenate([note.event.kind.vectors(note.event) for note in given])
    instruments = np.array([note.instrument for note in given])
    apart = np.square(vectors[:, None] - vectors[None]).sum(2)
    np.fill_diagonal(apart, np.inf)
    shares = np.unique(instruments, return_counts=True)[1] / len(given)
    return float((instruments[apart.argmin(1)] == instruments).mean()), float(np.square(shares).sum())


def main() -> None:
    """Measures and writes the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--music", type=Path, required=True, help="the folder of the four recordings")
    parser.add_argument("--notes", type=Path, required=True, help="a folder of single notes, a folder an instrument")
    parser.add_argument("--model", default=DEFAULT)
    arguments = parser.parse_args()
    model = load(model_file(arguments.model))
    segments = music(arguments.music, arguments.model)
    scenes = scenes_found(model, held_out_scenes(SEED, SCENES))
    single = [note for note in notes(arguments.notes, arguments.model) if len(note.event)]
    pitches = [float(note.event.column("frequency")[0]) for note in single]
    named = np.mean([near(pitch, note.named) for pitch, note in zip(pitches, single, strict=True)])
    yin_named = np.mean([near(note.heard, note.named) for note in single])
    confirmed = [
        near(pitch, note.named) for pitch, note in zip(pitches, single, strict=True) if near(note.heard, note.named)
    ]
    same, chance = same_instrument(single)
    names = " | ".join(SEGMENTS)
    command = f"python -m benchmarks.siam --music FOLDER --notes FOLDER --model {arguments.model}"
    decoder = sum(array.numel() for array in model.decoder.values())
    TABLE.write_text(
        f"""# A trained model of events

`{command}`

{os.cpu_count()} cores of {platform.machine()}. The model has {model.floats:,} numbers, {decoder:,} of them its
decoder, which all clips share and which is not counted as floats below.

Spectral convergence (`distrack.decompose.quality`; lower is nearer) of four segments of 1.5 s at 22.05 kHz, and the
seconds of the slowest, loading the model included:

| | floats | {names} | mean | seconds |
|---|---|{"---|" * len(SEGMENTS)}---|---|
{chr(10).join(segments)}

| what | measured |
|---|---|
| F-score of the events of {SCENES} synthetic scenes of 2 to 4 notes (onset within 50 ms, pitch within 50 cents) \
| {scenes.f_score:.3f} ({scenes.right} of {scenes.real} found) |
| pitch of {len(single)} single notes within 50 cents of the one that the file's name says | {named:.3f} |
| the same of the YIN algorithm: some files have the name of another octave, or are out of tune | {yin_named:.3f} |
| the same of the {len(confirmed)} notes whose name the YIN algorithm confirms | {np.mean(confirmed):.3f} |
| nearest event by timbre among these notes is of the same instrument | {same:.3f} (chance {chance:.3f}) |
"""
    )


if __name__ == "__main__":
    main()
