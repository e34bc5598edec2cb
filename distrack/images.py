"""Real clips as images: from a dataset to one side of its split, normalised, the same way for every caller.

Images are computed once and memory-mapped; they are normalised as they are read.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Unpack

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from distrack import datasets
from distrack.arrays import Floats, Integers, Mask
from distrack.datasets import Prepared, Reading
from distrack.datasets.cache import fill_cache
from distrack.datasets.clips import Split
from distrack.datasets.disk import reserve, write_rows, writing_below
from distrack.features import FEATURES, FeatureConfig, Normalisation, build_feature
from distrack.files import write_atomically
from distrack.progress import DetailedProgress, Progress, unwatched
from distrack.settings import settings

log = logging.getLogger(__name__)

_SIDES: tuple[Split, ...] = ("train", "validation", "test")
_BATCH = 256


@dataclass(frozen=True)
class RealImages:
    """Real clips of one side of a split, as a network sees them.

    Attributes:
        images: the feature of every clip of the dataset, not normalised, memory-mapped, ``[clips, 1, bands, frames]``.
        waveforms: the samples of every clip of the dataset, memory-mapped, ``[clips, samples]``.
        rows: the clips of this side, as rows of `images` and `waveforms`, ``[n]``.
        labels: the classes of these clips, ``[n]``.
        normalisation: of the training side, whichever side this is.
        shift_bands: whether an image that is shifted in frequency keeps its class.
        source: digest of the dataset and the feature; empty for images that come from no file.
    """

    images: Floats
    waveforms: Floats
    rows: Integers
    labels: Integers
    classes: int
    normalisation: Normalisation
    shift_bands: bool = True
    source: str = ""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        """Bands and frames."""
        return int(self.images.shape[2]), int(self.images.shape[3])

    @property
    def samples(self) -> int:
        """Length of a clip in samples."""
        return int(self.waveforms.shape[1])

    @property
    def fingerprint(self) -> str:
        """A digest of these images and their labels; without a source, of the images' values."""
        digest = hashlib.sha256(f"{self.source} {self.normalisation!r} {self.shift_bands}\n".encode())
        for values in (self.rows, self.labels, *([] if self.source else [self.images[self.rows]])):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()[:24]

    def batch(self, positions: Integers | Tensor, device: torch.device) -> Tensor:
        """Normalised images of the clips at these positions of this side, ``[n, 1, bands, frames]``."""
        images = torch.from_numpy(np.asarray(self.images[self.rows[np.asarray(positions)]]))
        return self.normalisation.apply(images.to(device))

    def batches(self, device: torch.device, size: int = _BATCH) -> Iterator[tuple[Tensor, Tensor]]:
        """All normalised images in order with their labels, a batch at a time."""
        for start in range(0, len(self), size):
            positions = np.arange(start, min(start + size, len(self)))
            yield self.batch(positions, device), torch.from_numpy(self.labels[positions]).to(device)

    def sounds(self, positions: Integers) -> Tensor:
        """Samples of the clips at these positions of this side, ``[n, samples]``."""
        return torch.from_numpy(np.asarray(self.waveforms[self.rows[positions]]))

    def of_class(self, label: int) -> Integers:
        """Positions of the clips of one class."""
        return np.flatnonzero(self.labels == label)

    def shuffled(self, label: int, draw: torch.Generator) -> Integers:
        """Positions of the clips of one class in random order."""
        members = self.of_class(label)
        order: Integers = torch.randperm(len(members), generator=draw).numpy()
        return members[order]

    def at(self, positions: Integers | Mask) -> "RealImages":
        """The clips at these positions alone."""
        return replace(self, rows=self.rows[positions], labels=self.labels[positions])


class Material(NamedTuple):
    """A prepared dataset and its images.

    Attributes:
        sides: images of the training, validation and test side; without a validation side its images are empty.
    """

    prepared: Prepared
    sides: dict[Split, RealImages]

    @property
    def train(self) -> RealImages:
        """Images of the training side."""
        return self.sides["train"]

    @property
    def test(self) -> RealImages:
        """Images of the test side."""
        return self.sides["test"]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.prepared.index.classes


