"""Datasets with a list: it is compared with the files on disk, and refused by line and column where it is wrong."""

import csv
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from distrack.datasets import IncompleteError, Layout, folds, index, look, prepare
from distrack.errors import ConfigError, DatasetError
from tests.dataset_trees import TREES, esc50_tree, tinysol_tree, urbansound8k_tree, write

LISTS = {
    "URBANSOUND8K": "metadata/UrbanSound8K.csv",
    "MEDLEY_SOLOS_DB": "annotation/Medley-solos-DB_metadata.csv",
    "TINYSOL": "annotation/TinySOL_metadata.csv",
    "ESC50": "meta/esc50.csv",
    "ESC10": "meta/esc50.csv",
}
every_listed = pytest.mark.parametrize("name", LISTS)


@pytest.fixture
def listed(tmp_path: Path) -> Callable[[str], Path]:
    """Makes the tree of a dataset and returns the path of its list."""

    def make(name: str) -> Path:
        TREES["ESC50" if name == "ESC10" else name](tmp_path)
        return tmp_path / LISTS[name]

    return make


@pytest.fixture
def urban(tmp_path: Path) -> Path:
    """UrbanSound8K with 200 clips in ten folds."""
    urbansound8k_tree(tmp_path / "urban")
    return tmp_path / "urban"


@every_listed
def test_missing_and_unlisted_files_are_named(name: str, listed: Callable[[str], Path], tmp_path: Path) -> None:
    file = listed(name)
    before = look(name, tmp_path)
    missing, extra = before.clips[3].path, before.clips[0].path.with_name("another take.wav")
    missing.rename(extra)
    after = look(name, tmp_path)
    assert after.skipped == ((missing, f"missing, but listed in {file.name}"),)
    assert after.unlisted == (extra,)
    assert after.clips == tuple(clip for clip in before.clips if clip.path != missing)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "It is empty"),
        (b"\n", "It is empty"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "not a text file in UTF-8"),
        (b"RIFF\x00\x00", "has no column"),
        (b"x" * 200_000, "cannot be read as a csv"),
        ("Größe,Datei\n1,a.wav\n".encode("latin-1"), "not a text file in UTF-8"),
    ],
)
def test_a_file_that_is_not_a_list_is_refused(text: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / LISTS["TINYSOL"]
    file.parent.mkdir()
    file.write_bytes(text)
    with pytest.raises(DatasetError, match=reason) as refused:
        look("TINYSOL", tmp_path)
    assert str(file) in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@every_listed
def test_a_list_without_a_column_or_lines_or_the_end_of_a_line_is_refused(
    name: str, listed: Callable[[str], Path], tmp_path: Path
) -> None:
    file = listed(name)
    lines = file.read_text().splitlines()
    column = {"URBANSOUND8K": "fold", "MEDLEY_SOLOS_DB": "uuid4", "TINYSOL": "Fold"}.get(name, "src_file")
    damages = {
        rf"has no column {column}\. Its first line should be": [lines[0].replace(column, "x"), *lines[1:]],
        "lists no clips": lines[:1],
        r"line 3 of .* ends before its column \w+\. The file is cut off": [*lines[:2], lines[2].split(",")[0]],
    }
    for reason, damaged in damages.items():
        file.write_text("\n".join(damaged) + "\n")
        with pytest.raises(DatasetError, match=reason) as refused:
            look(name, tmp_path)
        assert str(file) in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1


@every_listed
def test_a_list_saved_by_a_spreadsheet_is_the_same(name: str, listed: Callable[[str], Path], tmp_path: Path) -> None:
    """With the mark of UTF-8, Windows' line ends, empty lines, another order of columns and every line twice."""
    file = listed(name)
    before = look(name, tmp_path)
    with file.open(newline="") as lines:
        rows = [list(reversed(row)) for row in csv.reader(lines)]
    with file.open("w", newline="", encoding="utf-8-sig") as lines:
        csv.writer(lines).writerows([*rows, [], *rows[1:]])
    assert look(name, tmp_path) == before


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (",10,9,street_music", ",11,9,street_music", "has '11' as fold, expected one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10"),
        (",10,9,street_music", ",ten,9,street_music", "has 'ten' as fold, expected one of 1"),
        (",9,street_music", ",9.5,street_music", "has '9.5' as classID, expected a whole number"),
        (",9,street_music", ",9,", "has no class"),
    ],
)
def test_a_wrong_value_is_refused_by_line_and_column(old: str, new: str, reason: str, urban: Path) -> None:
    file = urban / LISTS["URBANSOUND8K"]
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(DatasetError, match=rf"^line 2 of .*UrbanSound8K\.csv {reason}"):
        look("URBANSOUND8K", urban)


def test_a_file_listed_with_two_classes_is_refused(tmp_path: Path) -> None:
    esc50_tree(tmp_path)
    with (tmp_path / "meta/esc50.csv").open("a") as file:
        file.write("1-100100-A-0.wav,1,1,rooster,True,100100,A\n")
    with pytest.raises(DatasetError, match=r"esc50\.csv lists 1-100100-A-0\.wav twice with different values"):
        look("ESC50", tmp_path)


