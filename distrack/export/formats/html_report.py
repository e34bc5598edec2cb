"""A comparison as one HTML file that opens offline: scores, figures, confusion matrices, configs, audio, licences."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from distrack import __version__
from distrack.datasets import DATASETS
from distrack.evaluate import Evaluation
from distrack.export.charts import PAGE_INK, inline_svg
from distrack.export.comparison import Entry, differing, groups, measured_by
from distrack.export.formats.contract import EXPORTERS, Exporter
from distrack.export.players import Players, players
from distrack.export.rendering import rendered
from distrack.export.scores import Scores, scores
from distrack.figures.accuracy import Placed, accuracy_against_budget, run_bars


class _Chapter(NamedTuple):
    """A table of scores with its figures."""

    scores: Scores
    bars: Markup | None = None
    """Accuracies; None for an evaluator that tests the tracks, which has one accuracy for a run."""
    budget: Markup | None = None
    """Accuracy against storage; None if all runs have the same storage budget."""


class _Matrix(NamedTuple):
    """A confusion matrix.

    Attributes:
        tested_on: "tracks" or "test clips".
        shares: for each true class, the share for which each class was predicted; None for a class that was not tested.
    """

    evaluation: Evaluation
    tested_on: str
    classes: tuple[str, ...]
    shares: list[list[float] | None]


class _RunDetails(NamedTuple):
    """A run by itself: its tracks, its confusion matrices and the command that repeats it."""

    entry: Entry
    tracks: Players
    matrices: list[_Matrix]
    command: str


def html_report(entries: Sequence[Entry]) -> str:
    """One HTML file without a script that needs no other file and no network."""
    text = rendered(
        "report.html.j2",
        title=f"Run {entries[0].run.id}" if len(entries) == 1 else f"Comparison of {len(entries) or 'no'} runs",
        entries=entries,
        groups=[(group, _chapters(group, number)) for number, group in enumerate(groups(entries))],
        runs=[_details(entry) for entry in entries],
        differing=differing([_without_folder(entry) for entry in entries]),
        datasets=[DATASETS[name] for name in dict.fromkeys(entry.report.dataset for entry in entries)],
        known=DATASETS,
        version=__version__,
    )
    return text.strip() + "\n"


def _chapters(group: Sequence[Entry], number: int) -> list[_Chapter]:
    chapters = []
    for place, (evaluator, network) in enumerate(measured_by(group)):
        measured = scores(group, evaluator, network)
        chapter, name = _Chapter(measured), f"chart-{number}-{place}"
        if not measured.tests_tracks:
            bars = run_bars(measured.by_run, chance=measured.chance, ink=PAGE_INK)
            chapter = _Chapter(measured, inline_svg(bars, name=f"{name}-bars"), _budget(measured, f"{name}-budget"))
        chapters.append(chapter)
    return chapters


def _budget(measured: Scores, name: str) -> Markup | None:
    placed: list[Placed] = []
    for entry, _, comparison in measured.rows:
        if comparison is None:
            continue
        report = entry.report
        placed.append(Placed(entry.run.id, report.floats_per_class, comparison.tracks, report.parameterisation))
        if comparison.random is not None:
            random = Placed(entry.run.id, entry.floats_of_random_clips, comparison.random, None)
            placed += [] if random in placed else [random]
    if len({each.floats for each in placed if each.series is not None}) < 2:
        return None
    every_full = {row.comparison.full.mean for row in measured.rows if row.comparison and row.comparison.full}
    full = every_full.pop() if len(every_full) == 1 else None
    return inline_svg(accuracy_against_budget(placed, full=full, chance=measured.chance, ink=PAGE_INK), name=name)


def _details(entry: Entry) -> _RunDetails:
    tracks = players(entry.run)
    matrices = []
    for evaluator, network in measured_by([entry]):
        measured = scores([entry], evaluator, network)
        evaluation = measured.rows[0].evaluations.get("full" if measured.tests_tracks else "synthetic")
        if evaluation is not None:
            matrices.append(_matrix(evaluation, tracks.classes, "tracks" if measured.tests_tracks else "test clips"))
    return _RunDetails(entry, tracks, matrices, entry.job.without_path().command())


def _matrix(evaluation: Evaluation, classes: tuple[str, ...], tested_on: str) -> _Matrix:
    counts = np.array(evaluation.confusion, dtype=np.float64)
    names = classes if len(classes) == len(counts) else tuple(f"class {number}" for number in range(len(counts)))
    shares = [(row / row.sum()).tolist() if row.any() else None for row in counts]
    return _Matrix(evaluation, tested_on, names, shares)


def _without_folder(entry: Entry) -> Entry:
    """The entry with the folder's own name in place of the path to the dataset."""
    path = entry.job.data_path
    return entry if path is None else entry._replace(job=entry.job.without_path(Path(path.name)))


EXPORTERS.add(
    ".html",
    Exporter(
        "Report", "Offline HTML report with audio.", "text/html", lambda entries, *_: html_report(entries).encode()
    ),
)
