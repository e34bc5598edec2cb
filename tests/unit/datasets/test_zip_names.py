"""Names in a zip of another country: they are read as they were written, or as a person says."""

import io
import zipfile
from pathlib import Path

import pytest

from distrack.datasets.upload import preview, store_upload
from distrack.datasets.zip_names import ENCODINGS, best_encoding

# Names of classes and files as people of these countries give them.
WRITTEN = {
    "cp932": ("\u6ce2/\u9332\u97f3 1.wav", "\u6ce2/\u9332\u97f3 2.wav", "\u30bd\u30ed/1.wav", "\u8868/1.wav"),
    "gbk": ("\u72d7\u53eb/1.wav", "\u72d7\u53eb/2.wav", "\u4e0b\u96e8/1.wav", "\u7535\u8bdd/1.wav"),
    "big5": ("\u72d7\u53eb/1.wav", "\u72d7\u53eb/2.wav", "\u4e0b\u96e8/1.wav", "\u96fb\u8a71/1.wav"),
    "cp949": ("\uac15\uc544\uc9c0/1.wav", "\uac15\uc544\uc9c0/2.wav", "\ucc9c\ub465/1.wav", "\ubc14\ub78c/1.wav"),
    "cp866": (
        "\u0414\u043e\u0436\u0434\u044c/1.wav",
        "\u0413\u0440\u043e\u043c/1.wav",
        "\u0432\u0435\u0442\u0435\u0440/1.wav",
    ),
    "cp1251": (
        "\u0414\u043e\u0436\u0434\u044c/1.wav",
        "\u0413\u0440\u043e\u043c/1.wav",
        "\u0432\u0435\u0442\u0435\u0440/1.wav",
    ),
    "cp437": ("\u00fcben/1.wav", "Fl\u00f6te/1.wav", "gro\u00df/1.wav"),
    "cp1252": ("\u00fcben/1.wav", "Fl\u00f6te/1.wav", "gro\u00df/1.wav"),
    "cp850": ("avi\u00e3o/1.wav", "p\u00e1ssaro/1.wav", "trov\u00e3o/1.wav"),
    "cp852": ("d\u017awi\u0119k/1.wav", "wr\u00f3bel/1.wav", "b\u0119ben/1.wav"),
    "utf-8": ("\u6ce2/1.wav", "Fl\u00f6te/1.wav", "\u0413\u0440\u043e\u043c/1.wav"),
}


def zipped(names: dict[bytes, bytes]) -> io.BytesIO:
    """A zip whose names are these bytes and not marked as Unicode."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, content in enumerate(names.values()):
            archive.writestr(f"{number:08}.wav", content)
    data = buffer.getvalue()
    for number, name in enumerate(names):
        placeholder = f"{number:08}.wav".encode()
        assert len(name) == len(placeholder), "names of a test are as long as their placeholders"
        data = data.replace(placeholder, name)
    return io.BytesIO(data)


def padded(name: str, encoding: str) -> bytes:
    """The name in this encoding, 12 bytes long."""
    stem = name.removesuffix(".wav").encode(encoding)
    return stem + b"_" * (8 - len(stem)) + b".wav"


@pytest.mark.parametrize("encoding", WRITTEN)
def test_names_are_read_as_they_were_written(encoding: str) -> None:
    raw = [name.encode(encoding) for name in WRITTEN[encoding]]
    found = best_encoding(raw)
    assert [name.decode(found) for name in raw] == list(WRITTEN[encoding])


def test_names_of_ascii_alone_read_the_same_in_all() -> None:
    assert best_encoding([b"dog/1.wav", b"owl/2.wav"]) == "utf-8"
    assert best_encoding([]) == "utf-8"


def test_a_zip_of_a_japanese_windows_is_shown_before_it_is_stored(tmp_path: Path) -> None:
    names = ("\u72ac/1.wav", "\u72ac/2.wav", "\u9ce5/1.wav")
    files = [("sounds.zip", zipped({padded(name, "cp932"): b"x" for name in names}))]
    found = preview(files)
    assert (found.classes, found.encoding, found.left_out) == ({"\u72ac": 2, "\u9ce5": 1}, "cp932", 0)
    stored = store_upload("birds", files, data_path=tmp_path)
    assert sorted(path.name for path in stored.iterdir()) == ["\u72ac", "\u9ce5"]


def test_what_a_person_says_of_the_encoding_counts(tmp_path: Path) -> None:
    files = [("sounds.zip", zipped({padded(f"\u72ac/{n}.wav", "cp932"): b"x" for n in "12"} | {b"other/1_.wav": b"x"}))]
    assert preview(files, encoding="cp1252").classes.keys() == {"\u0152\u00a2", "other"}
    stored = store_upload("birds", files, data_path=tmp_path, encoding="cp1252")
    assert sorted(path.name for path in stored.iterdir()) == ["other", "\u0152\u00a2"]


def test_classes_that_look_alike_and_files_that_are_left_out_are_told() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("Dog/1.wav", "dog/1.wav", "dog/2.m4a", "notes.txt", "dog/cover.jpg"):
            archive.writestr(name, b"x")
    buffer.seek(0)
    found = preview([("sounds.zip", buffer)])
    assert found.classes == {"Dog": 1, "dog": 2}
    assert found.left_out == 2
    assert found.encoding is None
    assert found.notes == ("The classes Dog and dog differ in upper and lower case alone",)


def test_every_encoding_has_a_name() -> None:
    for encoding, title in ENCODINGS.items():
        assert "a".encode(encoding) == b"a"
        assert title
