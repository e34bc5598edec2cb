"""The baseline of class means: one mean of all real clips for each class, whatever the number of tracks."""

from distrack.evaluate.contract import BASELINES, Baseline
from distrack.learning import TrainingSet

BASELINES.add(
    "class-mean",
    Baseline(
        lambda train, _like, _seed: TrainingSet.of_clips(train, centres=1),
        "Mean of all clips of each class",
        depends_on=(),
    ),
    title="Class mean",
)
