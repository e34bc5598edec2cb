"""The contracts of evaluators and baselines, and their registries."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from distrack.evaluate.recipe import Recipe
from distrack.evaluate.training_set import TrainingSet
from distrack.images import RealImages
from distrack.progress import Progress
from distrack.registry import Registry


class Trial(NamedTuple):
    """One run of one measurement. On a CPU the predictions depend on nothing but its values.

    Attributes:
        test: the images whose classes are predicted: real test clips, or tracks.
        clips: all real training clips, for an evaluator that trains its embedding network on them.
    """

    training: TrainingSet
    test: RealImages | TrainingSet
    recipe: Recipe
    clips: TrainingSet
    seed: int
    device: torch.device
    progress: Progress


class Evaluator(NamedTuple):
    """A way to measure a training set.

    Attributes:
        predict: learns from a training set and predicts the classes of other images, `[n]` int64.
        network_name: what it represents images with, as a report names it: a network, or statistics.
        any_network: it trains one network by the recipe, so it can be repeated with other architectures and its
            learning rate can be tuned.
        has_latent_space: it compares embeddings with prototypes, which may be centres of many embeddings.
        tests_tracks: it learns from all real training clips and classifies the tracks, not the other way round.
    """

    predict: Callable[[Trial], Tensor]
    network_name: Callable[[Recipe], str]
    summary: str
    any_network: bool = False
    has_latent_space: bool = False
    tests_tracks: bool = False


class Baseline(NamedTuple):
    """A training set of real clips that a synthetic set is compared with.

    Attributes:
        choose: makes it from the real training clips, the number of tracks per class and a seed.
        suits: whether an evaluator can measure it.
        depends_on_ipc: whether another number of tracks per class gives another training set.
    """

    choose: Callable[[RealImages, int, int], TrainingSet]
    summary: str
    suits: Callable[[Evaluator], bool] = lambda _evaluator: True
    depends_on_ipc: bool = True


EVALUATORS: Registry[Evaluator] = Registry("evaluator")
BASELINES: Registry[Baseline] = Registry("baseline")


def name_of(name: str) -> str:
    """The synthetic tracks or a baseline as the screen names it; a name that is not registered stays as it is."""
    if name == "synthetic":
        return "Synthetic tracks"
    return BASELINES.title(name) if name in BASELINES else name
