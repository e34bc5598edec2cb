"""Archives that others made: unpacked into a folder and never beside it, never more than was agreed."""

import bz2
import errno
import gzip
import io
import lzma
import re
import stat
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, NoReturn

from distrack.errors import DatasetError

_CHUNK = 256 * 1024
_LONGEST_PART, _LONGEST_NAME = 255, 1000
# What a tar archive may spend on a member beside its content: headers, padding.
_TAR_OVERHEAD = 4096
_LONGEST_TAR_HEADER = 1 << 20
# A usual member's place in the list of a zip archive, its name included.
_ZIP_LISTING = 200
_DRIVE = re.compile(r"[A-Za-z]:")
_UNICODE_PATH = 0x7075
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ValueError,
    IndexError,
    KeyError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
)


def unpack(
    archive: Path,
    into: Path,
    *,
    most_bytes: int,
    most_files: int = 500_000,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Unpacks a zip or tar archive (plain, gz, bz2 or xz: by its content, not its name) into an existing folder.

    Folders of their own, `__MACOSX` and `.DS_Store` are left out; owners and permissions are not taken over. What was
    unpacked before a failure stays: unpack into a folder that is thrown away then.

    Args:
        archive: the file.
        into: the folder.
        most_bytes: how much it may hold, counted as it is written, whatever its headers claim.
        most_files: how many members it may have.
        progress: told how much of the archive is read, and its size in bytes.

    Raises:
        DatasetError: a member leads out of the folder, or is neither a file nor a folder; there is more than agreed;
            the archive is damaged, encrypted or empty; or the disk is full.
    """
    allowance = Allowance(archive.name, most_bytes=most_bytes, most_files=most_files)
    size = archive.stat().st_size
    with archive.open("rb", buffering=0) as raw, _Reader(raw, most=most_files * _ZIP_LISTING) as file:
        tick = _every_tenth_second(progress, file, size)
        head = file.read(6)
        file.seek(0)
        members = _zip_members(file) if head.startswith(b"PK") else _tar_members(file, head, allowance)
        for member in _telling_damage_of(archive.name, members):
            allowance.count_member()
            if member.is_folder and not PurePosixPath(member.name).parts:
                continue  # "./", where everything is to go
            path = member_path(archive.name, member.name)
            if member.wrong:
                raise _unsafe(archive.name, member.name, member.wrong)
            if not member.is_folder and "__MACOSX" not in path.parts and path.name != ".DS_Store":
                with _telling_damage(archive.name):
                    source = member.open()
                with source:
                    allowance.write(source, into / path, tick=tick)
            tick()
    if not allowance.files:
        raise DatasetError(f"{archive.name} holds no files: get it anew")
    if progress is not None:
        progress(size, size)


class Allowance:
    """How much may still be written of what somebody else made."""

    def __init__(self, what: str, *, most_bytes: int, most_files: int) -> None:
        self.what, self.most_bytes, self.most_files = what, most_bytes, most_files
        self.bytes = self.files = self.members = 0

    def count_member(self) -> None:
        """One more member, written or not.

        Raises:
            DatasetError: there are too many.
        """
        self.members += 1
        if self.members > self.most_files:
            raise DatasetError(
                f"{self.what} holds more than {self.most_files} files. "
                f"If you trust it, unpack it yourself and pass --data-path with the folder"
            )

    def write(self, source: IO[bytes], path: Path, *, tick: Callable[[], None] | None = None) -> None:
        """Writes all of `source`, counted, to a new file; its folders are made.

        Raises:
            DatasetError: there is too much, the place is taken by a folder or a file, or the disk is full.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            target = path.open("wb", buffering=0)  # a full disk is told by write(), not once more by close()
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise DatasetError(
                f"{self.what}: {path.name!r} is a file and a folder at once, or lies below a file. "
                f"Do not use it as it is: pack it anew"
            ) from None
        except OSError as error:
            refuse_place(path.parent, error)
        self.files += 1
        with target:
            while data := self._read(source):
                self.bytes += len(data)
                if self.bytes > self.most_bytes:
                    raise DatasetError(
                        f"{self.what} holds more than {size_text(self.most_bytes)}, at {path.name!r}. "
                        f"If you trust it, unpack it yourself and pass --data-path with the folder"
                    )
                rest = memoryview(data)
                while rest:
                    try:
                        rest = rest[target.write(rest) :]
                    except OSError as error:
                        refuse_place(path.parent, error)
                if tick is not None:
                    tick()

    def _read(self, source: IO[bytes]) -> bytes:
        with _telling_damage(self.what):
            return source.read(_CHUNK)


def member_path(what: str, name: str) -> PurePosixPath:
    """Where a member belongs below the folder it is unpacked into; the one judge of names that others made up.

    >>> member_path("sounds.zip", "./dogs/1.wav")
    PurePosixPath('dogs/1.wav')

    Raises:
        DatasetError: it is absolute, leads out of the folder, or no name that every system can write.
    """
    path = PurePosixPath(name)
    longest = max((len(part.encode("utf-8", "surrogateescape")) for part in path.parts), default=0)
    if not path.parts:
        wrong = "has no name"
    elif "\0" in name or "\\" in name:
        wrong = "has a backslash or a zero byte in its name"
    elif path.is_absolute() or _DRIVE.match(path.parts[0]):
        wrong = "has an absolute name"
    elif ".." in path.parts:
        wrong = "leads out of the folder"
    elif longest > _LONGEST_PART or len(name) > _LONGEST_NAME:
        wrong, name = "has too long a name", name[:40] + "..."
    else:
        return path
    raise _unsafe(what, name, wrong)


def size_text(count: int) -> str:
    """A number of bytes for a person.

    >>> size_text(1_530_000_000)
    '1.5 GB'
    """
    amount = float(count)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def refuse_place(folder: Path, error: OSError) -> NoReturn:
    """What the system says of a place that cannot be written, as an error to act on."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise DatasetError(
            f"the disk is full at {folder}: make room there, or set DISTRACK_DATA_PATH to another place"
        ) from None
    raise DatasetError(
        f"cannot write at {folder}: {error.strerror or error}. Set DISTRACK_DATA_PATH to a place you may write to"
    ) from None


def _unsafe(what: str, name: str, wrong: str) -> DatasetError:
    return DatasetError(
        f"{what}: its member {name!r} {wrong}, which is not unpacked. Get it from another place, or mend it"
    )


def _every_tenth_second(progress: Callable[[int, int], None] | None, file: IO[bytes], size: int) -> Callable[[], None]:
    told = 0.0

    def tick() -> None:
        nonlocal told
        if progress is not None and time.monotonic() - told >= 0.1:
            told = time.monotonic()
            progress(file.tell(), size)

    return tick


# Around reading alone: what a caller's progress raises to stop is not damage.
@contextmanager
def _telling_damage(what: str) -> Iterator[None]:
    try:
        yield
    except (*_DAMAGE, OSError) as error:
        # gzip and bz2 tell damage by an OSError without a number.
        if isinstance(error, OSError) and error.errno is not None:
            raise DatasetError(f"cannot read {what}: {error.strerror}. Get it anew") from None
        reason = str(error).strip().rstrip(".").splitlines()
        raise DatasetError(
            f"{what} is damaged, incomplete or of a kind that cannot be unpacked "
            f"({reason[0] if reason else type(error).__name__}). Get it anew"
        ) from None


def _telling_damage_of(what: str, members: Iterator["_Member"]) -> Iterator["_Member"]:
    with _telling_damage(what):
        yield from members


class _Reader(io.BufferedReader):
    """A file that is never read whole at once: zipfile would hold the whole list of members in memory."""

    def __init__(self, raw: io.RawIOBase, *, most: int) -> None:
        super().__init__(raw)
        self._most = max(most, _CHUNK)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._most:
            raise zipfile.BadZipFile("its list of members is too long")
        return super().read(size)


class _Member(NamedTuple):
    """What an archive says of one of its members, and how to read it."""

    name: str
    is_folder: bool
    wrong: str
    open: Callable[[], IO[bytes]]


# Zip.


def _zip_members(file: IO[bytes]) -> Iterator[_Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            name = _zip_name(info)
            kind = stat.S_IFMT(info.external_attr >> 16)
            wrong = ""
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                wrong = "is a link" if kind == stat.S_IFLNK else "is no file"
            elif info.flag_bits & 1:
                wrong = "is encrypted"
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # Of other methods zipfile inflates at once what it read: a few kB of bzip2 become gigabytes in memory.
                wrong = "is compressed by another method than deflate"
            yield _Member(name, name.endswith("/"), wrong, partial(archive.open, info))


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: zipfile takes what is not marked as UTF-8 for the code page of old PCs."""
    name = info.orig_filename
    if info.flag_bits & 0x800:
        return name
    raw = name.encode("cp437")
    extra = info.extra
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _UNICODE_PATH and field[:1] == b"\1" and field[1:5] == struct.pack("<I", zlib.crc32(raw)):
            return field[5:].decode()
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return name


# Tar.


def _tar_members(file: IO[bytes], head: bytes, allowance: Allowance) -> Iterator[_Member]:
    most = allowance.most_bytes + (allowance.most_files + 1) * _TAR_OVERHEAD
    stream = _Inflated(_inflate(file, head), most=most, allowance=allowance)
    try:
        archive = tarfile.TarFile(fileobj=stream)
    except tarfile.ReadError:
        raise DatasetError(
            f"{allowance.what} is no zip or tar archive, or a damaged one (it begins with {head!r}). Get it anew"
        ) from None
    while (info := archive.next()) is not None:
        archive.members = []  # type: ignore[attr-defined]  # it would keep them all
        wrong = "is a link" if info.issym() or info.islnk() else "" if info.isreg() or info.isdir() else "is no file"
        yield _Member(info.name, info.isdir(), wrong, partial(_tar_content, archive, info))
    # tarfile takes a header that it cannot read for the end.
    if stream.last != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it ends too early")
    while stream.read(_CHUNK):  # the rest is padding, and the checksum of the compression
        pass


def _tar_content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(info)
    if content is None:
        raise tarfile.ReadError(f"{info.name!r} has no content")
    return content


def _inflate(file: IO[bytes], head: bytes) -> IO[bytes]:
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if head.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if head.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(file)
    return file


class _Inflated(io.RawIOBase):
    """A stream that is read forward only, so much in all, and little at once: tarfile holds a whole header in memory.

    Attributes:
        last: what was read last.
    """

    def __init__(self, inner: IO[bytes], *, most: int, allowance: Allowance) -> None:
        self._inner, self._most, self._allowance = inner, most, allowance
        self._at = 0
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LONGEST_TAR_HEADER:
            raise tarfile.ReadError("a header in it claims too great a length")
        self.last = self._inner.read(size)
        self._at += len(self.last)
        if self._at > self._most:
            raise DatasetError(
                f"{self._allowance.what} holds more than {size_text(self._allowance.most_bytes)}. "
                f"If you trust it, unpack it yourself and pass --data-path with the folder"
            )
        return self.last

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or position < self._at:
            raise tarfile.ReadError("a header in it points back")
        while self._at < position and self.read(min(position - self._at, _CHUNK)):
            pass
        return self._at
