"""SPOKEN_DIGITS, the embedded dataset: 3,000 English digits by 60 voices of eSpeak NG, spoken on this machine."""

import csv
import ctypes
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np
import soxr
from numpy.typing import NDArray

from distrack.audio import SAMPLE_RATE, flac_bytes, level
from distrack.datasets.contract import Clip, Dataset, Index, Progress, held_out, register
from distrack.errors import DatasetError

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TAKES = 5
_SEED = 0

# A speaker is one of eSpeak NG's voice variants. No variant speaks twice and near copies of one (steph2, Gene2, iven4)
# are left out, so that a speaker held out is a voice never heard. Robots, whispers and echoes are left out too.
# The order decides who is held out: women and men in the same proportion on both sides.
_VARIANTS = """
    Alex Alicia Andy klatt3 Denis Andrea Gene Hugo Jacky Annie Lee Mario Michael anika Mike Nguyen Reed aunty Storm
    antonio boris belinda david ed edward f1 grandpa gustave ian f2 iven3 john f3 m1 m2 m3 m4 f4 m5 m6 m7 f5 m8 marcelo
    max grandma miguel mike2 linda norbert pablo paul pedro shelby quincy robert sandro steph travis zac
"""
VOICES = tuple(_VARIANTS.split())
# Of Great Britain, America, New York, the Caribbean, Scotland, Received Pronunciation, Lancaster, West Midlands.
ACCENTS = ("en", "en-us", "en-us-nyc", "en-029", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd")

_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>speaker_\d+)_(?P<take>\d+)\.flac")


class Utterance(NamedTuple):
    """One clip to be spoken.

    Attributes:
        speaker: name of the speaker.
        voice: accent and variant, as eSpeak NG names them together.
        digit: what is said.
        take: which rendition of it.
        rate: words a minute.
        pitch: 0-100, around the variant's own.
        pitch_range: 0-100, from flat to lively.
        pause: seconds of silence before it.
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
        """Its place in the dataset's folder."""
        return f"{self.speaker}/{self.digit}_{self.speaker}_{self.take}.flac"


