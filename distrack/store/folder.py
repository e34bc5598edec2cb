"""A folder as a store, such as one that several machines share."""

import os
from collections.abc import Iterator
from pathlib import Path

from distrack.errors import StoreError
from distrack.files import digest_of_file, replacing, write_atomically
from distrack.progress import Progress
from distrack.store.contract import ChangedError, Store

_BLOCK = 2**20


class FolderStore(Store):
    """Contents as files below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.where = folder, str(folder)

    def names(self, below: str) -> list[str]:
        """See `Store`."""
        files = (path for path in (self.folder / below).rglob("*") if path.is_file() and not path.name.startswith("."))
        return sorted(path.relative_to(self.folder).as_posix() for path in files)

    def read(self, name: str, most: int) -> bytes | None:
        """See `Store`."""
        try:
            with (self.folder / name).open("rb") as file:
                content = file.read(most + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed(name, error) from None
        if len(content) > most:
            raise StoreError(f"{self.where}/{name} has more than {most:,} bytes, which no file of this kind has")
        return content

    def write(self, name: str, content: bytes, *, public: bool) -> None:  # noqa: ARG002
        """See `Store`; who may read the folder may read the content."""
        try:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.folder / name, content)
        except OSError as error:
            raise self._failed(name, error) from None

    def remove(self, name: str) -> None:
        """See `Store`."""
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._failed(name, error) from None

    def holds(self, name: str, size: int, digest: str) -> bool:
        """See `Store`."""
        try:
            path = self.folder / name
            return path.stat().st_size == size and digest_of_file(path) == digest
        except OSError:
            return False

    def put(self, file: Path, name: str, digest: str, *, public: bool, progress: Progress) -> None:  # noqa: ARG002
        """See `Store`; an interrupted copy starts over."""
        total, done = file.stat().st_size, 0
        try:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.folder / name) as part, file.open("rb") as source, part.open("wb") as target:
                while block := source.read(_BLOCK):
                    target.write(block)
                    done += len(block)
                    progress(done, total)
        except OSError as error:
            raise self._failed(name, error) from None

    def publish(self, name: str) -> None:
        """See `Store`; who may read the folder may read the content."""

    def blocks(self, name: str, start: int, size: int) -> Iterator[bytes]:
        """See `Store`."""
        try:
            with (self.folder / name).open("rb") as source:
                if source.seek(0, os.SEEK_END) != size:
                    raise ChangedError(f"{self.where}/{name} is not what was pushed: it has another size")
                source.seek(start)
                while block := source.read(_BLOCK):
                    yield block
        except FileNotFoundError:
            raise ChangedError(f"{self.where}/{name} is not there") from None
        except OSError as error:
            raise self._failed(name, error) from None

    def _failed(self, name: str, error: OSError) -> StoreError:
        return StoreError(f"{self.where}/{name}: {error.strerror or error}")
