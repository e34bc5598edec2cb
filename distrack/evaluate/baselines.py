"""Baselines: what real clips of the training side do in the place of the tracks."""

from distrack.distill import RealImages
from distrack.distill.initialisation import random_selection
from distrack.distill.randomness import derived_seed
from distrack.evaluate.contract import BASELINES, Baseline, TrainingSet


def choose_at_random(train: RealImages, ipc: int, seed: int) -> TrainingSet:
    """As many random real clips of each class as there are tracks: the same storage."""
    return TrainingSet.of_clips(train, random_selection(train, ipc, derived_seed(seed, "baseline")))


def choose_mean(train: RealImages, ipc: int, seed: int) -> TrainingSet:  # noqa: ARG001
    """All real clips, one mean for each class."""
    return TrainingSet.of_clips(train, averaged=True)


def choose_all(train: RealImages, ipc: int, seed: int) -> TrainingSet:  # noqa: ARG001
    """All real clips: what the tracks are compressed from."""
    return TrainingSet.of_clips(train)


BASELINES.add("random-selection", Baseline(choose_at_random, ("random-cnn", "prototype")))
BASELINES.add("class-mean", Baseline(choose_mean, ("prototype",)))
BASELINES.add("full", Baseline(choose_all, ("random-cnn",)))
