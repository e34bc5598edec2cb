"""A comparison as one HTML file that opens from disk: scores, figures, confusion, configs, tracks to play, licences."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from distrack import __version__
from distrack.datasets import DATASETS
from distrack.evaluate import Evaluation
from distrack.export.charts import inline_svg
from distrack.export.comparison import Entry, differing, groups, measured_by
from distrack.export.players import Heard, heard
from distrack.export.scores import Scores, lowest_recall, scores
from distrack.export.template import TEMPLATE
from distrack.figures.accuracy import Placed, accuracy_against_budget, run_bars

# The page's own text colour, light or dark.
_INK = "currentColor"


class _Measured(NamedTuple):
    """A table of scores and what is drawn of it."""

    scores: Scores
    bars: Markup | None
    budget: Markup | None


class _Matrix(NamedTuple):
    """A confusion matrix.

    Attributes:
        shares: of each true class the share that was taken for each class; None of a class that was not examined.
    """

    evaluation: Evaluation
    examined_on: str
    classes: tuple[str, ...]
    shares: list[list[float] | None]


class _Shown(NamedTuple):
    """A run with all that is shown of it alone."""

    entry: Entry
    heard: Heard
    matrices: list[_Matrix]
    command: str


def html_report(entries: Sequence[Entry]) -> str:
    """One HTML file that needs no other, no script and no network; the same entries give the same text."""
    together = groups(entries)
    pages = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    pages.filters |= {"percent": _percent, "signed": _signed, "plain": _plain, "lowest_recall": _lowest_recall}
    text = pages.from_string(TEMPLATE).render(
        title="Comparison of no runs" if not entries else _title(entries),
        entries=entries,
        groups=[(group, _of_group(group, number)) for number, group in enumerate(together)],
        runs=[_shown(entry) for entry in entries],
        differing=differing([_without_folder(entry) for entry in entries]),
        datasets=[DATASETS[name] for name in dict.fromkeys(entry.report.dataset for entry in entries)],
        known=DATASETS,
        version=__version__,
    )
    return text.strip() + "\n"


def _title(entries: Sequence[Entry]) -> str:
    return f"Comparison of {len(entries)} runs" if len(entries) > 1 else f"Run {entries[0].run.id}"


def _of_group(group: Sequence[Entry], number: int) -> list[_Measured]:
    found = []
    for place, (evaluator, network) in enumerate(measured_by(group)):
        measured = scores(group, evaluator, network)
        name = f"chart-{number}-{place}"
        # What is examined on the tracks has one figure a run, which the table says.
        bars = None if measured.listens else _bars(measured, f"{name}-bars")
        budget = None if measured.listens else _budget(measured, f"{name}-budget")
        found.append(_Measured(measured, bars, budget))
    return found


def _bars(measured: Scores, name: str) -> Markup:
    by_run = {row.entry.run.id: list(row.found.values()) for row in measured.rows}
    return _drawn(run_bars(by_run, chance=measured.chance, ink=_INK), name)


def _budget(measured: Scores, name: str) -> Markup | None:
    """Accuracy against storage; None where all is stored in the same number of floats."""
    placed = []
    for row in measured.rows:
        found, report = row.comparison, row.entry.report
        if found is None:
            continue
        placed.append(Placed(row.entry.run.id, report.floats_per_class, found.tracks, report.parameterisation))
        if found.random is not None:
            random = Placed(row.entry.run.id, report.tracks_per_class * _clip(row.entry), found.random, None)
            placed += [] if random in placed else [random]
    if len({each.floats for each in placed if each.series is not None}) < 2:
        return None
    everything = {row.comparison.full.mean for row in measured.rows if row.comparison and row.comparison.full}
    full = everything.pop() if len(everything) == 1 else None
    return _drawn(accuracy_against_budget(placed, full=full, chance=measured.chance, ink=_INK), name)


def _drawn(chart: Any, name: str) -> Markup:
    return Markup(inline_svg(chart, name=name))  # the renderer escapes what it writes


def _clip(entry: Entry) -> int:
    """Numbers of a real clip as a run's domain stores it, its label counted."""
    return entry.job.plan(1).clip_floats


def _shown(entry: Entry) -> _Shown:
    there = heard(entry.run)
    # What a person types for the same; where the folder lay is nobody else's business.
    job = entry.job if entry.job.data_path is None else entry.job.model_copy(update={"data_path": Path("FOLDER")})
    matrices = []
    for evaluator, network in measured_by([entry]):
        found = scores([entry], evaluator, network)
        evaluation = found.rows[0].found.get("full" if found.listens else "synthetic")
        if evaluation is not None:
            matrices.append(_matrix(evaluation, there.classes, "tracks" if found.listens else "test clips"))
    return _Shown(entry, there, matrices, job.command())


def _matrix(evaluation: Evaluation, classes: tuple[str, ...], examined_on: str) -> _Matrix:
    counts = np.array(evaluation.confusion, dtype=np.float64)
    names = classes if len(classes) == len(counts) else tuple(f"class {number}" for number in range(len(counts)))
    shares = [(row / row.sum()).tolist() if row.any() else None for row in counts]
    return _Matrix(evaluation, examined_on, names, shares)


def _without_folder(entry: Entry) -> Entry:
    """With no more of the dataset's folder than its own name."""
    path = entry.job.data_path
    return entry if path is None else entry._replace(job=entry.job.model_copy(update={"data_path": Path(path.name)}))


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f}"


def _lowest_recall(evaluation: Evaluation) -> str:
    lowest = lowest_recall(evaluation)
    return "–" if lowest is None else _percent(lowest)


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
