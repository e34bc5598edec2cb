"""The library of datasets: where each lies on this disk, its index, and its download."""

import shlex
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Unpack
from urllib.parse import urlsplit

from distrack.datasets.cache import MOST_UNUSABLE, decoded, fill_cache
from distrack.datasets.class_folders import Layout
from distrack.datasets.clips import Index, NotThereError
from distrack.datasets.contract import DATASETS, Dataset
from distrack.datasets.disk import writing_below
from distrack.datasets.download import Remote, download
from distrack.datasets.packed import is_packed, pack, packed_index
from distrack.datasets.reading import FolderReading, Reading
from distrack.errors import ConfigError, DatasetError
from distrack.progress import DetailedProgress, Progress, unwatched
from distrack.settings import settings


def home(dataset: Dataset, data_path: Path | None) -> Path:
    """The folder of a dataset: `data_path` if given, else that of its setting, else its own below the data path."""
    if data_path is not None:
        return data_path
    if dataset.setting and (folder := getattr(settings(), dataset.setting)) is not None and Path(folder).is_dir():
        return Path(folder)
    places = dataset.places(settings().data_path)
    return next((place for place in places if place.is_dir()), places[0])


class IncompleteError(DatasetError):
    """Clips of a dataset's list are missing; those that are there can be used as a subset."""


def title(name: str, data_path: Path | None = None, *, subset: bool = False) -> str:
    """The title of a dataset; of a folder of one's own, its name. A subset is called one.

    Raises:
        ConfigError: the name is unknown.
    """
    own = data_path if DATASETS.name(name) == "FOLDER" else None
    return (own.name if own else DATASETS.short_title(name)) + " (subset)" * subset


def index(
    name: str, data_path: Path | None = None, *, progress: Progress = unwatched, **reading: Unpack[Reading]
) -> Index:
    """The index of a dataset that can be distilled; arguments as for `look`.

    Raises:
        ConfigError: the name, the fold or the layout is unknown.
        DatasetError: the folder is absent, does not hold the dataset, or cannot be used.
    """
    dataset = DATASETS[name]
    if not dataset.labelled:
        raise DatasetError(f"{dataset.name} has no classes. It can be decomposed, but not distilled")
    clips = look(name, data_path, progress=progress, **reading)
    clips.validate()
    return clips


def look(
    name: str, data_path: Path | None = None, *, progress: Progress = unwatched, **reading: Unpack[Reading]
) -> Index:
    """The index of a dataset as it is on this disk, valid or not; a generated dataset is generated where it is absent.

    Args:
        name: as registered, in any spelling.
        data_path: its folder, if it is not in its usual place.
        reading: the fold, the layout, and whether it may be a subset; see `Reading`.

    Raises:
        ConfigError: the name, the fold or the layout is unknown.
        IncompleteError: clips of the dataset's list are missing, more than a few.
        DatasetError: the folder is absent or does not hold the dataset.
    """
    dataset, layout = DATASETS[name], reading.get("layout", "auto")
    test_fold, subset = reading.get("test_fold"), reading.get("subset", False)
    dataset.check_fold(test_fold)
    if layout != "auto" and not dataset.own_layout:
        raise ConfigError(f"{dataset.name} has a layout of its own: remove --layout {layout}")
    root = home(dataset, data_path)
    if not root.is_dir():
        if dataset.make is None or data_path is not None:
            raise dataset.not_found(root)
        make = dataset.make
        fill_cache(root, lambda unfinished: make(unfinished, progress))
    clips = _as_it_is(dataset, root, layout)
    return _with_notes(dataset, _with_fold(dataset, clips, test_fold, subset=subset), subset=subset)


def _as_it_is(dataset: Dataset, root: Path, layout: Layout) -> Index:
    """The clips in a folder before a fold is chosen, those that are missing apart."""
    if is_packed(root):
        return packed_index(root)
    try:
        clips = dataset.index(root, layout) if dataset.own_layout else dataset.index(root)
    except NotThereError:
        raise dataset.not_found(root) from None
    return clips.within(root)


