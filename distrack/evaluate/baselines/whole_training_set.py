"""The baseline of all real training clips, which shows what the compression to tracks costs."""

from distrack.evaluate.contract import BASELINES, Baseline
from distrack.learning import TrainingSet

BASELINES.add(
    "full",
    Baseline(
        lambda train, _like, _seed: TrainingSet.of_clips(train),
        "All training clips; takes longest",
        suits=lambda evaluator: not evaluator.has_latent_space,
        depends_on=(),
    ),
    title="Full dataset",
)
