"""Whole datasets downloaded: put together, unpacked safely, whole or not at all."""

import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from distrack.datasets.download import Remote, download
from distrack.errors import DatasetError
from distrack.settings import PROJECT
from tests.file_server import FileServer

Content = Callable[[Path], dict[str, bytes]]
Refusal = Callable[[Callable[[], object]], str]


def md5(data: bytes) -> str:
    return "md5:" + hashlib.md5(data, usedforsecurity=False).hexdigest()


def left_in(downloads: Path) -> list[str]:
    """Names of the files of all downloads, locks left out."""
    return sorted(path.name for path in downloads.glob("*/*"))


class StoppedError(Exception):
    """Raised by a progress callback to stop."""


class Place(NamedTuple):
    """Where a dataset is downloaded to, and the folder of the downloads."""

    root: Path
    downloads: Path

    def is_empty(self) -> bool:
        """Whether nothing is there but locks."""
        names = {path.name for path in self.root.parent.iterdir() if path.suffix != ".lock"}
        return names == {"downloads"} and left_in(self.downloads) == []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "data" / "esc50", tmp_path / "data" / "downloads")


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def test_a_dataset_of_several_files_is_put_together(server: FileServer, place: Place, content: Content) -> None:
    server.files = {
        "/a.zip": zipped(("dogs/1.wav", b"one")),
        "/b.zip": zipped(("2.wav", b"two" * 1000)),
        "/meta.csv": b"name,class",
    }
    remotes = [
        Remote(server.url("/a.zip"), md5(server.files["/a.zip"]), len(server.files["/a.zip"])),
        Remote(server.url("/b.zip"), size=len(server.files["/b.zip"]), path="cats/deep"),
        Remote(server.url("/meta.csv"), archive=False, path="meta"),
    ]
    reports: list[tuple[int, int, str]] = []

    def progress(done: int, total: int, detail: str) -> None:
        assert not place.root.exists()
        assert done <= total
        reports.append((done, total, detail))

    download(remotes, place.root, downloads=place.downloads, progress=progress)
    expected = {"dogs/1.wav": b"one", "cats/deep/2.wav": b"two" * 1000, "meta/meta.csv": b"name,class"}
    assert content(place.root) == expected
    for data in server.files.values():
        assert (len(data), len(data), "downloading") in reports
    for path in ("/a.zip", "/b.zip"):
        assert (len(server.files[path]), len(server.files[path]), "unpacking") in reports
    shutil.rmtree(place.root)
    assert place.is_empty()


def test_a_dataset_that_exists_is_not_touched(server: FileServer, place: Place, refusal: Refusal) -> None:
    place.root.mkdir(parents=True)
    message = refusal(lambda: download([Remote(server.url())], place.root, downloads=place.downloads))
    assert f"{place.root} exists" in message
    assert server.requests == []


def with_link() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("fine.wav"))
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "../../.."
        archive.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "attack",
    [
        with_link(),
        zipped(("fine.wav", b"x"), ("../../evil.wav", b"x")),
        zipped(("bomb.wav", bytes(2_000_000))),
        zipped(("1.wav", b"x"))[:-20],
        b"<!DOCTYPE html><title>Sorry</title>",
    ],
    ids=["link", "climbs out", "bomb", "cut off", "error page"],
)
def test_an_archive_that_attacks_leaves_nothing(
    attack: bytes, server: FileServer, place: Place, content: Content, refusal: Refusal
) -> None:
    server.data = attack
    remote = Remote(server.url(), unpacked=1_000_000)
    assert "sounds.zip" in refusal(lambda: download([remote], place.root, downloads=place.downloads))
    assert place.is_empty()
    assert [path.name for path in place.root.parent.parent.iterdir()] == ["data"]
    server.data = zipped(("1.wav", b"x"))
    download([remote], place.root, downloads=place.downloads)
    assert content(place.root) == {"1.wav": b"x"}


