"""The commands on finished runs: compare, export. Their options are generated."""

from pathlib import Path
from typing import Annotated

import click
from pydantic import Field

from distrack import jobs, runs
from distrack.cli import terminal
from distrack.cli.plain_command import plain_command
from distrack.errors import ConfigError
from distrack.evaluate import EVALUATORS
from distrack.export import bundle
from distrack.export.bench_table import table_file
from distrack.export.bundle import ExportConfig
from distrack.export.comparison import Entry, groups, read
from distrack.export.formats import content
from distrack.files import write_atomically
from distrack.jobs.series import BenchJob, BenchReport
from distrack.registry import NameIn
from distrack.validation import Config


class CompareConfig(Config):
    """What of a comparison is shown, and where it is written."""

    to: Annotated[Path | None, Field(title="File")] = None
    """File to write; its ending selects the format. Without one a table is printed."""
    evaluator: Annotated[str, NameIn(EVALUATORS)] | None = None
    """Evaluator shown in a figure or a LaTeX table."""
    network: str | None = None
    """Network shown in a figure or a LaTeX table, as in 'convnet 32 x 3'."""


def commands() -> dict[str, click.Command]:
    """The commands by name."""
    return {
        "compare": plain_command("compare", CompareConfig, compare, runs_named=-1),
        "export": plain_command("export", ExportConfig, export, runs_named=1),
    }


def compare(config: CompareConfig, selected: list[runs.Run]) -> None:
    """Compares runs in a table here, or in a file; a run that cannot be used is named, and the others are shown.

    The table of a bench is written as it is: as .csv, .tex, .md or .html.
    """
    report = jobs.report_of(selected[0]) if jobs.kind_of(selected[0]) == BenchJob.kind else None
    if isinstance(report, BenchReport):
        if len(selected) > 1:
            raise ConfigError(f"{selected[0].id} is a whole table: name it alone")
        if config.to is None:
            for table in BenchJob.tables(report, selected[0].id):
                terminal.show_table(*table)
        else:
            _write(config.to, table_file(report, config.to.suffix.lower()), len(report.rows), "row")
        return
    entries, unusable = read(selected)
    for left_out in unusable:
        remedy = f": python -m distrack {left_out.remedy} {left_out.run.id}" if left_out.remedy else ""
        click.echo(f"left out {left_out.run.id}: {left_out.reason}{remedy}", err=True)
    if not entries:
        raise ConfigError("nothing to compare: none of these runs has an evaluation")
    if config.to is None:
        for group in groups(entries):
            _show_group(group)
        return
    file = content(entries, config.to.suffix.lower(), evaluator=config.evaluator, network=config.network)
    _write(config.to, file, len(entries), "run")


def _write(to: Path, content: bytes, count: int, what: str) -> None:
    try:
        write_atomically(to.expanduser(), content)
    except OSError as error:
        raise ConfigError(f"cannot write {to}: {error.strerror or error}") from None
    click.echo(f"{to}: {count} {what}{'' if count == 1 else 's'}")


def _show_group(group: list[Entry]) -> None:
    """A table of runs with the same test clips: a row for each run, evaluator and network."""
    names = ("run", "evaluator", "network", "floats", "accuracy", "95 %")
    columns = (*names, "as sound", "gain", "added", "lost", "recovered")
    rows = [
        (
            entry.run.id,
            compared.evaluator,
            compared.network,
            f"{entry.report.floats_per_class:,}",
            compared.tracks.text,
            compared.tracks.interval_text,
            "" if compared.sound is None else f"{compared.sound.mean:.3f}",
            "" if compared.gain is None else f"{compared.gain:+.3f}",
            "" if compared.added is None else f"{compared.added:+.3f}",
            "" if compared.lost is None else f"{compared.lost:.3f}",
            "" if compared.recovered is None else f"{compared.recovered:.1%}",
        )
        for entry in group
        for compared in entry.comparisons.values()
    ]
    report = group[0].report
    title = f"{report.dataset}, {report.split.test} test clips, disjoint by {report.split.disjoint_by}"
    notes = [f"note: {entry.run.id}: {note}" for entry in group for note in entry.notes]
    terminal.show_table(title, columns, rows, notes)


def export(config: ExportConfig, selected: list[runs.Run]) -> None:
    """Writes tracks as files that need nothing else: sounds, images, numbers, config, licence and dataset card."""
    count = bundle.export(selected[0], config)
    click.echo(f"{config.to}: {count} {'track' if count == 1 else 'tracks'}")
