"""Datasets: their contract, one file each below `corpora`, and the cache of their waveforms."""

from distrack.datasets import corpora
from distrack.datasets.cache import Prepared, fingerprint, prepare, prepared
from distrack.datasets.clips import Clip, Index
from distrack.datasets.contract import DATASETS, Dataset
from distrack.datasets.library import fetch, home, index, look, title
from distrack.registry import discover

discover(corpora.__name__, corpora.__path__)

__all__ = [
    "DATASETS",
    "Clip",
    "Dataset",
    "Index",
    "Prepared",
    "fetch",
    "fingerprint",
    "home",
    "index",
    "look",
    "prepare",
    "prepared",
    "title",
]
