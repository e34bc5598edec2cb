"""The layout of a dataset's files: in the folder that a person names, or in a folder that an archive made there."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from distrack.datasets.clips import Skipped

# What `os.walk` would yield for a folder that does not exist: its path, the folders and the files in it.
_EMPTY = ("", list[str](), list[str]())


def places(root: Path) -> tuple[Path, ...]:
    """A folder, and the folders directly below it."""
    names = next(os.walk(root), _EMPTY)[1]
    return (root, *(root / name for name in sorted(names) if not name.startswith(".")))


def named_files(
    root: Path, name: re.Pattern[str], *below: str
) -> tuple[list[tuple[Path, re.Match[str]]], tuple[Skipped, ...]]:
    """The files with matching names in the first of the `places` of a folder that has some, and its broken links.

    `below` holds the patterns of their paths, such as "recordings/*.wav".
    """
    for place in places(root):
        files, broken = usable(path for pattern in below for path in sorted(place.glob(pattern)))
        if named := [(path, match) for path in files if (match := name.fullmatch(path.name))]:
            return named, broken
    return [], ()


def files_below(root: Path, folders: Iterable[str] = ()) -> set[str]:
    """Every file at any depth, as a path from `root` with slashes; no file is opened, and broken links are left out.

    The given `folders` below it are listed even where a link leads to them, but no deeper. Other links to folders are
    not followed: they can make circles, or lead to the whole disk.
    """
    listed = {} if root.is_symlink() else {folder: names for folder, _, names in os.walk(root)}
    for folder in {str(root / folder) for folder in folders} - listed.keys():
        listed[folder] = next(os.walk(folder), _EMPTY)[2]
    files = (Path(folder, name) for folder, names in listed.items() for name in names)
    return {file.relative_to(root).as_posix() for file in files if file.is_file()}


def usable(paths: Iterable[Path]) -> tuple[list[Path], tuple[Skipped, ...]]:
    """The files among these paths, and the links that lead nowhere; folders are left out."""
    files, broken = list[Path](), list[Skipped]()
    for path in paths:
        if path.is_file():
            files.append(path)
        elif path.is_symlink() and not path.is_dir():
            broken.append(Skipped(path, "a symbolic link that leads nowhere"))
    return files, tuple(broken)
