"""Accuracies published by others. Their splits and training recipes differ from ours, so they are shown apart."""

import json
from importlib import resources

from distrack.validation import Record


class PublishedAccuracy(Record):
    """One published accuracy.

    Attributes:
        tracks_per_class: the budget; None for a baseline that has none.
    """

    dataset: str
    evaluator: str
    trained_on: str
    tracks_per_class: int | None
    accuracy: float


def published(dataset: str) -> list[PublishedAccuracy]:
    """The published accuracies on a dataset, by its registered name; `published.json` lists them all."""
    lines = json.loads((resources.files("distrack.export") / "published.json").read_text(encoding="utf-8"))
    return [PublishedAccuracy(**line) for line in lines if line["dataset"] == dataset]
