"""Clips of the same sound: one of them is used, on one side of the split."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from distrack.audio import SAMPLE_RATE
from distrack.datasets import Prepared, index, prepare
from distrack.datasets.clips import Clip, Index, Split
from distrack.errors import DatasetError

CLASSES = ("dog", "owl")
SOUNDS = 10


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, SAMPLE_RATE // 10)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two classes of ten sounds each."""
    for side, name in enumerate(CLASSES):
        folder = tmp_path / "tree" / name
        folder.mkdir(parents=True)
        for number in range(SOUNDS):
            soundfile.write(folder / f"{number}.wav", noise(SOUNDS * side + number), SAMPLE_RATE)
    return tmp_path / "tree"


def prepared(tree: Path) -> Prepared:
    return prepare(index("FOLDER", tree), seconds=0.1, cache_path=tree.parent / "cache")


def as_flac(path: Path, to: Path) -> None:
    soundfile.write(to, soundfile.read(path, dtype="int16")[0], SAMPLE_RATE, format="FLAC")


COPIES: dict[str, Callable[[Path, Path], object]] = {
    "the-same-bytes": shutil.copy,
    "a-flac-of-it": as_flac,
    "a-link-to-it": lambda path, to: to.symlink_to(path),
    "with-more-behind-its-clip": lambda path, to: soundfile.write(
        to, np.concatenate([soundfile.read(path, dtype="int16")[0], np.ones(500, np.int16)]), SAMPLE_RATE, format="WAV"
    ),
}


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("times", [1, 4])
def test_each_sound_is_there_once_and_a_fifth_of_them_is_tested(tree: Path, kind: str, times: int) -> None:
    before = prepared(tree)
    for name in CLASSES:
        for number in range(SOUNDS):
            for time in range(times):
                COPIES[kind](tree / name / f"{number}.wav", tree / name / f"{number} copy {time}")
                (tree / name / f"{number} copy {time}").rename(tree / name / f"{number} copy {time}.wav")
    made = prepared(tree)
    sounds = [made.waveforms[row].tobytes() for row in made.rows]
    assert len(sounds) == len(set(sounds)) == 2 * SOUNDS
    for split in ("train", "test"):
        assert len(made.split_rows(split)) == len(before.split_rows(split))
    assert len(made.copies) == len(made.skipped) == 2 * SOUNDS * times
    assert all("the same sound as" in skip.reason for skip in made.copies)
    (note,) = made.notes
    assert f"{2 * SOUNDS * times} files left out, because the class has the same sound in another file" in note


def test_a_sound_in_two_classes_is_in_neither_and_both_are_named(tree: Path) -> None:
    shutil.copy(tree / "dog/3.wav", tree / "owl/calls.wav")
    made = prepared(tree)
    assert [(str(skip.path.relative_to(tree)), skip.reason) for skip in made.conflicts] == [
        ("dog/3.wav", "the same sound as owl/calls.wav of class owl"),
        ("owl/calls.wav", "the same sound as dog/3.wav of class dog"),
    ]
    assert len(made.rows) == 2 * SOUNDS - 1
    assert made.notes == (
        "2 files left out, because their sound is in several classes: "
        "3.wav is the same sound as owl/calls.wav of class owl",
    )


def test_a_published_split_keeps_its_test_clip(tree: Path) -> None:
    for name in CLASSES:
        shutil.copy(tree / name / "1.wav", tree / name / "copy.wav")
    splits: dict[str, Split] = {"1": "train", "copy": "test", "2": "validation", "3": "test"}
    clips = tuple(
        Clip(path, label, splits.get(path.stem, "train"))
        for label, name in enumerate(CLASSES)
        for path in sorted((tree / name).iterdir())
    )
    made = prepare(Index(tree, CLASSES, clips, "clip"), seconds=0.1, cache_path=tree.parent / "cache")
    used = {(clip.path.stem, clip.split) for row in made.rows for clip in [made.index.clips[row]]}
    assert ("copy", "test") in used
    assert "1" not in {stem for stem, _ in used}
    assert [skip.path.stem for skip in made.copies] == ["1", "1"]


def test_a_class_of_one_sound_is_refused_by_name(tree: Path) -> None:
    for number in range(1, SOUNDS):
        shutil.copy(tree / "owl/0.wav", tree / f"owl/{number}.wav")
    with pytest.raises(DatasetError, match=r"no usable test clip of class owl .*the same sound as owl/0\.wav"):
        prepared(tree)


def test_copies_are_no_reason_to_refuse_a_dataset(tree: Path) -> None:
    for number in range(SOUNDS):
        shutil.copy(tree / f"owl/{number}.wav", tree / f"owl/again {number}.wav")
    assert len(prepared(tree).rows) == 2 * SOUNDS


def test_without_copies_the_split_is_that_of_the_names(tree: Path) -> None:
    assert prepared(tree).index == index("FOLDER", tree)
    assert prepared(tree).notes == ()
