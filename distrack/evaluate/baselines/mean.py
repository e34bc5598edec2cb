"""The baseline of class means: one mean of all real clips for each class."""

from distrack.evaluate.contract import BASELINES, Baseline
from distrack.evaluate.training_set import TrainingSet
from distrack.images import RealImages


def choose_mean(train: RealImages, ipc: int, seed: int) -> TrainingSet:  # noqa: ARG001
    """All real clips, represented by the mean of each class, whatever the number of tracks."""
    return TrainingSet.of_clips(train, centres=1)


BASELINES.add(
    "class-mean", Baseline(choose_mean, "Mean of all clips of each class", depends_on_ipc=False), title="Class mean"
)
