"""URBANSOUND8K, ESC50 and ESC10: groups, folds, and ESC10 as a part of ESC50."""

from collections.abc import Callable
from pathlib import Path

from distrack.datasets import index
from tests.dataset_trees import ESC10, ESC50, URBAN, esc50_tree, urbansound8k_tree


def test_urbansound8k_keeps_a_sound_event_in_one_fold(tmp_path: Path) -> None:
    urbansound8k_tree(tmp_path)
    clips = index("URBANSOUND8K", tmp_path)
    assert clips.classes == URBAN
    assert clips.disjoint_by == "sound event"
    assert {clip.group for clip in clips.clips if clip.path.name.startswith("7061-6-3-")} == {"7061-6-3"}


def test_folds_that_do_not_keep_groups_together_are_disjoint_by_fold_alone(tmp_path: Path) -> None:
    esc50_tree(tmp_path)
    file = tmp_path / "meta/esc50.csv"
    file.write_text(file.read_text().replace(",100200,", ",100100,"))
    clips = index("ESC50", tmp_path)
    assert clips.disjoint_by == "official fold"
    assert {clip.group for clip in clips.clips} == {""}


def test_esc10_is_a_part_of_esc50(tmp_path: Path) -> None:
    esc50_tree(tmp_path)
    whole, part = index("ESC50", tmp_path), index("ESC10", tmp_path)
    assert len(whole.classes) == 50
    assert whole.classes[:2] == ("dog", "rooster")
    assert part.classes == tuple(ESC50[kind] for kind in sorted(ESC10))
    assert {clip.path for clip in part.clips} == {
        clip.path for clip in whole.clips if whole.classes[clip.label] in part.classes
    }
    assert part.unlisted == ()


def test_esc10_is_found_in_a_downloaded_esc50(tmp_path: Path, setting: Callable[[str, Path], None]) -> None:
    esc50_tree(tmp_path / "esc50/ESC-50-master")
    setting("DISTRACK_DATA_PATH", tmp_path)
    clips = index("ESC10")
    assert len({clip.path for clip in clips.clips}) == 5 * 10 + 5 * 2
    assert clips.notes == ("Subset: 60 of 400 clips",)