@pytest.mark.parametrize("name", ["../outside.wav", "/etc/passwd", "Brass/../../../outside.wav"])
def test_a_listed_name_that_leaves_the_folder_is_skipped(name: str, tmp_path: Path) -> None:
    tinysol_tree(tmp_path / "tree")
    write(tmp_path, "outside.wav")
    file = tmp_path / "tree/annotation/TinySOL_metadata.csv"
    first = file.read_text().splitlines()[1].split(",", 1)[1]
    with file.open("a") as lines:
        lines.write(f"{name},{first}\n")
    clips = index("TINYSOL", tmp_path / "tree")
    reason = "listed in TinySOL_metadata.csv outside of the dataset's folder"
    assert clips.skipped == ((clips.root / "audio" / name, reason),)
    assert len(clips.clips) == 120


def leads_nowhere(path: Path) -> None:
    path.symlink_to(path.parent / "gone.wav")


def leads_to_itself(path: Path) -> None:
    path.symlink_to(path)


def leads_out(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def text(path: Path) -> None:
    path.write_text("not audio")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (leads_nowhere, "missing"),
        (leads_to_itself, "missing"),
        (leads_out, "a symbolic link out of the dataset's folder"),
        (text, "cannot be read"),
    ],
)
def test_a_listed_file_that_cannot_be_used_is_skipped_by_name(
    make: Callable[[Path], None], reason: str, urban: Path
) -> None:
    bad = urban / "audio/fold3/100030-0-3-0.wav"
    bad.unlink()
    make(bad)
    prepared = prepare(index("URBANSOUND8K", urban), seconds=0.05, cache_path=urban / "cache")
    ((path, why),) = prepared.skipped
    assert path == bad
    assert why.startswith(reason)
    assert len(prepared.rows) == 199


def test_too_many_missing_files_are_refused_with_the_count(urban: Path) -> None:
    for path in sorted((urban / "audio/fold3").iterdir())[:11]:
        path.unlink()
    with pytest.raises(
        IncompleteError, match=r"^11 of 200 clips .* are missing .* 189 are there of folds .*: pass --subset"
    ):
        index("URBANSOUND8K", urban)


def test_a_subset_says_what_it_is_and_which_folds_are_there(urban: Path) -> None:
    for fold in (1, 2, 4, 5, 6, 8, 9, 10):
        shutil.rmtree(urban / f"audio/fold{fold}")
    clips = index("URBANSOUND8K", urban, subset=True)
    assert (len(clips.clips), clips.folds, clips.test_fold) == (40, (3, 7), 7)
    assert clips.notes[0] == "Subset: 40 of the 200 clips that its list names of folds 3, 7"
    assert (clips.skipped, clips.missing) == ((), ())
    assert index("URBANSOUND8K", urban, subset=True, test_fold=3).test_fold == 3
    with pytest.raises(ConfigError, match=r"no clip of test fold 10 in .* Choose one of 3, 7"):
        index("URBANSOUND8K", urban, subset=True, test_fold=10)
    assert folds("URBANSOUND8K", urban, subset=True) == (3, 7)
    assert prepare(clips, seconds=0.05, cache_path=urban / "cache").notes[0] == clips.notes[0]


def test_a_subset_that_lacks_nothing_is_the_dataset(urban: Path) -> None:
    assert index("URBANSOUND8K", urban, subset=True) == index("URBANSOUND8K", urban)


@pytest.mark.parametrize("below", ["audio", "audio/fold3"])
def test_audio_behind_a_link_out_of_the_folder_is_refused(below: str, urban: Path) -> None:
    elsewhere = urban.parent / "elsewhere"
    (urban / below).rename(elsewhere)
    (urban / below).symlink_to(elsewhere, target_is_directory=True)
    with pytest.raises(DatasetError, match="symbolic link out of the dataset's folder"):
        prepare(index("URBANSOUND8K", urban), seconds=0.05, cache_path=urban / "cache")
    # Other files there, which may be the whole disk, are not looked through.
    (elsewhere / "deep").mkdir()
    (elsewhere / "deep/other.wav").touch()
    assert look("URBANSOUND8K", urban).unlisted == ()


def test_links_to_other_folders_are_not_followed(urban: Path) -> None:
    (urban / "audio/all").symlink_to("/", target_is_directory=True)
    (urban / "audio/fold3/again").symlink_to(urban / "audio", target_is_directory=True)
    leads_to_itself(urban / "audio/fold3/._loop")
    clips = index("URBANSOUND8K", urban)
    assert (len(clips.clips), clips.skipped, clips.unlisted) == (200, (), ())


@pytest.mark.parametrize(("name", "layout"), [("URBANSOUND8K", "auto"), ("FOLDER", "classes")])
def test_an_index_lists_and_resolves_each_folder_once_and_reads_no_audio(
    name: str, layout: Layout, urban: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Datasets have tens of thousands of files, so an index must not do more than look at each name once."""
    calls: dict[str, int] = {"scandir": 0, "realpath": 0}

    def counted(module: object, function: str) -> None:
        original = getattr(module, function)

        def call(*arguments: object, **options: object) -> object:
            calls[function] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(module, function, call)

    for path in (urban / "audio").rglob("*.wav"):
        path.write_bytes(b"")
    counted(os, "scandir")
    counted(os.path, "realpath")
    root = urban if name == "URBANSOUND8K" else urban / "audio"
    assert len(index(name, root, layout=layout).clips) == 200
    assert calls["scandir"] < 40
    assert calls["realpath"] < 40
