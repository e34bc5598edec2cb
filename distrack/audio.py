"""Audio files: reading, resampling, fixed lengths, levels and writing; hostile files are refused with the reason."""

import io
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from distrack.errors import AudioError
from distrack.headers import FRAMES_PER_BYTE
from distrack.sound_file import DAMAGE, opened

SAMPLE_RATE = 16_000

# Seconds. A longer file is a recording session rather than a clip.
_LONGEST_CLIP = 600.0
# Samples of all channels that are read at once: 1 GB.
_MOST_VALUES = 2**28
# A wave that varies by less, or stays below this peak, is silent.
SILENCE = 1e-5
# Loudness in LUFS below which a sound has none.
_INAUDIBLE = -100.0
# Power of the mean of all channels, relative to theirs, below which they cancel each other: -20 dB.
CANCELLED = 0.01
# Peak of a float file from which its whole numbers are samples that were never divided by full scale.
_UNSCALED = 8.0
# Peak below which 16 bits leave fewer than 8.
_COARSE = 2**-8
# Seconds around a part that are read too, so that the edge of the resampler falls outside of the part.
EDGE = 0.02

Wave = NDArray[np.float32]


class Decoded(NamedTuple):
    """A clip of fixed length.

    Attributes:
        wave: ``[samples]``
        seconds: duration of the whole file.
        channel: number of the channel that was taken alone, from 1; None for the mean of all.
        bits: of a float file that holds whole numbers, the bits that they need; None for any other file.
    """

    wave: Wave
    seconds: float
    channel: int | None = None
    bits: int | None = None


class _Read(NamedTuple):
    """Samples ``[samples, channels]``, the rate in Hz, the length of the whole file in seconds, and `bits`."""

    samples: Wave
    rate: int
    whole: float
    bits: int | None


class Mono(NamedTuple):
    """One channel made of several, ``[samples]``, and the number of the one that was taken alone, or None."""

    wave: Wave
    channel: int | None


def to_mono(channels: Wave) -> Mono:
    """The mean of all channels, or the loudest one where they cancel: where their mean is 20 dB below them.

    A stereo file whose right channel is the negative of the left one would otherwise be silent.

    Shape:
        - channels: ``[channels, samples]``

    >>> to_mono(np.array([[0.5, -0.5], [-0.25, 0.25]], np.float32)).channel is None
    True
    >>> to_mono(np.array([[0.5, -0.5], [-0.5, 0.5]], np.float32)).channel
    1
    """
    mean: Wave = channels.mean(axis=0)
    powers = np.square(channels, dtype=np.float64).mean(axis=1)
    if np.square(mean, dtype=np.float64).mean() < CANCELLED * powers.mean():
        loudest = int(powers.argmax())
        return Mono(np.ascontiguousarray(channels[loudest]), loudest + 1)
    return Mono(mean, None)


def decode_clip(path: Path, *, seconds: float) -> Decoded:
    """The first `seconds` of a file: mono (see `to_mono`), at 16 kHz, padded with zeros if the file is shorter.

    Only the returned part is decoded, whatever the header claims. A file that exceeds full scale is scaled down.

    Shape:
        - wave: ``[round(seconds * 16000)]``, in [-1, 1]

    Raises:
        AudioError: the file cannot be read, is empty, silent or longer than 10 minutes, or holds NaN or infinity.
    """
    samples, rate, whole, bits = _decode(path, seconds=seconds, longest=_LONGEST_CLIP)
    # A float file may hold any numbers. Scaling keeps the shape of its wave, clipping would not.
    mono, channel = to_mono((samples / max(1.0, float(np.abs(samples).max()))).T)
    # Before resampling and padding, which turn a constant into something else.
    if np.ptp(mono[: math.ceil(seconds * rate)]) < SILENCE:
        raise AudioError(f"silent: one constant value in its first {seconds:g} s")
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")
    return Decoded(np.clip(fit_length(mono, round(seconds * SAMPLE_RATE)), -1.0, 1.0), whole, channel, bits)


