"""Uploads: laid out by class they are kept whole, anything else is refused with what to do and leaves nothing."""

import io
import os
import re
import resource
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from distrack.datasets.contract import DATASETS
from distrack.datasets.upload import store_recording, store_upload
from distrack.errors import DatasetError
from distrack.settings import PROJECT

SOUNDS = {"cats/1.wav": b"meow", "cats/2.FLAC": b"purr", "dogs/deep/1.mp3": b"woof"}


def files_of(content: dict[str, bytes]) -> list[tuple[str, BinaryIO]]:
    return [(name, io.BytesIO(data)) for name, data in content.items()]


def zip_of(content: dict[str, bytes]) -> list[tuple[str, BinaryIO]]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    buffer.seek(0)
    return [("anything.bin", buffer)]


BOTH = pytest.mark.parametrize("pack", [files_of, zip_of], ids=["files", "zip"])
Pack = Callable[[dict[str, bytes]], list[tuple[str, BinaryIO]]]


def found(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """An upload is refused in one line and leaves nothing but the lock."""

    def call(files: list[tuple[str, BinaryIO]], name: str = "pets", **limits: int) -> str:
        with pytest.raises(DatasetError) as told:
            store_upload(name, files, data_path=tmp_path / "data", **limits)
        assert "\n" not in str(told.value)
        assert [path.name for path in tmp_path.rglob("*") if path.name not in ("data", "uploads", ".lock")] == []
        return str(told.value)

    return call


@BOTH
def test_an_upload_is_kept_by_class(pack: Pack, tmp_path: Path) -> None:
    folder = store_upload("my-pets_2", pack(SOUNDS), data_path=tmp_path)
    assert folder == tmp_path / "uploads" / "my-pets_2"
    assert found(folder) == SOUNDS
    assert sorted(path.name for path in (tmp_path / "uploads").iterdir()) == [".lock", "my-pets_2"]


@BOTH
@pytest.mark.parametrize("around", ["mydata/", "mydata/v2/"])
def test_a_folder_around_the_classes_is_taken_off(pack: Pack, around: str, tmp_path: Path) -> None:
    sounds = {around + name: data for name, data in SOUNDS.items()} | {"readme.txt": b"", "top/licence.pdf": b""}
    assert found(store_upload("pets", pack(sounds), data_path=tmp_path)) == SOUNDS


@BOTH
def test_what_is_not_audio_is_left_out(pack: Pack, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clutter = {"cats/notes.txt": b"x", "cats/._1.wav": b"x", ".trash/3.wav": b"x", "loose.csv": b"x", "cats/wav": b"x"}
    with caplog.at_level("INFO"):
        folder = store_upload("pets", pack(clutter | SOUNDS), data_path=tmp_path)
    assert found(folder) == SOUNDS
    assert "5 files are not audio" in caplog.text


def test_names_that_are_not_ascii_are_kept(tmp_path: Path) -> None:
    sounds = {"Käuze/ö.wav": b"1", "犬/一.wav": b"2"}
    assert found(store_upload("a", files_of(sounds), data_path=tmp_path)) == sounds
    assert found(store_upload("b", zip_of(sounds), data_path=tmp_path)) == sounds


def test_an_upload_can_be_read_as_a_dataset(sounds: Path, tmp_path: Path) -> None:
    files = [(path.relative_to(sounds).as_posix(), io.BytesIO(path.read_bytes())) for path in sounds.rglob("*.wav")]
    index = DATASETS["FOLDER"].index(store_upload("tiny", iter(files), data_path=tmp_path))
    index.validate()
    assert (index.classes, len(index.clips)) == (("chirp", "noise", "tone"), 120)


@BOTH
@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"readme.txt": b"", "cats/1.png": b""}, "(2 other files)"),
        ({"1.wav": b"", "2.wav": b""}, "in no class folder, such as '1.wav'"),
        ({"cats/1.wav": b"", "dogs/1.wav": b"", "3.wav": b""}, "in no class folder, such as '3.wav'"),
        ({"cats/1.wav": b"", "cats/2.wav": b""}, "one class only, 'cats'"),
        ({"mydata/cats/1.wav": b"", "mydata/2.wav": b""}, "one class only, 'mydata'"),
    ],
)
def test_what_is_not_laid_out_by_class_is_refused(
    pack: Pack, content: dict[str, bytes], why: str, refused: Callable[..., str]
) -> None:
    message = refused(pack(content))
    assert why in message
    assert "one folder a class" in message


def test_an_upload_of_nothing_is_refused(refused: Callable[..., str]) -> None:
    assert "no audio" in refused([])
    assert "holds no files" in refused(zip_of({}))


