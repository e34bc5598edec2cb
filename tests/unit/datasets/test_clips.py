"""The validation of an index refuses leaks and missing files."""

from pathlib import Path

import pytest

from distrack.datasets import Clip, Index
from distrack.errors import DatasetError
from tests.dataset_trees import write


def test_an_index_with_a_leak_or_a_missing_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, *(f"{n}.wav" for n in range(4)))
    files = [tmp_path / f"{n}.wav" for n in range(4)]

    def of(groups: str, paths: list[Path]) -> Index:
        clips = (Clip(paths[n], n // 2, "test" if n % 2 else "train", groups[n]) for n in range(4))
        return Index(tmp_path, ("a", "b"), tuple(clips), disjoint_by="speaker")

    of("wxyz", files).validate()
    with pytest.raises(DatasetError, match=r"speaker x in .* is in two splits"):
        of("xwyx", files).validate()
    with pytest.raises(DatasetError, match=r"1 files of the index are missing, the first is .*absent\.wav"):
        of("wxyz", [*files[:3], tmp_path / "absent.wav"]).validate()
