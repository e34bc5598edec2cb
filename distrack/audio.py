"""Audio files: read, resample, fit to a length, write; and what a hostile file gets."""

import io
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from distrack.errors import AudioError

SAMPLE_RATE = 16_000
EXTENSIONS = frozenset({".wav", ".flac", ".ogg", ".mp3"})

# A clip is a sound, not a recording session; a file beyond this was not meant as one.
LONGEST_CLIP = 600.0
# No codec we read packs more frames than this into a byte on average, silence included.
FRAMES_PER_BYTE = 4_000
SILENCE = 1e-5
# Seconds beside a segment that are read too, so that the resampler's edge falls outside.
EDGE = 0.02

Wave = NDArray[np.float32]


class Decoded(NamedTuple):
    """A clip as it is used, and how long its file is, in seconds."""

    wave: Wave
    seconds: float


class Segment(NamedTuple):
    """A part of a file: samples ``[channels, samples]`` in [-1, 1]; rate in Hz; seconds of the whole file."""

    wave: Wave
    sample_rate: int
    file_seconds: float


def read_clip(path: Path, *, seconds: float, sample_rate: int = SAMPLE_RATE) -> Wave:
    """The samples of `decode_clip` alone."""
    return decode_clip(path, seconds=seconds, sample_rate=sample_rate).wave


def decode_clip(path: Path, *, seconds: float, sample_rate: int = SAMPLE_RATE) -> Decoded:
    """The first `seconds` of a file: mono, resampled, exactly that long (zeros at the end).

    Never decodes more than it returns, whatever the header claims.

    Returns:
        samples in [-1, 1], and the length of the whole file

    Shape:
        - wave: ``[round(seconds * sample_rate)]``

    Raises:
        AudioError: the file is unreadable, empty, silent, too long to be a clip, or holds values that are not numbers.
    """
    length = round(seconds * sample_rate)
    # A little more than asked, so that the resampler's edge falls outside.
    samples, rate, whole = _decode(path, start=0.0, seconds=seconds, margin=EDGE, longest_file=LONGEST_CLIP)
    # A float file may hold any numbers; scaled it keeps its shape, clipped it would not.
    mono = (samples / max(1.0, float(np.abs(samples).max()))).mean(axis=1)
    # Before resampling and padding, which turn a constant into something else.
    if np.ptp(mono[: math.ceil(seconds * rate)]) < SILENCE:
        raise AudioError(f"silent: nothing but one constant value in its first {seconds:g} s")
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate, quality="HQ")
    return Decoded(np.clip(fit_length(mono, length), -1.0, 1.0), whole)


def read_segment(
    path: Path, *, start: float = 0.0, seconds: float | None = None, sample_rate: int | None = None, mono: bool = False
) -> Segment:
    """A part of a file of any length, as it is: not padded, and at its own level unless it would leave [-1, 1].

    Never decodes more than it returns, whatever the header claims.

    Args:
        start: where it begins, in seconds.
        seconds: how long it is; None is to the end. It ends with the file.
        sample_rate: in Hz; None is the file's own.
        mono: the mean of the channels. Of more than two it is always taken.

    Raises:
        AudioError: the file is unreadable, the segment lies outside of it, is longer than `LONGEST_CLIP`, has no
            samples, is silent, or holds values that are not numbers.
    """
    samples, rate, whole = _decode(
        path, start=start, seconds=seconds, margin=EDGE, longest_file=math.inf, sample_rate=sample_rate
    )
    samples = samples / max(1.0, float(np.abs(samples).max()))
    if mono or samples.shape[1] > 2:
        samples = samples.mean(axis=1, keepdims=True)
    # What was read before the start, and how long the segment is.
    lead = _lead(rate, sample_rate, EDGE)
    before = min(lead, round(start * rate))
    there = (len(samples) - before) / rate
    lasts = there if seconds is None else min(seconds, there)
    length = max(round(lasts * rate), 1)
    if np.ptp(samples[before : before + length], axis=0).max() < SILENCE:
        raise AudioError(f"silent: nothing but one constant value in the {length / rate:g} s from {start:g} s")
    if sample_rate is not None and sample_rate != rate:
        if before * sample_rate % rate:
            # The file begins after the lead would: the start would lie between two samples of the new rate.
            samples, before = np.pad(samples, ((lead - before, 0), (0, 0))), lead
        samples = soxr.resample(samples, rate, sample_rate, quality="HQ")
        before, length, rate = (round(before * sample_rate / rate), max(round(lasts * sample_rate), 1), sample_rate)
    wave = samples[before : before + length].T
    if wave.shape[1] == 0:
        raise AudioError(f"empty: {lasts:g} s from {start:g} s are less than one sample at {rate} Hz")
    # A resampled peak may stand a little above those between which it lay.
    return Segment(np.ascontiguousarray(wave / max(1.0, float(np.abs(wave).max())), np.float32), rate, whole)


def read_impulse_response(path: Path, *, longest: float) -> tuple[NDArray[np.float64], int]:
    """All of a file at the level it is stored at, even beyond full scale, and its sample rate in Hz.

    Args:
        longest: in seconds; what is longer is refused.

    Shape:
        - returns: ``[channels, samples]``

    Raises:
        AudioError: the file is unreadable, empty, silent, too long, or holds values that are not numbers.
    """
    samples, rate, _ = _decode(path, start=0.0, seconds=None, margin=0.0, longest_file=longest)
    if np.abs(samples).max() < SILENCE:
        raise AudioError("silent: nothing in it rises above -100 dB")
    return samples.T.astype(np.float64), rate


