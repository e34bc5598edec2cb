"""Scores: what predictions on the test clips are worth, over several seeds."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, computed_field
from scipy.special import stdtrit

_CONFIDENCE = 0.95


class Accuracy(BaseModel):
    """Share of test clips recognised: mean and deviation over runs, and the runs."""

    model_config = ConfigDict(frozen=True)

    mean: float
    std: float
    runs: tuple[float, ...]

    @classmethod
    def of(cls, runs: Sequence[float]) -> "Accuracy":
        """Mean and deviation of these runs."""
        return cls(mean=float(np.mean(runs)), std=float(np.std(runs)), runs=tuple(runs))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the mean over all seeds lies with 95 % confidence, by Student's t; None for a single run.

        It is about the seeds alone: another test set would add to it.
        """
        if len(self.runs) < 2:
            return None
        quantile = stdtrit(len(self.runs) - 1, (1 + _CONFIDENCE) / 2)
        half = float(quantile * np.std(self.runs, ddof=1) / math.sqrt(len(self.runs)))
        return max(0.0, self.mean - half), min(1.0, self.mean + half)


class Evaluation(BaseModel):
    """One line of `report.json`: one evaluator, trained on one kind of set.

    Attributes:
        network: what the evaluator looks at images with.
        macro_f1: mean over runs of the F1 score averaged over the classes.
        confusion: counts over all runs; a row is the true class, a column the predicted one.
        recipe: how it was trained, as `EvaluationConfig.recipe` has it.
        learning_rate: the one that was chosen, where there was a choice.
    """

    model_config = ConfigDict(frozen=True)

    evaluator: str
    trained_on: str
    network: str
    accuracy: Accuracy
    macro_f1: float
    confusion: tuple[tuple[int, ...], ...]
    recipe: dict[str, Any] = {}
    learning_rate: float | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """A report has one evaluation of each: evaluator, what it is trained on, network."""
        return self.evaluator, self.trained_on, self.network

    @computed_field  # type: ignore[prop-decorator]
    @property
    def recall(self) -> tuple[float, ...]:
        """Share of each class's test clips that were recognised, over all runs; 0 of a class that has none."""
        counts = np.array(self.confusion)
        return tuple(float(share) for share in counts.diagonal() / np.maximum(counts.sum(1), 1))


def score(
    truth: NDArray[np.int64],
    predictions: Sequence[NDArray[np.int64]],
    *,
    classes: int,
    evaluator: str,
    trained_on: str,
    network: str,
    recipe: dict[str, Any] | None = None,
    learning_rate: float | None = None,
) -> Evaluation:
    """The scores of several runs on the same test clips.

    Shape:
        - truth: ``[n]``
        - predictions: ``[n]`` for each run
    """
    # Counted here: scikit-learn's own take longer to load than all the rest of asking again for what is known.
    counts = [np.bincount(truth * classes + found, minlength=classes**2).reshape(classes, -1) for found in predictions]
    f1 = [2 * each.diagonal() / np.maximum(each.sum(0) + each.sum(1), 1) for each in counts]
    confusion = np.sum(counts, axis=0)
    return Evaluation(
        evaluator=evaluator,
        trained_on=trained_on,
        network=network,
        accuracy=Accuracy.of([float((truth == found).mean()) for found in predictions]),
        macro_f1=float(np.mean(f1)),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        recipe=recipe or {},
        learning_rate=learning_rate,
    )
