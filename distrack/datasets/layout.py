"""The layout of a dataset's files: in the folder that a person names, or in a folder that an archive made there."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from distrack.datasets.clips import Skipped


def places(root: Path) -> tuple[Path, ...]:
    """A folder, and the folders directly below it."""
    try:
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and _is_folder(entry))
    except OSError:
        names = []
    return (root, *(root / name for name in names))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # For a link that leads to itself, Path says no and DirEntry fails.
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and Path(entry).is_dir())


def find_file(root: Path, below: str) -> Path | None:
    """The first existing file `below` one of the `places` of a folder, such as "meta/esc50.csv"."""
    return next((place / below for place in places(root) if (place / below).is_file()), None)


def audio_folder(root: Path, holds_audio: Callable[[Path], bool]) -> Path:
    """`root`, or a folder directly below it, where an archive made one for its audio."""
    return next((place for place in places(root) if holds_audio(place)), root)


def nearest_folder(root: Path, below: Sequence[str]) -> Path:
    """The first subfolder of these names, or the folder itself: people name either."""
    return next((root / name for name in below if (root / name).is_dir()), root)


def files_below(root: Path, folders: Iterable[str] = ()) -> set[str]:
    """Every file at any depth, as a path from `root` with slashes. Each folder is listed once, no file is opened.

    Args:
        root: the folder.
        folders: folders below it that are listed even where a link leads to them, but no deeper. Other links to folders
            are not followed: they can make circles, or lead to the whole disk.
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


def usable(paths: Iterable[Path]) -> tuple[list[Path], tuple[Skipped, ...]]:
    """The files among these paths, and the links that lead nowhere; folders are left out."""
    files, broken = list[Path](), list[Skipped]()
    for path in paths:
        if path.is_file():
            files.append(path)
        elif path.is_symlink() and not path.is_dir():
            broken.append(Skipped(path, "A symbolic link that leads nowhere"))
    return files, tuple(broken)
