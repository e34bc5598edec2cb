"""What every dataset is: an entry in the registry, and an index of its clips on disk."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from distrack.datasets.download import Remote
from distrack.errors import ConfigError, DatasetError
from distrack.registry import Registry

# Validation clips, where a dataset names some, are neither distilled nor tested on.
Split = Literal["train", "validation", "test"]
Progress = Callable[[int, int], None]


class Clip(NamedTuple):
    """One real recording.

    Attributes:
        path: its file.
        label: index of its class.
        split: the side it stands on.
        group: what must not stand on two sides (a speaker, an original recording), or "".
        fold: the official fold it belongs to, from 1 or as its authors count; None where there are none.
    """

    path: Path
    label: int
    split: Split
    group: str = ""
    fold: int | None = None


class Skipped(NamedTuple):
    """A file that could not be used, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Index:
    """The clips of a dataset on this disk, before any is decoded.

    Attributes:
        root: its folder.
        classes: their names; a clip's label is an index of this.
        clips: what can be decoded.
        disjoint_by: what no two sides of the split share.
        skipped: files that belong to the dataset but are missing or must not be read; they count as unusable.
        unlisted: audio files beside it that its own list does not name; they are left alone.
        notes: what whoever reads a result should know: that this is a subset, what was left out, how it was split.
    """

    root: Path
    classes: tuple[str, ...]
    clips: tuple[Clip, ...]
    disjoint_by: str
    skipped: tuple[Skipped, ...] = ()
    unlisted: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def has_folds(self) -> bool:
        """Whether its clips belong to official folds."""
        return any(clip.fold is not None for clip in self.clips)

    def with_test_fold(self, fold: int) -> "Index":
        """The same clips with one official fold as the test side and all others as the training side."""
        clips = tuple(clip._replace(split="test" if clip.fold == fold else "train") for clip in self.clips)
        return replace(self, clips=clips)

    def within(self, root: Path) -> "Index":
        """Without the clips that a symbolic link leads out of a folder: those are skipped, and named."""
        inside = _inside(root.resolve())
        kept = tuple(clip for clip in self.clips if inside(clip.path))
        if len(kept) == len(self.clips):
            return self
        left = tuple(
            Skipped(clip.path, "a symbolic link that leaves the dataset's folder")
            for clip in self.clips
            if not inside(clip.path)
        )
        return replace(self, clips=kept, skipped=self.skipped + left)

    def validate(self) -> None:
        """Refuses what cannot be distilled and evaluated.

        Raises:
            DatasetError: no clips, one class only, a class without training or test clips, a missing file, or a group
                that stands on both sides of the split.
        """
        if not self.clips:
            first = f": {self.skipped[0].path}: {self.skipped[0].reason}" if self.skipped else ""
            raise DatasetError(f"no audio found under {self.root}{first}")
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
            raise DatasetError(f"{self.disjoint_by} {leaking[0]} of {self.root} stands on two sides of the split")


def _inside(root: Path) -> Callable[[Path], bool]:
    """Whether a file is where it seems to be. A folder's links are followed once, not once a file."""
    folders: dict[Path, bool] = {}

    def inside(path: Path) -> bool:
        folder = path.parent
        if folder not in folders:
            folders[folder] = folder.resolve().is_relative_to(root)
        return folders[folder] and (not path.is_symlink() or path.resolve().is_relative_to(root))

    return inside


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
        seconds: the fixed length of its clips, unless asked otherwise: longer ones are cut, shorter ones filled.
        layout: where files are expected, for a person.
        index: from a folder to its clips; raises DatasetError where the layout is not there.
        stands_for: what it shows of sound, in a few words.
        clips: how many the whole dataset has; 0 where that depends on the user.
        size: bytes on disk, unpacked; 0 where that depends on the user.
        make: writes the dataset into a folder, for one that needs no download.
        downloads: the files that make it up, for one that can be downloaded without a form.
        form: where to ask for it or why it cannot be downloaded, for a person.
        folds: the numbers of its official folds.
        test_fold: the fold that is the test side unless another is asked for.
        folders: names below the data path where it may lie, where these are not its own name (see `places`).
        setting: the setting that names its folder, where it has one.
        labelled: whether it has classes to tell apart; pieces to be taken apart have none.
        pitch_is_class: a sound at another pitch is of another class: no training may shift it there.
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
    stands_for: str = ""
    clips: int = 0
    size: int = 0
    make: Callable[[Path, Progress | None], None] | None = None
    downloads: tuple[Remote, ...] = ()
    form: str = ""
    folds: tuple[int, ...] = ()
    test_fold: int | None = None
    folders: tuple[str, ...] = ()
    setting: str = ""
    labelled: bool = True
    pitch_is_class: bool = False

    def places(self, data_path: Path) -> list[Path]:
        """Where it may lie below the data path; the first is where it is put."""
        return [data_path / folder for folder in self.folders or (self.name.lower(),)]

    def how_to_get(self) -> str:
        """What a person does to have it, in one sentence."""
        if self.make is not None:
            return f"Run: python -m distrack prepare --dataset {self.name}"
        if self.downloads:
            return (
                f"Pass --data-path with the folder that holds it, or run: "
                f"python -m distrack prepare --dataset {self.name} --download"
            )
        return f"Pass --data-path with the folder that holds it ({self.form or self.url})"

    def check_fold(self, fold: int | None) -> None:
        """Refuses a test fold that the dataset does not have.

        Raises:
            ConfigError: it names the official ones.
        """
        if fold is not None and fold not in self.folds:
            known = f"choose one of {', '.join(map(str, self.folds))}" if self.folds else "it has no official folds"
            raise ConfigError(f"test fold {fold}: {self.name} has none of that number, {known}")

    def not_found(self, root: Path) -> DatasetError:
        """The error for a folder that does not hold this dataset."""
        return DatasetError(f"no audio found for {self.name} under {root}: expected {self.layout}. {self.how_to_get()}")


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
