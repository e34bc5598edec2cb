"""Datasets: their contract, one file each below `corpora`, and the cache of their waveforms."""

from distrack.datasets import corpora
from distrack.datasets.cache import Prepared, fingerprint, prepare, prepared
from distrack.datasets.class_folders import DoubtfulLayoutError, Layout
from distrack.datasets.clips import Clip, Index
from distrack.datasets.contract import DATASETS, Dataset
from distrack.datasets.layout import left_out
from distrack.datasets.library import IncompleteError, fetch, folds, home, index, look, title
from distrack.datasets.reading import FolderReading, LayoutField, Reading, SubsetField
from distrack.registry import discover

discover(corpora.__name__, corpora.__path__)

__all__ = [
    "DATASETS",
    "Clip",
    "Dataset",
    "DoubtfulLayoutError",
    "FolderReading",
    "IncompleteError",
    "Index",
    "Layout",
    "LayoutField",
    "Prepared",
    "Reading",
    "SubsetField",
    "fetch",
    "fingerprint",
    "folds",
    "home",
    "index",
    "left_out",
    "look",
    "prepare",
    "prepared",
    "title",
]
