"""Where the files of a dataset lie: at the folder a person points at, or in the one that an archive made there."""

import os
from collections.abc import Iterable
from pathlib import Path

from distrack.datasets.contract import Skipped


def places(root: Path) -> tuple[Path, ...]:
    """A folder, and the folders right below it."""
    try:
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and _is_folder(entry))
    except OSError:
        names = []
    return (root, *(root / name for name in names))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # Of a link that leads to itself only Path says no instead of failing.
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and Path(entry).is_dir())


def find_file(root: Path, below: str) -> Path | None:
    """The first file of this name, which may go through folders, below one of the places."""
    return next((place / below for place in places(root) if (place / below).is_file()), None)


def files_below(root: Path, folders: Iterable[str] = ()) -> set[str]:
    """Every file at any depth, as a path from `root` with slashes; each folder is listed once, no file is opened.

    Args:
        root: the folder.
        folders: those below it that are listed, and no deeper, though a link leads to them. Other links to folders are
            not followed: they can make circles, and lead to everything there is.
    """
    found, seen = set[str](), set[str]()
    waiting = [] if root.is_symlink() else [""]
    while waiting:
        seen.add(folder := waiting.pop())
        files, below = _list(root, folder)
        found |= files
        waiting += below
    return found.union(*(_list(root, folder)[0] for folder in {*folders} - seen))


def _list(root: Path, folder: str) -> tuple[set[str], list[str]]:
    """The files and the folders in one folder; what a link to a file leads to is a file."""
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


def usable(paths: Iterable[Path]) -> tuple[list[Path], tuple[Skipped, ...]]:
    """Those that are files, and the links among them that lead nowhere; a folder is neither."""
    files, broken = list[Path](), list[Skipped]()
    for path in paths:
        if path.is_file():
            files.append(path)
        elif path.is_symlink() and not path.is_dir():
            broken.append(Skipped(path, "a symbolic link that leads nowhere"))
    return files, tuple(broken)