def read_impulse_response(path: Path, *, longest: float) -> tuple[NDArray[np.float64], int, int | None]:
    """All samples of a file at their stored level, even beyond full scale, the sample rate in Hz, and `Decoded.bits`.

    Args:
        longest: longest duration that is accepted, in seconds.

    Shape:
        - samples: ``[channels, samples]``

    Raises:
        AudioError: the file cannot be read, is empty, silent or too long, or holds NaN or infinity.
    """
    samples, rate, _, bits = _decode(path, longest=longest)
    if np.abs(samples).max() < SILENCE:
        raise AudioError("silent: no sample is above -100 dB")
    return samples.T.astype(np.float64), rate, bits


def _decode(path: Path, *, seconds: float | None = None, longest: float) -> _Read:
    """The samples up to `EDGE` after the given seconds, or all of them."""
    if seconds is not None and not 0 < seconds <= _LONGEST_CLIP:
        raise AudioError(f"a clip cannot last {seconds:g} s. Choose more than 0 and at most {_LONGEST_CLIP:.0f} s")
    with recorded(path, longest=longest) as file:
        rate, whole = file.samplerate, file.frames / file.samplerate
        last = file.frames if seconds is None else min(math.ceil((seconds + EDGE) * rate), file.frames)
        if last * file.channels > _MOST_VALUES:
            raise AudioError(f"too large: {file.channels} channels at {rate} Hz. Choose a shorter duration")
        samples = file.read(last, dtype="float32", always_2d=True)
    if not len(samples):
        raise AudioError("no audio")
    refuse_no_numbers(samples)
    bits = whole_numbers(samples)
    return _Read(samples if bits is None else samples / np.float32(2 ** (bits - 1)), rate, whole, bits)


@contextmanager
def recorded(path: Path, *, longest: float = math.inf) -> Iterator[soundfile.SoundFile]:
    """A recording that is open for reading.

    Args:
        longest: longest duration of the whole file that is accepted, in seconds.

    Raises:
        AudioError: the file cannot be read, here or in the block, or its header claims what cannot be.
    """
    try:
        with opened(path) as file:
            _refuse_hostile(file, path.stat().st_size, longest=longest)
            yield file
    except DAMAGE as error:
        raise AudioError(f"cannot be read: {_reason(error)}") from None


def refuse_no_numbers(samples: Wave) -> None:
    """Raises AudioError if a sample is NaN or infinite."""
    if not np.isfinite(samples).all():
        raise AudioError("some values are not numbers (NaN or infinite)")


def whole_numbers(samples: Wave) -> int | None:
    """The bits of samples that are whole numbers beyond full scale: 16, 24 or 32; None for any other samples.

    Programs write float files without dividing by full scale, which would be taken for a level of +90 dBFS.

    >>> whole_numbers(np.array([0.0, 32767.0, -3.0], np.float32))
    16
    >>> whole_numbers(np.array([0.5, 1.5], np.float32)) is None
    True
    """
    return bits_up_to(float(np.abs(samples).max(initial=0.0))) if are_whole(samples) else None


def are_whole(samples: Wave) -> bool:
    """Whether all samples are whole numbers."""
    return np.array_equal(samples, np.round(samples))


def bits_up_to(peak: float) -> int | None:
    """The bits of whole numbers up to a peak, as in `whole_numbers`; None up to a peak that is near full scale."""
    return None if peak < _UNSCALED else next((bits for bits in (16, 24, 32) if peak <= 2 ** (bits - 1)), None)


def bits_text(bits: int) -> str:
    """What was done with such samples."""
    return f"its float samples are whole numbers of {bits} bits: divided by {2 ** (bits - 1):,}"


def _refuse_hostile(file: soundfile.SoundFile, size: int, *, longest: float) -> None:
    if not 1_000 <= file.samplerate <= 768_000:
        raise AudioError(f"its sample rate is {file.samplerate} Hz, which no recording has")
    if file.frames > FRAMES_PER_BYTE * size:
        raise AudioError(f"its length is unknown: {size} bytes cannot hold {file.frames} frames")
    if file.frames > longest * file.samplerate:
        raise AudioError(
            f"too long: {file.frames / file.samplerate:.0f} s. Cut it to at most {longest:.0f} s before use"
        )


