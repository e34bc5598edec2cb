"""Clips and the index of a dataset: which files are on this disk, their classes, and the split they belong to."""

import os
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from distrack.errors import DatasetError

# Validation clips, which some datasets have, are used neither for distillation nor for tests.
Split = Literal["train", "validation", "test"]


class Clip(NamedTuple):
    """One real recording.

    Attributes:
        group: a speaker or an original recording, which must not be in two splits; "" where none is known.
        fold: its official fold, numbered as its authors do; None where the dataset has none.
    """

    path: Path
    label: int
    split: Split
    group: str = ""
    fold: int | None = None


class NotThereError(Exception):
    """A folder does not have the layout of a dataset."""


class Skipped(NamedTuple):
    """A file that cannot be used, and the reason."""

    path: Path
    reason: str


def disjoint_text(by: str) -> str:
    """The sentence that two sides of a split have nothing of one kind, such as a speaker, in common."""
    return f"No {by} appears in both training and test."


@dataclass(frozen=True)
class Index:
    """The clips of a dataset on this disk, before any is decoded.

    Attributes:
        classes: names of the classes; the label of a clip is a position here.
        disjoint_by: what no two splits have in common, such as a speaker.
        skipped: files that belong to the dataset but must not be read; they count as unusable.
        missing: files that the dataset's list names and that are not there.
        unlisted: audio files that the dataset's own list does not name; they are ignored.
        notes: sentences for readers of a result: that this is a subset, what was left out, how it was split.
        random: whether the split is a random fifth of each class, drawn here because nothing better is known.
        packed: whether the clips lie decoded in the root, and not as the files that their paths name.
    """

    root: Path
    classes: tuple[str, ...]
    clips: tuple[Clip, ...]
    disjoint_by: str
    skipped: tuple[Skipped, ...] = ()
    missing: tuple[Skipped, ...] = ()
    unlisted: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    random: bool = False
    packed: bool = False

    @property
    def folds(self) -> tuple[int, ...]:
        """Numbers of the folds that the clips belong to."""
        return tuple(sorted({clip.fold for clip in self.clips if clip.fold is not None}))

    @property
    def test_fold(self) -> int | None:
        """Number of the fold that is tested on; None without folds."""
        return next((clip.fold for clip in self.clips if clip.split == "test"), None)

    def with_test_fold(self, fold: int) -> "Index":
        """The same clips, those of one official fold for tests and all others for training."""
        clips = tuple(clip._replace(split="test" if clip.fold == fold else "train") for clip in self.clips)
        return replace(self, clips=clips)

    def within(self, root: Path) -> "Index":
        """The same index, where clips that a symbolic link leads out of a folder are skipped."""
        home = root.resolve()
        inner: dict[str, bool] = {}  # by folder: the links of a folder are followed once, not once for each file

        def inside(path: Path) -> bool:
            folder = str(path).rpartition(os.sep)[0]
            if folder not in inner:
                inner[folder] = path.parent.resolve().is_relative_to(home)
            return inner[folder] and (not path.is_symlink() or path.resolve().is_relative_to(home))

        clips, links = list[Clip](), list[Skipped]()
        for clip in self.clips:
            if inside(clip.path):
                clips.append(clip)
            else:
                links.append(Skipped(clip.path, "a symbolic link out of the dataset's folder"))
        return replace(self, clips=tuple(clips), skipped=(*self.skipped, *links))

    def require_files(self) -> None:
        """Refuses an index whose recordings are not on this disk.

        Raises:
            DatasetError: the clips are decoded ones from elsewhere.
        """
        if self.packed:
            raise DatasetError(
                f"{self.root} holds decoded clips from elsewhere, which can be distilled: this needs the recordings"
            )

    def validate(self) -> None:
        """Refuses an index that cannot be distilled and evaluated.

        Raises:
            DatasetError: there are no clips or one class only, a class has no training or no test clip, a file is
                missing, or a group is in two splits.
        """
        if not self.clips:
            first = f" ({self.skipped[0].path}: {self.skipped[0].reason})" if self.skipped else ""
            raise DatasetError(f"no audio in {self.root}{first}")
        if len(self.classes) < 2:
            raise DatasetError(f"only one class ({self.classes[0]}) in {self.root}. Distillation needs at least two")
        for split in ("train", "test"):
            counts = Counter(clip.label for clip in self.clips if clip.split == split)
            missing = [name for label, name in enumerate(self.classes) if not counts[label]]
            if missing:
                raise DatasetError(
                    f"no {split} clip of {', '.join(missing[:5])} in {self.root}. "
                    f"Every class needs at least one training clip and one test clip"
                )
        absent = [] if self.packed else [clip.path for clip in self.clips if not clip.path.is_file()]
        if absent:
            raise DatasetError(f"{len(absent)} files of the index are missing, the first is {absent[0]}")
        splits: dict[str, set[str]] = defaultdict(set)
        for clip in self.clips:
            if clip.group:
                splits[clip.group].add(clip.split)
        leaking = sorted(group for group in splits if len(splits[group]) > 1)
        if leaking:
            raise DatasetError(f"{self.disjoint_by} {leaking[0]} in {self.root} is in two splits")
