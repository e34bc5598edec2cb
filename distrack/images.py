"""The images of real clips: one side of a split, computed once, memory-mapped, normalised as they are read."""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from distrack import datasets
from distrack.datasets import Prepared
from distrack.datasets.arrays import reserve, write_rows
from distrack.datasets.cache import fill_cache
from distrack.datasets.clips import Split
from distrack.datasets.disk import writing_below
from distrack.features import FEATURES, FeatureConfig, Normalisation, build_feature
from distrack.files import write_atomically
from distrack.progress import DetailedProgress, Progress
from distrack.settings import settings

log = logging.getLogger(__name__)

_BATCH = 256


@dataclass(frozen=True)
class RealImages:
    """Real clips of one side of a split, as a network sees them.

    Attributes:
        images: the feature of every clip of the dataset, not normalised, memory-mapped.
        waveforms: the samples of every clip of the dataset, memory-mapped.
        rows: the clips of this side.
        labels: their classes.
        classes: how many classes there are.
        normalisation: of the training side, whichever side this is.
        shift_bands: whether an image shifted in frequency is still one of its class.
        source: digest of the dataset and the feature that the images are of.

    Shape:
        - images: ``[clips, 1, bands, frames]`` float32
        - waveforms: ``[clips, samples]`` float32
        - rows, labels: ``[n]`` int64
    """

    images: NDArray[np.float32]
    waveforms: NDArray[np.float32]
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
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
    def fingerprint(self) -> str:
        """A digest of these images and their labels; of images from no file, of their values."""
        digest = hashlib.sha256(f"{self.source} {self.normalisation!r} {self.shift_bands}\n".encode())
        for values in (self.rows, self.labels, *([] if self.source else [self.images[self.rows]])):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()[:24]

    def batch(self, positions: NDArray[np.int64] | Tensor, device: torch.device) -> Tensor:
        """Normalised images of the clips at these positions of this side, ``[n, 1, bands, frames]``."""
        images = torch.from_numpy(np.asarray(self.images[self.rows[np.asarray(positions)]]))
        return self.normalisation.apply(images.to(device))

    @property
    def samples(self) -> int:
        """Length of a clip."""
        return int(self.waveforms.shape[1])

    def sounds(self, positions: NDArray[np.int64]) -> Tensor:
        """Samples of the clips at these positions of this side, ``[n, samples]``."""
        return torch.from_numpy(np.asarray(self.waveforms[self.rows[positions]]))

    def batches(self, device: torch.device, size: int = _BATCH) -> Iterator[tuple[Tensor, Tensor]]:
        """All images in order with their labels, a batch at a time."""
        for start in range(0, len(self), size):
            positions = np.arange(start, min(start + size, len(self)))
            yield self.batch(positions, device), torch.from_numpy(self.labels[positions]).to(device)

    def of_class(self, label: int) -> NDArray[np.int64]:
        """Positions of the clips of one class."""
        return np.flatnonzero(self.labels == label)


class Material(NamedTuple):
    """A prepared dataset and both of its sides as images.

    Attributes:
        prepared: index, splits and waveforms.
        train, test: images of the sides.
    """

    prepared: Prepared
    train: RealImages
    test: RealImages


def load(
    dataset: str,
    data_path: Path | None = None,
    *,
    test_fold: int | None = None,
    seconds: float,
    feature: FeatureConfig,
    cache_path: Path | None = None,
    progress: DetailedProgress | None = None,
) -> Material:
    """A dataset as waveforms and normalised images; what was decoded or computed before is read from the cache.

    Args:
        dataset: name of the dataset.
        data_path: its folder, if it is not in its usual place.
        test_fold: official fold to test on, where the dataset has folds.
        seconds: fixed length of a clip.
        feature: what a waveform becomes.
        cache_path: folder of the cache; that of the settings if None.
        progress: told `(done, total, detail)`.

    Raises:
        DatasetError: the dataset is absent or cannot be used.
    """
    report = progress or (lambda _done, _total, _detail: None)
    index = datasets.index(
        dataset, data_path, test_fold=test_fold, progress=lambda done, total: report(done, total, "making the dataset")
    )
    prepared = datasets.prepare(
        index,
        seconds=seconds,
        cache_path=settings().cache_path if cache_path is None else cache_path,
        progress=lambda done, total: report(done, total, "decoding"),
    )
    for skip in prepared.skipped:
        log.warning("skipped %s: %s", skip.path, skip.reason)
    sides = real_images(prepared, feature, progress=lambda done, total: report(done, total, "computing features"))
    if datasets.DATASETS[dataset].pitch_is_class:  # an image at another pitch is of another class
        sides = {side: replace(images, shift_bands=False) for side, images in sides.items()}
    return Material(prepared, sides["train"], sides["test"])


def real_images(
    prepared: Prepared, config: FeatureConfig, *, progress: Progress | None = None
) -> dict[Split, RealImages]:
    """Every side of a prepared dataset as images; instant when the feature was computed before.

    Raises:
        DatasetError: the disk is full.
    """
    digest = hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16]
    folder = prepared.folder / f"{config.name}-{digest}"
    fill_cache(folder, lambda unfinished: _compute(prepared, config, unfinished, progress))
    images = np.load(folder / "images.npy", mmap_mode="r")
    sides: tuple[Split, ...] = ("train", "validation", "test")
    rows = {side: prepared.split_rows(side) for side in sides}
    feature, classes = FEATURES[config.name], len(prepared.index.classes)
    normalisation = _normalisation(folder, rows["train"], per_band=feature.per_band_normalisation)
    return {
        side: RealImages(
            images,
            prepared.waveforms,
            of,
            prepared.labels(of),
            classes,
            normalisation,
            feature.bands_are_pitch,
            f"{prepared.key} {folder.name}",
        )
        for side, of in rows.items()
    }


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


def _compute(prepared: Prepared, config: FeatureConfig, unfinished: Path, progress: Progress | None) -> None:
    feature = build_feature(config)
    count, samples = prepared.waveforms.shape
    path = unfinished / "images.npy"
    reserve(path, (count, 1, *config.shape(samples)), np.float32)
    for start in range(0, count, _BATCH):
        rows = slice(start, min(start + _BATCH, count))
        with torch.no_grad():
            write_rows(path, rows, feature(torch.from_numpy(prepared.read(rows))).numpy())
        if progress is not None:
            progress(rows.stop, count)


def _normalisation(folder: Path, train: NDArray[np.int64], *, per_band: bool) -> Normalisation:
    """Of these training clips: another test fold has others, and its own mean and deviation."""
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
