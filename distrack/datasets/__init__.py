"""Datasets: the contract, one file a dataset, and the cache of their waveforms. Every module here is an entry."""

import importlib
import pkgutil
from pathlib import Path

from distrack.datasets.cache import Prepared, Skipped, fill_once, prepare
from distrack.datasets.contract import DATASETS, Clip, Dataset, Index, Progress
from distrack.settings import settings

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["DATASETS", "Clip", "Dataset", "Index", "Prepared", "Skipped", "home", "index", "prepare"]


def home(dataset: Dataset, data_path: Path | None) -> Path:
    """The folder of a dataset: the one given, or its own below the data path."""
    return data_path if data_path is not None else settings().data_path / dataset.name.lower()


def index(name: str, data_path: Path | None = None, *, progress: Progress | None = None) -> Index:
    """The valid index of a dataset on this disk; one that needs no download is made first where it is absent.

    Raises:
        ConfigError: unknown name.
        DatasetError: the folder is absent, does not hold the dataset, or cannot be used.
    """
    dataset = DATASETS[name]
    root = home(dataset, data_path)
    if not root.is_dir():
        if dataset.make is None or data_path is not None:
            raise dataset.not_found(root)
        make = dataset.make
        fill_once(root, lambda partial: make(partial, progress))
    found = dataset.index(root)
    found.validate()
    return found
