"""FOLDER: which files are clips, and how they are split."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from distrack.datasets import DoubtfulLayoutError, Index, folds, index, left_out, look
from distrack.errors import ConfigError, DatasetError
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


def spread(clips: Index) -> Counter[tuple[str, str]]:
    """Number of clips by class and split."""
    return Counter((clips.classes[clip.label], clip.split) for clip in clips.clips)


BOTH = ("dog", "owl")
SPLITS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "train-and-test": (("train", "test"), {"train": "train", "test": "test"}),
    "upper-case": (("Training", "TEST"), {"Training": "train", "TEST": "test"}),
    "with-validation": (("train", "valid", "test"), {"train": "train", "valid": "validation", "test": "test"}),
    "evaluation-for-tests": (("train", "eval"), {"train": "train", "eval": "test"}),
    "evaluation-beside-tests": (("train", "eval", "test"), {"train": "train", "eval": "validation", "test": "test"}),
    "development-for-tests": (("train_set", "dev"), {"train_set": "train", "dev": "test"}),
}


@pytest.mark.parametrize("name", SPLITS)
@pytest.mark.parametrize("outer", ["splits", "classes"])
def test_folders_named_like_sides_of_a_split_are_one(name: str, outer: str, tmp_path: Path) -> None:
    folders, roles = SPLITS[name]
    places = [(f"{f}/{c}" if outer == "splits" else f"{c}/{f}") for f in folders for c in BOTH]
    write(tmp_path, *(f"{place}/{n}.wav" for place in places for n in range(3)))
    clips = index("FOLDER", tmp_path)
    assert clips.classes == BOTH
    for clip in clips.clips:
        (folder,) = set(clip.path.relative_to(tmp_path).parts) & set(folders)
        assert clip.split == roles[folder]
    assert clips.notes[0].startswith("Split by folders: ")
    assert not clips.random


@pytest.mark.parametrize("spelling", ["fold{}", "fold_{}", "Fold {}", "fold-{:02}"])
def test_folders_of_folds_are_folds(spelling: str, tmp_path: Path) -> None:
    write(tmp_path, *(f"{spelling.format(n)}/{c}/{k}.wav" for n in range(1, 11) for c in BOTH for k in range(2)))
    clips = index("FOLDER", tmp_path)
    assert (clips.classes, clips.folds, clips.test_fold) == (BOTH, tuple(range(1, 11)), 10)
    assert index("FOLDER", tmp_path, test_fold=4).test_fold == 4
    assert folds("FOLDER", tmp_path) == tuple(range(1, 11))
    with pytest.raises(ConfigError, match=r"no clip of test fold 11 .* Choose one of 1, 2, 3"):
        index("FOLDER", tmp_path, test_fold=11)


def test_a_folder_for_training_alone_is_split_at_random(tmp_path: Path) -> None:
    write(tmp_path, *(f"train/{c}/{n}.wav" for c in BOTH for n in range(10)))
    clips = index("FOLDER", tmp_path)
    assert spread(clips) == {(c, s): n for c in BOTH for s, n in (("train", 8), ("test", 2))}
    assert clips.random
    assert clips.notes == ("Only a folder for training is there",)


def test_a_class_may_be_named_train(tmp_path: Path) -> None:
    write(tmp_path, *(f"{c}/{n}.wav" for c in ("car", "plane", "train") for n in range(5)))
    assert index("FOLDER", tmp_path).classes == ("car", "plane", "train")


DOUBTFUL = {
    "without-classes": ("train/1.wav", "train/2.wav", "test/1.wav", "test/2.wav"),
    "folds-without-classes": tuple(f"fold{n}/{k}.wav" for n in range(3) for k in range(3)),
    "beside-other-folders": tuple(f"{f}/{c}/{n}.wav" for f in ("train", "test", "owl") for c in BOTH for n in "12"),
    "with-other-classes-in-each": tuple(f"{f}/{n}.wav" for f in ("train/steam", "test/brake") for n in "123"),
    "with-loose-files": ("train/dog/1.wav", "train/owl/1.wav", "test/dog/2.wav", "test/owl/2.wav", "test/3.wav"),
    "a-class-named-train-with-folders": tuple(f"{f}/{n}.wav" for f in ("car/a", "train/a", "train/b") for n in "12"),
}


@pytest.mark.parametrize("name", DOUBTFUL)
def test_folders_that_could_be_either_are_not_guessed(name: str, tmp_path: Path) -> None:
    write(tmp_path, *DOUBTFUL[name])
    with pytest.raises(DoubtfulLayoutError, match=r"pass --layout classes .* or --layout splits") as refused:
        index("FOLDER", tmp_path)
    assert str(tmp_path) in refused.value.problem
    tops = sorted({file.split("/")[0] for file in DOUBTFUL[name]})
    assert look("FOLDER", tmp_path, layout="classes").classes == tuple(tops)


def test_what_a_person_says_of_the_folders_counts(tmp_path: Path) -> None:
    write(tmp_path, *(f"{f}/{c}/{n}.wav" for f in ("train", "test") for c in BOTH for n in range(5)))
    assert index("FOLDER", tmp_path, layout="splits").classes == BOTH
    assert index("FOLDER", tmp_path, layout="classes").classes == ("test", "train")
    with pytest.raises(DatasetError, match=r"no folder in .* is named like a side"):
        index("FOLDER", tmp_path / "train", layout="splits")
    with pytest.raises(ConfigError, match="FSDD has a layout of its own: remove --layout splits"):
        index("FSDD", tmp_path, layout="splits")


def test_a_class_whose_files_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    write(tmp_path, *(f"dog/{n}.wav" for n in range(5)), *(f"owl/{n}.wav" for n in range(5)))
    for path in (tmp_path / "owl").iterdir():
        path.rename(path.with_suffix(".m4a"))
    with pytest.raises(DatasetError, match=r"class owl has no file that can be read: 5 files are \.m4a"):
        index("FOLDER", tmp_path)


def test_a_file_in_a_format_that_is_not_read_is_skipped_by_name(tmp_path: Path) -> None:
    write(tmp_path, *(f"{c}/{n}.wav" for c in BOTH for n in range(5)))
    (tmp_path / "owl/4.wav").rename(tmp_path / "owl/4.wma")
    (skip,) = index("FOLDER", tmp_path).skipped
    assert (skip.path.name, skip.reason) == ("4.wma", "WMA is not read: convert it to FLAC")


def test_classes_whose_names_look_alike_are_named(tmp_path: Path) -> None:
    composed, decomposed = "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"
    write(tmp_path, *(f"{c}/{n}.wav" for c in ("Dog", "dog", composed, decomposed) for n in range(5)))
    stored = "differ in how their letters are stored alone (composed or decomposed)"
    assert index("FOLDER", tmp_path).notes == (
        "The classes Dog and dog differ in upper and lower case alone",
        f"The classes {decomposed} and {composed} {stored}",
    )


@pytest.mark.parametrize("linked", [False, True])
def test_every_file_that_is_not_used_is_counted_by_its_reason(linked: bool, tmp_path: Path) -> None:
    root = tmp_path / "tree"
    write(root, *(f"{c}/{n}.wav" for c in BOTH for n in range(5)), "loose.wav", "dog/._1.wav")
    (root / "notes.txt").write_text("recorded in May")
    if linked:
        (tmp_path / "link").symlink_to(root, target_is_directory=True)
        root = tmp_path / "link"
    found = {reason: [path.name for path in paths] for reason, paths in left_out(index("FOLDER", root)).items()}
    assert found == {"hidden": ["._1.wav"], "sound that belongs to no class": ["loose.wav"], "no sound": ["notes.txt"]}
