"""FOLDER: any folder with one subfolder per class."""

import os
import random
import re
from collections import defaultdict
from pathlib import Path

from distrack.datasets.class_folders import Layout, class_folders
from distrack.datasets.clips import Clip, Index, NotThereError, Skipped
from distrack.datasets.contract import Dataset, register
from distrack.datasets.layout import usable
from distrack.datasets.look_alikes import look_alikes
from distrack.datasets.splits import TEST_FRACTION, clips_by_class, fifth_of_each
from distrack.errors import DatasetError
from distrack.sound_file import EXTENSIONS, UNREADABLE

# The group in a file name: `speaker-03_take1`, `spk12.wav`, `group=a_3`.
_GROUP = re.compile(r"(?:^|[_\-. ])(?:speaker|spk|group|singer|artist|player|session)[_\-= ]?([A-Za-z0-9]+)", re.I)


def index_folder(root: Path, layout: Layout = "auto") -> Index:
    """The split of folders named like sides of a split, else a stratified one: a fifth of each class is tested.

    A drawn split is by whole groups where every file name has one and every class has several. A group follows a word
    such as ``speaker``, ``singer`` or ``group`` in the name: ``speaker03_take1.wav``.

    Raises:
        DatasetError: a class has no file that can be read; the folders could be classes or sides of a split.
    """
    files: dict[str, list[Path]] = {}
    skipped: list[Skipped] = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if _leaves(folder, root):
            problem = f"the class {folder.name} is a symbolic link out of {root}. Copy the folder there"
            raise DatasetError(problem, remedy="or pass --data-path with the folder that holds the classes")
        paths = sorted(path for path in folder.rglob("*") if not _hidden(path, folder))
        recordings, broken = usable(path for path in paths if path.suffix.lower() in EXTENSIONS | UNREADABLE)
        links = [path for path in paths if path.is_symlink() and path.is_dir() and _leaves(path, root)]
        skipped += [*broken, *(Skipped(link, "a symbolic link out of the dataset's folder") for link in links)]
        if recordings:
            files[folder.name] = recordings
    if not files and not skipped:
        raise NotThereError
    found = class_folders(root, files, layout)
    by_class, unread = _readable(found.by_class)
    skipped += unread
    notes = (*([found.note] if found.note else []), *look_alikes(by_class))
    if found.split or found.folds:
        last = max(found.folds.values(), default=0)
        clips = tuple(
            Clip(
                path,
                label,
                found.split.get(path, "test" if found.folds.get(path) == last else "train"),
                fold=found.folds.get(path),
            )
            for label, paths in enumerate(by_class.values())
            for path in paths
        )
        return Index(root, tuple(by_class), clips, "clip", skipped=tuple(skipped), notes=notes)
    groups = {path: _group(path) for paths in by_class.values() for path in paths}
    test = _test_groups(by_class, groups) if all(groups.values()) else set()
    # A class of one group (an instrument with one player) cannot be split by whole groups.
    grouped = all(not test.isdisjoint(paths) for paths in by_class.values())
    if not grouped:
        test = fifth_of_each(by_class)
    clips = clips_by_class(by_class, test=test, groups=groups if grouped else {})
    disjoint_by = "group in the file name" if grouped else "clip"
    return Index(root, tuple(by_class), clips, disjoint_by, skipped=tuple(skipped), notes=notes, random=not grouped)


def _hidden(path: Path, folder: Path) -> bool:
    return f"{os.sep}." in str(path)[len(str(folder)) :]


def _readable(by_class: dict[str, list[Path]]) -> tuple[dict[str, list[Path]], list[Skipped]]:
    """The files in formats that are read, and the others."""
    readable, unread = dict[str, list[Path]](), list[Skipped]()
    for name, paths in by_class.items():
        others = [path for path in paths if path.suffix.lower() in UNREADABLE]
        unread += [Skipped(path, f"{path.suffix[1:].upper()} is not read: convert it to FLAC") for path in others]
        readable[name] = [path for path in paths if path.suffix.lower() in EXTENSIONS]
        if not readable[name]:
            formats = ", ".join(sorted({path.suffix.lower() for path in others}))
            raise DatasetError(
                f"class {name} has no file that can be read: {len(others)} files are {formats}. Convert them to FLAC "
                f"or WAV, or remove the folder"
            )
    return readable, unread


def _leaves(path: Path, root: Path) -> bool:
    return path.is_symlink() and not path.resolve().is_relative_to(root.resolve())


def _group(path: Path) -> str:
    match = _GROUP.search(path.stem)
    return match[1].lower() if match else ""


def _test_groups(by_class: dict[str, list[Path]], groups: dict[Path, str]) -> set[Path]:
    """Whole groups for the test split, until it has a fifth of every class; every class keeps training clips."""
    members: dict[str, list[Path]] = defaultdict(list)
    for path, group in groups.items():
        members[group].append(path)
    class_of = {path: name for name, files in by_class.items() for path in files}
    order = sorted(members)
    random.Random(0).shuffle(order)
    test: set[Path] = set()
    count = dict.fromkeys(by_class, 0)
    for group in order:
        gain = {name: sum(class_of[path] == name for path in members[group]) for name in by_class}
        needed = any(n and count[name] < TEST_FRACTION * len(by_class[name]) for name, n in gain.items())
        leaves_some = all(count[name] + n < len(by_class[name]) for name, n in gain.items() if n)
        if needed and leaves_some:
            test.update(members[group])
            for name, n in gain.items():
                count[name] += n
    return test


register(
    Dataset(
        name="FOLDER",
        title="Your own recordings",
        task="one subfolder per class",
        licence="Your own",
        citation="",
        url="your own recordings",
        seconds=1.0,
        layout="one subfolder per class with FLAC, MP3, OGG, WAV or other sound files",
        index=index_folder,
        own_layout=True,
        stands_for="any sound",
    )
)
