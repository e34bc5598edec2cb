"""Sounds that are read a part at a time, so that memory does not grow with their length; and a sound in a file."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile

from distrack.arrays import Floats
from distrack.errors import AudioError
from distrack.sound_file import DAMAGE, opened

# Seconds up to which a sound is held in memory as a whole.
LONG = 600.0
# Samples of each channel that are read and written at once.
BLOCK = 1 << 19
# Bytes that the header of a WAV can count, less those of the header itself.
_MOST_OF_WAV = (1 << 32) - (1 << 10)


class Sound(Protocol):
    """Samples that are read as ``sound[:, first:last]``: those of an array, of a file, or of events while they sound.

    Shape:
        - ``[channels, samples]``
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels and samples."""

    def __getitem__(self, place: tuple[slice, slice], /) -> Floats:
        """A part of the samples."""


class StoredSound:
    """A sound in a file. Each ``sound[:, first:last]`` reads that part alone, and ``sound[:, :]`` all of it.

    Attributes:
        shape: channels and samples.
        sample_rate: in Hz.

    Raises:
        AudioError: the file is missing or damaged.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with opened(path) as file:
                self.shape = (file.channels, file.frames)
                self.sample_rate: int = file.samplerate
        except DAMAGE as error:
            raise AudioError(f"{path.name} is missing or damaged ({error})") from None

    def __getitem__(self, place: tuple[slice, slice]) -> Floats:
        """A part of the samples, ``[channels, samples]``.

        Raises:
            AudioError: the file is missing or damaged by now.
        """
        channels, samples = place
        first, last, step = samples.indices(self.shape[1])
        if step != 1:
            raise ValueError(f"sound[:, ::{step}]: a stored sound is read in parts without gaps")
        try:
            with opened(self.path) as file:
                file.seek(first)
                read = file.read(max(last - first, 0), dtype="float32", always_2d=True)
        except DAMAGE as error:
            raise AudioError(f"{self.path.name} is missing or damaged ({error})") from None
        if len(read) < last - first:
            raise AudioError(
                f"{self.path.name} is damaged: it ends after {first + len(read)} of {self.shape[1]} samples"
            )
        return np.ascontiguousarray(read.T[channels])


def blocks(sound: Sound) -> Iterator[Floats]:
    """All samples of a sound in consecutive parts.

    >>> [block.shape for block in blocks(np.zeros((2, BLOCK + 3), np.float32))]
    [(2, 524288), (2, 3)]
    """
    for first in range(0, sound.shape[1], BLOCK):
        yield sound[:, first : first + BLOCK]


def write_blocks(path: Path, parts: Iterable[Floats], *, shape: tuple[int, int], sample_rate: int) -> None:
    """Writes consecutive parts of a sound as float samples: a WAV, or its form RF64 for more than 4 GB.

    Args:
        shape: channels and samples of the whole sound.

    Raises:
        OSError, soundfile.SoundFileError: the file cannot be written.
    """
    container = "WAV" if 4 * shape[0] * shape[1] <= _MOST_OF_WAV else "RF64"
    with soundfile.SoundFile(path, "w", sample_rate, shape[0], "FLOAT", format=container) as file:
        for part in parts:
            file.write(part.T)
