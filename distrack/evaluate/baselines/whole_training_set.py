"""The baseline of all real training clips, which shows what the compression to tracks costs."""

from distrack.evaluate.contract import BASELINES, Baseline
from distrack.evaluate.training_set import TrainingSet
from distrack.images import RealImages


def choose_all(train: RealImages, ipc: int, seed: int) -> TrainingSet:  # noqa: ARG001
    """All real training clips."""
    return TrainingSet.of_clips(train)


BASELINES.add(
    "full",
    Baseline(
        choose_all,
        "All training clips; takes longest",
        suits=lambda evaluator: not evaluator.has_latent_space,
        depends_on_ipc=False,
    ),
    title="Full dataset",
)
