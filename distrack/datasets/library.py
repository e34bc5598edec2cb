"""The library of datasets: where one lies, how it is indexed, and how it is downloaded."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from distrack.datasets.cache import fill_once
from distrack.datasets.contract import DATASETS, Dataset, Index, Progress
from distrack.datasets.download import Remote, download
from distrack.errors import ConfigError, DatasetError
from distrack.settings import settings


def home(dataset: Dataset, data_path: Path | None) -> Path:
    """The folder of a dataset: the one given, that of its setting, or its own below the data path."""
    if data_path is not None:
        return data_path
    if dataset.setting and (named := getattr(settings(), dataset.setting)) is not None and Path(named).is_dir():
        return Path(named)
    places = dataset.places(settings().data_path)
    return next((place for place in places if place.is_dir()), places[0])


def index(
    name: str, data_path: Path | None = None, *, test_fold: int | None = None, progress: Progress | None = None
) -> Index:
    """The valid index of a dataset on this disk; one that needs no download is made first where it is absent.

    Args:
        name: as registered, in any case.
        data_path: its folder, where it is not in its own place.
        test_fold: the official fold to test on, where it has folds and not the usual one is wanted.
        progress: told how much of it is made.

    Raises:
        ConfigError: unknown name or fold.
        DatasetError: the folder is absent, does not hold the dataset, or cannot be used.
    """
    dataset = DATASETS[name]
    dataset.check_fold(test_fold)
    if not dataset.labelled:
        raise DatasetError(
            f"{dataset.name} has pieces to take apart, not classes to tell apart: it cannot be distilled"
        )
    found = look(name, data_path, progress=progress)
    fold = dataset.test_fold if test_fold is None else test_fold
    if fold is not None and found.has_folds:
        found = found.with_test_fold(fold)
    elif test_fold not in (None, dataset.test_fold):
        raise ConfigError(
            f"test fold {test_fold}: what is under {found.root} is not split by folds: {found.disjoint_by}"
        )
    found.validate()
    return found


def look(name: str, data_path: Path | None = None, *, progress: Progress | None = None) -> Index:
    """What is on this disk of a dataset, whether it can be used or not.

    Raises:
        ConfigError: unknown name.
        DatasetError: the folder is absent or does not hold the dataset.
    """
    dataset = DATASETS[name]
    root = home(dataset, data_path)
    if not root.is_dir():
        if dataset.make is None or data_path is not None:
            raise dataset.not_found(root)
        make = dataset.make
        fill_once(root, lambda partial: make(partial, progress))
    found = dataset.index(root).within(root)
    count = len(found.clips) + len(found.skipped) + len(found.unlisted)
    if count < dataset.clips:
        found = replace(found, notes=(f"a subset: {count:,} of {dataset.clips:,} clips", *found.notes))
    return found


def fetch(name: str, data_path: Path | None = None, *, progress: Callable[[str, int, int], None] | None = None) -> Path:
    """Fetches a dataset into a folder, its own below the data path by default, seen there only when it is whole.

    Args:
        name: as registered, in any case.
        data_path: the folder to make.
        progress: told "downloading" or "unpacking", what is done and how much there is, in bytes.

    Raises:
        ConfigError: unknown name.
        DatasetError: it asks for a form, is there already, or cannot be fetched.
    """
    dataset = DATASETS[name]
    if not dataset.downloads:
        raise DatasetError(f"{dataset.name} cannot be downloaded from here: {dataset.how_to_get()}")
    own = dataset.places(settings().data_path)[0]
    root = data_path or own
    download(
        _mirrored(dataset.downloads, own.name), root, downloads=settings().data_path / "downloads", progress=progress
    )
    return root


def _mirrored(remotes: tuple[Remote, ...], folder: str) -> tuple[Remote, ...]:
    """The same files, from a folder of the settings' mirror where there is one; checksums stay: they must be equal."""
    mirror = settings().mirror
    if mirror is None:
        return remotes
    return tuple(
        remote._replace(url=f"{mirror.rstrip('/')}/{folder}/{urlsplit(remote.url).path.rsplit('/', 1)[-1]}", size=None)
        for remote in remotes
    )