def load(
    dataset: str,
    data_path: Path | None = None,
    *,
    seconds: float,
    feature: FeatureConfig,
    pitch_is_class: bool = False,
    cache_path: Path | None = None,
    progress: DetailedProgress = unwatched,
    **reading: Unpack[Reading],
) -> Material:
    """A dataset as waveforms and images; what was decoded or computed before is read from the cache.

    Args:
        data_path: the folder of the dataset, if it is not in its usual place.
        seconds: fixed length of a clip.
        pitch_is_class: whether the classes are pitches, where the dataset itself does not say so.
        cache_path: folder of the cache; that of the settings if None.
        reading: see `distrack.datasets.Reading`.

    Raises:
        ConfigError: the name or the fold is unknown.
        DatasetError: the dataset is absent or cannot be used, or the disk is full.
    """
    index = datasets.index(
        dataset,
        data_path,
        progress=lambda done, total: progress(done, total, "making the dataset"),
        **reading,
    )
    prepared = datasets.prepare(
        index,
        seconds=seconds,
        cache_path=settings().cache_path if cache_path is None else cache_path,
        progress=lambda done, total: progress(done, total, "decoding"),
    )
    for skip in prepared.skipped:
        log.warning("skipped %s: %s", skip.path, skip.reason)
    return _with_images(
        prepared, dataset, feature, pitch_is_class, lambda done, total: progress(done, total, "computing features")
    )


def load_cached(
    dataset: str,
    data_path: Path | None = None,
    *,
    seconds: float,
    feature: FeatureConfig,
    pitch_is_class: bool = False,
    **reading: Unpack[Reading],
) -> Material | None:
    """As `load`, but None where the clips were not decoded before: a page must not wait for that."""
    index = datasets.index(dataset, data_path, **reading)
    prepared = datasets.prepared(index, seconds=seconds, cache_path=settings().cache_path)
    return None if prepared is None else _with_images(prepared, dataset, feature, pitch_is_class)


def class_means(batches: Iterable[tuple[Tensor, Tensor]], classes: int) -> Tensor:
    """Mean of the values of each class, in one pass and in memory that does not grow with their number.

    Shape:
        - batches: values ``[n, ...]`` and their labels ``[n]``
        - returns: ``[classes, ...]``; zeros for a class that has no values

    Raises:
        ValueError: there are no batches.
    """
    sums: Tensor | float = 0.0
    counts: Tensor | float = 0.0
    for values, labels in batches:
        membership = one_hot(labels, classes).T.to(values.dtype)
        sums = sums + membership @ values.flatten(1)
        counts = counts + membership.sum(1)
    if not isinstance(sums, Tensor) or not isinstance(counts, Tensor):
        raise ValueError("no images to take the mean of")
    return (sums / counts.clamp_min(1)[:, None]).view(classes, *values.shape[1:])


def _with_images(
    prepared: Prepared, dataset: str, config: FeatureConfig, pitch_is_class: bool, progress: Progress = unwatched
) -> Material:
    digest = hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16]
    folder = prepared.folder / f"{config.name}-{digest}"
    fill_cache(folder, lambda unfinished: _compute(prepared, config, unfinished, progress))
    images = np.load(folder / "images.npy", mmap_mode="r")
    feature = FEATURES[config.name]
    normalisation = _normalisation(folder, prepared.split_rows("train"), per_band=feature.per_band_normalisation)
    # Where pitch is the class, an image at another pitch is of another class.
    pitch_is_class = pitch_is_class or datasets.DATASETS[dataset].pitch_is_class
    shift_bands = feature.bands_are_pitch and not pitch_is_class
    sides = {
        side: RealImages(
            images=images,
            waveforms=prepared.waveforms,
            rows=rows,
            labels=prepared.labels(rows),
            classes=len(prepared.index.classes),
            normalisation=normalisation,
            shift_bands=shift_bands,
            source=f"{prepared.folder.name} {folder.name}",
        )
        for side in _SIDES
        for rows in [prepared.split_rows(side)]
    }
    return Material(prepared, sides)


def _compute(prepared: Prepared, config: FeatureConfig, unfinished: Path, progress: Progress) -> None:
    feature = build_feature(config)
    count, samples = prepared.waveforms.shape
    path = unfinished / "images.npy"
    reserve(path, (count, 1, *config.shape(samples)), np.float32)
    for start in range(0, count, _BATCH):
        rows = slice(start, min(start + _BATCH, count))
        with torch.no_grad():
            write_rows(path, rows, feature(torch.from_numpy(prepared.read(rows))).numpy())
        progress(rows.stop, count)


def _normalisation(folder: Path, train: Integers, *, per_band: bool) -> Normalisation:
    """Normalisation by these training clips; another test fold has other training clips and a file of its own."""
    path = folder / f"normalisation-{hashlib.sha256(train.tobytes()).hexdigest()[:16]}.json"
    try:
        return Normalisation.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValueError):
        pass
    # Opened anew for every batch: a memory map that stays open keeps every page that was touched.
    batches = (
        torch.from_numpy(np.load(folder / "images.npy", mmap_mode="r")[train[start : start + _BATCH]])
        for start in range(0, len(train), _BATCH)
    )
    normalisation = Normalisation.of(batches, per_band=per_band)
    with writing_below(folder):
        write_atomically(path, normalisation.model_dump_json())
    return normalisation
