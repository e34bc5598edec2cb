"""Test splits of datasets that have no official one: fixed choices that depend on names alone."""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from distrack.datasets.clips import Clip

TEST_FRACTION = 0.2


def held_out(groups: Iterable[str]) -> frozenset[str]:
    """A fifth of the groups, such as speakers, for the test split: at least one, never all.

    The choice does not depend on the order in which a disk lists them.

    >>> len(held_out(f"{speaker:02}" for speaker in range(60)))
    12
    """
    names = sorted(set(groups))
    return frozenset(random.Random(0).sample(names, _test_count(names)))


def fifth_of_each(by_class: Mapping[str, Sequence[Path]]) -> set[Path]:
    """Test files of each class, a fifth of them; the choice depends on the names of the class and its files.

    A class of one file has none for tests, which the validation of the index then reports.
    """
    return {path for name, files in by_class.items() for path in random.Random(name).sample(files, _test_count(files))}


def clips_by_class(
    by_class: Mapping[str, Sequence[Path]], *, test: Collection[Path], groups: Mapping[Path, str] | None = None
) -> tuple[Clip, ...]:
    """The clips of files by class: those in `test` are tested, all others are for training."""
    return tuple(
        Clip(path, label, "test" if path in test else "train", (groups or {}).get(path, ""))
        for label, files in enumerate(by_class.values())
        for path in files
    )


def _test_count(names: Sequence[object]) -> int:
    return max(0, min(max(1, round(TEST_FRACTION * len(names))), len(names) - 1))
