"""A comparison: what the tracks gain over random clips, and how much of all clips' accuracy they recover."""

from collections.abc import Iterable
from typing import NamedTuple

from distrack.evaluate.scores import Accuracy, Evaluation


class Comparison(NamedTuple):
    """The tracks beside what they are measured against, by one evaluator with one network; None: not measured.

    Attributes:
        gain: accuracy beyond that of random clips of the same storage: the improvement over random of DD-Ranking.
        lost: what all clips have beyond the tracks: its hard label recovery, the smaller the better.
        recovered: accuracy as a share of that of all clips.

    Source:
        Li et al., "DD-Ranking: Rethinking the Evaluation of Dataset Distillation", 2025; here both sets have hard
        labels and the same augmentation.
    """

    evaluator: str
    network: str
    tracks: Accuracy
    random: Accuracy | None
    full: Accuracy | None

    @property
    def gain(self) -> float | None:
        """See above."""
        return None if self.random is None else self.tracks.mean - self.random.mean

    @property
    def lost(self) -> float | None:
        """See above."""
        return None if self.full is None else self.full.mean - self.tracks.mean

    @property
    def recovered(self) -> float | None:
        """See above."""
        return None if self.full is None or not self.full.mean else self.tracks.mean / self.full.mean


def comparisons(evaluations: Iterable[Evaluation]) -> list[Comparison]:
    """One comparison for each evaluator and network that the tracks were measured with.

    >>> line = lambda trained_on, right: Evaluation(
    ...     evaluator="random-cnn", trained_on=trained_on, network="n", accuracy=Accuracy.of([right]), macro_f1=right,
    ...     confusion=((1,),))
    >>> one, = comparisons([line("synthetic", 0.75), line("random-selection", 0.25), line("full", 1.0)])
    >>> one.gain, one.lost, one.recovered
    (0.5, 0.25, 0.75)
    """
    by_key = {evaluation.key: evaluation.accuracy for evaluation in evaluations}
    return [
        Comparison(
            evaluator,
            network,
            accuracy,
            by_key.get((evaluator, "random-selection", network)),
            by_key.get((evaluator, "full", network)),
        )
        for (evaluator, trained_on, network), accuracy in by_key.items()
        if trained_on == "synthetic"
    ]
