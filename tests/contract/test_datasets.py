"""Every registered dataset keeps the contract, shown on a small tree in its official layout."""

import os
import random
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from distrack.datasets import DATASETS, Index, index, look, prepare
from distrack.errors import ConfigError, DatasetError
from tests.dataset_trees import TREES, sound, tree_of

AUDIO = {".wav", ".flac", ".ogg", ".au"}

every_dataset = pytest.mark.parametrize("name", list(DATASETS))
every_labelled = pytest.mark.parametrize("name", [name for name in DATASETS if DATASETS[name].labelled])
every_folded = pytest.mark.parametrize("name", [name for name in DATASETS if DATASETS[name].folds])


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The small tree of a dataset, made once and only read."""
    root = tmp_path_factory.mktemp("trees")
    return lambda name: root / name if (root / name).is_dir() else tree_of(name, root / name)


def by_path(index: Index) -> dict[str, tuple[int, str, str]]:
    """Label, split and group of every clip, by its path in the dataset."""
    return {str(c.path.relative_to(index.root)): (c.label, c.split, c.group) for c in index.clips}


@every_dataset
def test_it_is_described(name: str) -> None:
    dataset = DATASETS[name]
    assert dataset.name == name == name.upper()
    for text in (dataset.title, dataset.task, dataset.stands_for, dataset.licence, dataset.url, dataset.layout):
        assert text.strip()
        assert "\n" not in text
    if name != "FOLDER":
        assert dataset.url.startswith("https://")
        assert re.match(r"@\w+\{\w+, ", dataset.citation)
        assert dataset.citation.count("{") == dataset.citation.count("}")
        assert dataset.clips > 0
        assert dataset.size > 0
    assert dataset.seconds > 0
    assert (dataset.test_fold in dataset.folds) == bool(dataset.folds)


@every_dataset
def test_there_is_a_way_to_get_it(name: str) -> None:
    """It is generated, downloaded or requested; a download is checked wherever a checksum is published."""
    dataset = DATASETS[name]
    assert name == "FOLDER" or dataset.make or dataset.downloads or dataset.form
    assert "--data" in dataset.how_to_get()
    for remote in dataset.downloads:
        assert remote.url.startswith("https://")
        assert remote.checksum is None or re.fullmatch(r"md5:[0-9a-f]{32}", remote.checksum)
        assert remote.checksum or name in {"FSDD", "AUDIO_MNIST"}
        assert remote.unpacked is None or remote.unpacked > dataset.size


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("AudioMNIST", "AUDIO_MNIST"),
        ("UrbanSound8K", "URBANSOUND8K"),
        ("MedleySolos", "MEDLEY_SOLOS_DB"),
        ("medley-solos-db", "MEDLEY_SOLOS_DB"),
        ("gtzan", "GTZAN"),
        ("ESC-10", "ESC10"),
    ],
)
def test_a_dataset_has_the_names_that_people_use(spelling: str, name: str) -> None:
    assert DATASETS[spelling].name == name


@every_labelled
def test_its_official_layout_is_indexed_and_valid(name: str, tree: Callable[[str], Path]) -> None:
    clips = index(name, tree(name))
    on_disk = {path for path in tree(name).rglob("*") if path.suffix in AUDIO}
    assert {clip.path for clip in clips.clips} | set(clips.unlisted) == on_disk
    assert len(clips.unlisted) == (1 if name == "GTZAN" else 0)
    assert clips.skipped == ()
    assert {(clip.label, clip.split) for clip in clips.clips} >= {
        (label, split) for label in range(len(clips.classes)) for split in ("train", "test")
    }
    assert clips.disjoint_by


@every_labelled
def test_no_group_is_in_two_splits(name: str, tree: Callable[[str], Path]) -> None:
    clips = index(name, tree(name))
    groups: dict[str, set[str]] = defaultdict(set)
    for clip in clips.clips:
        groups[clip.split].add(clip.group)
    if groups == {split: {""} for split in groups}:
        # GTZAN's split is disjoint by artist, though neither its files nor its lists name them.
        assert clips.disjoint_by == {"GTZAN": "artist", "FOLDER": "clip"}.get(name, "note")
    else:
        assert all(clip.group for clip in clips.clips), "some clips have a group and some have none"
        assert not groups["train"] & groups["test"]


@every_folded
def test_every_official_fold_can_be_the_test_split(name: str, tree: Callable[[str], Path]) -> None:
    dataset = DATASETS[name]
    turns = {fold: index(name, tree(name), test_fold=fold) for fold in dataset.folds}
    everything = {clip.path for clip in turns[dataset.folds[0]].clips}
    tested: list[Path] = []
    for fold, clips in turns.items():
        test = [clip.path for clip in clips.clips if clip.split == "test"]
        assert test
        assert {clip.path for clip in clips.clips} == everything
        # A clip stays in the fold that its authors put it in.
        assert {clip.fold for clip in clips.clips if clip.split == "test"} == {fold}
        assert {clip.split for clip in clips.clips if clip.fold != fold} == {"train"}
        tested += test
    assert len(tested) == len(everything) == len(set(tested))
    assert index(name, tree(name)) == look(name, tree(name)) == turns[dataset.test_fold or 0]


@every_labelled
def test_an_unknown_fold_is_refused_by_number(name: str, tree: Callable[[str], Path]) -> None:
    own = r"^test fold 99 cannot be used\. .* is not split by folds"
    official = rf"^{name} has no test fold 99\. (It has no official|Choose one of \d)"
    with pytest.raises(ConfigError, match=own if DATASETS[name].own_layout else official):
        index(name, tree(name), test_fold=99)


@every_labelled
def test_the_split_depends_on_the_names_of_the_files_alone(
    name: str, tree: Callable[[str], Path], tmp_path: Path
) -> None:
    first = index(name, tree(name))
    assert index(name, tree(name)) == first
    # The same files made in another order in another place: a disk may list them in another order.
    files = [path.relative_to(tree(name)) for path in tree(name).rglob("*") if path.is_file()]
    random.Random(1).shuffle(files)
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        os.link(tree(name) / file, tmp_path / file)
    moved = index(name, tmp_path)
    assert by_path(moved) == by_path(first)
    assert [clip.path.name for clip in moved.clips] == [clip.path.name for clip in first.clips]


@every_labelled
def test_it_can_be_prepared(name: str, tree: Callable[[str], Path], tmp_path: Path) -> None:
    clips = index(name, tree(name))
    prepared = prepare(clips, seconds=0.1, cache_path=tmp_path / "cache")
    assert prepared.waveforms.shape == (len(clips.clips), 1_600)
    assert prepared.skipped == ()


@every_dataset
@pytest.mark.parametrize("there", ["no folder", "an empty folder", "other files"])
def test_without_its_files_the_error_says_what_to_do(name: str, there: str, tmp_path: Path) -> None:
    root = tmp_path / "place"
    if there != "no folder":
        root.mkdir()
    if there == "other files":
        (root / "thesis.pdf").write_text("not a dataset")
        (root / "song.wav").write_bytes(sound())
    with pytest.raises(DatasetError, match=r"--data-path|prepare --dataset") as refused:
        look(name, root)
    assert str(root) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", [name for name in DATASETS if name not in {"FOLDER", "SPOKEN_DIGITS"}])
def test_it_is_found_in_the_folder_that_its_archive_makes(
    name: str, tree: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / ".hidden").mkdir()
    TREES[name](tmp_path / "Some-Archive-master")
    inside, direct = look(name, tmp_path), look(name, tree(name))
    assert inside.root == tmp_path
    clips = [(clip.path.relative_to(tmp_path / "Some-Archive-master"), clip[1:]) for clip in inside.clips]
    assert clips == [(clip.path.relative_to(direct.root), clip[1:]) for clip in direct.clips]
