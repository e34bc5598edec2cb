"""Sound files, opened by handle: no name, neighbour or wrong header decides whether a file can be read.

libsndfile takes macOS' `._x.mp3` for a part of `x.mp3` where it is given a path, and believes what a header says of its
own length. It is given a handle here, and a header that is right.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import soundfile

from distrack.headers import Head, corrected

# Of every format that libsndfile recognises by its content. Names that other programs use for other things, such as
# .mat and .raw, are left out.
EXTENSIONS = frozenset(
    {
        *(".wav", ".wave", ".w64", ".rf64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2"),
        *(".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".8svx", ".iff", ".voc", ".sph", ".nist"),
    }
)
# Formats of recordings that libsndfile does not read.
UNREADABLE = frozenset({".m4a", ".aac", ".wma", ".mp4", ".m4b", ".amr", ".ape", ".wv", ".mka", ".webm", ".3gp", ".ra"})

# What opening and reading a file may raise, whatever is in it.
DAMAGE = (soundfile.SoundFileError, OSError, ValueError, TypeError, OverflowError, MemoryError, RuntimeError)


@contextmanager
def opened(source: Path | BinaryIO) -> Iterator[soundfile.SoundFile]:
    """A sound file that is open for reading; its number of frames is that of its content.

    Raises:
        DAMAGE: the file cannot be read.
    """
    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as file:
        handle: Any = file
        if (head := corrected(file)) is not None:
            handle = io.BufferedReader(_WithHead(file, head))
        elif isinstance(source, Path):  # libsndfile reads by itself, which is faster
            handle = file.fileno()
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            file.seek(0)
        with soundfile.SoundFile(handle, closefd=False) as sound:
            yield sound


class _WithHead(io.RawIOBase):
    """A file whose first bytes are replaced."""

    def __init__(self, file: BinaryIO, head: Head) -> None:
        self._file, self._head = file, head
        self._size = file.seek(0, io.SEEK_END) - head.instead_of + len(head.content)
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._place = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence])
        return self._place

    def readinto(self, buffer: Any, /) -> int:
        content, begin = self._head.content, self._place
        if begin < len(content):
            part = content[begin : begin + len(buffer)]
        else:
            self._file.seek(begin - len(content) + self._head.instead_of)
            part = self._file.read(len(buffer))
        buffer[: len(part)] = part
        self._place += len(part)
        return len(part)