def _reason(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    return text.rsplit(": ", 1)[-1] if text else type(error).__name__


def resampled(blocks: Iterable[Wave], old: int, new: int, *, channels: int) -> Iterator[Wave]:
    """Consecutive blocks of a sound at another sample rate; some may be empty.

    Shape:
        - blocks: ``[samples, channels]`` each, and so is what is returned
    """
    if old == new:
        yield from blocks
        return
    stream = soxr.ResampleStream(old, new, channels, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)


def fit_length(wave: Wave, length: int) -> Wave:
    """The wave in `length` samples: cut at the end, or padded with zeros at the end.

    >>> fit_length(np.ones(2, dtype=np.float32), 3).tolist()
    [1.0, 1.0, 0.0]
    """
    if len(wave) >= length:
        return np.ascontiguousarray(wave[:length], dtype=np.float32)
    return np.pad(wave, (0, length - len(wave))).astype(np.float32, copy=False)


def decibels(wave: Wave) -> float:
    """RMS level in dBFS, at least -120.

    >>> round(decibels(np.full(4, 0.5, dtype=np.float32)), 2)
    -6.02
    """
    return max(20 * math.log10(max(float(np.sqrt(np.mean(np.square(wave)))), 1e-6)), -120.0)


def loudness(wave: Wave, *, sample_rate: int = SAMPLE_RATE) -> float | None:
    """Integrated loudness in LUFS, or None below -100 LUFS.

    The gate of -70 LUFS is relative to a peak at full scale, so that quiet recordings have a loudness. A wave that is
    shorter than a gating block of 400 ms is one block of its own length.

    Shape:
        - wave: ``[samples]`` or ``[channels, samples]``

    Source:
        ITU-R BS.1770-4, "Algorithms to measure audio programme loudness and true-peak audio level", 2015.
    """
    # This import takes seconds.
    import pyloudnorm

    # The next smaller number, so that rounding does not make a block longer than the wave.
    block = min(0.4, math.nextafter(wave.shape[-1] / sample_rate, 0.0))
    peak = max(float(np.abs(wave).max(initial=0.0)), 1e-10)
    scaled = wave.T.astype(np.float64) / peak
    value = float(pyloudnorm.Meter(sample_rate, block_size=block).integrated_loudness(scaled)) + 20 * math.log10(peak)
    return value if value >= _INAUDIBLE else None


def level(wave: Wave, *, rms_db: float = -20.0, peak_db: float = -1.0) -> Wave:
    """A wave without its mean, at an RMS level in dBFS that keeps its peak below `peak_db`. Silence stays silent.

    The peak limits the gain and nothing is clipped, so that a short click stays short and clean.
    """
    wave = wave - wave.mean()
    rms, peak = float(np.sqrt(np.mean(wave**2))), float(np.abs(wave).max(initial=0.0))
    if peak < SILENCE:
        return wave.astype(np.float32)
    gain = min(10 ** (rms_db / 20) / rms, 10 ** (peak_db / 20) / peak)
    return (wave * gain).astype(np.float32)


def flac_bytes(wave: Wave, *, sample_rate: int = SAMPLE_RATE) -> bytes:
    """A wave as FLAC of 16 bits, or of 24 where it is so quiet that 16 are too coarse.

    Shape:
        - wave: ``[samples]`` or ``[channels, samples]``

    Raises:
        ValueError: the wave exceeds [-1, 1] or holds NaN or infinity, and would clip or crackle.
    """
    if not np.isfinite(wave).all() or np.abs(wave).max(initial=0.0) > 1.0:
        raise ValueError("a wave must stay within [-1, 1] to be written: call level() first")
    buffer = io.BytesIO()
    quiet = np.abs(wave).max(initial=0.0) < _COARSE
    soundfile.write(buffer, wave.T, sample_rate, format="FLAC", subtype="PCM_24" if quiet else "PCM_16")
    return buffer.getvalue()
