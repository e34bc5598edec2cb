"""The contract of a store: named contents that are listed, read, written and fetched."""

from abc import ABC, abstractmethod
from pathlib import Path

from distrack.progress import Progress


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
    def holds(self, name: str, size: int, digest: str) -> bool:
        """Whether a content of that name, size and SHA-256 digest is there."""

    @abstractmethod
    def put(self, file: Path, name: str, digest: str, *, public: bool, progress: Progress) -> None:
        """Writes the content of a file in one step, and goes on where an interrupted call stopped.

        Args:
            digest: its SHA-256 digest.
            progress: gets the bytes that are there and those in all; what it raises ends the call.
        """

    @abstractmethod
    def get(self, name: str, file: Path, size: int, *, progress: Progress) -> None:
        """Appends to a file what it lacks of a content, which has so many bytes.

        Args:
            progress: gets the bytes that are here and those in all; what it raises ends the call.
        """
