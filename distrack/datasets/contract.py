"""What every dataset is: an entry in the registry, and an index of its clips on disk."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from distrack.errors import DatasetError
from distrack.registry import Registry

Split = Literal["train", "test"]
Progress = Callable[[int, int], None]


class Clip(NamedTuple):
    """One real recording.

    Attributes:
        path: its file.
        label: index of its class.
        split: the side it stands on.
        group: what must not stand on both sides (a speaker, an original recording), or "".
    """

    path: Path
    label: int
    split: Split
    group: str = ""


@dataclass(frozen=True)
class Index:
    """The clips of a dataset on this disk, before any is decoded."""

    root: Path
    classes: tuple[str, ...]
    clips: tuple[Clip, ...]
    disjoint_by: str

    def validate(self) -> None:
        """Refuses what cannot be distilled and evaluated.

        Raises:
            DatasetError: no clips, one class only, a class without training or test clips, a missing file, or a group
                that stands on both sides of the split.
        """
        if not self.clips:
            raise DatasetError(f"no audio found under {self.root}")
        if len(self.classes) < 2:
            raise DatasetError(
                f"only one class ({self.classes[0]}) under {self.root}: distillation needs at least two to tell apart"
            )
        for split in ("train", "test"):
            counts = Counter(clip.label for clip in self.clips if clip.split == split)
            missing = [name for label, name in enumerate(self.classes) if not counts[label]]
            if missing:
                raise DatasetError(
                    f"no {split} clip of {', '.join(missing[:5])} under {self.root}: "
                    f"every class needs at least one clip to learn from and one to test on"
                )
        absent = [clip.path for clip in self.clips if not clip.path.is_file()]
        if absent:
            raise DatasetError(f"{len(absent)} files of the index are missing, the first is {absent[0]}")
        sides: dict[str, set[str]] = defaultdict(set)
        for clip in self.clips:
            if clip.group:
                sides[clip.group].add(clip.split)
        leaking = sorted(group for group, splits in sides.items() if len(splits) > 1)
        if leaking:
            raise DatasetError(f"{self.disjoint_by} {leaking[0]} of {self.root} stands in both training and test")


@dataclass(frozen=True)
class Dataset:
    """A dataset that DisTrack knows.

    Attributes:
        name: as typed, upper case.
        title: as written by its authors.
        task: what is told apart.
        licence: of the recordings.
        citation: BibTeX or a sentence.
        url: its home page.
        seconds: the fixed length of its clips, unless asked otherwise.
        layout: where files are expected, for a person.
        index: from a folder to its clips; raises DatasetError where the layout is not there.
        make: writes the dataset into a folder, for one that needs no download.
    """

    name: str
    title: str
    task: str
    licence: str
    citation: str
    url: str
    seconds: float
    layout: str
    index: Callable[[Path], Index]
    make: Callable[[Path, Progress | None], None] | None = None

    def not_found(self, root: Path) -> DatasetError:
        """The error for a folder that does not hold this dataset."""
        where = f"no audio found for {self.name} under {root}: expected {self.layout}. "
        if self.make is not None:
            return DatasetError(f"{where}Run: python -m distrack prepare --dataset {self.name}")
        return DatasetError(f"{where}Pass --data-path with the folder that holds it ({self.url})")


DATASETS: Registry[Dataset] = Registry("dataset")


def register(dataset: Dataset, *, aliases: tuple[str, ...] = ()) -> Dataset:
    """Adds a dataset to the registry under its own name."""
    return DATASETS.add(dataset.name, dataset, aliases=aliases)


def held_out(groups: Iterable[str], *, fraction: float, seed: int = 0) -> frozenset[str]:
    """A fixed choice of groups for the test side: at least one, never all.

    Depends on the names alone, not on the order in which a disk lists them.

    >>> len(held_out([f"{n:02}" for n in range(60)], fraction=0.2))
    12
    """
    names = sorted(set(groups))
    count = min(max(1, round(fraction * len(names))), len(names) - 1)
    return frozenset(random.Random(seed).sample(names, max(count, 0)))


def nearest_folder(root: Path, below: Sequence[str]) -> Path:
    """`root` or, where it has one, its first subfolder of these names: people point at either."""
    return next((root / name for name in below if (root / name).is_dir()), root)
