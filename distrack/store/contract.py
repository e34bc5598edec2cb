"""The contract of a store: named contents that are listed, read, written and fetched."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from distrack.errors import StoreError
from distrack.progress import Progress

# Attempts to go on with a fetch whose connection broke without a byte, and the pause before each.
_PAUSES = (0.5, 1.0, 2.0)


class BrokenConnectionError(StoreError):
    """A connection ended before the answer did."""


class ChangedError(StoreError):
    """A content is gone, or is another one than was asked for."""


class Store(ABC):
    """A place for files with names like `runs/one/report.json`.

    Every method raises `StoreError` where the place cannot be reached or refuses.

    Attributes:
        where: the address of the place as a person types it.
    """

    where: str

    @abstractmethod
    def names(self, below: str) -> list[str]:
        """Names of all contents below a folder (`runs/`), in order."""

    @abstractmethod
    def read(self, name: str, most: int) -> bytes | None:
        """A small content, or None if there is none of that name; one of more than `most` bytes is refused."""

    @abstractmethod
    def write(self, name: str, content: bytes, *, public: bool) -> None:
        """Writes a small content in one step; `public` lets everybody read it."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Removes a content, if it is there."""

    @abstractmethod
    def holds(self, name: str, size: int, digest: str) -> bool:
        """Whether a content of that name, size and SHA-256 digest is there."""

    @abstractmethod
    def publish(self, name: str) -> None:
        """Lets everybody read a content that is there."""

    @abstractmethod
    def put(self, file: Path, name: str, digest: str, *, public: bool, progress: Progress) -> None:
        """Writes the content of a file in one step, and goes on where an interrupted call stopped.

        Args:
            digest: its SHA-256 digest.
            progress: gets the bytes that are there and those in all; what it raises ends the call.
        """

    @abstractmethod
    def blocks(self, name: str, start: int, size: int) -> Iterator[bytes]:
        """A content of so many bytes, from one of them on, in blocks.

        Raises:
            BrokenConnectionError: the connection ended early.
            ChangedError: the content is not there, or has another size.
        """

    def get(self, name: str, file: Path, size: int, *, progress: Progress) -> None:
        """Appends to a file what it lacks of a content of so many bytes, and never more.

        A broken connection is made anew, and the fetch goes on where it broke.

        Args:
            progress: gets the bytes that are here and those in all; what it raises ends the call.
        """
        failures = 0
        with file.open("ab") as target:
            while (done := target.tell()) < size:
                before = done
                try:
                    for block in self.blocks(name, done, size):
                        target.write(block[: size - done])
                        done = min(size, done + len(block))
                        progress(done, size)
                        if done == size:
                            break
                    else:
                        raise BrokenConnectionError(f"{self.where}/{name} ends after {done:,} of {size:,} bytes")
                except BrokenConnectionError:
                    failures = failures + 1 if done == before else 1
                    if failures > len(_PAUSES):
                        raise
                    _pause(_PAUSES[failures - 1], progress, done, size)
        progress(size, size)


def _pause(seconds: float, progress: Progress, done: int, size: int) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        progress(done, size)
        time.sleep(0.1)
