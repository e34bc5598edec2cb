"""Test splits of datasets that have no official one: fixed choices that depend on names alone."""

import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

TEST_FRACTION = 0.2


def held_out(groups: Iterable[str], *, fraction: float = TEST_FRACTION, seed: int = 0) -> frozenset[str]:
    """Groups for the test split, such as speakers: at least one, never all.

    The choice does not depend on the order in which a disk lists them.

    >>> len(held_out(f"{speaker:02}" for speaker in range(60)))
    12
    """
    names = sorted(set(groups))
    count = min(max(1, round(fraction * len(names))), len(names) - 1)
    return frozenset(random.Random(seed).sample(names, max(count, 0)))


def fifth_of_each(by_class: Mapping[str, Sequence[Path]]) -> set[Path]:
    """Test files of each class, a fifth of them; the choice depends on the names of the class and its files.

    A class of one file has none for tests, which the validation of the index then reports.
    """
    test: set[Path] = set()
    for name, files in by_class.items():
        count = min(max(1, round(TEST_FRACTION * len(files))), len(files) - 1)
        test.update(random.Random(name).sample(files, count))
    return test