def _decode(
    path: Path,
    *,
    start: float,
    seconds: float | None,
    margin: float,
    longest_file: float,
    sample_rate: int | None = None,
) -> tuple[Wave, int, float]:
    """Samples ``[samples, channels]`` from `_lead` before the start to `margin` after the end, rate, file's length."""
    if not (math.isfinite(start) and start >= 0):
        raise AudioError(f"a segment cannot start at {start:g} s: 0 is the beginning")
    if seconds is not None and not 0 < seconds <= LONGEST_CLIP:
        raise AudioError(f"a segment of {seconds:g} s: it must be longer than 0 and at most {LONGEST_CLIP:.0f} s")
    try:
        with soundfile.SoundFile(path) as file:
            _refuse_hostile(file, path, longest=longest_file)
            rate, whole = file.samplerate, file.frames / file.samplerate
            if start > 0 and round(start * rate) >= file.frames:
                raise AudioError(f"a segment cannot start at {start:g} s: the file ends at {whole:.3f} s")
            if seconds is None and whole - start > LONGEST_CLIP:
                raise AudioError(
                    f"{whole - start:.0f} s from {start:g} s to its end: a clip lasts at most {LONGEST_CLIP:.0f} s, "
                    "say how many seconds are wanted"
                )
            first = max(round(start * rate) - _lead(rate, sample_rate, margin), 0)
            last = file.frames if seconds is None else math.ceil((start + seconds + margin) * rate)
            # Some formats cannot seek, and none needs to for the beginning.
            if first:
                file.seek(first)
            samples = file.read(min(last, file.frames) - first, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise AudioError(f"unreadable: {_reason(error)}") from None
    if len(samples) <= round(start * rate) - first:
        raise AudioError("empty: no samples in it" if start == 0 else f"empty: no samples from {start:g} s on")
    if not np.isfinite(samples).all():
        raise AudioError("holds values that are not numbers (NaN or infinite)")
    return samples, rate, whole


def _lead(rate: int, sample_rate: int | None, margin: float) -> int:
    """Frames of about `margin` seconds that are a whole number of samples at the new rate too."""
    unit = rate // math.gcd(rate, sample_rate or rate)
    return math.ceil(margin * rate / unit) * unit


def _refuse_hostile(file: soundfile.SoundFile, path: Path, *, longest: float) -> None:
    if not 1_000 <= file.samplerate <= 768_000:
        raise AudioError(f"claims a sample rate of {file.samplerate} Hz")
    if file.frames > FRAMES_PER_BYTE * path.stat().st_size:
        raise AudioError(f"its header claims {file.frames} frames, more than {path.stat().st_size} bytes can hold")
    if file.frames > longest * file.samplerate:
        raise AudioError(f"{file.frames / file.samplerate:.0f} s long: at most {longest:.0f} s are used, cut it first")


def _reason(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    return text.rsplit(": ", 1)[-1] if text else type(error).__name__


def fit_length(wave: Wave, length: int) -> Wave:
    """Cut at the end, or filled with zeros at the end, to `length` samples.

    >>> fit_length(np.ones(2, dtype=np.float32), 3).tolist()
    [1.0, 1.0, 0.0]
    """
    if len(wave) >= length:
        return np.ascontiguousarray(wave[:length], dtype=np.float32)
    return np.pad(wave, (0, length - len(wave))).astype(np.float32, copy=False)


def decibels(wave: Wave) -> float:
    """RMS level in dBFS, -120 at the least.

    >>> round(decibels(np.full(4, 0.5, dtype=np.float32)), 2)
    -6.02
    """
    return max(20 * math.log10(max(float(np.sqrt(np.mean(np.square(wave)))), 1e-6)), -120.0)


def loudness(wave: Wave, *, sample_rate: int = SAMPLE_RATE) -> float | None:
    """Integrated loudness in LUFS; None of what is too soft to count, below -70 LUFS.

    A wave that is shorter than a gating block of 400 ms is one block, as long as it is.

    Shape:
        - wave: ``[samples]`` or ``[channels, samples]``

    Source:
        ITU-R BS.1770-4, "Algorithms to measure audio programme loudness and true-peak audio level", 2015.
    """
    # Seconds of import that nothing else needs.
    import pyloudnorm

    # The next number below: rounding must not make a block longer than the wave.
    block = min(0.4, math.nextafter(wave.shape[-1] / sample_rate, 0.0))
    value = float(pyloudnorm.Meter(sample_rate, block_size=block).integrated_loudness(wave.T.astype(np.float64)))
    return value if math.isfinite(value) else None


def level(wave: Wave, *, rms_db: float = -20.0, peak_db: float = -1.0) -> Wave:
    """Without DC, at a given RMS level in dBFS, but never above the peak; silence stays silence.

    The peak limits by gain, not by clipping, so that a short click stays short and clean.
    """
    wave = wave - wave.mean()
    rms, peak = float(np.sqrt(np.mean(wave**2))), float(np.abs(wave).max(initial=0.0))
    if peak < SILENCE:
        return wave.astype(np.float32)
    gain = min(10 ** (rms_db / 20) / rms, 10 ** (peak_db / 20) / peak)
    return (wave * gain).astype(np.float32)


def flac_bytes(wave: Wave, *, sample_rate: int = SAMPLE_RATE) -> bytes:
    """A wave as 16-bit FLAC.

    Shape:
        - wave: ``[samples]`` or ``[channels, samples]``

    Raises:
        ValueError: the wave leaves [-1, 1] or is not made of numbers; writing it would clip or crackle.
    """
    if not np.isfinite(wave).all() or np.abs(wave).max(initial=0.0) > 1.0:
        raise ValueError("a wave to be written must stay within [-1, 1]: call level() first")
    buffer = io.BytesIO()
    soundfile.write(buffer, wave.T, sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
