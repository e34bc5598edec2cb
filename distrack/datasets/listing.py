"""Datasets that come with a list: a csv file that names every clip, compared with the files on disk."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from distrack.audio import EXTENSIONS
from distrack.datasets.clips import Clip, Index, Skipped
from distrack.datasets.layout import files_below
from distrack.errors import DatasetError

_NUMBER = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list.

    Attributes:
        source: the csv file.
        line: its line number, from 1.
        values: texts by column.
    """

    source: Path
    line: int
    values: dict[str, str]

    def text(self, column: str) -> str:
        """The text in a column.

        Raises:
            DatasetError: it is empty.
        """
        if not self.values[column]:
            raise DatasetError(f"Line {self.line} of {self.source} has no {column}")
        return self.values[column]

    def number(self, column: str, *, among: Sequence[int] = ()) -> int:
        """The whole number in a column.

        Raises:
            DatasetError: it is not a whole number, or not `among` the allowed ones.
        """
        text = self.values[column]
        if not _NUMBER.fullmatch(text) or (among and int(text) not in among):
            expected = f"one of {', '.join(map(str, among))}" if among else "a whole number"
            raise DatasetError(f"Line {self.line} of {self.source} has {text[:40]!r} as {column}, expected {expected}")
        return int(text)


class Listed(NamedTuple):
    """A clip of a list: its path below the audio folder, with slashes, and the clip if that file exists."""

    name: str
    clip: Clip


def read_list(path: Path, columns: Sequence[str]) -> list[Row]:
    """The lines of a csv file that has these columns and maybe others.

    Raises:
        DatasetError: the file cannot be read, is not text, is empty, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            missing = [column for column in columns if column not in header]
            if missing:
                raise DatasetError(
                    f"{path} has no column {', '.join(missing)}. "
                    + (f"Its first line should be {','.join(columns)}" if header else "It is empty")
                )
            positions = {column: header.index(column) for column in columns}
            rows = [_row(path, reader.line_num, positions, values) for values in reader if values]
    except UnicodeDecodeError:
        raise DatasetError(f"{path} is not a text file in UTF-8 with a column {columns[0]}") from None
    except (OSError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as a csv file with a column {columns[0]}: {error}") from None
    if not rows:
        raise DatasetError(f"{path} lists no clips: there is no line below its columns {','.join(columns)}")
    return rows


def _row(path: Path, line: int, positions: dict[str, int], values: list[str]) -> Row:
    try:
        return Row(path, line, {column: values[position].strip() for column, position in positions.items()})
    except IndexError:
        first = next(column for column, position in positions.items() if position >= len(values))
        raise DatasetError(f"Line {line} of {path} ends before its column {first}. The file is cut off") from None


def classes_of(rows: Iterable[Row], name: str, *, order: str) -> tuple[str, ...]:
    """The classes that a list names in the column `name`, in the order of the numbers in another column."""
    numbers: dict[str, int] = {}
    for row in rows:
        number = row.number(order)
        numbers[row.text(name)] = min(number, numbers.get(row.text(name), number))
    return tuple(sorted(numbers, key=lambda text: (numbers[text], text)))


def listed_index(
    root: Path,
    *,
    source: Path,
    audio: Path,
    classes: tuple[str, ...],
    listed: Iterable[Listed],
    disjoint_by: str,
    others: Iterable[str] = (),
) -> Index:
    """The index of a list: its clips whose files exist.

    A missing file is skipped, an audio file that the list does not name is unlisted, and a file that is named twice is
    in the index once. Each folder is listed once; no file is opened.

    Args:
        root: the folder of the dataset.
        source: the list.
        audio: the folder that the names in the list start from.
        classes: names of the classes.
        listed: the clips of the list.
        disjoint_by: what no two splits have in common.
        others: names of the list that belong to other classes.

    Raises:
        DatasetError: a file is listed twice with different labels, folds or groups.
    """
    clips_by_name: dict[str, Clip] = {}
    skipped: dict[str, Skipped] = {}
    for name, clip in listed:
        if _leaves(name):
            skipped[name] = Skipped(clip.path, f"Listed in {source.name} outside of the dataset's folder")
        elif clips_by_name.setdefault(name, clip) != clip:
            raise DatasetError(f"{source} lists {name} twice with different values")
    on_disk = files_below(audio, {name.rpartition("/")[0] for name in clips_by_name})
    for name in clips_by_name.keys() - on_disk:
        skipped[name] = Skipped(clips_by_name[name].path, f"Missing, but listed in {source.name}")
    clips = tuple(clips_by_name[name] for name in sorted(clips_by_name.keys() & on_disk))
    unlisted = sorted(name for name in on_disk - clips_by_name.keys() - set(others) if audible(name))
    return Index(
        root,
        classes,
        clips,
        disjoint_by,
        skipped=tuple(skipped[name] for name in sorted(skipped)),
        unlisted=tuple(audio / name for name in unlisted),
    )


def _leaves(name: str) -> bool:
    """Whether a name in a list is not the path of a file below the audio folder."""
    path = PurePosixPath(name)
    return not path.name or path.is_absolute() or ".." in path.parts or "\0" in name


def audible(name: str) -> bool:
    """Whether a file is a recording, by its name."""
    path = PurePosixPath(name)
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")


def disjoint_groups(listed: Sequence[Listed], *, by: str) -> tuple[list[Listed], str]:
    """The clips with their groups, and what the folds are disjoint by.

    Where a list puts one group into two folds, the clips lose their groups, and only the folds are disjoint.
    """
    folds: dict[str, set[int | None]] = defaultdict(set)
    for _, clip in listed:
        folds[clip.group].add(clip.fold)
    if all(len(numbers) == 1 for numbers in folds.values()):
        return list(listed), by
    return [Listed(name, clip._replace(group="")) for name, clip in listed], "official fold"
