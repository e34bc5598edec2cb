"""Uploads: files in class folders are stored whole; anything else is refused with what to do and leaves nothing."""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import soundfile

from distrack.datasets.contract import DATASETS
from distrack.datasets.upload import store_recording, store_upload
from distrack.errors import DatasetError

SOUNDS = {"cats/1.wav": b"meow", "cats/2.FLAC": b"purr", "dogs/deep/1.mp3": b"woof"}


def encoded(kind: str) -> bytes:
    """A tenth of a second of noise as a file of this format."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.random.default_rng(0).uniform(-0.5, 0.5, 1600), 16_000, format=kind)
    return buffer.getvalue()


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
Content = Callable[[Path], dict[str, bytes]]
Pack = Callable[[dict[str, bytes]], list[tuple[str, BinaryIO]]]


@pytest.fixture
def refused(tmp_path: Path, refusal: Callable[[Callable[[], object]], str]) -> Callable[..., str]:
    """An upload is refused and leaves nothing but locks."""

    def call(files: list[tuple[str, BinaryIO]], name: str = "pets", **limits: Any) -> str:
        message = refusal(lambda: store_upload(name, files, data_path=tmp_path / "data", **limits))
        assert {path.name for path in tmp_path.rglob("*") if path.suffix != ".lock"} <= {"data", "uploads"}
        return message

    return call


def uploads_in(data_path: Path) -> list[str]:
    """The uploads, finished or not, without locks."""
    return sorted(path.name for path in (data_path / "uploads").iterdir() if path.suffix != ".lock")


@BOTH
def test_an_upload_is_stored_by_class(pack: Pack, tmp_path: Path, content: Content) -> None:
    folder = store_upload("my-pets_2", pack(SOUNDS), data_path=tmp_path)
    assert folder == tmp_path / "uploads" / "my-pets_2"
    assert content(folder) == SOUNDS
    assert uploads_in(tmp_path) == ["my-pets_2"]


@BOTH
@pytest.mark.parametrize("around", ["mydata/", "mydata/v2/"])
def test_a_folder_around_the_classes_is_removed(pack: Pack, around: str, tmp_path: Path, content: Content) -> None:
    sounds = {around + name: data for name, data in SOUNDS.items()} | {"readme.txt": b"", "top/licence.pdf": b""}
    assert content(store_upload("pets", pack(sounds), data_path=tmp_path)) == SOUNDS


@BOTH
def test_other_files_are_left_out(
    pack: Pack, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: Content
) -> None:
    clutter = {"cats/notes.txt": b"x", "cats/._1.wav": b"x", ".trash/3.wav": b"x", "loose.csv": b"x", "cats/wav": b"x"}
    with caplog.at_level("INFO"):
        folder = store_upload("pets", pack(clutter | SOUNDS), data_path=tmp_path)
    assert content(folder) == SOUNDS
    assert "5 files are not audio" in caplog.text


def test_names_that_are_not_ascii_stay(tmp_path: Path, content: Content) -> None:
    sounds = {"Käuze/ö.wav": b"1", "犬/一.wav": b"2"}
    assert content(store_upload("a", files_of(sounds), data_path=tmp_path)) == sounds
    assert content(store_upload("b", zip_of(sounds), data_path=tmp_path)) == sounds


def test_an_upload_can_be_read_as_a_dataset(sounds: Path, tmp_path: Path) -> None:
    files = [(path.relative_to(sounds).as_posix(), io.BytesIO(path.read_bytes())) for path in sounds.rglob("*.wav")]
    index = DATASETS["FOLDER"].index(store_upload("tiny", iter(files), data_path=tmp_path))
    index.validate()
    assert (index.classes, len(index.clips)) == (("chirp", "noise", "tone"), 120)


@BOTH
@pytest.mark.parametrize(
    ("uploaded", "why"),
    [
        ({"readme.txt": b"", "cats/1.png": b""}, "(2 other files)"),
        ({"1.wav": b"", "2.wav": b""}, "2 files are not in a class folder, such as '1.wav'"),
        ({"cats/1.wav": b"", "dogs/1.wav": b"", "3.wav": b""}, "1 files are not in a class folder, such as '3.wav'"),
        ({"cats/1.wav": b"", "cats/2.wav": b""}, "only one class, 'cats'"),
        ({"mydata/cats/1.wav": b"", "mydata/2.wav": b""}, "only one class, 'mydata'"),
    ],
)
def test_files_without_class_folders_are_refused(
    pack: Pack, uploaded: dict[str, bytes], why: str, refused: Callable[..., str]
) -> None:
    message = refused(pack(uploaded))
    assert why in message
    assert "one subfolder per class" in message


def test_an_upload_of_nothing_is_refused(refused: Callable[..., str]) -> None:
    assert "no audio" in refused([])
    assert "holds no files" in refused(zip_of({}))


def test_a_single_file_that_is_no_zip_is_refused(refused: Callable[..., str]) -> None:
    assert "not in a class folder" in refused([("sounds.wav", io.BytesIO(b"RIFF"))])
    assert "no audio" in refused([("sounds.zip", io.BytesIO(b""))])
    assert "damaged" in refused([("sounds.zip", io.BytesIO(b"PK\3\4 and no more"))])


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a b", "Käuze", "../evil", "a.wav", "x" * 61, "new\nline", "a\n"]
)
def test_a_name_that_is_not_safe_is_refused(name: str, refused: Callable[..., str]) -> None:
    assert "letters, digits" in refused(files_of(SOUNDS), name)


def test_an_upload_is_not_overwritten(tmp_path: Path, content: Content) -> None:
    folder = store_upload("pets", files_of(SOUNDS), data_path=tmp_path)
    with pytest.raises(DatasetError, match=r"a dataset named pets exists\. Choose another name"):
        store_upload("pets", files_of({"a/1.wav": b"", "b/1.wav": b""}), data_path=tmp_path)
    assert content(folder) == SOUNDS


@BOTH
@pytest.mark.parametrize("evil", ["../evil.wav", "cats/../../../evil.wav", "/tmp/evil.wav", "..\\evil.wav", "C:/1.wav"])
def test_a_file_that_leads_out_is_refused(pack: Pack, evil: str, refused: Callable[..., str]) -> None:
    # In a zip, both slashes separate folders.
    assert repr(evil.replace("\\", "/") if pack is zip_of else evil) in refused(pack(SOUNDS | {evil: b"x"}))


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
    files = zip_of({"cats/1.wav": bytes(3_000_000), "dogs/1.wav": b""})
    assert files[0][1].seek(0, io.SEEK_END) < 100_000
    files[0][1].seek(0)
    assert "more than 100 kB" in refused(files, most_bytes=100_000)


def test_an_endless_file_is_refused(refused: Callable[..., str]) -> None:
    with Path("/dev/zero").open("rb") as endless:
        assert "more than 1 MB" in refused([("cats/1.wav", endless), *files_of(SOUNDS)], most_bytes=1_000_000)


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[str, BinaryIO]]:
        yield from files_of(SOUNDS)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store_upload("pets", broken(), data_path=tmp_path)
    assert uploads_in(tmp_path) == []


def test_what_a_killed_upload_left_is_hidden_and_removed_by_the_next(tmp_path: Path, content: Content) -> None:
    left = tmp_path / "uploads" / ".birds.partial" / ".raw"
    left.mkdir(parents=True)
    (left / "1.wav").write_bytes(b"old")
    assert content(store_upload("pets", files_of(SOUNDS), data_path=tmp_path)) == SOUNDS
    assert uploads_in(tmp_path) == ["pets"]


def test_a_full_disk_is_reported(
    refused: Callable[..., str], full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    with full_disk():
        message = refused(files_of({"cats/1.wav": bytes(200_000), "dogs/1.wav": b"x"}))
    assert "the disk is full at " in message


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "uploads").write_text("in the way")
    with pytest.raises(DatasetError, match=f"cannot write in {tmp_path}"):
        store_upload("pets", files_of(SOUNDS), data_path=tmp_path)


def test_one_recording_is_stored_once_and_under_a_safe_name(tmp_path: Path) -> None:
    sound = encoded("WAV")
    first = store_recording("../my note (2).WAV", sound, data_path=tmp_path)
    assert first == store_recording("../my note (2).WAV", sound, data_path=tmp_path)
    assert first.parent == tmp_path / "recordings"
    assert re.fullmatch(r"my-note-2--[0-9a-f]{12}\.wav", first.name)
    assert first.read_bytes() == sound
    assert [path.name for path in first.parent.iterdir()] == [first.name]
    for name, content in (("x.exe", sound), ("text.wav", b"no sound"), ("empty.wav", b"")):
        with pytest.raises(DatasetError, match=f"^{name} is not an audio file we can read"):
            store_recording(name, content, data_path=tmp_path)
    assert [path.name for path in first.parent.iterdir()] == [first.name]


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_recordings_of_every_format_that_is_named_are_stored(tmp_path: Path, kind: str) -> None:
    assert store_recording(f"x.{kind.lower()}", encoded(kind), data_path=tmp_path).is_file()
