"""Comparison of the tracks with random clips and with the full dataset."""

from collections.abc import Iterable
from typing import NamedTuple

from distrack.evaluate.scores import Accuracy, Evaluation


class Comparison(NamedTuple):
    """Accuracies of the tracks, of random clips and of the full dataset, by one evaluator with one network.

    Attributes:
        random, full: None if they were not measured.

    Source:
        Li et al., "DD-Ranking: Rethinking the Evaluation of Dataset Distillation", 2025. Here both sets have hard
        labels and the same augmentation.
    """

    evaluator: str
    network: str
    tracks: Accuracy
    random: Accuracy | None
    full: Accuracy | None

    @property
    def gain(self) -> float | None:
        """Accuracy minus that of random clips of the same size: the improvement over random of DD-Ranking."""
        return None if self.random is None else self.tracks.mean - self.random.mean

    @property
    def lost(self) -> float | None:
        """Accuracy of the full dataset minus that of the tracks: the hard label recovery of DD-Ranking."""
        return None if self.full is None else self.full.mean - self.tracks.mean

    @property
    def recovered(self) -> float | None:
        """Accuracy as a share of that of the full dataset."""
        return None if self.full is None or not self.full.mean else self.tracks.mean / self.full.mean


def comparisons(evaluations: Iterable[Evaluation]) -> list[Comparison]:
    """One comparison for each evaluator and network that measured the tracks.

    >>> line = lambda trained_on, accuracy: Evaluation(
    ...     evaluator="random-cnn", trained_on=trained_on, network="n", accuracy=Accuracy.of([accuracy]),
    ...     macro_f1=accuracy, confusion=((1,),))
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
