"""What is measured and by what: training sets, evaluators and baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from distrack.datasets.contract import Progress
from distrack.distill import RealImages, SyntheticSet
from distrack.registry import Registry

if TYPE_CHECKING:
    from distrack.evaluate.config import EvaluationConfig


@dataclass(frozen=True)
class TrainingSet:
    """Something to learn from: labelled images, in memory or on disk.

    Attributes:
        images: normalised images of the examples at some positions, on a device.
        labels: ``[n]`` int64.
        classes: how many classes there are.
        averaged: the examples of a class stand for their mean, not for themselves.
    """

    images: Callable[[np.ndarray[tuple[int], np.dtype[np.int64]], torch.device], Tensor]
    labels: Tensor
    classes: int
    averaged: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of_tracks(cls, synthetic: SyntheticSet) -> TrainingSet:
        """The rendered tracks of a synthetic set."""
        tracks = synthetic.tracks()
        return cls(lambda positions, device: tracks[positions].to(device), synthetic.labels, len(synthetic.classes))

    @classmethod
    def of_clips(
        cls,
        clips: RealImages,
        positions: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None,
        *,
        averaged: bool = False,
    ) -> TrainingSet:
        """Some or all clips of one side of a real dataset."""
        chosen = np.arange(len(clips)) if positions is None else positions
        return cls(
            lambda wanted, device: clips.batch(chosen[wanted], device),
            torch.from_numpy(clips.labels[chosen]),
            clips.classes,
            averaged,
        )


class Examined(Protocol):
    """What an evaluator is examined on: real test clips, or tracks."""

    @property
    def shape(self) -> tuple[int, int]:
        """Bands and frames."""

    @property
    def shift_bands(self) -> bool:
        """Whether an image shifted in frequency is still one of its class."""

    def batches(self, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """All images in order with their labels, a batch at a time."""


@dataclass(frozen=True)
class Tracks:
    """The rendered tracks of a synthetic set, to be examined on; see `Examined`."""

    images: Tensor
    labels: Tensor
    shift_bands: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Bands and frames."""
        return int(self.images.shape[2]), int(self.images.shape[3])

    def batches(self, device: torch.device, size: int = 256) -> Iterator[tuple[Tensor, Tensor]]:
        """All tracks in order with their labels, a batch at a time."""
        for images, labels in zip(self.images.split(size), self.labels.split(size), strict=True):
            yield images.to(device), labels.to(device)


class Evaluator(Protocol):
    """Learns from a training set and predicts the class of everything it is examined on."""

    def __call__(
        self,
        training: TrainingSet,
        test: Examined,
        config: EvaluationConfig,
        *,
        seed: int,
        device: torch.device,
        progress: Progress,
    ) -> Tensor:
        """Predicted classes, ``[examined]`` int64; deterministic on the CPU in its arguments."""


class Baseline(NamedTuple):
    """Real clips that a synthetic set is compared with.

    Attributes:
        choose: from the training side, tracks per class and a seed to a training set.
        evaluators: the evaluators for which it makes sense.
    """

    choose: Callable[[RealImages, int, int], TrainingSet]
    evaluators: tuple[str, ...]


EVALUATORS: Registry[Evaluator] = Registry("evaluator")
# Those that go the other way round: they learn from all real training clips and are examined on the tracks.
LISTENERS = frozenset({"recognition"})
BASELINES: Registry[Baseline] = Registry("baseline")
