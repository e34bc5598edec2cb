"""The layout of a dataset's files: in the folder that a person names, or in a folder that an archive made there."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from distrack.datasets.clips import Index, NotThereError, Skipped
from distrack.sound_file import EXTENSIONS, UNREADABLE


def places(root: Path) -> tuple[Path, ...]:
    """A folder, and the folders directly below it."""
    _, names, _ = next(os.walk(root), ("", [], []))
    return (root, *(root / name for name in sorted(names) if not name.startswith(".")))


def named_files(
    root: Path, name: re.Pattern[str], *below: str
) -> tuple[list[tuple[Path, re.Match[str]]], tuple[Skipped, ...]]:
    """The files with matching names in the first of the `places` of a folder that has some, and its broken links.

    `below` holds the patterns of their paths, such as "recordings/*.wav".

    Raises:
        NotThereError: there is no such file.
    """
    for place in places(root):
        files, broken = usable(path for pattern in below for path in sorted(place.glob(pattern)))
        if named := [(path, match) for path in files if (match := name.fullmatch(path.name))]:
            return named, broken
    raise NotThereError


def files_below(root: Path, folders: Iterable[str] = ()) -> set[str]:
    """Every file at any depth, as a path from `root` with slashes. Each folder is listed once, no file is opened.

    The given `folders` below it are listed even where a link leads to them, but no deeper. Other links to folders are
    not followed: they can make circles, or lead to the whole disk.
    """
    all_files, seen = set[str](), set[str]()
    waiting = [] if root.is_symlink() else [""]
    while waiting:
        seen.add(folder := waiting.pop())
        files, below = _list(root, folder)
        all_files |= files
        waiting += below
    return all_files.union(*(_list(root, folder)[0] for folder in {*folders} - seen))


def _list(root: Path, folder: str) -> tuple[set[str], list[str]]:
    """The files and the folders in one folder; a link to a file counts as a file."""
    files, folders = set[str](), list[str]()
    try:
        with os.scandir(root / folder) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.append(name)
                elif not entry.is_symlink() or Path(entry).is_file():
                    files.add(name)
    except OSError:
        pass
    return files, folders


def left_out(index: Index) -> dict[str, list[Path]]:
    """Every file below the root of an index that is neither a clip nor skipped, by the reason; none of a packed
    dataset."""
    if index.packed:
        return {}
    known = {clip.path for clip in index.clips} | {skip.path for skip in index.skipped}
    reasons = defaultdict[str, list[Path]](list)
    for name in sorted(files_below(index.root.resolve())):
        path = index.root / name
        if path not in known:
            reasons[_reason(PurePosixPath(name))].append(path)
    return dict(reasons)


def _reason(name: PurePosixPath) -> str:
    if any(part.startswith(".") or part == "__MACOSX" for part in name.parts):
        return "hidden"
    if name.suffix.lower() in EXTENSIONS:
        return "sound that belongs to no class"
    if name.suffix.lower() in UNREADABLE:
        return "sound in a format that is not read"
    return "no sound"


def usable(paths: Iterable[Path]) -> tuple[list[Path], tuple[Skipped, ...]]:
    """The files among these paths, and the links that lead nowhere; folders are left out."""
    files, broken = list[Path](), list[Skipped]()
    for path in paths:
        if path.is_file():
            files.append(path)
        elif path.is_symlink() and not path.is_dir():
            broken.append(Skipped(path, "a symbolic link that leads nowhere"))
    return files, tuple(broken)
