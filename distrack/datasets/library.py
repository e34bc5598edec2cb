"""The library of datasets: where each lies on this disk, its index, and its download."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from distrack.datasets.cache import fill_cache
from distrack.datasets.clips import Index, NotThereError
from distrack.datasets.contract import DATASETS, Dataset
from distrack.datasets.download import Remote, download
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


def title(name: str, data_path: Path | None = None) -> str:
    """The title of a dataset; of a folder of one's own, its name.

    Raises:
        ConfigError: the name is unknown.
    """
    own = data_path if DATASETS.name(name) == "FOLDER" else None
    return own.name if own else DATASETS.short_title(name)


def index(
    name: str, data_path: Path | None = None, *, test_fold: int | None = None, progress: Progress = unwatched
) -> Index:
    """The index of a dataset that can be distilled; arguments as for `look`.

    Raises:
        ConfigError: the name or the fold is unknown.
        DatasetError: the folder is absent, does not hold the dataset, or cannot be used.
    """
    dataset = DATASETS[name]
    if not dataset.labelled:
        raise DatasetError(f"{dataset.name} has no classes. It can be decomposed, but not distilled")
    clips = look(name, data_path, test_fold=test_fold, progress=progress)
    clips.validate()
    return clips


def look(
    name: str, data_path: Path | None = None, *, test_fold: int | None = None, progress: Progress = unwatched
) -> Index:
    """The index of a dataset as it is on this disk, valid or not; a generated dataset is generated where it is absent.

    Args:
        name: as registered, in any spelling.
        data_path: its folder, if it is not in its usual place.
        test_fold: the official fold to test on; by default that of the dataset, where it has folds.

    Raises:
        ConfigError: the name or the fold is unknown.
        DatasetError: the folder is absent or does not hold the dataset.
    """
    dataset = DATASETS[name]
    dataset.check_fold(test_fold)
    root = home(dataset, data_path)
    if not root.is_dir():
        if dataset.make is None or data_path is not None:
            raise dataset.not_found(root)
        make = dataset.make
        fill_cache(root, lambda unfinished: make(unfinished, progress))
    try:
        clips = dataset.index(root).within(root)
    except NotThereError:
        raise dataset.not_found(root) from None
    fold = dataset.test_fold if test_fold is None else test_fold
    if fold is not None and clips.has_folds:
        clips = clips.with_test_fold(fold)
    elif test_fold not in (None, dataset.test_fold):
        raise ConfigError(
            f"test fold {test_fold} cannot be used. {clips.root} is not split by folds, but by {clips.disjoint_by}"
        )
    count = len(clips.clips) + len(clips.skipped) + len(clips.unlisted)
    if count < dataset.clips:
        clips = replace(clips, notes=(f"Subset: {count:,} of {dataset.clips:,} clips", *clips.notes))
    return clips


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
