"""A comparison as comma-separated values: a row for each evaluation, a number or a word in each cell."""

from collections.abc import Iterable
from typing import Any

from distrack.evaluate import Evaluation
from distrack.export.comparison import Entry
from distrack.export.formats.contract import EXPORTERS, Exporter
from distrack.files import csv_text

_COLUMNS = (
    *("run", "dataset", "test_fold", "disjoint_by", "train", "test", "feature", "domain", "parameterisation", "preset"),
    *("seed", "tracks_per_class", "rendered_per_class", "seconds_per_track", "floats_per_class", "seconds_per_class"),
    *("compression", "evaluator", "network", "trained_on", "form", "seeds", "accuracy_mean", "accuracy_std"),
    *("interval_low", "interval_high", "macro_f1", "gain", "added", "lost", "recovered", "lowest_recall"),
)


def table_text(entries: Iterable[Entry]) -> str:
    """One row for each evaluation of each run, below a row of names; a cell is empty where it does not apply.

    A standard deviation and an interval need two seeds. The columns gain, added, lost and recovered have values for
    the tracks alone (see `distrack.evaluate.Comparison`).
    """
    cells = [_cells(entry, evaluation) for entry in entries for evaluation in entry.report.evaluations]
    return csv_text([_COLUMNS, *([each[column] for column in _COLUMNS] for each in cells)])


def _cells(entry: Entry, evaluation: Evaluation) -> dict[str, Any]:
    """All that a run and its evaluation know, of which the columns are a part."""
    accuracy, comparison = evaluation.accuracy, None
    if evaluation.training_set == "synthetic":
        comparison = entry.comparisons.get((evaluation.evaluator, evaluation.network))
    low, high = accuracy.interval or (None, None)
    return {
        **dict(entry.report.split),
        **dict(entry.report),
        **dict(evaluation),
        "run": entry.run.id,
        "preset": entry.job.preset,
        "seed": entry.job.seed,
        "seconds_per_class": entry.seconds_per_class,
        "compression": entry.compression,
        "seeds": len(accuracy.runs),
        "accuracy_mean": accuracy.mean,
        "accuracy_std": accuracy.std if len(accuracy.runs) > 1 else None,
        "interval_low": low,
        "interval_high": high,
        "macro_f1": evaluation.macro_f1,
        "gain": comparison and comparison.gain,
        "added": comparison and comparison.added,
        "lost": comparison and comparison.lost,
        "recovered": comparison and comparison.recovered,
        "lowest_recall": evaluation.lowest_recall,
    }


EXPORTERS.add(
    ".csv",
    Exporter(
        "CSV",
        "Every evaluation of these runs, for a spreadsheet.",
        "text/csv",
        lambda runs, *_: table_text(runs).encode(),
    ),
)
