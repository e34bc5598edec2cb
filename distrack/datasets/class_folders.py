"""What the folders of a person's recordings are: classes, or the sides of a split with the classes below them."""

import os
import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from distrack.datasets.clips import Split
from distrack.errors import DatasetError

Layout = Literal["auto", "classes", "splits"]

_SIDES: dict[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "devel", "development"),
    "eval": ("eval", "evaluation"),
    "test": ("test", "testing"),
}
_SIDE = re.compile(rf"({'|'.join(name for names in _SIDES.values() for name in names)})[ _-]?(?:set|split|data)?", re.I)
_FOLD = re.compile(r"(?:fold|split)[ _-]?(\d{1,3})", re.I)


class DoubtfulLayoutError(DatasetError):
    """Folders could be classes or sides of a split; a person must say which."""


class Side(NamedTuple):
    """A side of a split, or a fold, that a folder's name tells."""

    name: str
    fold: int | None = None


class ClassFolders(NamedTuple):
    """The files of each class, and where the folders tell it, the split of each file and how they tell it.

    Attributes:
        split: empty where the folders are classes and nothing else, or hold training clips only.
        folds: empty where the folders are no folds.
    """

    by_class: dict[str, list[Path]]
    split: dict[Path, Split]
    folds: dict[Path, int]
    note: str = ""


def side_of(name: str) -> Side | None:
    """The side of a split that a folder is named after, or None.

    >>> side_of("Test_set")
    Side(name='test', fold=None)
    >>> side_of("fold 3").fold
    3
    >>> side_of("trains") is None
    True
    """
    if match := _FOLD.fullmatch(name):
        return Side("fold", int(match[1]))
    match = _SIDE.fullmatch(name)
    return Side(next(side for side, names in _SIDES.items() if match[1].lower() in names)) if match else None


def class_folders(root: Path, files: Mapping[str, Collection[Path]], layout: Layout) -> ClassFolders:
    """Finds out what the folders are.

    Folders are sides of a split where all of them are named like sides and hold the same classes, or where each class
    has such folders below it. They are classes where at most one is named like a side and has no folders below it,
    such as the class of the sounds of trains, `train`.

    Args:
        files: recordings by the folder at the top that holds them.
        layout: what a person says; "auto" is to find out.

    Raises:
        DoubtfulLayoutError: the folders could be either.
        DatasetError: they are no sides although a person says so, or no side is for training.
    """
    sides = {top: side for top in files if (side := side_of(top))}
    # The folder below the one at the top; None for a recording that lies in that one itself.
    inner = {top: {path: _first_folder(path, root / top) for path in paths} for top, paths in files.items()}
    below = {top: {name for name in names.values() if name} for top, names in inner.items()}
    loose = {top for top, names in inner.items() if None in names.values()}
    within = {top: {side_of(name) for name in names} for top, names in below.items()}
    nested = bool(files) and not loose and all(None not in found for found in within.values())
    if layout == "classes":
        return ClassFolders({top: list(paths) for top, paths in files.items()}, {}, {})
    if nested and not sides and len(set().union(*within.values())) > 1:
        return _sides(
            {path: (top, side) for top in files for path, name in inner[top].items() if (side := side_of(name or ""))}
        )
    if not sides or (layout == "auto" and len(sides) == 1 < len(files) and not below[next(iter(sides))]):
        if layout == "splits":
            raise DatasetError(f"no folder in {root} is named like a side of a split (train, test, fold1 ...)")
        return class_folders(root, files, "classes")
    common = len(sides) == 1 or any(below[one] & below[other] for one in sides for other in sides if one != other)
    if layout == "auto" and (len(sides) < len(files) or loose or not common):
        named = ", ".join(sorted(sides)[:5])
        why = "beside other folders" if len(sides) < len(files) else "without the same class folders in each"
        raise DoubtfulLayoutError(
            f"folders in {root} are named like the sides of a split ({named}), {why}: they could be sides or classes",
            remedy="pass --layout classes to use every folder as a class, or --layout splits to use them as sides",
        )
    if loose & set(sides):
        raise DatasetError(f"recordings in {root / sorted(loose & set(sides))[0]} are in no class folder")
    return _sides({path: (name, side) for top, side in sides.items() for path, name in inner[top].items() if name})


def _first_folder(path: Path, folder: Path) -> str | None:
    first, separator, _ = str(path)[len(str(folder)) + 1 :].partition(os.sep)
    return first if separator else None


def _sides(placed: Mapping[Path, tuple[str, Side]]) -> ClassFolders:
    by_class = defaultdict[str, list[Path]](list)
    for path, (name, _) in placed.items():
        by_class[name].append(path)
    classes = {name: by_class[name] for name in sorted(by_class)}
    names = {side.name for _, side in placed.values()}
    if "fold" in names:
        if names != {"fold"}:
            raise DatasetError("some folders are named like folds, others like sides of a split. Choose one of both")
        folds = {path: side.fold for path, (_, side) in placed.items() if side.fold is not None}
        numbers = sorted(set(folds.values()))
        if len(numbers) < 2:
            return ClassFolders(classes, {}, {}, f"Only fold {numbers[0]} is there")
        note = f"Split by the folders of folds {', '.join(map(str, numbers))}"
        return ClassFolders(classes, {}, folds, note)
    if "train" not in names:
        raise DatasetError(f"folders for {', '.join(sorted(names))}, but none for training")
    roles: dict[str, Split] = {"train": "train", "test": "test", "eval": "test", "validation": "validation"}
    if names == {"train"}:
        return ClassFolders(classes, {}, {}, "Only a folder for training is there")
    if {"test", "eval"} <= names:
        roles["eval"] = "validation"
    if not {"test", "eval"} & names:
        roles["validation"] = "test"
    split = {path: roles[side.name] for path, (_, side) in placed.items()}
    used = ", ".join(sorted(names))
    others = "".join(f"; {side} is the {roles[side]} split" for side in sorted(names) if roles[side] != side)
    return ClassFolders(classes, split, {}, f"Split by folders: {used}{others}")
