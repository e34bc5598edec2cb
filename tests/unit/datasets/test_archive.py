"""Archives: their content comes out right, and nothing leaves the folder, exceeds the limits or goes missing."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from distrack.datasets.archive import unpack
from distrack.datasets.untrusted import member_path

Content = Callable[[Path], dict[str, bytes]]
Refusal = Callable[[Callable[[], object]], str]

CONTENT = {"dogs/1.wav": b"woof" * 5000, "cats/deep/2.wav": b"meow", "empty.txt": b"", "Käfer/Zürich 東京.wav": b"\0\1"}
LIMIT = 100_000
BOMB = bytes(3_000_000)
compressions = pytest.mark.parametrize(
    "compress", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["tar", "gz", "bz2", "xz"]
)


def tar_bytes(*members: tuple[tarfile.TarInfo | str, bytes]) -> bytes:
    """A plain tar archive with these members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info, data in members:
            entry = tarfile.TarInfo(info) if isinstance(info, str) else info
            entry.size = entry.size or len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def zip_bytes(*members: tuple[zipfile.ZipInfo | str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive with these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for info, data in members:
            archive.writestr(info, data)
    return buffer.getvalue()


def tar_entry(name: str, kind: bytes, to: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


def zip_entry(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """The folder to unpack into; the folder above it holds nothing else but the archive."""
    return tmp_path / "outer" / "into"


@pytest.fixture
def unpacked(into: Path) -> Callable[..., Path]:
    """Unpacks an archive of these bytes and returns the folder."""

    def call(data: bytes, *, most_bytes: int = LIMIT, most_files: int = 1000) -> Path:
        archive = into.with_name("sounds.bin")
        into.mkdir(parents=True, exist_ok=True)
        archive.write_bytes(data)
        unpack(archive, into, most_bytes=most_bytes, most_files=most_files)
        return into

    return call


@pytest.fixture
def refused(unpacked: Callable[..., Path], into: Path, refusal: Refusal) -> Callable[..., str]:
    """These bytes are refused with the name of the archive, and nothing is written outside of the folder."""

    def call(data: bytes, **limits: int) -> str:
        message = refusal(lambda: unpacked(data, **limits))
        assert "sounds.bin" in message
        assert sorted(path.name for path in into.parent.iterdir()) == ["into", "sounds.bin"]
        assert [path.name for path in into.parent.parent.iterdir()] == ["outer"]
        files = [path for path in into.rglob("*") if not path.is_dir()]
        assert not any(path.is_symlink() for path in files)
        assert sum(path.stat().st_size for path in files) <= limits.get("most_bytes", LIMIT)
        return message

    return call


@compressions
def test_a_tar_comes_out_as_it_went_in(
    compress: Callable[[bytes], bytes], unpacked: Callable[..., Path], content: Content
) -> None:
    folders = (tar_entry("./", tarfile.DIRTYPE), b""), (tar_entry("dogs", tarfile.DIRTYPE), b"")
    assert content(unpacked(compress(tar_bytes(*folders, *CONTENT.items())))) == CONTENT


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_comes_out_as_it_went_in(method: int, unpacked: Callable[..., Path], content: Content) -> None:
    assert content(unpacked(zip_bytes(("dogs/", b""), *CONTENT.items(), method=method))) == CONTENT


def test_clutter_and_empty_folders_are_left_out(unpacked: Callable[..., Path], content: Content) -> None:
    clutter: list[tuple[str, bytes]] = [("__MACOSX/dogs/._1.wav", b"x"), ("dogs/.DS_Store", b"x"), ("dogs/1.wav", b"y")]
    into = unpacked(tar_bytes((tar_entry("nothing", tarfile.DIRTYPE), b""), *clutter))
    assert [path.name for path in into.rglob("*")] == ["dogs", "1.wav"]
    assert content(unpacked(zip_bytes(*clutter))) == {"dogs/1.wav": b"y"}


def test_owners_and_permissions_are_not_restored(unpacked: Callable[..., Path]) -> None:
    entry = tarfile.TarInfo("run.sh")
    entry.mode, entry.uid = 0o6777, 12345
    for data in (tar_bytes((entry, b"x")), zip_bytes((zip_entry("run.sh", stat.S_IFREG | 0o6777), b"x"))):
        assert (unpacked(data) / "run.sh").stat().st_mode & 0o7111 == 0


def unmarked(name: bytes, extra: bytes = b"") -> bytes:
    """A zip with one member, whose name is not marked as UTF-8."""
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 0, 0xE8B7BE43, 1, 1, len(name), len(extra)) + name + extra
    central = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0xE8B7BE43, 1, 1, len(name), len(extra), 0, 0, 0, 0, 0
    )
    central += name + extra
    return local + b"a" + central + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local) + 1, 0)


