"""Archives from strangers: unpacked below one folder, never outside of it, and never more than a given size.

`zipfile` and `tarfile` read the archives and check their content. Their own guards do not suffice: they limit neither
size nor number, tarfile's data filter lets some links pass, and both read a list of members or a header of any length
into memory. So all links are refused, names are judged by `untrusted`, and everything read or written is counted.
"""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from distrack.datasets.disk import writing_below
from distrack.datasets.untrusted import Limits, member_path, unsafe
from distrack.datasets.zip_names import best_encoding
from distrack.errors import DatasetError
from distrack.files import size_text
from distrack.progress import Progress, unwatched

_CHUNK = 256 * 1024
# Bytes that a member may take beside its content: of a tar its headers and padding, of a zip its line in the list.
_TAR_OVERHEAD, _ZIP_OVERHEAD = 4096, 200
_LONGEST_TAR_HEADER = 1 << 20
_COMPRESSIONS: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
_UTF8_NAME = 0x800
# The extra field of a zip in which Info-ZIP, WinZip and WinRAR write a name in Unicode.
_UNICODE_PATH = 0x7075
# Everything that the standard library raises about damaged archives.
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, struct.error),
    *(OSError, EOFError, ValueError, LookupError, ArithmeticError, RuntimeError, MemoryError),
)


class Listing(NamedTuple):
    """The files in a zip, and the encoding of their names (see `zip_names`); None where the zip tells it."""

    files: list[PurePosixPath]
    encoding: str | None


def listing(
    file: IO[bytes], what: str, *, most_bytes: int, most_files: int = 500_000, encoding: str | None = None
) -> Listing:
    """What a zip holds; nothing is inflated. Arguments and errors as for `unpack`."""
    limits = Limits(what, most_bytes=most_bytes, most_files=most_files)
    reader = _Reader(file, most=most_files * _ZIP_OVERHEAD)
    try:
        with _explaining_damage(what), zipfile.ZipFile(reader) as archive:
            found = _found_encoding(archive.infolist())
        encoding = found and (encoding or found)
        return Listing([path for path, _ in _files(reader, limits, encoding)], encoding)
    finally:
        reader.detach()


