"""Output on a terminal: a live progress bar, plain lines in a pipe, and results as tables."""

import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from distrack.progress import Watch

_NUMBER = re.compile(r"[\d.,]+")
# Width of a table in a pipe.
_PIPE_WIDTH = 160
# The headings of a table, each with the text that it shows of a row.
Columns = Mapping[str, Callable[[Mapping[str, Any]], str]]
# A report as JSON, and its tables.
Answer = tuple[Mapping[str, Any], Sequence[Sequence[Any]]]


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[Watch]:
    """Yields a progress callback that writes to standard error: a live bar on a terminal, else a line per tenth."""
    if quiet or not sys.stderr.isatty():
        yield _plain_lines()
        return
    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, int] = {}

        def watch(phase: str, done: int, total: int, detail: str, loss: float | None) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase, total=total, detail="")
            text = detail if loss is None else f"loss {loss:.4f}"
            bars.update(bars.task_ids[tasks[phase]], completed=done, total=total, detail=text)

        yield watch


def _plain_lines() -> Watch:
    tenths: dict[tuple[str, str], int] = {}

    def watch(phase: str, done: int, total: int, detail: str, loss: float | None) -> None:
        tenth = 10 * done // max(total, 1)
        words = _NUMBER.sub("", detail)  # a number that counts on is no other detail
        if tenths.get((phase, words)) != tenth:
            tenths[phase, words] = tenth
            text = detail if loss is None else f"loss {loss:.4f}"
            sys.stderr.write(f"{phase} {done}/{total} {text}".rstrip() + "\n")

    return watch


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> None:
    """Prints a table, or the title alone if there are no columns, and its notes."""
    if columns:
        table = Table(*columns, title=title or None)
        for row in rows:
            table.add_row(*map(escape, row))  # brackets in a title are no markup
        Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)
    else:
        click.echo(title)
    for note in notes:
        click.echo(note)


def show_rows(rows: Sequence[Mapping[str, Any]], columns: Columns, *, as_json: bool, notes: Sequence[str] = ()) -> None:
    """Prints rows with all that they hold as JSON, or some columns of them as a table."""
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        show_table("", tuple(columns), [[text(row) for text in columns.values()] for row in rows], notes)


def show_reports(answers: Mapping[str, Answer], *, as_json: bool) -> None:
    """Prints reports by run id; as JSON, a single one stands without its id."""
    if as_json:
        reports = {run_id: report for run_id, (report, _) in answers.items()}
        click.echo(json.dumps(next(iter(reports.values())) if len(reports) == 1 else reports, indent=2))
        return
    for _, tables in answers.values():
        for table in tables:
            show_table(*table)
