"""A comparison as comma-separated values: a row for each evaluation, a number or a word in each cell."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from distrack.evaluate import Evaluation
from distrack.export.comparison import Entry
from distrack.export.formats.contract import EXPORTERS, Exporter


def csv_text(entries: Iterable[Entry]) -> str:
    """One row for each evaluation of each run, below a row of names; a cell is empty where it does not apply.

    A standard deviation and an interval need two seeds. The columns gain, lost and recovered have values for the tracks
    alone (see `distrack.evaluate.Comparison`).
    """
    rows = [_row(entry, evaluation) for entry in entries for evaluation in entry.report.evaluations]
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(entry: Entry, evaluation: Evaluation) -> dict[str, Any]:
    report, job, accuracy = entry.report, entry.job, evaluation.accuracy
    low, high = accuracy.interval or (None, None)
    of_tracks = evaluation.trained_on == "synthetic"
    comparison = entry.comparisons.get((evaluation.evaluator, evaluation.network)) if of_tracks else None
    return {
        "run": entry.run.id,
        "dataset": report.dataset,
        "test_fold": report.split.test_fold,
        "disjoint_by": report.split.disjoint_by,
        "train": report.split.train,
        "test": report.split.test,
        "feature": report.feature,
        "domain": report.domain,
        "parameterisation": report.parameterisation,
        "preset": job.preset,
        "seed": job.seed,
        "tracks_per_class": report.tracks_per_class,
        "rendered_per_class": report.rendered_per_class,
        "seconds_per_track": report.seconds_per_track,
        "floats_per_class": report.floats_per_class,
        "seconds_per_class": entry.seconds_per_class,
        "compression": entry.compression,
        "evaluator": evaluation.evaluator,
        "network": evaluation.network,
        "trained_on": evaluation.trained_on,
        "seeds": len(accuracy.runs),
        "accuracy_mean": accuracy.mean,
        "accuracy_std": accuracy.std if len(accuracy.runs) > 1 else None,
        "interval_low": low,
        "interval_high": high,
        "macro_f1": evaluation.macro_f1,
        "gain": comparison and comparison.gain,
        "lost": comparison and comparison.lost,
        "recovered": comparison and comparison.recovered,
        "lowest_recall": evaluation.lowest_recall,
    }


_COLUMNS = (
    *("run", "dataset", "test_fold", "disjoint_by", "train", "test", "feature", "domain", "parameterisation", "preset"),
    *("seed", "tracks_per_class", "rendered_per_class", "seconds_per_track", "floats_per_class", "seconds_per_class"),
    *("compression", "evaluator", "network", "trained_on", "seeds", "accuracy_mean", "accuracy_std", "interval_low"),
    *("interval_high", "macro_f1", "gain", "lost", "recovered", "lowest_recall"),
)

EXPORTERS.add(
    ".csv",
    Exporter(
        "CSV",
        "Every evaluation of these runs, for a spreadsheet.",
        "text/csv",
        lambda entries, _evaluator, _network: csv_text(entries).encode(),
    ),
)
