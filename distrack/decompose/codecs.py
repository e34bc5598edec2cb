"""How many bytes audio codecs take for a clip, beside which events in few bits can be judged."""

import io
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from distrack.arrays import Floats
from distrack.decompose.quality import snr_db

# Sample rates of Opus, in Hz.
OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
# libsndfile's scale of compression from 0 to 1 stands for these bit rates of a channel in Opus, in bit/s.
_MOST, _LEAST = 256_000, 6_000
# Frames that are written at once: libsndfile can crash on many seconds of OGG in one call.
_BLOCK = 1 << 14


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


def flac(wave: Floats, sample_rate: int) -> CodecFile:
    """The clip as FLAC of 16 bits.

    Shape:
        - wave: ``[channels, samples]``; a clip beyond full scale is scaled down to it
    """
    scaled = wave / max(float(np.abs(wave).max()), 1.0)
    content = _written(scaled, sample_rate, format="FLAC", subtype="PCM_16")
    return CodecFile(f"FLAC, 16 bits, {_library()}", len(content), snr_db(scaled, _read(content)[0]))


def opus(wave: Floats, sample_rate: int, *, bits_per_second: float) -> CodecFile:
    """The clip as Opus in an OGG file at about a bit rate, or at the lowest that there is.

    Opus keeps what is heard rather than the waveform: its signal-to-noise ratio says less than it sounds like.

    Args:
        bits_per_second: of all channels.

    Shape:
        - wave: ``[channels, samples]``
    """
    rate = next((each for each in OPUS_RATES if each >= sample_rate), OPUS_RATES[-1])
    level = (_MOST - bits_per_second / len(wave)) / (_MOST - _LEAST)
    # Nothing is left of a sample or two at a high rate, and a file has one sample at least.
    resampled = _resampled(wave, sample_rate, rate)
    content = _written(
        resampled if resampled.shape[1] else np.zeros((len(wave), 1), np.float32),
        rate,
        format="OGG",
        subtype="OPUS",
        compression_level=min(max(level, 0.0), 1.0),
    )
    decoded, _ = _read(content)
    again = _resampled(decoded, rate, sample_rate)[:, : wave.shape[1]]
    again = np.pad(again, ((0, 0), (0, wave.shape[1] - again.shape[1])))
    return CodecFile(f"Opus (OGG), {_library()}", len(content), snr_db(wave, again))


def _written(wave: Floats, sample_rate: int, **options: object) -> bytes:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", sample_rate, len(wave), **options) as sound:
        for first in range(0, wave.shape[1], _BLOCK):
            sound.write(wave[:, first : first + _BLOCK].T)
    return file.getvalue()


def _read(content: bytes) -> tuple[Floats, int]:
    wave, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    return wave.T, rate


def _resampled(wave: Floats, old: int, new: int) -> Floats:
    if old == new:
        return wave
    resampled: Floats = soxr.resample(wave.T, old, new, quality="HQ").T
    return resampled


def _library() -> str:
    return f"libsndfile {soundfile.__libsndfile_version__}"
