"""SPOKEN_DIGITS, the included dataset: 3,000 English digits by 60 voices of eSpeak NG, generated on this machine."""

import csv
import ctypes
import os
import pickle
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np
import soxr

from distrack.audio import SAMPLE_RATE, Wave, flac_bytes, level
from distrack.datasets.contract import Dataset, register
from distrack.datasets.digits import speaker_disjoint_index
from distrack.errors import DatasetError
from distrack.progress import Progress, unwatched

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TAKES = 5
_SEED = 0

# A speaker is one voice variant of eSpeak NG. Every variant is used once, and near copies (steph2, Gene2, iven4) are
# left out, so that the voices of the test split are not in the training split. Robots, whispers and echoes are left out
# too. The order decides which speakers are tested: women and men in the same proportion in both splits.
_VARIANTS = """
    Alex Alicia Andy klatt3 Denis Andrea Gene Hugo Jacky Annie Lee Mario Michael anika Mike Nguyen Reed aunty Storm
    antonio boris belinda david ed edward f1 grandpa gustave ian f2 iven3 john f3 m1 m2 m3 m4 f4 m5 m6 m7 f5 m8 marcelo
    max grandma miguel mike2 linda norbert pablo paul pedro shelby quincy robert sandro steph travis zac
"""
VOICES = tuple(_VARIANTS.split())
# Great Britain, America, New York, the Caribbean, Scotland, Received Pronunciation, Lancaster, West Midlands.
ACCENTS = ("en", "en-us", "en-us-nyc", "en-029", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd")


class Utterance(NamedTuple):
    """One clip to synthesise.

    Attributes:
        voice: accent and variant, in one word of eSpeak NG.
        rate: words per minute.
        pitch: 0-100, relative to the variant's own pitch.
        pitch_range: 0-100, from flat to lively.
        pause: seconds of silence before the word.
        rms_db: level in dBFS.
    """

    speaker: str
    voice: str
    digit: int
    take: int
    rate: int
    pitch: int
    pitch_range: int
    pause: float
    rms_db: float

    @property
    def file(self) -> str:
        """Its path in the dataset's folder."""
        return f"{self.speaker}/{self.digit}_{self.speaker}_{self.take}.flac"


def utterances(speakers: int = len(VOICES)) -> Iterator[Utterance]:
    """All clips of the first `speakers`; every take has its own tempo, pitch, pitch range, onset and level.

    >>> sum(1 for _ in utterances())
    3000
    """
    for number, voice in enumerate(VOICES[:speakers]):
        draw = random.Random(f"{_SEED} {voice}")
        tempo, pitch, liveliness = draw.uniform(125, 170), draw.uniform(38, 62), draw.uniform(35, 65)
        for take in range(TAKES):
            for digit in range(len(WORDS)):
                yield Utterance(
                    speaker=f"speaker_{number:02}",
                    voice=f"{ACCENTS[(number + number // len(ACCENTS)) % len(ACCENTS)]}+{voice}",
                    digit=digit,
                    take=take,
                    rate=round(tempo * draw.uniform(0.9, 1.1)),
                    pitch=round(pitch + draw.uniform(-10, 10)),
                    pitch_range=round(liveliness + draw.uniform(-15, 15)),
                    pause=draw.uniform(0.0, 0.08),
                    rms_db=draw.uniform(-27.0, -17.0),
                )


def make_spoken_digits(root: Path, progress: Progress = unwatched, *, speakers: int = len(VOICES)) -> None:
    """Generates the dataset in a folder, with the same bytes every time; existing clips are replaced.

    eSpeak NG carries state from one utterance to the next, so one process of its own synthesises all of them in order.
    A crash of the C library does not end this process either.

    Args:
        speakers: number of speakers; their clips do not depend on it.

    Raises:
        DatasetError: eSpeak NG is not installed or does not work.
    """
    plan = list(utterances(speakers))
    command = [sys.executable, "-c", f"from {__name__} import _speak; _speak({speakers})"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches this process alone; the voice ends when its pipe closes
        ) as voice:
            try:
                spoken = _write_clips(root, plan, cast(BinaryIO, voice.stdout), progress)
            except BaseException:
                # A closed pipe would end it too, but later than Ctrl-C should take.
                voice.kill()
                voice.wait()
                raise
        if spoken < len(plan) or voice.returncode != 0:
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else f"its process ended with {voice.returncode}"
            raise DatasetError(
                f"SPOKEN_DIGITS cannot be generated: eSpeak NG does not work ({reason})",
                remedy="run: pip install espeakng-loader, or use FSDD, AUDIO_MNIST or FOLDER with --data-path instead",
            )
    with (root / "speakers.csv").open("w", newline="", encoding="utf-8") as file:
        voices = {utterance.speaker: utterance.voice.split("+") for utterance in plan}
        csv.writer(file).writerows([("speaker", "accent", "voice"), *((name, *voices[name]) for name in voices)])


def _write_clips(root: Path, plan: list[Utterance], speech: BinaryIO, progress: Progress) -> int:
    """Writes the clips as they arrive, and returns their number."""
    for done, utterance in enumerate(plan):
        try:
            rate, pcm = pickle.load(speech)
        except (EOFError, pickle.UnpicklingError):
            return done
        spoken = np.frombuffer(pcm, dtype=np.int16).astype(np.float32) / 32768
        wave: Wave = soxr.resample(spoken, rate, SAMPLE_RATE, quality="HQ")
        wave = np.concatenate([np.zeros(round(utterance.pause * SAMPLE_RATE), dtype=np.float32), wave])
        path = root / utterance.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(flac_bytes(level(wave, rms_db=utterance.rms_db)))
        if (done + 1) % (TAKES * len(WORDS)) == 0:
            progress(done + 1, len(plan))
    return len(plan)


def _speak(speakers: int) -> None:
    """Synthesises all clips to standard output; runs in a process of its own."""
    import espeakng_loader

    # Constants of speak_lib.h.
    synchronous, utf8, rate, pitch, pitch_range, volume = 2, 1, 1, 3, 4, 2
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    # eSpeak NG cuts the path of its data off after 160 characters, so it gets a relative one.
    os.chdir(Path(espeakng_loader.get_data_path()).parent)
    sample_rate = library.espeak_Initialize(synchronous, 0, b".", 0)
    library.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))
    pcm = bytearray()

    def listen(samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            pcm.extend(ctypes.string_at(samples, 2 * count))
        return 0

    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(listen)
    library.espeak_SetSynthCallback(callback)
    nothing = ctypes.c_void_p()
    for utterance in utterances(speakers):
        pcm.clear()
        text = WORDS[utterance.digit].encode() + b"\0"
        failed = library.espeak_SetVoiceByName(utterance.voice.encode())
        # At the default volume the loudest voices clip.
        values = {rate: utterance.rate, pitch: utterance.pitch, pitch_range: utterance.pitch_range, volume: 50}
        for parameter, value in values.items():
            failed = failed or library.espeak_SetParameter(parameter, value, 0)
        failed = failed or library.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, 1, 0, utf8, nothing, nothing)
        if failed or not pcm:
            sys.exit(f"it cannot speak {utterance}")
        pickle.dump((sample_rate, bytes(pcm)), sys.stdout.buffer)
    sys.stdout.buffer.flush()


register(
    Dataset(
        name="SPOKEN_DIGITS",
        title="Spoken digits (included, synthetic voices)",
        task="spoken digits",
        stands_for="phonetic structure",
        # The GPL-3.0-or-later of eSpeak NG covers the program and its voices, not the speech that they produce.
        licence="No licence needed (generated locally with eSpeak NG)",
        citation=(
            "@software{espeakng, author={Duddington, Jonathan and Dunn, Reece H. and {the eSpeak NG contributors}}, "
            "title={{eSpeak NG}: formant text-to-speech}, version={1.52}, year={2024}}"
        ),
        url="https://github.com/espeak-ng/espeak-ng",
        seconds=1.0,
        layout="files named like speaker_00/7_speaker_00_2.flac",
        index=partial(speaker_disjoint_index, below=("speaker_*/*.flac",)),
        clips=len(VOICES) * TAKES * len(WORDS),
        size=29_000_000,
        make=make_spoken_digits,
    )
)