def utterances(speakers: int = len(VOICES)) -> Iterator[Utterance]:
    """What the first so many speakers say; every rendition has its own tempo, pitch, liveliness, onset and level.

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


def make_spoken_digits(root: Path, progress: Progress | None = None, *, speakers: int = len(VOICES)) -> None:
    """Speaks the dataset into a folder, the same bytes every time; what is there already is spoken again.

    eSpeak NG carries state from one utterance to the next, so all are spoken in one order by a process of their own,
    which also keeps a crash of the C library out of this one.

    Args:
        root: the folder.
        progress: told the clips done and their number, speaker by speaker.
        speakers: only so many, the same as in the whole.

    Raises:
        DatasetError: eSpeak NG is not installed, or does not work here.
    """
    plan = list(utterances(speakers))
    command = [sys.executable, "-c", f"from {__name__} import _speak; _speak({speakers})"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with tempfile.TemporaryFile() as complaints:
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=environment,
            start_new_session=True,  # Ctrl-C is for us; the voice ends when its pipe does
        ) as voice:
            try:
                spoken = _write_clips(root, plan, cast(BinaryIO, voice.stdout), progress)
            except BaseException:
                # Closing the pipe would end it too, but Ctrl-C does not wait for that.
                voice.kill()
                voice.wait()
                raise
        if spoken < len(plan) or voice.returncode != 0:
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip().splitlines()
            raise _cannot_speak(said[-1] if said else f"its process ended with {voice.returncode}")
    with (root / "speakers.csv").open("w", newline="", encoding="utf-8") as file:
        of = {utterance.speaker: utterance.voice.split("+") for utterance in plan}
        csv.writer(file).writerows([("speaker", "accent", "voice"), *((speaker, *of[speaker]) for speaker in of)])


def _write_clips(root: Path, plan: list[Utterance], speech: BinaryIO, progress: Progress | None) -> int:
    """Writes the clips that arrive; returns how many did."""
    for done, utterance in enumerate(plan):
        samples = _receive(speech)
        if samples is None:
            return done
        rate, pcm = samples
        wave = soxr.resample(pcm.astype(np.float32) / 32768, rate, SAMPLE_RATE, quality="HQ")
        wave = np.concatenate([np.zeros(round(utterance.pause * SAMPLE_RATE), dtype=np.float32), wave])
        path = root / utterance.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(flac_bytes(level(wave, rms_db=utterance.rms_db)))
        if progress is not None and (done + 1) % (TAKES * len(WORDS)) == 0:
            progress(done + 1, len(plan))
    return len(plan)


def _cannot_speak(reason: str) -> DatasetError:
    return DatasetError(
        f"SPOKEN_DIGITS cannot be made here, eSpeak NG does not work ({reason}). Run: pip install espeakng-loader, "
        f"or take recordings in its place: FSDD, AUDIO_MNIST or FOLDER with --data-path"
    )


def _send(speech: BinaryIO, rate: int, pcm: bytes) -> None:
    speech.write(struct.pack("<II", rate, len(pcm)) + pcm)


def _receive(speech: BinaryIO) -> tuple[int, NDArray[np.int16]] | None:
    """Sample rate and samples of the next clip, or None where the speech broke off."""
    header = speech.read(8)
    rate, size = struct.unpack("<II", header) if len(header) == 8 else (0, 1)
    pcm = speech.read(size) if rate else b""
    return (rate, np.frombuffer(pcm, dtype=np.int16)) if len(pcm) == size else None


def _speak(speakers: int) -> None:
    """What the voice's process does: says the plan to its standard output."""
    import espeakng_loader

    # Constants of speak_lib.h.
    synchronous, utf8, rate, pitch, pitch_range, volume = 2, 1, 1, 3, 4, 2
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    # eSpeak NG cuts the path of its data off after 160 characters: a short one, from where it is.
    os.chdir(Path(espeakng_loader.get_data_path()).parent)
    sample_rate = library.espeak_Initialize(synchronous, 0, b".", 0)
    library.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))
    heard = bytearray()

    def listen(samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            heard.extend(ctypes.string_at(samples, 2 * count))
        return 0

    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(listen)
    library.espeak_SetSynthCallback(callback)
    nothing = ctypes.c_void_p()
    for utterance in utterances(speakers):
        heard.clear()
        text = WORDS[utterance.digit].encode() + b"\0"
        refused = library.espeak_SetVoiceByName(utterance.voice.encode())
        # Half of the usual volume, or the loudest voices clip.
        for parameter, value in (
            (rate, utterance.rate),
            (pitch, utterance.pitch),
            (pitch_range, utterance.pitch_range),
            (volume, 50),
        ):
            refused = refused or library.espeak_SetParameter(parameter, value, 0)
        refused = refused or library.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, 1, 0, utf8, nothing, nothing)
        if refused or not heard:
            sys.exit(f"it refuses {utterance}")
        _send(sys.stdout.buffer, sample_rate, bytes(heard))
    sys.stdout.buffer.flush()


def index_spoken_digits(root: Path) -> Index:
    """Speaker-disjoint split: a fifth of the speakers (12 of 60), and with them their voices, are the test side."""
    found = [
        (path, match)
        for path in sorted(root.glob("speaker_*/*.flac"))
        if (match := _NAME.fullmatch(path.name)) and match["speaker"] == path.parent.name
    ]
    if not found:
        raise SPOKEN_DIGITS.not_found(root)
    test = held_out((match["speaker"] for _, match in found), fraction=0.2)
    clips = tuple(
        Clip(path, int(match["digit"]), "test" if match["speaker"] in test else "train", match["speaker"])
        for path, match in found
    )
    return Index(root, tuple("0123456789"), clips, disjoint_by="speaker")


SPOKEN_DIGITS = register(
    Dataset(
        name="SPOKEN_DIGITS",
        title="Spoken digits by eSpeak NG (embedded)",
        task="spoken digits",
        stands_for="phonetic structure",
        licence=(
            "none needed: made on this machine by eSpeak NG, whose GPL-3.0-or-later covers the program and its voices, "
            "not the speech they produce"
        ),
        citation=(
            "@software{espeakng, author={Duddington, Jonathan and Dunn, Reece H. and {the eSpeak NG contributors}}, "
            "title={{eSpeak NG}: formant text-to-speech}, version={1.52}, year={2024}}"
        ),
        url="https://github.com/espeak-ng/espeak-ng",
        seconds=1.0,
        layout="files named like speaker_00/7_speaker_00_2.flac",
        index=index_spoken_digits,
        clips=len(VOICES) * TAKES * len(WORDS),
        size=29_000_000,
        make=make_spoken_digits,
    )
)
