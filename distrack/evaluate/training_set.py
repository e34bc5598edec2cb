"""What evaluators learn from and what they classify: labelled images in memory or on disk, read in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from distrack.arrays import Integers
from distrack.distill import SyntheticSet
from distrack.images import RealImages, class_means

_BATCH = 256


@dataclass(frozen=True)
class TrainingSet:
    """Labelled images that an evaluator learns from.

    Attributes:
        images: reads the normalised images at some positions to a device, `[m, 1, bands, frames]`.
        labels: `[n]` int64.
        classes: number of classes.
        centres: number of centres per class that stand for the images; 0 uses the images themselves, 1 the class means.
    """

    images: Callable[[Integers, torch.device], Tensor]
    labels: Tensor
    classes: int
    centres: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of_tracks(cls, synthetic: SyntheticSet) -> TrainingSet:
        """The rendered tracks of a synthetic set."""
        tracks = synthetic.tracks()
        return cls(lambda positions, device: tracks[positions].to(device), synthetic.labels, len(synthetic.classes))

    @classmethod
    def of_clips(cls, clips: RealImages, selection: Integers | None = None, *, centres: int = 0) -> TrainingSet:
        """The clips of one side of a real dataset, or those at the selected positions."""
        selected = np.arange(len(clips)) if selection is None else selection
        return cls(
            lambda positions, device: clips.batch(selected[positions], device),
            torch.from_numpy(clips.labels[selected]),
            clips.classes,
            centres,
        )

    def batches(self, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """All images in order with their labels, a batch at a time."""
        for start in range(0, len(self), _BATCH):
            positions = np.arange(start, min(start + _BATCH, len(self)))
            yield self.images(positions, device), self.labels[positions].to(device)

    def examples(self, device: torch.device) -> TrainingSet:
        """The set for an evaluator that learns from images: class means where centres stand for the images."""
        if not self.centres:
            return self
        means = class_means(self.batches(device), self.classes)
        return replace(
            self,
            images=lambda positions, device: means[positions].to(device),
            labels=torch.arange(self.classes),
            centres=0,
        )


class LabelledImages(Protocol):
    """Labelled images that an evaluator classifies: real test clips, or tracks."""

    @property
    def shape(self) -> tuple[int, int]:
        """Bands and frames."""

    @property
    def shift_bands(self) -> bool:
        """Whether an image that is shifted in frequency keeps its class."""

    @property
    def fingerprint(self) -> str:
        """A digest of the images and their labels."""

    def batches(self, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """All images in order with their labels, a batch at a time."""


@dataclass(frozen=True)
class Tracks:
    """The rendered tracks of a synthetic set as images to classify; see `LabelledImages`.

    Attributes:
        images: `[n, 1, bands, frames]`.
        labels: `[n]` int64.
    """

    images: Tensor
    labels: Tensor
    shift_bands: bool
    fingerprint: str

    @property
    def shape(self) -> tuple[int, int]:
        """Bands and frames."""
        return int(self.images.shape[2]), int(self.images.shape[3])

    def batches(self, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """All tracks in order with their labels, a batch at a time."""
        for images, labels in zip(self.images.split(_BATCH), self.labels.split(_BATCH), strict=True):
            yield images.to(device), labels.to(device)
