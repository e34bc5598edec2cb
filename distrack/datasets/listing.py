"""Datasets that come with a list: a csv file that names every clip, compared with the files on disk."""

import csv
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from distrack.datasets.clips import Clip, Index, NotThereError, Skipped
from distrack.datasets.layout import files_below, places
from distrack.errors import DatasetError
from distrack.sound_file import EXTENSIONS

_NUMBER = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list.

    Attributes:
        line: its line number, from 1.
        values: texts by column.
    """

    source: Path
    line: int
    values: dict[str, str]

    def text(self, column: str, *, among: Collection[str] = ()) -> str:
        """The text in a column.

        Raises:
            DatasetError: it is empty, or not `among` the allowed ones.
        """
        text = self.values[column].strip()
        if not text:
            raise self.refusal(f"has no {column}")
        if among and text not in among:
            raise self.refusal(f"has {text[:40]!r} as {column}, expected one of {', '.join(among)}")
        return text

    def number(self, column: str, *, among: Sequence[int] = ()) -> int:
        """The whole number in a column.

        Raises:
            DatasetError: it is not a whole number, or not `among` the allowed ones.
        """
        text = self.values[column].strip()
        if not _NUMBER.fullmatch(text) or (among and int(text) not in among):
            expected = f"one of {', '.join(map(str, among))}" if among else "a whole number"
            raise self.refusal(f"has {text[:40]!r} as {column}, expected {expected}")
        return int(text)

    def refusal(self, reason: str) -> DatasetError:
        """The error for a line that cannot be used."""
        return DatasetError(f"line {self.line} of {self.source} {reason}")


def read_list(root: Path, below: str, columns: Sequence[str]) -> list[Row]:
    """The lines of a csv file that has these columns and maybe others.

    Args:
        below: the list in that folder, or in one directly below it, such as "meta/esc50.csv".

    Raises:
        NotThereError: there is no list.
        DatasetError: it cannot be read, is not text, is empty, or lacks a column.
    """
    path = next((place / below for place in places(root) if (place / below).is_file()), None)
    if path is None:
        raise NotThereError
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = [name.strip() for name in reader.fieldnames or ()]
            missing = [column for column in columns if column not in header]
            if missing:
                raise DatasetError(
                    f"{path} has no column {', '.join(missing)}. "
                    + (f"Its first line should be {','.join(columns)}" if header else "It is empty")
                )
            reader.fieldnames = header
            rows = [Row(path, reader.line_num, values) for values in reader]
    except UnicodeDecodeError:
        raise DatasetError(f"{path} is not a text file in UTF-8 with a column {columns[0]}") from None
    except (OSError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as a csv file with a column {columns[0]}: {error}") from None
    if not rows:
        raise DatasetError(f"{path} lists no clips: there is no line below its columns {','.join(columns)}")
    for row in rows:
        for column in columns:
            if row.values[column] is None:
                raise row.refusal(f"ends before its column {column}. The file is cut off")
    return rows


def classes_of(rows: Iterable[Row], name: str, *, order: str) -> tuple[str, ...]:
    """The classes that a list names in the column `name`, in the order of the numbers in another column."""
    numbers: dict[str, int] = {}
    for row in rows:
        number = row.number(order)
        numbers[row.text(name)] = min(number, numbers.get(row.text(name), number))
    return tuple(sorted(numbers, key=lambda text: (numbers[text], text)))


def listed_index(
    root: Path,
    source: Path,
    clips: Iterable[Clip],
    classes: tuple[str, ...],
    *,
    disjoint_by: str,
    others: Iterable[str] = (),
) -> Index:
    """The index of a list: its clips whose files exist.

    A listed file that is not there is missing, an audio file that the list does not name is unlisted, and a file that
    is named twice is in the index once. No file is opened.

    Args:
        source: the list, in a folder beside the folder `audio`, in which an archive may have made one of its own.
        clips: the clips of the list, with paths below the audio folder.
        disjoint_by: what the groups of the clips are; see `disjoint_groups`.
        others: names of the list that belong to other classes.

    Raises:
        DatasetError: a file is listed twice with different labels, folds or groups.
    """
    clips, disjoint_by = disjoint_groups(clips, by=disjoint_by)
    listed: dict[str, Clip] = {}
    outside: set[str] = set()
    for clip in clips:
        path, name = clip.path, clip.path.as_posix()
        if not path.name or path.is_absolute() or ".." in path.parts or "\0" in path.name:
            outside.add(name)
        elif listed.setdefault(name, clip) != clip:
            raise DatasetError(f"{source} lists {name} twice with different values")
    audio, on_disk = _audio_below(source.parent.parent / "audio", listed.keys())
    missing, away = f"missing, but listed in {source.name}", f"listed in {source.name} outside of the dataset's folder"
    unlisted = sorted(name for name in on_disk - listed.keys() - set(others) if audible(name))
    return Index(
        root,
        classes,
        tuple(listed[name]._replace(path=audio / name) for name in sorted(listed.keys() & on_disk)),
        disjoint_by,
        skipped=tuple(Skipped(audio / name, away) for name in sorted(outside)),
        missing=tuple(Skipped(audio / name, missing) for name in sorted(listed.keys() - on_disk)),
        unlisted=tuple(audio / name for name in unlisted),
    )


def _audio_below(folder: Path, names: Collection[str]) -> tuple[Path, set[str]]:
    """The folder that the names of a list start from, and the files below it."""
    folders = {name.rpartition("/")[0] for name in names}
    listings = ((place, files_below(place, folders)) for place in places(folder))
    holding = next(((place, files) for place, files in listings if not files.isdisjoint(names)), None)
    return holding or (folder, files_below(folder, folders))


def audible(name: str) -> bool:
    """Whether a file is a recording, by its name."""
    path = PurePosixPath(name)
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")


def disjoint_groups(clips: Iterable[Clip], *, by: str) -> tuple[list[Clip], str]:
    """The clips with their groups, and what the folds are disjoint by.

    Where a list puts one group into two folds, the clips lose their groups, and only the folds are disjoint.
    """
    clips, folds = list(clips), defaultdict[str, set[int | None]](set)
    for clip in clips:
        if clip.group:
            folds[clip.group].add(clip.fold)
    if all(len(numbers) == 1 for numbers in folds.values()):
        return clips, by
    return [clip._replace(group="") for clip in clips], "official fold"
