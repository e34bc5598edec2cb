"""Parts of recordings of any length, mixed and resampled in blocks: memory does not grow with their length."""

import math
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from distrack.arrays import Doubles
from distrack.audio import (
    CANCELLED,
    EDGE,
    SILENCE,
    Wave,
    are_whole,
    bits_up_to,
    recorded,
    refuse_no_numbers,
    resampled,
)
from distrack.errors import AudioError
from distrack.progress import Progress, unwatched
from distrack.stored_sound import BLOCK, LONG

# An MP3 depends on frames before its beginning: its first samples after a jump are silent.
_MP3_LEAD = 16_384


class Segment(NamedTuple):
    """A part of a file.

    Attributes:
        wave: ``[channels, samples]``
        sample_rate: in Hz.
        file_seconds: duration of the whole file.
        channel: number of the channel that was taken alone, from 1; None for the mean of all, or for all of them.
        bits: of a float file that holds whole numbers, the bits that they need; None for any other file.
    """

    wave: Wave
    sample_rate: int
    file_seconds: float
    channel: int | None = None
    bits: int | None = None


def read_segment(
    path: Path, *, start: float = 0.0, seconds: float | None = None, sample_rate: int | None = None, mono: bool = False
) -> Segment:
    """A part of a file as `Recording` reads it, of at most ten minutes.

    Raises:
        AudioError: as for `Recording`.
    """
    part = Recording(path, start=start, seconds=seconds, sample_rate=sample_rate, mono=mono)
    wave = np.concatenate(list(part.blocks()), axis=1)
    return Segment(wave, part.sample_rate, part.file_seconds, part.channel, part.bits)


