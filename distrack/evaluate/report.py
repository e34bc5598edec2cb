"""The report of a run: what was measured, as `report.json` keeps it."""

from pydantic import BaseModel, ConfigDict

from distrack.evaluate.scores import Evaluation


class SplitReport(BaseModel):
    """Sizes of the sides, what never stands on two of them, the official fold tested on where there are
    folds, and what else a reader should know: that it is a subset, what was left out."""

    model_config = ConfigDict(frozen=True)

    train: int
    test: int
    disjoint_by: str
    validation: int = 0
    test_fold: int | None = None
    notes: tuple[str, ...] = ()


class Report(BaseModel):
    """`report.json`.

    Attributes:
        tracks_per_class: the budget, in whole tracks.
        rendered_per_class: tracks that are rendered from it, each as long as a whole one.
        floats_per_class: the storage budget: numbers stored for one class, labels counted.
        seconds: wall time of each phase.
        skipped: files of the dataset that could not be used.
    """

    model_config = ConfigDict(frozen=True)

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
        """Mean accuracy of one evaluation, or None where it was not made."""
        for evaluation in self.evaluations:
            if (evaluation.evaluator, evaluation.trained_on) == (evaluator, trained_on):
                return evaluation.accuracy.mean
        return None