def test_names_of_a_zip_without_a_mark_are_read_as_they_were_written(
    unpacked: Callable[..., Path], content: Content
) -> None:
    """UTF-8 as macOS writes it, the code page of old PCs, and the Unicode field of Info-ZIP beside a rough name."""
    rough = b"K_fer2.wav"
    field = struct.pack("<BI", 1, zlib.crc32(rough)) + "Käfer2.wav".encode()
    archives = {
        "Käfer.wav": unmarked("Käfer.wav".encode()),
        "Bär.wav": unmarked("Bär.wav".encode("cp437")),
        "Käfer2.wav": unmarked(rough, struct.pack("<HH", 0x7075, len(field)) + field),
    }
    for data in archives.values():
        into = unpacked(data)
    assert content(into) == dict.fromkeys(archives, b"a")


@pytest.mark.parametrize(
    "name", ["../evil.wav", "dogs/../../evil.wav", "/tmp/evil.wav", "..\\evil.wav", "C:/evil.wav", "C:\\evil.wav"]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(name: str, refused: Callable[..., str]) -> None:
    assert repr(name) in refused(tar_bytes(("fine.wav", b"x"), (name, b"x")))
    # In a zip, both slashes separate folders.
    assert repr(name.replace("\\", "/")) in refused(zip_bytes(("fine.wav", b"x"), (name, b"x")))


def test_both_slashes_separate_the_folders_of_a_zip(unpacked: Callable[..., Path], content: Content) -> None:
    into = unpacked(zip_bytes(("dogs\\small\\1.wav", b"a"), ("dogs/2.wav", b"b")))
    assert content(into) == {"dogs/small/1.wav": b"a", "dogs/2.wav": b"b"}


@pytest.mark.parametrize("name", ["", ".", "/", "a\0b", "x" * 256, "é" * 128, "d/" * 500 + "x"])
def test_a_name_that_cannot_be_written_is_refused(name: str, refusal: Refusal) -> None:
    message = refusal(lambda: member_path("sounds.zip", name))
    assert message.startswith("unsafe file in sounds.zip: ")
    assert len(message) < 250


def test_long_names_within_the_limits_are_unpacked(unpacked: Callable[..., Path], content: Content) -> None:
    name = "d" * 255 + "/" + "f" * 255
    for pack in (tar_bytes, zip_bytes):
        assert list(content(unpacked(pack((name, b"x"))))) == [name]


KINDS = {"symbolic": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "device": tarfile.CHRTYPE, "pipe": tarfile.FIFOTYPE}


@pytest.mark.parametrize("kind", KINDS)
def test_links_and_devices_in_a_tar_are_refused(kind: str, refused: Callable[..., str]) -> None:
    entry = tar_entry("evil", KINDS[kind], "../../outside" if kind == "symbolic" else "fine.wav")
    message = refused(tar_bytes(("fine.wav", b"x"), (entry, b""), ("evil/1.wav", b"x")))
    assert ("'evil' is a link" if kind in ("symbolic", "hard") else "'evil' is not a file") in message


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_a_zip_are_refused(kind: int, refused: Callable[..., str]) -> None:
    message = refused(zip_bytes((zip_entry("evil", kind | 0o777), b"../../outside"), ("evil/1.wav", b"x")))
    assert ("'evil' is a link" if kind == stat.S_IFLNK else "'evil' is not a file") in message


def test_an_encrypted_zip_is_refused(refused: Callable[..., str]) -> None:
    data = bytearray(zip_bytes(("secret.wav", b"x")))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    assert "'secret.wav' is encrypted" in refused(bytes(data))


@pytest.mark.parametrize("order", [("dogs", "dogs/1.wav"), ("dogs/1.wav", "dogs")])
def test_a_file_in_the_place_of_a_folder_is_refused(order: tuple[str, str], refused: Callable[..., str]) -> None:
    for pack in (tar_bytes, zip_bytes):
        assert "a file and a folder at once" in refused(pack(*((name, b"x") for name in order)))


# Limits


def lying_zip() -> bytes:
    """A zip bomb whose headers claim ten bytes."""
    data = bytearray(zip_bytes(("bomb.wav", BOMB)))
    central = data.index(b"PK\1\2")
    data[22:26] = data[central + 24 : central + 28] = struct.pack("<I", 10)
    return bytes(data)


def sparse_tar() -> bytes:
    """A sparse file of GNU tar: it claims 3 MB and takes no room in the archive."""
    header = bytearray(tarfile.TarInfo("hole.wav").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[483:495] = b"%011o\0" % len(BOMB)
    header[148:156] = b"%06o\0 " % sum(header[:148] + b" " * 8 + header[156:])
    return bytes(header) + bytes(1024)


@pytest.mark.parametrize(
    "make",
    [
        lambda: zip_bytes(("bomb.wav", BOMB)),
        lambda: gzip.compress(tar_bytes(("bomb.wav", BOMB))),
        lambda: bz2.compress(tar_bytes(("bomb.wav", BOMB))),
        lambda: lzma.compress(tar_bytes(("bomb.wav", BOMB)), preset=0),
        lambda: gzip.compress(tar_bytes(("__MACOSX/bomb.wav", BOMB))),
        sparse_tar,
    ],
    ids=["zip", "gz", "bz2", "xz", "clutter", "sparse"],
)
def test_a_bomb_stops_at_the_limit(make: Callable[[], bytes], refused: Callable[..., str]) -> None:
    data = make()
    assert len(data) < LIMIT
    assert "more than 100 kB" in refused(data, most_files=10)


def test_a_zip_that_lies_about_its_size_is_refused(refused: Callable[..., str]) -> None:
    refused(lying_zip())


def test_many_small_files_and_folders_add_up(refused: Callable[..., str]) -> None:
    members = [(f"{number}.wav", bytes(1000)) for number in range(20)]
    for pack in (tar_bytes, zip_bytes):
        assert "more than 10 kB" in refused(pack(*members), most_bytes=10_000)
        assert "more than 10 files" in refused(pack(*members), most_files=10)
    folders = [(tar_entry(f"d{number}", tarfile.DIRTYPE), b"") for number in range(20)]
    assert "more than 10 files" in refused(tar_bytes(*folders), most_files=10)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_that_inflates_in_memory_is_refused(method: int, refused: Callable[..., str]) -> None:
    assert "another method than deflate" in refused(zip_bytes(("1.wav", b"x"), method=method))


def test_a_long_header_is_not_read_into_memory(refused: Callable[..., str]) -> None:
    """tarfile reads the whole of a long name or of an extended header at once."""
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE):
        entry = tar_entry("x", kind)
        entry.size = 8 * 10**9
        data = tar_bytes(("1.wav", b"x"))[:1024] + entry.tobuf()
        assert "too great a length" in refused(gzip.compress(data))


def test_a_long_list_of_members_is_not_read_into_memory(refused: Callable[..., str]) -> None:
    members = [(f"{number:0250}", b"") for number in range(1000)]
    assert "list of members is too long" in refused(zip_bytes(*members), most_files=10)


def test_a_full_disk_is_reported(
    unpacked: Callable[..., Path], refusal: Refusal, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    sound = ("1.wav", bytes(500_000))
    for data in (gzip.compress(tar_bytes(sound)), zip_bytes(sound)):
        with full_disk():
            message = refusal(lambda: unpacked(data, most_bytes=10**9))  # noqa: B023
        assert message.startswith("the disk is full at ")
        assert "DISTRACK_DATA_PATH" in message


# Damage


@compressions
def test_a_tar_cut_anywhere_is_refused(compress: Callable[[bytes], bytes], refused: Callable[..., str]) -> None:
    whole = tar_bytes(*((f"{number}.wav", bytes([number] * 700)) for number in range(4)))
    end = whole.rindex(b"\3") + 1  # of the content; padding follows
    whole = compress(whole)
    cuts = {*range(1, min(end, len(whole) - 1), 397), *(512 * k for k in range(1, 12) if 512 * k < len(whole))}
    for length in cuts | set(range(1, len(whole), 13) if len(whole) < 500 else ()):
        refused(whole[:length])


def test_a_zip_cut_anywhere_is_refused(refused: Callable[..., str]) -> None:
    whole = zip_bytes(*((f"{number}.wav", bytes([number] * 700)) for number in range(4)))
    for length in range(1, len(whole), 11):
        refused(whole[:length])


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(refused: Callable[..., str]) -> None:
    data = bytearray(tar_bytes(("1.wav", b"x"), ("2.wav", b"x"), ("3.wav", b"x")))
    data[1024 + 10] ^= 0xFF
    assert "ends too early" in refused(bytes(data))


def test_damaged_content_is_refused(refused: Callable[..., str]) -> None:
    sound = bytes(range(256)) * 40
    zipped = bytearray(zip_bytes((zipfile.ZipInfo("1.wav"), sound)))
    zipped[500] ^= 1
    refused(bytes(zipped))
    for compress in (gzip.compress, bz2.compress, lzma.compress):
        data = bytearray(compress(tar_bytes(("1.wav", sound))))
        data[-30 if compress is lzma.compress else -6] ^= 0xFF
        refused(bytes(data))


@pytest.mark.parametrize(
    "data", [b"", b"<!DOCTYPE html>", gzip.compress(b"text" * 400, mtime=0), b"PK\3\4", b"BZh", b"\x1f\x8b"]
)
def test_a_file_that_is_not_an_archive_is_refused(data: bytes, refused: Callable[..., str]) -> None:
    refused(data)


def test_an_archive_without_files_is_refused(refused: Callable[..., str]) -> None:
    assert "no files" in refused(tar_bytes())
    assert "no files" in refused(zip_bytes())


# Progress


def test_progress_ends_at_the_size_of_the_archive(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    for data in (zip_bytes(*CONTENT.items()), gzip.compress(tar_bytes(*CONTENT.items()))):
        archive.write_bytes(data)
        reports: list[tuple[int, int]] = []
        unpack(archive, tmp_path, most_bytes=LIMIT, progress=lambda *report: reports.append(report))  # noqa: B023
        assert len(reports) >= 2
        assert reports[-1] == (len(data), len(data))
        assert all(done <= total == len(data) for done, total in reports)


@pytest.mark.parametrize("stop", [KeyError("stop"), RuntimeError("stop"), ValueError("stop")])
def test_an_error_of_the_progress_callback_is_not_taken_for_damage(stop: Exception, tmp_path: Path) -> None:
    def progress(_done: int, _total: int) -> None:
        raise stop

    archive = tmp_path / "a.bin"
    for data in (zip_bytes(*CONTENT.items()), tar_bytes(*CONTENT.items())):
        archive.write_bytes(data)
        with pytest.raises(type(stop), match="stop"):
            unpack(archive, tmp_path, most_bytes=LIMIT, progress=progress)
