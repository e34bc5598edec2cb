"""Training sets: labelled images in memory or on disk, read in batches, that a network learns from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from distrack.arrays import Integers
from distrack.images import RealImages, class_means

_BATCH = 256


@dataclass(frozen=True)
class TrainingSet:
    """Labelled images that a network learns from.

    Attributes:
        images: reads the normalised images at some positions to a device, `[m, 1, bands, frames]`.
        labels: `[n]` int64.
        shape: bands and frames.
        shift_bands: whether an image that is shifted in frequency keeps its class.
        centres: number of centres per class that stand for the images; 0 uses the images themselves, 1 the class means.
    """

    images: Callable[[Integers, torch.device], Tensor]
    labels: Tensor
    classes: int
    shape: tuple[int, int]
    shift_bands: bool
    centres: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of_images(cls, images: Tensor, labels: Tensor, *, classes: int, shift_bands: bool) -> Self:
        """Normalised images in memory, `[n, 1, bands, frames]`."""
        bands, frames = images.shape[2:]
        return cls(lambda at, device: images[at].to(device), labels, classes, (bands, frames), shift_bands)

    @classmethod
    def of_clips(cls, clips: RealImages, selection: Integers | None = None, *, centres: int = 0) -> Self:
        """The clips of one side of a real dataset, or those at the selected positions."""
        selected = clips if selection is None else clips.at(selection)
        labels = torch.from_numpy(selected.labels)
        return cls(selected.batch, labels, clips.classes, clips.shape, clips.shift_bands, centres)

    def batches(self, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """All images in order with their labels, a batch at a time."""
        for positions in np.array_split(np.arange(len(self)), range(_BATCH, len(self), _BATCH)):
            yield self.images(positions, device), self.labels[positions].to(device)

    def examples(self, device: torch.device) -> "TrainingSet":
        """The set for an evaluator that learns from images: class means where centres stand for the images."""
        if not self.centres:
            return self
        means = class_means(self.batches(device), self.classes)
        labels = torch.arange(self.classes)
        return TrainingSet.of_images(means, labels, classes=self.classes, shift_bands=self.shift_bands)
