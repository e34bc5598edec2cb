"""How many bytes audio codecs take for a clip, beside which events in few bits can be judged."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import soundfile

from distrack.arrays import Floats
from distrack.audio import resampled
from distrack.decompose.quality import snr_db_of_parts
from distrack.stored_sound import BLOCK, Sound, blocks

# Sample rates of Opus, in Hz.
OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
# libsndfile's scale of compression from 0 to 1 stands for these bit rates of a channel in Opus, in bit/s.
_MOST, _LEAST = 256_000, 6_000
# Frames that are written at once: libsndfile can crash on many seconds of OGG in one call.
_FRAMES = 1 << 14


class CodecFile(NamedTuple):
    """A clip as another codec stores it.

    Attributes:
        name: the codec and what wrote the file.
        size: of the file, in bytes.
        snr_db: of the clip as it is read from the file, as `distrack.decompose.quality.snr_db`.
    """

    name: str
    size: int
    snr_db: float


def flac(wave: Sound, sample_rate: int) -> CodecFile:
    """The clip as FLAC of 16 bits.

    Shape:
        - wave: ``[channels, samples]``; a clip beyond full scale is scaled down to it
    """
    level = max([1.0, *(float(np.abs(block).max()) for block in blocks(wave))])
    scaled = (block / level for block in blocks(wave))
    with _written(scaled, wave.shape[0], sample_rate, format="FLAC", subtype="PCM_16") as path:
        snr = snr_db_of_parts(wave, (block * level for block in _read(path)))
        return CodecFile(f"FLAC, 16 bits, {_library()}", path.stat().st_size, snr)


def opus(wave: Sound, sample_rate: int, *, bits_per_second: float) -> CodecFile:
    """The clip as Opus in an OGG file at about a bit rate, or at the lowest that there is.

    Opus keeps what is heard rather than the waveform: its signal-to-noise ratio says less than it sounds like.

    Args:
        bits_per_second: of all channels.

    Shape:
        - wave: ``[channels, samples]``
    """
    channels = wave.shape[0]
    rate = next((each for each in OPUS_RATES if each >= sample_rate), OPUS_RATES[-1])
    level = (_MOST - bits_per_second / channels) / (_MOST - _LEAST)
    options = {"format": "OGG", "subtype": "OPUS", "compression_level": min(max(level, 0.0), 1.0)}
    with _written(_at(rate, blocks(wave), sample_rate, channels), channels, rate, **options) as path:
        snr = snr_db_of_parts(wave, _at(sample_rate, _read(path), rate, channels))
        return CodecFile(f"Opus (OGG), {_library()}", path.stat().st_size, snr)


@contextmanager
def _written(parts: Iterable[Floats], channels: int, sample_rate: int, **options: object) -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip"
        with soundfile.SoundFile(path, "w", sample_rate, channels, **options) as file:
            for part in parts:
                for first in range(0, part.shape[1], _FRAMES):
                    file.write(part[:, first : first + _FRAMES].T)
            if not file.frames:
                # Nothing is left of a sample or two at a lower rate, and a file has one sample at least.
                file.write(np.zeros((1, channels), np.float32))
        yield path


def _read(path: Path) -> Iterator[Floats]:
    with soundfile.SoundFile(path) as file:
        while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
            yield block.T


def _at(new: int, parts: Iterable[Floats], old: int, channels: int) -> Iterator[Floats]:
    """Consecutive parts of a sound at another rate."""
    return (block.T for block in resampled((part.T for part in parts), old, new, channels=channels))


def _library() -> str:
    return f"libsndfile {soundfile.__libsndfile_version__}"
