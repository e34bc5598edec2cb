"""FOLDER: any folder with one subfolder a class."""

import random
import re
from collections import defaultdict
from pathlib import Path

from distrack.audio import EXTENSIONS
from distrack.datasets.contract import Clip, Dataset, Index, Skipped, register
from distrack.datasets.layout import usable
from distrack.errors import DatasetError

_TEST_FRACTION = 0.2
# What a file name says of its origin: `speaker-03_take1`, `spk12.wav`, `group=a_3`.
_GROUP = re.compile(r"(?:^|[_\-. ])(?:speaker|spk|group|singer|artist|player|session)[_\-= ]?([A-Za-z0-9]+)", re.I)


def index_folder(root: Path) -> Index:
    """Stratified split: a fifth of each class is the test side, by whole groups where every file name says one
    and every class has several.

    A name says its group with a word such as ``speaker``, ``singer`` or ``group`` before it: ``speaker03_take1.wav``.
    """
    if not root.is_dir():
        raise DatasetError(f"no such folder: {root}. Pass --data-path with a folder that has one subfolder a class")
    by_class: dict[str, list[Path]] = {}
    skipped: list[Skipped] = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if _leaves(folder, root):
            raise DatasetError(
                f"the class {folder.name} is a symbolic link that leaves {root}: copy that folder there, "
                f"or pass --data-path with the folder that really holds the classes"
            )
        paths = sorted(path for path in folder.rglob("*") if not path.name.startswith("."))
        files, broken = usable(path for path in paths if path.suffix.lower() in EXTENSIONS)
        links = [path for path in paths if path.is_symlink() and path.is_dir() and _leaves(path, root)]
        skipped += [*broken, *(Skipped(link, "a symbolic link that leaves the dataset's folder") for link in links)]
        if files:
            by_class[folder.name] = files
    if not by_class and not skipped:
        raise FOLDER.not_found(root)
    groups = {path: _group(path) for files in by_class.values() for path in files}
    test = _test_groups(by_class, groups) if all(groups.values()) else set()
    # A class of one group only (an instrument with one player) cannot be tested by whole groups.
    grouped = all(not test.isdisjoint(files) for files in by_class.values())
    if not grouped:
        test = a_fifth_of_each(by_class)
    clips = tuple(
        Clip(path, label, "test" if path in test else "train", groups[path] if grouped else "")
        for label, files in enumerate(by_class.values())
        for path in files
    )
    disjoint_by = "group in the file name" if grouped else "clip"
    return Index(root, tuple(by_class), clips, disjoint_by, skipped=tuple(skipped))


def _leaves(path: Path, root: Path) -> bool:
    return path.is_symlink() and not path.resolve().is_relative_to(root.resolve())


def _group(path: Path) -> str:
    match = _GROUP.search(path.stem)
    return match[1].lower() if match else ""


def a_fifth_of_each(by_class: dict[str, list[Path]]) -> set[Path]:
    """The test files where nothing says which: a fixed choice that depends on the names of class and files alone."""
    test: set[Path] = set()
    for name, files in by_class.items():
        # A class of one clip keeps it for training; the index then says that there is nothing to test on.
        count = min(max(1, round(_TEST_FRACTION * len(files))), len(files) - 1)
        test.update(random.Random(name).sample(files, count))
    return test


def _test_groups(by_class: dict[str, list[Path]], groups: dict[Path, str]) -> set[Path]:
    """Whole groups, added until every class has a fifth of its clips on the test side, leaving every class some."""
    members: dict[str, list[Path]] = defaultdict(list)
    for path, group in groups.items():
        members[group].append(path)
    class_of = {path: name for name, files in by_class.items() for path in files}
    order = sorted(members)
    random.Random(0).shuffle(order)
    test: set[Path] = set()
    held = dict.fromkeys(by_class, 0)
    for group in order:
        gain = {name: sum(class_of[path] == name for path in members[group]) for name in by_class}
        lacking = any(n and held[name] < _TEST_FRACTION * len(by_class[name]) for name, n in gain.items())
        leaves_some = all(held[name] + n < len(by_class[name]) for name, n in gain.items() if n)
        if lacking and leaves_some:
            test.update(members[group])
            for name, n in gain.items():
                held[name] += n
    return test


FOLDER = register(
    Dataset(
        name="FOLDER",
        title="A folder of your own",
        task="the folder's subfolders",
        licence="yours",
        citation="",
        url="your own recordings",
        seconds=1.0,
        layout="a subfolder for each class with wav, flac, ogg or mp3 files",
        index=index_folder,
        stands_for="what you want to hear",
    )
)