class Recording:
    """A part of a file of any length, neither padded nor changed in level unless it exceeds full scale.

    Only the part is decoded, whatever the header claims: once or twice here, for what depends on all of its samples,
    and again by `blocks`.

    Args:
        start: beginning of the part, in seconds.
        seconds: length of the part, which ends with the file at the latest; None is to the end of the file.
        sample_rate: in Hz; None is the file's own.
        mono: whether to mix the channels to one, as in `to_mono`. More than two channels are always mixed.
        longest: longest part that is accepted, in seconds.
        progress: called between blocks with the frames that are read and all of them, those of `blocks` included.

    Attributes:
        channels, samples: the shape of the part.
        sample_rate: in Hz.
        file_seconds: duration of the whole file.
        channel: number of the channel that was taken alone, from 1; None for the mean of all, or for all of them.
        bits: of a float file that holds whole numbers, the bits that they need; None for any other file.

    Raises:
        AudioError: the file cannot be read, is empty, silent or too long, or holds NaN or infinity, or the part lies
            outside of the file.
    """

    def __init__(
        self,
        path: Path,
        *,
        start: float = 0.0,
        seconds: float | None = None,
        sample_rate: int | None = None,
        mono: bool = False,
        longest: float = LONG,
        progress: Progress = unwatched,
    ) -> None:
        if not (math.isfinite(start) and start >= 0):
            raise AudioError(f"a segment cannot start at {start:g} s. The file begins at 0")
        if seconds is not None and not 0 < seconds <= longest:
            raise AudioError(f"a segment cannot last {seconds:g} s. Choose more than 0 and at most {longest:.0f} s")
        self._path, self._progress, self._read = path, progress, 0
        with recorded(path) as file:
            rate, self.file_seconds = file.samplerate, file.frames / file.samplerate
            if start > 0 and round(start * rate) >= file.frames:
                raise AudioError(f"a segment cannot start at {start:g} s. The file ends at {self.file_seconds:.3f} s")
            if seconds is None and self.file_seconds - start > longest:
                raise AudioError(
                    f"too long: {self.file_seconds - start:.0f} s from {start:g} s to its end. Choose a duration of at "
                    f"most {longest:.0f} s"
                )
            lead = _lead(rate, sample_rate)
            self._first = max(round(start * rate) - lead, 0)
            last = file.frames if seconds is None else math.ceil((start + seconds + EDGE) * rate)
            self._frames = min(last, file.frames) - self._first
            self._mixed = mono or file.channels > 2
            self.channels = 1 if self._mixed else file.channels
        self._old, self.sample_rate = rate, rate if sample_rate is None else sample_rate
        self._passes = 2 if self.sample_rate == rate else 3
        before = min(lead, round(start * rate))
        heard = _Heard(self._raw(), before, math.inf if seconds is None else max(round(seconds * rate), 1))
        if heard.frames <= before:
            raise AudioError("no audio" if start == 0 else f"no audio from {start:g} s on")
        duration = (heard.frames - before) / rate if seconds is None else min(seconds, (heard.frames - before) / rate)
        self.bits = bits_up_to(heard.peak) if heard.is_whole else None
        self._scale = max(1.0, heard.peak) if self.bits is None else float(2 ** (self.bits - 1))
        self.channel = heard.loudest + 1 if self._mixed and heard.is_cancelled else None
        if heard.spread(self.channel, mixed=self._mixed) / self._scale < SILENCE:
            length = max(round(duration * rate), 1)
            raise AudioError(f"silent: one constant value in the {length / rate:g} s from {start:g} s")
        # The lead may be cut by the beginning of the file: the start would lie between two samples of the new rate.
        self._silence = lead - before if before * self.sample_rate % rate else 0
        self._before = round((before + self._silence) * self.sample_rate / rate)
        self._length = max(round(duration * self.sample_rate), 1)
        self.samples, self._level = self._length, 1.0
        if self.sample_rate != rate:
            # Resampling can raise a peak a little, and end a sample early.
            sizes = [(block.shape[0], float(np.abs(block).max(initial=0.0))) for block in self._cut()]
            self.samples, self._level = sum(size for size, _ in sizes), max([1.0, *(peak for _, peak in sizes)])
        if self.samples == 0:
            raise AudioError(
                f"no audio: {duration:g} s from {start:g} s are less than one sample at {self.sample_rate} Hz"
            )

    def blocks(self) -> Iterator[Wave]:
        """The part in consecutive blocks, ``[channels, samples]``.

        Raises:
            AudioError: the file cannot be read any more.
        """
        for block in self._cut():
            yield np.ascontiguousarray(block.T / self._level, np.float32)

    def _cut(self) -> Iterator[Wave]:
        """The samples of the part at its own rate, ``[samples, channels]``, without what was read around it."""
        skipped, left = self._before, self._length
        silence = np.zeros((self._silence, self.channels), np.float32)
        whole = chain([silence], self._scaled())
        for block in resampled(whole, self._old, self.sample_rate, channels=self.channels):
            kept = block[skipped : skipped + left]
            skipped, left = max(skipped - len(block), 0), left - len(kept)
            if len(kept):
                yield kept

    def _scaled(self) -> Iterator[Wave]:
        for block in self._raw():
            scaled = block / np.float32(self._scale)
            if self.channel is not None:
                scaled = scaled[:, self.channel - 1 : self.channel]
            elif self._mixed:
                scaled = scaled.T.mean(axis=0)[:, None]
            yield scaled

    def _raw(self) -> Iterator[Wave]:
        """The frames of the file from `_lead` before the start to `EDGE` after the end, ``[frames, channels]``."""
        with recorded(self._path) as file:
            # Some formats cannot seek, which the beginning of a file does not need.
            lead = min(self._first, _MP3_LEAD) if file.format == "MP3" else 0
            if self._first > lead:
                file.seek(self._first - lead)
            file.read(lead)
            left = self._frames
            while left > 0:
                if left < self._frames:
                    self._progress(self._read, self._passes * self._frames)
                block = file.read(min(left, max(BLOCK // file.channels, 1)), dtype="float32", always_2d=True)
                if not len(block):
                    break
                left -= len(block)
                self._read += len(block)
                yield block


class _Heard:
    """What a pass over all frames tells: their number, peak and powers, and in a part of them the range of values.

    Args:
        blocks: ``[frames, channels]`` each.
        before, count: where the part begins, and how many frames it has at most.

    Raises:
        AudioError: a sample is NaN or infinite.
    """

    def __init__(self, blocks: Iterator[Wave], before: int, count: float) -> None:
        self.frames, self.peak, self.is_whole = 0, 0.0, True
        self._powers, self._power_of_mean = np.zeros(1), 0.0
        # Of each channel, then of the mean of all.
        self._low, self._high = np.full(1, np.inf), np.full(1, -np.inf)
        for block in blocks:
            refuse_no_numbers(block)
            self.peak = max(self.peak, float(np.abs(block).max()))
            self.is_whole = self.is_whole and are_whole(block)
            wide = block.astype(np.float64)
            mean = wide.mean(axis=1, keepdims=True)
            self._powers = self._powers + np.square(wide).sum(axis=0)
            self._power_of_mean += float(np.square(mean).sum())
            part = slice(max(before - self.frames, 0), max(int(min(before + count - self.frames, len(block))), 0))
            values: Doubles = np.concatenate([wide, mean], axis=1)[part]
            self._low = np.minimum(self._low, values.min(axis=0, initial=np.inf))
            self._high = np.maximum(self._high, values.max(axis=0, initial=-np.inf))
            self.frames += len(block)

    @property
    def is_cancelled(self) -> bool:
        """Whether the channels cancel each other, as in `to_mono`."""
        return self._power_of_mean < CANCELLED * float(self._powers.mean())

    @property
    def loudest(self) -> int:
        """The channel of the greatest power."""
        return int(self._powers.argmax())

    def spread(self, channel: int | None, *, mixed: bool) -> float:
        """From the least to the greatest value of a channel, of the mean, or of the channel where it is greatest."""
        spreads = self._high - self._low
        if channel is not None:
            return float(spreads[channel - 1])
        return float(spreads[-1] if mixed else spreads[:-1].max())


def _lead(rate: int, sample_rate: int | None) -> int:
    """Frames of about `EDGE` seconds, a number that is whole at the new rate too."""
    unit = rate // math.gcd(rate, sample_rate or rate)
    return math.ceil(EDGE * rate / unit) * unit
