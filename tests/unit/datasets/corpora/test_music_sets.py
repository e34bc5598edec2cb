"""TINYSOL, MEDLEY_SOLOS_DB, GTZAN and MUSICNET: labels, official splits, and the folders that copies use."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from distrack.datasets import index, look, prepare
from distrack.datasets.corpora.gtzan import GENRES
from distrack.errors import ConfigError, DatasetError
from tests.dataset_trees import (
    MEDLEY,
    NOTES,
    gtzan_tree,
    medley_solos_db_tree,
    musicnet_tree,
    tinysol_tree,
    write,
)


def test_tinysol_has_two_kinds_of_classes_for_the_same_notes(tmp_path: Path) -> None:
    tinysol_tree(tmp_path)
    pitch, instrument = index("TINYSOL", tmp_path), index("TINYSOL_INSTRUMENTS", tmp_path)
    assert pitch.classes == NOTES
    assert instrument.classes == ("Cello", "Trumpet in C")
    assert [clip.path for clip in pitch.clips] == [clip.path for clip in instrument.clips]
    for clip in pitch.clips:
        assert f"-{pitch.classes[clip.label]}" in clip.path.name.rstrip("0123456789")


def test_tinysol_instruments_are_found_where_tinysol_is(tmp_path: Path, setting: Callable[[str, Path], None]) -> None:
    tinysol_tree(tmp_path / "tinysol")
    setting("DISTRACK_DATA_PATH", tmp_path)
    assert len(index("TINYSOL_INSTRUMENTS").clips) == 120


def test_too_few_notes_for_the_official_folds_are_split_otherwise_with_a_note(tmp_path: Path) -> None:
    tinysol_tree(tmp_path)
    file = tmp_path / "annotation/TinySOL_metadata.csv"
    # All notes of fold 0: every pitch class once per instrument, but C only once in all.
    lines = file.read_text().splitlines()
    first = [line for line in lines if line.split(",")[1] == "0"]
    file.write_text("\n".join([lines[0], *(line for line in first if not ("-C4-" in line and "Vc" in line))]) + "\n")
    clips = index("TINYSOL", tmp_path)
    assert not clips.folds
    assert clips.classes == NOTES[1:]
    assert Counter(clip.split for clip in clips.clips) == {"train": 11, "test": 11}
    assert any("a fifth of each class is the test split" in note for note in clips.notes)
    assert "Classes left out because they have only one note: C" in clips.notes
    with pytest.raises(ConfigError, match="is not split by folds"):
        index("TINYSOL", tmp_path, test_fold=0)


def test_medley_solos_db_has_the_split_of_its_authors(tmp_path: Path) -> None:
    medley_solos_db_tree(tmp_path)
    clips = index("MEDLEY_SOLOS_DB", tmp_path)
    assert clips.classes == MEDLEY
    subset = {"train": "_training-", "validation": "_validation-", "test": "_test-"}
    assert all(subset[clip.split] in clip.path.name for clip in clips.clips)
    assert Counter(clip.split for clip in clips.clips) == {"train": 24, "validation": 24, "test": 24}


def test_medley_solos_db_with_a_track_in_two_splits_is_refused(tmp_path: Path) -> None:
    medley_solos_db_tree(tmp_path)
    file = tmp_path / "annotation/Medley-solos-DB_metadata.csv"
    file.write_text(file.read_text().replace("training,clarinet,0,100", "training,clarinet,0,000"))
    with pytest.raises(DatasetError, match=r"track 000 in .* is in two splits"):
        index("MEDLEY_SOLOS_DB", tmp_path)


def test_an_archive_that_makes_a_folder_for_its_audio_is_found(tmp_path: Path) -> None:
    for name, tree in (("MEDLEY_SOLOS_DB", medley_solos_db_tree), ("TINYSOL", tinysol_tree)):
        root = tmp_path / name
        tree(root)
        (root / "audio").rename(root / "moved")
        (root / "audio").mkdir()
        (root / "moved").rename(root / "audio" / "an archive's own")
        assert index(name, root).skipped == ()


def test_gtzan_has_the_artist_filtered_split(tmp_path: Path) -> None:
    gtzan_tree(tmp_path)
    clips = index("GTZAN", tmp_path)
    assert clips.classes == GENRES
    assert clips.disjoint_by == "artist"
    assert Counter(clip.split for clip in clips.clips) == {"train": 30, "validation": 10, "test": 20}
    assert [path.name for path in clips.unlisted] == ["jazz.00033.wav"]


@pytest.mark.parametrize("below", ["genres_original", "Data/genres_original", "."])
def test_gtzan_is_found_in_the_folders_of_its_copies(below: str, tmp_path: Path) -> None:
    gtzan_tree(tmp_path / "first")
    (tmp_path / "copy" / below).parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(tmp_path / "first/genres", tmp_path / "copy" / below, dirs_exist_ok=True)
    clips = index("GTZAN", tmp_path / "copy")
    assert (len(clips.clips), clips.disjoint_by) == (60, "artist")


def test_gtzan_with_other_names_is_split_by_clip_with_a_note(tmp_path: Path) -> None:
    write(tmp_path, *(f"{genre}/song {n}.wav" for genre in ("jazz", "rock") for n in range(10)))
    clips = index("GTZAN", tmp_path)
    assert clips.classes == ("jazz", "rock")
    assert clips.disjoint_by == "clip"
    assert any("not by artist" in note for note in clips.notes)
    assert Counter((clip.label, clip.split) for clip in clips.clips) == {
        (label, split): count for label in (0, 1) for split, count in (("train", 8), ("test", 2))
    }


def test_gtzan_with_its_known_bad_file_is_prepared_without_it(tmp_path: Path) -> None:
    gtzan_tree(tmp_path / "tree")
    bad = tmp_path / "tree/genres/jazz/jazz.00054.wav"
    bad.write_bytes(b"\x00" * 4_096)
    prepared = prepare(index("GTZAN", tmp_path / "tree"), seconds=0.1, cache_path=tmp_path / "cache")
    assert [skip.path for skip in prepared.skipped] == [bad]
    assert len(prepared.rows) == len(prepared.index.clips) - 1


def test_musicnet_has_pieces_and_no_classes(tmp_path: Path) -> None:
    musicnet_tree(tmp_path)
    pieces = look("MUSICNET", tmp_path)
    assert (pieces.classes, len(pieces.clips), {clip.split for clip in pieces.clips}) == (("piece",), 6, {"train"})
    assert len(look("MUSICNET", tmp_path / "train_data").clips) == 4
    with pytest.raises(DatasetError, match=r"MUSICNET has no classes\. It can be decomposed"):
        index("MUSICNET", tmp_path)


def test_musicnet_is_read_from_the_audio_path(tmp_path: Path, setting: Callable[[str, Path], None]) -> None:
    musicnet_tree(tmp_path)
    setting("AUDIO_PATH", tmp_path / "train_data")
    assert len(look("MusicNet").clips) == 4
