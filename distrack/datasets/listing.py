"""Datasets that come with a list: a csv that names every clip, checked against the files that are there."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from distrack.audio import EXTENSIONS
from distrack.datasets.contract import Clip, Index, Skipped
from distrack.datasets.layout import files_below
from distrack.errors import DatasetError

_NUMBER = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list.

    Attributes:
        source: the csv.
        line: its line there, from 1.
        values: what stands in each column.
    """

    source: Path
    line: int
    values: dict[str, str]

    def text(self, column: str) -> str:
        """What stands in a column.

        Raises:
            DatasetError: nothing does.
        """
        if not self.values[column]:
            raise DatasetError(f"line {self.line} of {self.source} has nothing as {column}")
        return self.values[column]

    def number(self, column: str, *, among: Sequence[int] = ()) -> int:
        """The whole number in a column.

        Raises:
            DatasetError: it is no number, or none of those that can stand there.
        """
        text = self.values[column]
        if not _NUMBER.fullmatch(text) or (among and int(text) not in among):
            expected = f"one of {', '.join(map(str, among))}" if among else "a whole number"
            raise DatasetError(f"line {self.line} of {self.source} has {text[:40]!r} as {column}, not {expected}")
        return int(text)


class Listed(NamedTuple):
    """A clip as its list names it: a path below the audio folder, with slashes, and the clip if it is there."""

    name: str
    clip: Clip


def read_list(path: Path, columns: Sequence[str]) -> list[Row]:
    """The lines of a csv, each with these columns and maybe more.

    Raises:
        DatasetError: it cannot be read, is not text or empty, or lacks a column; it names the file and the column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            lacking = [column for column in columns if column not in header]
            if lacking:
                raise DatasetError(
                    f"{path} has no column {', '.join(lacking)}: "
                    + (f"its first line should be {','.join(columns)}" if header else "it is empty")
                )
            place = {column: header.index(column) for column in columns}
            rows = [_row(path, reader.line_num, place, values) for values in reader if values]
    except UnicodeDecodeError:
        raise DatasetError(f"{path} is not a text file in UTF-8, which its column {columns[0]} should be in") from None
    except (OSError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as a csv with a column {columns[0]}: {error}") from None
    if not rows:
        raise DatasetError(f"{path} lists nothing: there is no line below its columns {','.join(columns)}")
    return rows


def _row(path: Path, line: int, place: dict[str, int], values: list[str]) -> Row:
    try:
        return Row(path, line, {column: values[at].strip() for column, at in place.items()})
    except IndexError:
        cut = next(column for column, at in place.items() if at >= len(values))
        raise DatasetError(f"line {line} of {path} ends before its column {cut}: the file is cut off") from None


def classes_of(rows: Iterable[Row], name: str, *, order: str) -> tuple[str, ...]:
    """The classes a list names, in the order of another column's numbers."""
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
    """What a list names, as far as it is there.

    A folder is listed once; no file is opened. What the list names and is not there is skipped, what is there and not
    named is unlisted, what is named twice stands in the index once.

    Args:
        root: the folder a person pointed at.
        source: the list.
        audio: the folder that its names start from.
        classes: the classes.
        listed: the clips.
        disjoint_by: what no two sides of the split share.
        others: names that are listed too and not asked for.

    Raises:
        DatasetError: a file is listed twice, as two different things.
    """
    wanted: dict[str, Clip] = {}
    skipped: dict[str, Skipped] = {}
    for name, clip in listed:
        if _leaves(name):
            skipped[name] = Skipped(clip.path, f"listed in {source.name} at a place outside of the dataset's folder")
        elif wanted.setdefault(name, clip) != clip:
            raise DatasetError(f"{source} lists {name} twice, as two different things")
    there = files_below(audio, {name.rpartition("/")[0] for name in wanted})
    for name in wanted.keys() - there:
        skipped[name] = Skipped(wanted[name].path, f"listed in {source.name}, but missing")
    clips = tuple(wanted[name] for name in sorted(wanted.keys() & there))
    unlisted = sorted(name for name in there - wanted.keys() - set(others) if audible(name))
    return Index(
        root,
        classes,
        clips,
        disjoint_by,
        skipped=tuple(skipped[name] for name in sorted(skipped)),
        unlisted=tuple(audio / name for name in unlisted),
    )


def _leaves(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.name or path.is_absolute() or ".." in path.parts or "\0" in name


def audible(name: str) -> bool:
    """Whether a file of this name is meant as a recording."""
    path = PurePosixPath(name)
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")


def disjoint_groups(listed: Sequence[Listed], *, by: str) -> tuple[list[Listed], str]:
    """Official folds with the groups that they keep together, and what to call those.

    Where a list puts one group into two folds the groups say nothing, and the folds are all there is.
    """
    folds: dict[str, set[int | None]] = defaultdict(set)
    for _, clip in listed:
        folds[clip.group].add(clip.fold)
    if all(len(of) == 1 for of in folds.values()):
        return list(listed), by
    return [Listed(name, clip._replace(group="")) for name, clip in listed], "official fold"
