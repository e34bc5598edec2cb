"""AUDIO_MNIST and FSDD: their splits, and the folders that people name."""

from collections import defaultdict
from pathlib import Path

import pytest

from distrack.datasets import index
from distrack.errors import DatasetError
from tests.dataset_trees import audio_mnist_tree, fsdd_tree, tree_of


@pytest.mark.parametrize(("speakers", "test"), [(60, 12), (5, 1), (2, 1)])
def test_audio_mnist_tests_on_a_fifth_of_its_speakers(tmp_path: Path, speakers: int, test: int) -> None:
    audio_mnist_tree(tmp_path, speakers)
    by_split: dict[str, set[str]] = defaultdict(set)
    for clip in index("AUDIO_MNIST", tmp_path).clips:
        by_split[clip.split].add(clip.group)
    assert (len(by_split["train"]), len(by_split["test"])) == (speakers - test, test)


def test_audio_mnist_of_one_speaker_has_no_test_clip(tmp_path: Path) -> None:
    audio_mnist_tree(tmp_path, 1)
    with pytest.raises(DatasetError, match="no test clip"):
        index("AUDIO_MNIST", tmp_path)


def test_fsdd_tests_on_the_first_five_takes(tmp_path: Path) -> None:
    fsdd_tree(tmp_path)
    takes = {int(clip.path.stem.rsplit("_", 1)[1]) for clip in index("FSDD", tmp_path).clips if clip.split == "test"}
    assert takes == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("name", ["AUDIO_MNIST", "FSDD"])
def test_the_inner_folder_is_as_good_as_the_outer(name: str, tmp_path: Path) -> None:
    tree = tree_of(name, tmp_path / "tree")
    (inner,) = [path for path in tree.iterdir() if path.is_dir()]
    assert index(name, inner).clips == index(name, tree).clips