def unpack(
    archive: Path,
    into: Path,
    *,
    most_bytes: int,
    most_files: int = 500_000,
    encoding: str | None = None,
    progress: Progress = unwatched,
) -> None:
    """Unpacks a zip or tar archive (plain, gz, bz2 or xz, recognised by its content) into an existing folder.

    Empty folders, `__MACOSX` and `.DS_Store` are left out; owners and permissions are not restored. Files that were
    unpacked before a failure stay, so unpack into a folder that is then thrown away.

    Args:
        most_bytes: largest size of the content, counted as it is written, whatever the headers claim.
        most_files: largest number of members.
        encoding: of names in a zip that does not tell it, a key of `zip_names.ENCODINGS`; found out if None.
        progress: gets the bytes of the archive that were read, and its size. What it raises ends the unpacking.

    Raises:
        DatasetError: a member has an unsafe name or is neither a file nor a folder; the content is too large; the
            archive is damaged, encrypted or empty; the disk is full.
    """
    limits = Limits(archive.name, most_bytes=most_bytes, most_files=most_files)
    size = archive.stat().st_size

    def reported(chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            yield chunk
            progress(file.tell(), size)

    with (
        archive.open("rb", buffering=0) as raw,
        _Reader(raw, most=most_files * _ZIP_OVERHEAD) as file,
        writing_below(into),
    ):
        for path, chunks in _files(file, limits, encoding):
            limits.write(into / path, reported(chunks))
    if not limits.files:
        raise DatasetError(f"{archive.name} holds no files. Download it again")
    progress(size, size)


class _Member(NamedTuple):
    """A member of an archive: its path there, why it is refused ("is a link") or "", and what opens its content."""

    name: str
    is_folder: bool
    refusal: str
    open: Callable[[], IO[bytes] | None]


def _files(file: IO[bytes], limits: Limits, encoding: str | None) -> Iterator[tuple[PurePosixPath, Iterator[bytes]]]:
    """Path and content of every file in an archive. Only errors of the archive itself are explained as damage."""
    head = file.read(6)
    file.seek(0)
    with _explaining_damage(limits.what):
        for member in _zip_members(file, encoding) if head.startswith(b"PK") else _tar_members(file, head, limits):
            limits.count_member()
            if member.is_folder and not PurePosixPath(member.name).parts:
                continue  # "./", the folder that everything goes into
            path = member_path(limits.what, member.name)
            if member.refusal:
                raise unsafe(limits.what, member.name, member.refusal)
            if not member.is_folder and "__MACOSX" not in path.parts and path.name != ".DS_Store":
                yield path, _chunks(member, limits.what)


def _chunks(member: _Member, what: str) -> Iterator[bytes]:
    with _explaining_damage(what), member.open() or io.BytesIO() as content:
        while chunk := content.read(_CHUNK):
            yield chunk


@contextmanager
def _explaining_damage(what: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        # gzip and bz2 report damage as an OSError without a number.
        if isinstance(error, OSError) and error.errno is not None:
            raise DatasetError(f"cannot read {what}: {error.strerror}. Download it again") from None
        reason = (str(error).strip().rstrip(".").splitlines() or [type(error).__name__])[0]
        raise DatasetError(
            f"{what} is damaged, incomplete or not a zip or tar archive ({reason}). Download it again"
        ) from None


class _Reader(io.BufferedReader):
    """A file that refuses to be read whole at once: zipfile holds the whole list of members in memory."""

    def __init__(self, raw: Any, *, most: int) -> None:
        super().__init__(raw)
        self._most = max(most, _CHUNK)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._most:
            raise zipfile.BadZipFile("its list of members is too long")
        return super().read(size)


def _zip_members(file: IO[bytes], encoding: str | None) -> Iterator[_Member]:
    with zipfile.ZipFile(file) as archive:
        encoding = encoding or _found_encoding(archive.infolist()) or "utf-8"
        for info in archive.infolist():
            # Programs on Windows separate folders by the other slash.
            name = _zip_name(info, encoding).replace("\\", "/")
            kind = stat.S_IFMT(info.external_attr >> 16)
            refusal = ""
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                refusal = "is a link" if kind == stat.S_IFLNK else "is not a file"
            elif info.flag_bits & 1:
                refusal = "is encrypted"
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # zipfile inflates other methods at once: a few kB of bzip2 become gigabytes in memory.
                refusal = "is compressed by another method than deflate"
            yield _Member(name, name.endswith("/"), refusal, partial(archive.open, info))


def _found_encoding(infos: Iterable[zipfile.ZipInfo]) -> str | None:
    """The encoding of the names that the zip tells nothing of; None where there is none beyond ASCII."""
    names = [_raw_name(info) for info in infos if _told_name(info) is None]
    return None if all(map(bytes.isascii, names)) else best_encoding(names)


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    """zipfile reads every name that is not marked as UTF-8 in the code page of old PCs."""
    return info.orig_filename.encode("cp437")


def _zip_name(info: zipfile.ZipInfo, encoding: str) -> str:
    if (told := _told_name(info)) is not None:
        return told
    try:
        return _raw_name(info).decode(encoding)
    except UnicodeDecodeError:
        return info.orig_filename


def _told_name(info: zipfile.ZipInfo) -> str | None:
    """The name in Unicode: marked as UTF-8, or in the extra field of Info-ZIP, WinZip and WinRAR for this name."""
    if info.flag_bits & _UTF8_NAME:
        return info.orig_filename
    extra = info.extra
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _UNICODE_PATH and field[:5] == struct.pack("<BI", 1, zlib.crc32(_raw_name(info))):
            return field[5:].decode()
    return None


def _tar_members(file: IO[bytes], head: bytes, limits: Limits) -> Iterator[_Member]:
    inflate = next((open_ for magic, open_ in _COMPRESSIONS.items() if head.startswith(magic)), None)
    stream = _Forward(inflate(file) if inflate else file, limits)
    archive = tarfile.TarFile(fileobj=stream)  # type: ignore[arg-type]
    while (info := archive.next()) is not None:
        archive.members = []  # type: ignore[attr-defined]  # tarfile would keep every one in memory
        usable = info.isreg() or info.isdir()
        refusal = "" if usable else "is a link" if info.issym() or info.islnk() else "is not a file"
        yield _Member(info.name, info.isdir(), refusal, partial(archive.extractfile, info))
    # tarfile takes a header that it cannot read for the end of the archive.
    if stream.last != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it ends too early")
    while stream.read(_CHUNK):  # the checksum of the compression comes last
        pass


class _Forward:
    """The inflated bytes of a tar: read forward only, limited in all, and little at once.

    tarfile holds a header in memory, however long it claims to be, and reads through the content of skipped members.
    """

    def __init__(self, inner: IO[bytes], limits: Limits) -> None:
        self._inner, self._limits = inner, limits
        self._most = limits.most_bytes + (limits.most_files + 1) * _TAR_OVERHEAD
        self._at = 0
        self.last = b""

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _LONGEST_TAR_HEADER:
            raise tarfile.ReadError("a header in it claims too great a length")
        self.last = self._inner.read(size)
        self._at += len(self.last)
        if self._at > self._most:
            raise self._limits.exceeded(size_text(self._limits.most_bytes))
        return self.last

    def tell(self) -> int:
        return self._at

    def seek(self, position: int) -> None:
        if position < self._at:
            raise tarfile.ReadError("a header in it points back")
        while self._at < position and self.read(min(position - self._at, _CHUNK)):
            pass
