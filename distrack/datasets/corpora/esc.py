"""ESC-50 and ESC-10: environmental sounds of 50 and of 10 classes, 40 clips per class."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from distrack.datasets.clips import Clip, Index
from distrack.datasets.contract import Dataset, register
from distrack.datasets.download import Remote
from distrack.datasets.layout import places
from distrack.datasets.listing import Row, audible, classes_of, disjoint_groups, listed_index, read_list

_LIST = "meta/esc50.csv"
_COLUMNS = ("filename", "fold", "target", "category", "esc10", "src_file")
# A folder of ESC-10, as in "001 - Dog bark", and a file in it: fold, Freesound number, take.
_CLASS = re.compile(r"\d{3} - (?P<name>.+)")
_CLIP = re.compile(r"(?P<fold>[1-5])-(?P<recording>\d+)-[A-Z]\.\w+")


def index_esc50(root: Path) -> Index:
    """The five official folds. All clips of a recording are in one fold."""
    rows = read_list(root, _LIST, _COLUMNS)
    return _from_rows(root, rows, others=())


def index_esc10(root: Path) -> Index:
    """The five official folds, from the folders of ESC-10 or from the clips of ESC-50 that are marked as ESC-10."""
    if (index := _from_folders(root)) is not None:
        return index
    rows = read_list(root, _LIST, _COLUMNS)
    return _from_rows(root, [row for row in rows if row.text("esc10").lower() == "true"], others=rows)


def _from_rows(root: Path, rows: Sequence[Row], *, others: Sequence[Row]) -> Index:
    classes = classes_of(rows, "category", order="target")

    def clip(row: Row) -> Clip:
        label, fold = classes.index(row.text("category")), row.number("fold", among=ESC50.folds)
        return Clip(Path(row.text("filename")), label, "train", row.text("src_file"), fold)

    names = [row.text("filename") for row in others]
    source = (*rows, *others)[0].source
    return listed_index(root, source, map(clip, rows), classes, disjoint_by="recording", others=names)


def _from_folders(root: Path) -> Index | None:
    for place in places(root):
        classes = {folder: match["name"] for folder in places(place)[1:] if (match := _CLASS.fullmatch(folder.name))}
        files = [
            path for folder in classes for path in sorted(folder.iterdir()) if audible(path.name) and path.is_file()
        ]
        named = [(path, match) for path in files if (match := _CLIP.fullmatch(path.name))]
        if named:
            labels = {folder: label for label, folder in enumerate(classes)}
            clips, disjoint_by = disjoint_groups(
                [
                    Clip(path, labels[path.parent], "train", match["recording"], int(match["fold"]))
                    for path, match in named
                ],
                by="recording",
            )
            unlisted = tuple(path for path in files if not _CLIP.fullmatch(path.name))
            return Index(root, tuple(classes.values()), tuple(clips), disjoint_by, unlisted=unlisted)
    return None


_URL = "https://github.com/karolpiczak/ESC-50"
# A clip is 5 s at 44.1 kHz and 16 bit.
_CLIP_SIZE = 441_044

ESC50 = register(
    Dataset(
        name="ESC50",
        title="ESC-50",
        task="50 environmental sound classes",
        stands_for="environmental sounds",
        licence="CC BY-NC 3.0, non-commercial use only",
        citation=(
            "@inproceedings{piczak2015esc, author={Piczak, Karol J.}, title={{ESC}: Dataset for Environmental Sound "
            "Classification}, booktitle={Proceedings of the 23rd Annual ACM Conference on Multimedia}, "
            "pages={1015--1018}, year={2015}, doi={10.1145/2733373.2806390}}"
        ),
        url=_URL,
        seconds=5.0,
        layout="meta/esc50.csv and files named like audio/1-100032-A-0.wav",
        index=index_esc50,
        clips=2_000,
        size=2_000 * _CLIP_SIZE,
        downloads=(
            # At one commit: the archive of a branch is another file after every change to its readme.
            Remote(
                f"{_URL}/archive/33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6.zip",
                checksum="md5:071b44018315e034b2c6e8064543d19c",
                size=645_832_161,
                unpacked=1_500_000_000,
            ),
        ),
        folds=tuple(range(1, 6)),
        test_fold=5,
    )
)

ESC10 = register(
    replace(
        ESC50,
        name="ESC10",
        title="ESC-10",
        task="10 environmental sound classes",
        licence="CC BY 3.0",
        layout=(
            "files named like 001 - Dog bark/1-100032-A.ogg, or the whole of ESC-50: "
            "meta/esc50.csv and files named like audio/1-100032-A-0.wav"
        ),
        index=index_esc10,
        clips=400,
        size=400 * _CLIP_SIZE,
        folders=("esc10", "esc50"),
    )
)
