"""Archives: what is in them comes out right, and nothing leaves the folder, lies about its size or goes missing."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from distrack.datasets.archive import member_path, size_text, unpack
from distrack.errors import DatasetError
from distrack.settings import PROJECT

CONTENT = {"dogs/1.wav": b"woof" * 5000, "cats/deep/2.wav": b"meow", "empty.txt": b"", "Käfer/Zürich 東京.wav": b"\0\1"}
MEGABYTE = 1_000_000


def tar_bytes(*members: tuple[tarfile.TarInfo | str, bytes]) -> bytes:
    """A plain tar archive with members as they are given."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info, data in members:
            entry = tarfile.TarInfo(info) if isinstance(info, str) else info
            entry.size = entry.size or len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def zip_bytes(*members: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    """A zip archive with members as they are given."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
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


def found(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def unpacked(tmp_path: Path) -> Callable[..., Path]:
    """Unpacks these bytes and returns the folder, of which the parent holds nothing else but the archive."""

    def call(data: bytes, *, most_bytes: int = MEGABYTE, most_files: int = 1000) -> Path:
        archive, into = tmp_path / "outer" / "sounds.bin", tmp_path / "outer" / "into"
        into.mkdir(parents=True, exist_ok=True)
        archive.write_bytes(data)
        unpack(archive, into, most_bytes=most_bytes, most_files=most_files)
        return into

    return call


@pytest.fixture
def refused(unpacked: Callable[..., Path], tmp_path: Path) -> Callable[..., str]:
    """Unpacking these bytes is refused, in one line that names the archive, and writes nothing beside the folder."""

    def call(data: bytes, **limits: int) -> str:
        with pytest.raises(DatasetError) as told:
            unpacked(data, **limits)
        assert "\n" not in str(told.value)
        assert "sounds.bin" in str(told.value)
        assert sorted(path.name for path in (tmp_path / "outer").iterdir()) == ["into", "sounds.bin"]
        assert [path.name for path in tmp_path.iterdir()] == ["outer"]
        assert not [path for path in tmp_path.rglob("*") if path.is_symlink()]
        return str(told.value)

    return call


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["tar", "gz", "bz2", "xz"])
def test_a_tar_comes_out_as_it_went_in(pack: Callable[[bytes], bytes], unpacked: Callable[..., Path]) -> None:
    data = tar_bytes(
        (tar_entry("./", tarfile.DIRTYPE), b""), (tar_entry("dogs", tarfile.DIRTYPE), b""), *CONTENT.items()
    )
    assert found(unpacked(pack(data))) == CONTENT


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_comes_out_as_it_went_in(method: int, unpacked: Callable[..., Path]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.mkdir("dogs")
        for name, data in CONTENT.items():
            archive.writestr(name, data)
    assert found(unpacked(buffer.getvalue())) == CONTENT


def test_clutter_and_empty_folders_are_left_out(unpacked: Callable[..., Path]) -> None:
    clutter: list[tuple[str, bytes]] = [("__MACOSX/dogs/._1.wav", b"x"), ("dogs/.DS_Store", b"x"), ("dogs/1.wav", b"y")]
    folder = tar_entry("nothing", tarfile.DIRTYPE)
    into = unpacked(tar_bytes((folder, b""), *clutter))
    assert [path.name for path in into.rglob("*")] == ["dogs", "1.wav"]
    assert found(unpacked(zip_bytes(*clutter))) == {"dogs/1.wav": b"y"}


def test_owners_and_permissions_are_not_taken_over(unpacked: Callable[..., Path]) -> None:
    entry = tarfile.TarInfo("run.sh")
    entry.mode, entry.uid = 0o6777, 12345
    into = unpacked(tar_bytes((entry, b"x")))
    assert (into / "run.sh").stat().st_mode & 0o7111 == 0
    into = unpacked(zip_bytes((zip_entry("run.sh", stat.S_IFREG | 0o6777), b"x")))
    assert (into / "run.sh").stat().st_mode & 0o7111 == 0


def unmarked(name: bytes, extra: bytes = b"") -> bytes:
    """A zip whose one member has these bytes for a name and does not say what they mean."""
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 0, 0xE8B7BE43, 1, 1, len(name), len(extra)) + name + extra
    central = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0xE8B7BE43, 1, 1, len(name), len(extra), 0, 0, 0, 0, 0
    )
    central += name + extra
    return local + b"a" + central + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local) + 1, 0)


def test_names_of_a_zip_that_are_not_marked_are_read_as_they_were_meant(unpacked: Callable[..., Path]) -> None:
    """UTF-8 as macOS writes it, the code page of old PCs, and Info-ZIP's field beside an approximate name."""
    into = unpacked(unmarked("Käfer.wav".encode()))
    assert found(into) == {"Käfer.wav": b"a"}
    into = unpacked(unmarked("Bär.wav".encode("cp437")))
    assert (into / "Bär.wav").is_file()
    rough = b"K_fer2.wav"
    field = b"\1" + struct.pack("<I", __import__("zlib").crc32(rough)) + "Käfer2.wav".encode()
    into = unpacked(unmarked(rough, struct.pack("<HH", 0x7075, len(field)) + field))
    assert (into / "Käfer2.wav").is_file()


EVIL = ["../evil.wav", "dogs/../../evil.wav", "/tmp/evil.wav", "..\\evil.wav", "C:/evil.wav", "dogs\\1.wav"]


@pytest.mark.parametrize("name", EVIL)
def test_a_name_that_leads_out_of_the_folder_is_refused(name: str, refused: Callable[..., str]) -> None:
    for data in (tar_bytes(("fine.wav", b"x"), (name, b"x")), zip_bytes(("fine.wav", b"x"), (name, b"x"))):
        assert repr(name) in refused(data)


@pytest.mark.parametrize("name", ["", ".", "/", "a\0b", "x" * 256, "é" * 128, "d/" * 500 + "x"])
def test_a_name_that_cannot_be_written_is_refused(name: str) -> None:
    with pytest.raises(DatasetError, match=r"^sounds\.zip: ") as told:
        member_path("sounds.zip", name)
    assert len(str(told.value)) < 250


def test_long_names_within_the_limits_are_kept(unpacked: Callable[..., Path]) -> None:
    name = "d" * 255 + "/" + "f" * 255
    assert list(found(unpacked(tar_bytes((name, b"x"))))) == [name]
    assert name in found(unpacked(zip_bytes((name, b"x"))))


KINDS = {"symbolic": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "device": tarfile.CHRTYPE, "pipe": tarfile.FIFOTYPE}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_neither_file_nor_folder_in_a_tar_is_refused(kind: str, refused: Callable[..., str]) -> None:
    entry = tar_entry("evil", KINDS[kind], "../../outside" if "i" in kind else "fine.wav")
    message = refused(tar_bytes(("fine.wav", b"x"), (entry, b""), ("evil/1.wav", b"x")))
    assert "'evil'" in message
    assert ("is a link" in message) == (kind in ("symbolic", "hard"))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_what_is_neither_file_nor_folder_in_a_zip_is_refused(kind: int, refused: Callable[..., str]) -> None:
    message = refused(zip_bytes((zip_entry("evil", kind | 0o777), b"../../outside"), ("evil/1.wav", b"x")))
    assert "'evil' is " in message


def test_an_encrypted_zip_is_refused(refused: Callable[..., str]) -> None:
    data = bytearray(zip_bytes(("secret.wav", b"x")))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    assert "'secret.wav' is encrypted" in refused(bytes(data))


@pytest.mark.parametrize("order", [("dogs", "dogs/1.wav"), ("dogs/1.wav", "dogs")])
def test_a_file_where_a_folder_is_needed_is_refused(order: tuple[str, str], refused: Callable[..., str]) -> None:
    for pack in (tar_bytes, zip_bytes):
        assert "a file and a folder at once" in refused(pack(*((name, b"x") for name in order)))


# More than was agreed.


def written(tmp_path: Path) -> int:
    return sum(len(data) for data in found(tmp_path / "outer" / "into").values())


def test_a_zip_bomb_stops_at_what_was_agreed(refused: Callable[..., str], tmp_path: Path) -> None:
    data = zip_bytes(("bomb.wav", bytes(30 * MEGABYTE)))
    assert len(data) < MEGABYTE
    assert "more than 1 MB" in refused(data)
    assert written(tmp_path) <= MEGABYTE


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_that_inflates_in_memory_is_refused(method: int, refused: Callable[..., str]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("1.wav", b"x")
    assert "another method than deflate" in refused(buffer.getvalue())


def test_a_zip_that_lies_about_its_size_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    """Its headers claim ten bytes, so that whoever adds them up finds nothing wrong."""
    data = bytearray(zip_bytes(("bomb.wav", bytes(30 * MEGABYTE))))
    central = data.index(b"PK\1\2")
    data[22:26] = data[central + 24 : central + 28] = struct.pack("<I", 10)
    refused(bytes(data))
    assert written(tmp_path) <= MEGABYTE


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_tar_bomb_stops_at_what_was_agreed(
    compress: Callable[[bytes], bytes], refused: Callable[..., str], tmp_path: Path
) -> None:
    assert "more than 1 MB" in refused(compress(tar_bytes(("bomb.wav", bytes(30 * MEGABYTE)))))
    assert written(tmp_path) <= MEGABYTE


def test_many_small_files_add_up(refused: Callable[..., str]) -> None:
    members = [(f"{number}.wav", bytes(1000)) for number in range(20)]
    for pack in (tar_bytes, zip_bytes):
        assert "more than 10 kB" in refused(pack(*members), most_bytes=10_000)
        assert "more than 10 files" in refused(pack(*members), most_files=10)


def test_endless_folders_and_clutter_are_counted_too(refused: Callable[..., str]) -> None:
    folders = [(tar_entry(f"d{number}", tarfile.DIRTYPE), b"") for number in range(20)]
    assert "more than 10 files" in refused(tar_bytes(*folders), most_files=10)
    clutter = gzip.compress(tar_bytes(("__MACOSX/bomb", bytes(30 * MEGABYTE))))
    assert "more than 1 MB" in refused(clutter, most_files=10)


def test_a_hole_that_takes_no_room_in_the_archive_is_counted(refused: Callable[..., str], tmp_path: Path) -> None:
    """GNU tar's sparse files: a header of nothing claims 30 MB."""
    header = bytearray(tarfile.TarInfo("hole.wav").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[483:495] = b"%011o\0" % (30 * MEGABYTE)
    header[148:156] = b"%06o\0 " % sum(header[:148] + b" " * 8 + header[156:])
    assert "more than 1 MB" in refused(bytes(header) + bytes(1024))
    assert written(tmp_path) <= MEGABYTE


LIMITED = """
import resource, sys
from pathlib import Path
from distrack.datasets.archive import unpack
from distrack.errors import DatasetError

resource.setrlimit(resource.RLIMIT_{limit}, ({most}, resource.RLIM_INFINITY))
try:
    unpack(Path(sys.argv[1]), Path(sys.argv[2]), most_bytes=10**9, most_files={files})
except DatasetError as error:
    print(error)
"""


def in_a_process(tmp_path: Path, data: bytes, *, limit: str, most: int, files: int = 500_000) -> str:
    archive, into = tmp_path / "sounds.bin", tmp_path / "into"
    archive.write_bytes(data)
    into.mkdir()
    code = LIMITED.format(limit=limit, most=most, files=files)
    done = subprocess.run(
        [sys.executable, "-c", code, archive, into], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    for place, data in enumerate((tar_bytes(("1.wav", bytes(MEGABYTE))), zip_bytes(("1.wav", bytes(MEGABYTE))))):
        (tmp_path / str(place)).mkdir()
        said = in_a_process(tmp_path / str(place), data, limit="FSIZE", most=100_000)
        assert said.startswith("the disk is full at ")
        assert "DISTRACK_DATA_PATH" in said


def test_a_header_that_inflates_is_not_taken_into_memory(refused: Callable[..., str]) -> None:
    """tarfile reads the whole of a long name or of extended headers at once."""
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE):
        entry = tar_entry("x", kind)
        entry.size = 8 * 10**9
        data = tar_bytes(("1.wav", b"x"))[:1024] + entry.tobuf()
        assert "too great a length" in refused(gzip.compress(data))


def test_a_list_of_members_that_is_too_long_is_not_taken_into_memory(refused: Callable[..., str]) -> None:
    members = [(f"{number}.wav", b"") for number in range(6000)]
    assert "list of members is too long" in refused(zip_bytes(*members), most_files=10)


# Damage.


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["tar", "gz", "bz2", "xz"])
def test_a_tar_cut_anywhere_is_refused(pack: Callable[[bytes], bytes], refused: Callable[..., str]) -> None:
    whole = tar_bytes(*((f"{number}.wav", bytes([number] * 700)) for number in range(4)))
    end = whole.rindex(b"\3") + 1  # of the content; what follows is padding
    whole = pack(whole)
    for length in [*range(1, min(end, len(whole) - 1), 97), *(512 * k for k in range(1, 12) if 512 * k < len(whole))]:
        refused(whole[:length])


def test_a_zip_cut_anywhere_is_refused(refused: Callable[..., str]) -> None:
    whole = zip_bytes(*((f"{number}.wav", bytes([number] * 700)) for number in range(4)))
    for length in range(1, len(whole), 7):
        refused(whole[:length])


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(refused: Callable[..., str]) -> None:
    data = bytearray(tar_bytes(("1.wav", b"x"), ("2.wav", b"x"), ("3.wav", b"x")))
    data[1024 + 10] ^= 0xFF
    assert "ends too early" in refused(bytes(data))


def test_damaged_content_is_refused(refused: Callable[..., str]) -> None:
    content = bytes(range(256)) * 40
    zipped = bytearray(zip_bytes((zipfile.ZipInfo("1.wav"), content)))
    zipped[500] ^= 1
    refused(bytes(zipped))
    for compress in (gzip.compress, bz2.compress, lzma.compress):
        data = bytearray(compress(tar_bytes(("1.wav", content))))
        data[-30 if compress is lzma.compress else -6] ^= 0xFF
        refused(bytes(data))


@pytest.mark.parametrize(
    "data", [b"", b"<!DOCTYPE html>", gzip.compress(b"text" * 400), b"PK\3\4", b"BZh", b"\x1f\x8b"]
)
def test_what_is_no_archive_is_refused(data: bytes, refused: Callable[..., str]) -> None:
    refused(data)


def test_an_archive_without_files_is_refused(refused: Callable[..., str]) -> None:
    assert "no files" in refused(tar_bytes())
    assert "no files" in refused(zip_bytes())


# Telling how far it is.


def test_it_tells_how_far_it_is_and_ends_at_the_whole(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    for data in (zip_bytes(*CONTENT.items()), gzip.compress(tar_bytes(*CONTENT.items()))):
        archive.write_bytes(data)
        told: list[tuple[int, int]] = []
        unpack(archive, tmp_path, most_bytes=MEGABYTE, progress=lambda done, total: told.append((done, total)))  # noqa: B023
        assert len(told) >= 2
        assert told[-1] == (len(data), len(data))
        assert all(done <= total == len(data) for done, total in told)


@pytest.mark.parametrize("stop", [KeyError("stop"), RuntimeError("stop"), ValueError("stop"), OSError("stop")])
def test_what_progress_raises_to_stop_is_not_taken_for_damage(stop: Exception, tmp_path: Path) -> None:
    def progress(_done: int, _total: int) -> None:
        raise stop

    archive = tmp_path / "a.bin"
    for data in (zip_bytes(*CONTENT.items()), tar_bytes(*CONTENT.items())):
        archive.write_bytes(data)
        with pytest.raises(type(stop), match="stop"):
            unpack(archive, tmp_path, most_bytes=MEGABYTE, progress=progress)


def test_sizes_are_told_in_the_unit_that_fits() -> None:
    assert [size_text(n) for n in (12, 1234, 5_600_000, 61_300_000_000)] == ["12 bytes", "1 kB", "6 MB", "61.3 GB"]
