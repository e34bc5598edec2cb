"""Copies: clips of one dataset that have the same samples. One of them is used, on one side of the split.

A clip that is trained on and tested on makes accuracies too good, and hides copies of clips among tracks: real clips of
the two sides are then as near to each other as a copy is to its clip.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distrack.audio import Wave
from distrack.datasets.clips import Clip, Index, Skipped
from distrack.datasets.splits import fifth_of_each

DIGEST_SIZE = 16
# Which of several copies is used: a published test clip stays one.
_FIRST = {"test": 0, "validation": 1, "train": 2}


class Distinct(NamedTuple):
    """A dataset without copies.

    Attributes:
        split: the index as before, or with another random split of the clips that are left.
        rows: clips that are used, ``[n]``.
        copies: clips that are left out because another clip of the class has the same sound.
        conflicts: clips that are left out because their sound is in several classes.
    """

    split: Index
    rows: NDArray[np.int64]
    copies: tuple[Skipped, ...]
    conflicts: tuple[Skipped, ...]


def digest_of(wave: Wave) -> NDArray[np.uint8]:
    """A digest of the samples of a clip, ``[16]``: equal for the same sound in a WAV and in a FLAC."""
    content = np.ascontiguousarray(wave).tobytes()
    return np.frombuffer(hashlib.blake2b(content, digest_size=DIGEST_SIZE).digest(), np.uint8)


def distinct(index: Index, rows: Iterable[int], digests: NDArray[np.uint8]) -> Distinct:
    """Leaves out all copies but one; where the same sound is in several classes, all of them.

    Of copies on several sides of a published split, the test clip is used. A random split is drawn anew without the
    copies, so that its test side has a fifth of the sounds.

    Args:
        rows: clips of the index that can be used.
        digests: of all clips of the index.

    Shape:
        - digests: ``[clips, 16]``
    """
    alike = defaultdict[bytes, list[int]](list)
    for row in rows:
        alike[digests[row].tobytes()].append(row)
    kept, copies, conflicts = list[int](), list[Skipped](), list[Skipped]()
    for group in alike.values():
        first, *others = sorted(group, key=lambda row: (_FIRST[index.clips[row].split], row))
        of_class = {index.clips[row].label: row for row in reversed((first, *others))}
        if len(of_class) == 1:
            kept.append(first)
            copies += [Skipped(index.clips[row].path, f"the same sound as {_name(index, first)}") for row in others]
        else:
            for row in group:
                other = next(each for label, each in of_class.items() if label != index.clips[row].label)
                conflicts.append(Skipped(index.clips[row].path, f"the same sound as {_name(index, other)}"))
    if copies or conflicts:
        index = _split_anew(index, kept)
    return Distinct(index, np.array(sorted(kept), np.int64), tuple(copies), tuple(conflicts))


def _name(index: Index, row: int) -> str:
    clip = index.clips[row]
    inside = clip.path.relative_to(index.root) if clip.path.is_relative_to(index.root) else clip.path.name
    return f"{inside} of class {index.classes[clip.label]}"


def _split_anew(index: Index, kept: list[int]) -> Index:
    if not index.random:
        return index
    by_class = {
        name: [index.clips[row].path for row in kept if index.clips[row].label == label]
        for label, name in enumerate(index.classes)
    }
    test = fifth_of_each(by_class)

    def split(clip: Clip) -> Clip:
        return clip._replace(split="test" if clip.path in test else "train")

    return replace(index, clips=tuple(map(split, index.clips)))
