"""The report of a run: its data, its storage and its evaluations, as `report.json` stores them."""

from distrack.evaluate.scores import Evaluation
from distrack.validation import Record


class SplitReport(Record):
    """The split of the dataset.

    Attributes:
        train, test, validation: numbers of clips.
        disjoint_by: what no two sides share, for example the speaker.
        test_fold: official fold that is tested on; None for a dataset without folds.
        notes: further facts, for example that the dataset is a subset.
    """

    train: int
    test: int
    disjoint_by: str
    validation: int = 0
    test_fold: int | None = None
    notes: tuple[str, ...] = ()


class Report(Record):
    """The content of `report.json`.

    Attributes:
        tracks_per_class: the storage budget in whole tracks.
        rendered_per_class: number of tracks that are rendered from that storage.
        floats_per_class: stored floats per class, labels counted.
        seconds: wall time of each phase.
        skipped: number of files of the dataset that cannot be used.
    """

    dataset: str
    split: SplitReport
    feature: str
    domain: str
    parameterisation: str = "identity"
    tracks_per_class: int
    rendered_per_class: int
    seconds_per_track: float
    floats_per_class: int
    seconds: dict[str, float]
    device: str
    skipped: int
    evaluations: tuple[Evaluation, ...]

    def accuracy(self, evaluator: str, trained_on: str) -> float | None:
        """Mean accuracy of an evaluator on a training set, or None if it was not measured."""
        for evaluation in self.evaluations:
            if (evaluation.evaluator, evaluation.trained_on) == (evaluator, trained_on):
                return evaluation.accuracy.mean
        return None