def test_an_archive_with_a_correct_checksum_stays_where_it_cannot_be_unpacked(
    server: FileServer, place: Place, refusal: Refusal
) -> None:
    """The disk may have been full, which is no fault of the file."""
    server.data = zipped(("1.wav", bytes(100_000)))
    remote = Remote(server.url(), md5(server.data))
    refusal(lambda: download([remote._replace(unpacked=1000)], place.root, downloads=place.downloads))
    assert not place.root.exists()
    download([remote], place.root, downloads=place.downloads)
    assert len(server.requests) == 1


def test_a_stop_while_unpacking_leaves_the_archive_alone(server: FileServer, place: Place, content: Content) -> None:
    server.data = zipped(("1.wav", b"x"), ("2.wav", b"x"))
    remote = Remote(server.url(), md5(server.data))

    def stop(_done: int, _total: int, detail: str) -> None:
        if detail == "unpacking":
            raise StoppedError

    with pytest.raises(StoppedError):
        download([remote], place.root, downloads=place.downloads, progress=stop)
    assert [path.name for path in place.root.parent.iterdir() if path.suffix != ".lock"] == ["downloads"]
    download([remote], place.root, downloads=place.downloads)
    assert len(content(place.root)) == 2
    assert len(server.requests) == 1


# Downloads argv[1], whose checksum is argv[2], to the folder argv[3].
CHILD = """
import sys
from pathlib import Path
from distrack.datasets.download import Remote, download

root = Path(sys.argv[3])
download([Remote(sys.argv[1], sys.argv[2])], root, downloads=root.with_name("downloads"))
"""


def test_a_killed_process_leaves_a_download_that_the_next_continues(
    server: FileServer, place: Place, content: Content, until: Callable[..., None]
) -> None:
    server.data = zipped(*((f"{number}.wav", os.urandom(10_000)) for number in range(30)))
    server.pause = 100_000
    remote = Remote(server.url(), md5(server.data))
    command = [sys.executable, "-c", CHILD, remote.url, str(remote.checksum), str(place.root)]
    output = subprocess.PIPE
    with subprocess.Popen(command, cwd=PROJECT, stdout=output, stderr=output) as process:
        until(lambda: [part for part in place.downloads.glob("*/*.part") if part.stat().st_size == 100_000], 60)
        process.kill()
        assert process.communicate() == (b"", b"")
    assert process.returncode == -signal.SIGKILL
    assert not place.root.exists()
    server.pause = None
    download([remote], place.root, downloads=place.downloads)
    assert len(content(place.root)) == 30
    assert server.requests[1] == "bytes=100000-"


def test_two_that_want_a_dataset_download_it_once(
    server: FileServer, place: Place, content: Content, until: Callable[..., None]
) -> None:
    server.data = zipped(("1.wav", os.urandom(10_000)))
    server.pause = 5000
    remote = Remote(server.url(), md5(server.data))
    first = threading.Thread(target=download, args=([remote], place.root), kwargs={"downloads": place.downloads})
    first.start()
    until(lambda: server.requests, 30)
    waits: list[tuple[int, int, str]] = []

    def progress(*report: int | str) -> None:
        waits.append(report)  # type: ignore[arg-type]
        server.go.set()

    download([remote], place.root, downloads=place.downloads, progress=progress)
    first.join(30)
    assert list(content(place.root)) == ["1.wav"]
    assert len(server.requests) == 1
    assert waits[0] == (0, 0, "downloading")


def test_room_is_checked_for_the_unpacked_files_too(server: FileServer, place: Place, refusal: Refusal) -> None:
    place.root.parent.mkdir()
    size = shutil.disk_usage(place.root.parent).free * 2 // 3  # it fits once, but not twice
    assert "are needed in" in refusal(
        lambda: download([Remote(server.url(), size=size)], place.root, downloads=place.downloads)
    )
    assert server.requests == []


@pytest.mark.parametrize("path", ["../elsewhere", "/tmp/elsewhere"])
def test_a_folder_outside_of_the_dataset_is_refused(path: str, server: FileServer, place: Place) -> None:
    with pytest.raises(DatasetError, match="unsafe"):
        download([Remote(server.url(), archive=False, path=path)], place.root, downloads=place.downloads)
    assert not place.root.exists()