def pack_prepared(
    name: str,
    data_path: Path | None,
    folder: Path,
    *,
    seconds: float,
    layout: Layout = "auto",
    progress: Progress = unwatched,
) -> None:
    """Packs a dataset whose clips were decoded before; see `distrack.datasets.packed`.

    Args:
        folder: an empty folder that gets the files.
        seconds: length of the decoded clips.

    Raises:
        DatasetError: the dataset is absent or was not decoded, or the disk is full.
    """
    dataset, root = DATASETS[name], home(DATASETS[name], data_path)
    if not dataset.labelled:
        raise DatasetError(f"{dataset.name} has no classes: only datasets that can be distilled are packed")
    if not root.is_dir():
        raise dataset.not_found(root)
    index = _as_it_is(dataset, root, layout)
    found = decoded(index, seconds=seconds, cache_path=settings().cache_path)
    if found is None:
        where = "" if data_path is None else f" --data-path {shlex.quote(str(data_path))}"
        remedy = f"python -m distrack prepare --dataset {dataset.name}{where}"
        raise DatasetError(f"{root} was not prepared here with clips of {seconds:g} s", remedy=remedy)
    waveforms, facts, undecodable = found
    about = {name: getattr(dataset, name) for name in ("title", "licence", "citation", "url")}
    with writing_below(folder):
        pack(
            index,
            folder,
            waveforms=waveforms,
            facts=facts,
            undecodable=undecodable,
            about={"dataset": dataset.name, **about},
            progress=progress,
        )


def folds(name: str, data_path: Path | None = None, **reading: Unpack[FolderReading]) -> tuple[int, ...]:
    """The folds that can be tested on; arguments and errors as for `look`."""
    dataset = DATASETS[name]
    if dataset.own_layout or reading.get("subset"):
        return look(name, data_path, **reading).folds
    return dataset.folds


def _with_fold(dataset: Dataset, clips: Index, wanted: int | None, *, subset: bool) -> Index:
    """The clips with their test fold: the wanted one, else the dataset's, else the last."""
    folds = clips.folds
    if not folds:
        if wanted not in (None, dataset.test_fold):
            raise ConfigError(
                f"test fold {wanted} cannot be used. {clips.root} is not split by folds, but by {clips.disjoint_by}"
            )
        return clips
    if wanted is not None and wanted not in folds and (subset or dataset.own_layout):
        raise ConfigError(f"there is no clip of test fold {wanted} in {clips.root}. Choose one of {_numbers(folds)}")
    usual = dataset.test_fold
    if usual is None or (subset and usual not in folds):
        usual = folds[-1]
    return clips.with_test_fold(usual if wanted is None else wanted)


def _with_notes(dataset: Dataset, clips: Index, *, subset: bool) -> Index:
    """The clips of a list without those that are missing, which a note then tells; a few may be missing anyway."""
    listed = len(clips.clips) + len(clips.skipped) + len(clips.missing)
    of_folds = f" of folds {_numbers(clips.folds)}" * bool(clips.folds)
    if subset and clips.missing:
        note = f"Subset: {listed - len(clips.missing):,} of the {listed:,} clips that its list names{of_folds}"
        return replace(clips, missing=(), notes=(note, *clips.notes))
    if len(clips.missing) > MOST_UNUSABLE * listed:
        raise IncompleteError(
            f"{len(clips.missing):,} of {listed:,} clips of {dataset.name} are missing in {clips.root}, such as "
            f"{clips.missing[0].path.name}. {listed - len(clips.missing):,} are there{of_folds}",
            remedy="pass --subset to use those, or --data-path with a complete copy",
        )
    clips = replace(clips, missing=(), skipped=(*clips.skipped, *clips.missing))
    if (count := listed + len(clips.unlisted)) < dataset.clips:
        clips = replace(clips, notes=(f"Subset: {count:,} of {dataset.clips:,} clips", *clips.notes))
    return clips


def _numbers(folds: Iterable[int]) -> str:
    return ", ".join(map(str, folds))


def fetch(name: str, data_path: Path | None = None, *, progress: DetailedProgress = unwatched) -> Path:
    """Downloads a dataset into a folder, which appears when it is whole, and returns its path.

    Args:
        name: as registered, in any spelling.
        data_path: the folder to make; by default the dataset's own below the data path.
        progress: gets bytes done, bytes in all, and "downloading" or "unpacking".

    Raises:
        ConfigError: the name is unknown.
        DatasetError: the dataset has no download, exists, or cannot be downloaded.
    """
    dataset = DATASETS[name]
    if not dataset.downloads:
        raise DatasetError(f"{dataset.name} cannot be downloaded automatically", remedy=dataset.how_to_get())
    own = dataset.places(settings().data_path)[0]
    root = data_path or own
    remotes = _mirrored(dataset.downloads, own.name)
    download(remotes, root, downloads=settings().data_path / "downloads", progress=progress)
    return root


def _mirrored(remotes: tuple[Remote, ...], folder: str) -> tuple[Remote, ...]:
    """The files on the mirror of the settings, where one is set. Their checksums stay the authors'."""
    mirror = settings().mirror
    if mirror is None:
        return remotes
    return tuple(
        remote._replace(url=f"{mirror.rstrip('/')}/{folder}/{urlsplit(remote.url).path.rsplit('/', 1)[-1]}", size=None)
        for remote in remotes
    )
