"""The baseline of k-means centres in an evaluator's latent space, as many per class as there are tracks."""

from distrack.evaluate.contract import BASELINES, Baseline
from distrack.evaluate.training_set import TrainingSet
from distrack.images import RealImages


def choose_centres(train: RealImages, ipc: int, seed: int) -> TrainingSet:  # noqa: ARG001
    """All real clips, represented by as many cluster centres per class as there are tracks."""
    return TrainingSet.of_clips(train, centres=ipc)


BASELINES.add(
    "k-means-centres",
    Baseline(
        choose_centres,
        "k-means centres in the latent space of a prototype evaluator",
        suits=lambda evaluator: evaluator.has_latent_space,
    ),
    title="k-means centres",
)
