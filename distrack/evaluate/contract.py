"""What is measured and by what: training sets, evaluators and baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from distrack.datasets.contract import Progress
from distrack.distill import SyntheticSet
from distrack.images import RealImages
from distrack.registry import Registry

if TYPE_CHECKING:
    from distrack.evaluate.config import EvaluationConfig

_BATCH = 256


@dataclass(frozen=True)
class TrainingSet:
    """Something to learn from: labelled images, in memory or on disk.

    Attributes:
        images: normalised images of the examples at some positions, on a device.
        labels: ``[n]`` int64.
        classes: how many classes there are.
        centres: of each class so many centres are learnt from, not the examples themselves; 1 is their mean, 0 is none.
    """

    images: Callable[[np.ndarray[tuple[int], np.dtype[np.int64]], torch.device], Tensor]
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
    def of_clips(
        cls, clips: RealImages, positions: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None, *, centres: int = 0
    ) -> TrainingSet:
        """Some or all clips of one side of a real dataset."""
        chosen = np.arange(len(clips)) if positions is None else positions
        return cls(
            lambda wanted, device: clips.batch(chosen[wanted], device),
            torch.from_numpy(clips.labels[chosen]),
            clips.classes,
            centres,
        )

    def batches(self, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """All images in order with their labels, a batch at a time."""
        for start in range(0, len(self), _BATCH):
            positions = np.arange(start, min(start + _BATCH, len(self)))
            yield self.images(positions, device), self.labels[positions].to(device)

    def examples(self, device: torch.device) -> TrainingSet:
        """What an evaluator learns from that sees images: of a set that is its means, one mean image a class."""
        if not self.centres:
            return self
        means = class_means(self.batches(device), self.classes)
        return replace(
            self,
            images=lambda positions, device: means[positions].to(device),
            labels=torch.arange(self.classes),
            centres=0,
        )


def class_means(batches: Iterator[tuple[Tensor, Tensor]], classes: int) -> Tensor:
    """Means of each class, in memory that does not grow with what they are taken over.

    Shape:
        - batches: values ``[n, ...]`` and labels ``[n]``
        - returns: ``[classes, ...]``; of a class that is not there, zero
    """
    sums: Tensor | float = 0.0
    counts: Tensor | float = 0.0
    for values, labels in batches:
        member = one_hot(labels, classes).T.to(values.dtype)
        sums = sums + member @ values.flatten(1)
        counts = counts + member.sum(1)
    if not isinstance(sums, Tensor) or not isinstance(counts, Tensor):
        raise ValueError("nothing to take the mean of")
    return (sums / counts.clamp_min(1)[:, None]).view(classes, *values.shape[1:])


class Examined(Protocol):
    """What an evaluator is examined on: real test clips, or tracks."""

    @property
    def shape(self) -> tuple[int, int]:
        """Bands and frames."""

    @property
    def shift_bands(self) -> bool:
        """Whether an image shifted in frequency is still one of its class."""

    @property
    def fingerprint(self) -> str:
        """A digest of the images and their labels."""

    def batches(self, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """All images in order with their labels, a batch at a time."""


@dataclass(frozen=True)
class Tracks:
    """The rendered tracks of a synthetic set, to be examined on; see `Examined`."""

    images: Tensor
    labels: Tensor
    shift_bands: bool
    fingerprint: str

    @property
    def shape(self) -> tuple[int, int]:
        """Bands and frames."""
        return int(self.images.shape[2]), int(self.images.shape[3])

    def batches(self, device: torch.device, size: int = _BATCH) -> Iterator[tuple[Tensor, Tensor]]:
        """All tracks in order with their labels, a batch at a time."""
        for images, labels in zip(self.images.split(size), self.labels.split(size), strict=True):
            yield images.to(device), labels.to(device)


class Predict(Protocol):
    """Learns from a training set and predicts the class of everything it is examined on."""

    def __call__(
        self,
        training: TrainingSet,
        test: Examined,
        config: EvaluationConfig,
        *,
        clips: TrainingSet,
        seed: int,
        device: torch.device,
        progress: Progress,
    ) -> Tensor:
        """Predicted classes, ``[examined]`` int64; deterministic on the CPU in its arguments.

        Args:
            training: what is measured.
            test: what is predicted.
            config: the recipe.
            clips: all real training clips, for an evaluator that looks with what it learnt from them.
            seed: of all that is random.
            device: where to compute.
            progress: told how much is done.
        """


class Evaluator(NamedTuple):
    """A way to measure a training set.

    Attributes:
        predict: learns and predicts.
        looks_with: what it looks at images with, in a few words.
        summary: what it does, in a few words.
        any_network: whether it can be repeated with other architectures.
        listens: it goes the other way round: it learns from all real training clips and is examined on the tracks.
    """

    predict: Predict
    looks_with: Callable[[EvaluationConfig], str]
    summary: str
    any_network: bool = False
    listens: bool = False


class Baseline(NamedTuple):
    """Real clips that a synthetic set is compared with.

    Attributes:
        choose: from the training side, tracks per class and a seed to a training set.
        evaluators: the evaluators for which it makes sense.
        summary: what it is, in a few words.
        as_many: it has as many examples as there are tracks, or depends on their number otherwise.
    """

    choose: Callable[[RealImages, int, int], TrainingSet]
    evaluators: tuple[str, ...]
    summary: str
    as_many: bool = True


EVALUATORS: Registry[Evaluator] = Registry("evaluator")
BASELINES: Registry[Baseline] = Registry("baseline")


def the_network(config: EvaluationConfig) -> str:
    """The evaluation's network, as a report names it."""
    return f"{config.network.name} {config.network.width} x {config.network.depth}"
