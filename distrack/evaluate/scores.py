"""Scores: what predictions on the test clips are worth, over several seeds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict


class Accuracy(BaseModel):
    """Share of test clips recognised: mean and deviation over runs, and the runs."""

    model_config = ConfigDict(frozen=True)

    mean: float
    std: float
    runs: tuple[float, ...]


class Evaluation(BaseModel):
    """One line of `report.json`: one evaluator, trained on one kind of set.

    Attributes:
        macro_f1: mean over runs of the F1 score averaged over the classes.
        confusion: counts over all runs; a row is the true class, a column the predicted one.
    """

    model_config = ConfigDict(frozen=True)

    evaluator: str
    trained_on: str
    network: str
    accuracy: Accuracy
    macro_f1: float
    confusion: tuple[tuple[int, ...], ...]


def score(
    truth: NDArray[np.int64],
    predictions: Sequence[NDArray[np.int64]],
    *,
    classes: int,
    evaluator: str,
    trained_on: str,
    network: str,
) -> Evaluation:
    """The scores of several runs on the same test clips.

    Shape:
        - truth: ``[n]``
        - predictions: ``[n]`` for each run
    """
    # Imported here: it takes as long as a worker's first steps, which need none of it.
    from sklearn.metrics import confusion_matrix, f1_score

    labels = np.arange(classes)
    runs = tuple(float((truth == predicted).mean()) for predicted in predictions)
    f1 = [f1_score(truth, predicted, labels=labels, average="macro", zero_division=0.0) for predicted in predictions]
    confusion = sum(confusion_matrix(truth, predicted, labels=labels) for predicted in predictions)
    return Evaluation(
        evaluator=evaluator,
        trained_on=trained_on,
        network=network,
        accuracy=Accuracy(mean=float(np.mean(runs)), std=float(np.std(runs)), runs=runs),
        macro_f1=float(np.mean(f1)),
        confusion=tuple(tuple(int(count) for count in row) for row in np.asarray(confusion)),
    )
