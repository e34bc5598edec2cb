"""Files from strangers: safe names only, and no more files or bytes than a limit allows."""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from distrack.errors import DatasetError
from distrack.files import size_text

_LONGEST_PART, _LONGEST_NAME = 255, 1000
_DRIVE = re.compile(r"[A-Za-z]:")


class Limits:
    """Counts files from a stranger while they are written, and refuses what exceeds the limits.

    Args:
        what: where the files come from, as an error calls it ("sounds.zip").
        most_bytes: largest size of all files together.
        most_files: largest number of members, written or not.
    """

    def __init__(self, what: str, *, most_bytes: int, most_files: int) -> None:
        self.what, self.most_bytes, self.most_files = what, most_bytes, most_files
        self.files = self.members = self._bytes = 0

    def count_member(self) -> None:
        """Counts one more member.

        Raises:
            DatasetError: there are too many.
        """
        self.members += 1
        if self.members > self.most_files:
            raise self.exceeded(f"{self.most_files} files")

    def write(self, path: Path, chunks: Iterable[bytes]) -> None:
        """Writes a file and the folders above it.

        Raises:
            DatasetError: the limit is exceeded, or a file is in the place of a folder or the other way round.
            OSError: the disk is full, or the place is not writable.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            target = path.open("wb")
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise DatasetError(
                f"{self.what}: {path.name!r} is a file and a folder at once, or lies below a file. "
                f"Repair the archive or use another source"
            ) from None
        self.files += 1
        with target:
            for chunk in chunks:
                self._bytes += len(chunk)
                if self._bytes > self.most_bytes:
                    raise self.exceeded(size_text(self.most_bytes))
                target.write(chunk)

    def exceeded(self, limit: str) -> DatasetError:
        """The error for a limit that is exceeded."""
        problem = f"{self.what} holds more than {limit}. If you trust it, unpack it yourself and use its folder"
        return DatasetError(problem, remedy="pass --data-path")


def member_path(what: str, name: str) -> PurePosixPath:
    """The path of a member below the folder that it is unpacked into; every name from a stranger goes through here.

    >>> member_path("sounds.zip", "./dogs/1.wav")
    PurePosixPath('dogs/1.wav')

    Raises:
        DatasetError: the name is absolute, leads out of the folder, or cannot be written on every system.
    """
    path = PurePosixPath(name)
    longest = max((len(part.encode("utf-8", "surrogateescape")) for part in path.parts), default=0)
    if not path.parts:
        raise unsafe(what, name, "has no name")
    if "\0" in name or "\\" in name:
        raise unsafe(what, name, "has a backslash or a zero byte in its name")
    if path.is_absolute() or _DRIVE.match(path.parts[0]):
        raise unsafe(what, name, "has an absolute path")
    if ".." in path.parts:
        raise unsafe(what, name, "leads out of the folder")
    if longest > _LONGEST_PART or len(name) > _LONGEST_NAME:
        raise unsafe(what, name[:40] + "...", "has too long a name")
    return path


def unsafe(what: str, name: str, reason: str) -> DatasetError:
    """The error for a member that is not written because of its name or kind."""
    return DatasetError(f"unsafe file in {what}: {name!r} {reason}. Use another source or repair it")
