"""FOLDER: which files are clips, and how they are split."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from distrack.datasets import index
from distrack.errors import DatasetError
from tests.dataset_trees import write


def test_audio_files_at_any_depth_are_clips_and_hidden_ones_are_not(tmp_path: Path) -> None:
    sounds = ["a/1.wav", "a/2.flac", "a/deep/3.ogg", "b/4.mp3", "b/5.wav"]
    write(tmp_path, *sounds, "a/._1.wav", ".trash/6.wav")
    (tmp_path / "b/5.wav").rename(tmp_path / "b/5.WAV")
    (tmp_path / "a/cover.jpg").write_text("an image")
    clips = index("FOLDER", tmp_path)
    assert clips.classes == ("a", "b")
    assert sorted(str(clip.path.relative_to(tmp_path)) for clip in clips.clips) == sorted([*sounds[:4], "b/5.WAV"])


def test_a_fifth_of_every_class_is_the_test_split(tmp_path: Path) -> None:
    write(
        tmp_path, *(f"many/{n}.wav" for n in range(40)), *(f"few/{n}.wav" for n in range(5)), "two/1.wav", "two/2.wav"
    )
    clips = index("FOLDER", tmp_path)
    test = Counter(clips.classes[clip.label] for clip in clips.clips if clip.split == "test")
    assert test == {"many": 8, "few": 1, "two": 1}


def test_a_group_in_the_file_names_is_in_one_split(tmp_path: Path) -> None:
    write(tmp_path, *(f"{c}/speaker{who:02}_take{take}.wav" for c in "abc" for who in range(10) for take in range(3)))
    clips = index("FOLDER", tmp_path)
    groups: dict[str, set[str]] = defaultdict(set)
    for clip in clips.clips:
        groups[clip.split].add(clip.group)
    assert not groups["train"] & groups["test"]
    assert (len(groups["train"]), len(groups["test"])) == (8, 2)
    assert clips.disjoint_by == "group in the file name"


def test_files_without_a_group_are_split_by_clip(tmp_path: Path) -> None:
    write(tmp_path, *(f"{c}/speaker{n:02}.wav" for c in "ab" for n in range(5)), "a/unknown.wav")
    clips = index("FOLDER", tmp_path)
    assert clips.disjoint_by == "clip"
    assert {clip.group for clip in clips.clips} == {""}


def test_classes_of_one_group_are_split_by_clip(tmp_path: Path) -> None:
    write(tmp_path, *(f"{c}/player_{c}_{n}.wav" for c in "abc" for n in range(5)))
    clips = index("FOLDER", tmp_path)
    assert clips.disjoint_by == "clip"
    assert Counter(clip.label for clip in clips.clips if clip.split == "test") == {0: 1, 1: 1, 2: 1}


def test_a_single_class_is_refused_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, "only/1.wav", "only/2.wav")
    with pytest.raises(DatasetError, match=r"only one class \(only\)"):
        index("FOLDER", tmp_path)


def test_a_class_of_one_clip_is_refused_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, "many/1.wav", "many/2.wav", "lonely/1.wav")
    with pytest.raises(DatasetError, match="no test clip of lonely"):
        index("FOLDER", tmp_path)