def test_a_single_file_that_is_no_zip_is_refused(refused: Callable[..., str]) -> None:
    assert "in no class folder" in refused([("sounds.wav", io.BytesIO(b"RIFF"))])
    assert "no audio" in refused([("sounds.zip", io.BytesIO(b""))])
    assert "damaged" in refused([("sounds.zip", io.BytesIO(b"PK\3\4 and no more"))])


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a b", "Käuze", "../evil", "a.wav", "x" * 61, "new\nline", "a\n"]
)
def test_a_name_that_is_not_safe_is_refused(name: str, refused: Callable[..., str]) -> None:
    assert "letters, digits" in refused(files_of(SOUNDS), name)


def test_an_upload_is_not_overwritten(tmp_path: Path) -> None:
    folder = store_upload("pets", files_of(SOUNDS), data_path=tmp_path)
    with pytest.raises(DatasetError, match="there already: choose another name"):
        store_upload("pets", files_of({"a/1.wav": b"", "b/1.wav": b""}), data_path=tmp_path)
    assert found(folder) == SOUNDS


@BOTH
@pytest.mark.parametrize("evil", ["../evil.wav", "cats/../../../evil.wav", "/tmp/evil.wav", "..\\evil.wav", "C:/1.wav"])
def test_a_file_that_leads_out_is_refused(pack: Pack, evil: str, refused: Callable[..., str]) -> None:
    assert repr(evil) in refused(pack(SOUNDS | {evil: b"x"}))


@BOTH
def test_a_file_where_a_folder_is_needed_is_refused(pack: Pack, refused: Callable[..., str]) -> None:
    assert "at once" in refused(pack({"cats.wav": b"x", "cats.wav/1.wav": b"x"}))


@BOTH
def test_too_much_is_refused(pack: Pack, refused: Callable[..., str]) -> None:
    many = {f"{'cats' if number % 2 else 'dogs'}/{number}.wav": bytes(1000) for number in range(20)}
    assert "more than 10 files" in refused(pack(many), most_files=10)
    assert "more than 10 kB" in refused(pack(many), most_bytes=10_000)
    assert "more than 10 files" in refused(pack({f"{number}.txt": b"" for number in range(20)}), most_files=10)


def test_a_bomb_is_refused(refused: Callable[..., str]) -> None:
    files = zip_of({"cats/1.wav": bytes(30_000_000), "dogs/1.wav": b""})
    assert files[0][1].seek(0, io.SEEK_END) < 1_000_000
    files[0][1].seek(0)
    assert "more than 1 MB" in refused(files, most_bytes=1_000_000)


def test_an_endless_file_is_refused(refused: Callable[..., str]) -> None:
    with Path("/dev/zero").open("rb") as endless:
        assert "more than 1 MB" in refused([("cats/1.wav", endless), *files_of(SOUNDS)], most_bytes=1_000_000)


def test_what_the_browser_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[str, BinaryIO]]:
        yield from files_of(SOUNDS)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store_upload("pets", broken(), data_path=tmp_path)
    assert [path.name for path in (tmp_path / "uploads").iterdir()] == [".lock"]


KILLED = """
import io, os, signal, sys
from pathlib import Path
from distrack.datasets.upload import store_upload

def files():
    yield "cats/1.wav", io.BytesIO(b"old")
    yield "dogs/1.wav", io.BytesIO(b"old")
    os.kill(os.getpid(), signal.SIGKILL)

store_upload("pets", files(), data_path=Path(sys.argv[1]))
"""


def test_a_killed_upload_shows_nothing_and_is_cleared_by_the_next(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], cwd=PROJECT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert sorted(path.name for path in (tmp_path / "uploads").iterdir()) == [".lock", ".partial"]
    assert found(store_upload("pets", files_of(SOUNDS), data_path=tmp_path)) == SOUNDS
    assert sorted(path.name for path in (tmp_path / "uploads").iterdir()) == [".lock", "pets"]


def test_a_full_disk_is_told(refused: Callable[..., str]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        message = refused(files_of({"cats/1.wav": bytes(200_000), "dogs/1.wav": b"x"}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "the disk is full at " in message


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "uploads").write_text("in the way")
    with pytest.raises(DatasetError, match=f"cannot write at {os.fspath(tmp_path)}"):
        store_upload("pets", files_of(SOUNDS), data_path=tmp_path)


def test_one_recording_is_kept_once_and_under_a_safe_name(tmp_path: Path) -> None:
    first = store_recording("../my note (2).WAV", b"sound", data_path=tmp_path)
    assert first == store_recording("../my note (2).WAV", b"sound", data_path=tmp_path)
    assert first.parent == tmp_path / "recordings"
    assert re.fullmatch(r"my-note-2--[0-9a-f]{12}\.wav", first.name)
    assert first.read_bytes() == b"sound"
    assert [path.name for path in first.parent.iterdir()] == [first.name]
    with pytest.raises(DatasetError, match="is not audio"):
        store_recording("x.exe", b"", data_path=tmp_path)
