"""The baseline of k-means centres in an evaluator's latent space, as many per class as there are tracks."""

from distrack.evaluate.contract import BASELINES, Baseline
from distrack.learning import TrainingSet

BASELINES.add(
    "k-means-centres",
    Baseline(
        lambda train, like, _seed: TrainingSet.of_clips(train, centres=like.config.ipc),
        "k-means centres in the latent space of a prototype evaluator",
        suits=lambda evaluator: evaluator.has_latent_space,
    ),
    title="k-means centres",
)
