"""Baselines of as many real clips per class as there are tracks: random ones, herded ones, medoids.

A class with fewer clips has all of them, and then the same again.
"""

from collections.abc import Callable
from functools import partial

from distrack.arrays import Integers
from distrack.distill import SyntheticSet
from distrack.distill.initialisations.herding import herd
from distrack.distill.initialisations.k_means import central
from distrack.distill.initialisations.real import random_real
from distrack.evaluate.contract import BASELINES, Baseline
from distrack.images import RealImages
from distrack.learning import TrainingSet
from distrack.randomness import derived_seed


def _selected_by(
    select: Callable[[RealImages, int, int], Integers], train: RealImages, like: SyntheticSet, seed: int
) -> TrainingSet:
    return TrainingSet.of_clips(train, select(train, like.config.ipc, derived_seed(seed, "baseline")))


BASELINES.add("random-selection", Baseline(partial(_selected_by, random_real), "Random clips"))
BASELINES.add(
    "herding",
    Baseline(partial(_selected_by, herd), "Clips selected by herding: their mean is close to the class's"),
    title="Herding",
)
BASELINES.add(
    "k-means", Baseline(partial(_selected_by, central), "Medoids of k-means clusters"), title="k-means medoids"
)
