"""The table of a bench as a file: CSV with numbers, LaTeX, Markdown or HTML with means, deviations and intervals."""

from collections.abc import Callable, Iterable
from typing import Any

from distrack.errors import ConfigError
from distrack.evaluate import Accuracy, Paired
from distrack.export.rendering import rendered
from distrack.files import csv_text
from distrack.jobs.series import BenchReport, BenchRow, table_texts

_ACCURACIES = ("random", "control", "tracks", "sound", "full")
_DIFFERENCES = ("gain", "added")
_PLAIN = ("dataset", "tracks_per_class", "method", "floats_per_class", "test", "evaluator", "network")


def table_file(report: BenchReport, ending: str) -> bytes:
    """The table in a format by the ending of its file.

    Raises:
        ConfigError: the ending is unknown, or nothing is measured yet.
    """
    if ending not in _FORMATS:
        raise ConfigError(f"cannot write {ending or 'a file without an ending'}: choose {', '.join(_FORMATS)}")
    if not report.rows:
        raise ConfigError("the table has no row yet: no run of the bench is done")
    return _FORMATS[ending](report).encode()


def _csv(report: BenchReport) -> str:
    """One row for each row of the table, a number or a word in each cell; empty where nothing was measured."""
    columns = [
        *_PLAIN,
        *(f"{name}_{part}" for name in _ACCURACIES for part in ("mean", "std", "runs")),
        *(f"{name}_{part}" for name in _DIFFERENCES for part in ("mean", "low", "high")),
    ]
    return csv_text([columns, *(list(_cells(row)) for row in report.rows)])


def _cells(row: BenchRow) -> Iterable[Any]:
    yield from (getattr(row, name) for name in _PLAIN)
    for name in _ACCURACIES:
        accuracy: Accuracy | None = getattr(row, name)
        yield from (None,) * 3 if accuracy is None else (accuracy.mean, accuracy.std, len(accuracy.runs))
    for name in _DIFFERENCES:
        paired: Paired | None = getattr(row, name)
        yield from (None,) * 3 if paired is None else (paired.mean, *(paired.interval or (None, None)))


def _of_template(template: str) -> Callable[[BenchReport], str]:
    def text(report: BenchReport) -> str:
        rows = table_texts(report)
        return rendered(template, report=report, columns=list(rows[0]), rows=rows)

    return text


_FORMATS: dict[str, Callable[[BenchReport], str]] = {
    ".csv": _csv,
    ".tex": _of_template("bench.tex.j2"),
    ".md": _of_template("bench.md.j2"),
    ".html": _of_template("bench.html.j2"),
}
