"""What a terminal shows: a live bar where there is one, plain lines in a pipe, and the table of a report."""

import contextlib
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from distrack.evaluate import Inspection, Report
    from distrack.export.comparison import Entry
    from distrack.jobs import CondenseReport, Listening, SweepReport
    from distrack.jobs.decomposition import DecomposeReport
    from distrack.jobs.series.series import SeriesReport

Watch = Callable[[str, int, int, str, float | None], None]


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[Watch]:
    """Yields what is to be told: phase, done, total, detail, loss. All of it goes to standard error."""
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
            said = detail if loss is None else f"loss {loss:.4f}"
            bars.update(bars.task_ids[tasks[phase]], completed=done, total=total, detail=said)

        yield watch


def _plain_lines() -> Watch:
    tenths: dict[tuple[str, str], int] = {}

    def watch(phase: str, done: int, total: int, detail: str, loss: float | None) -> None:
        tenth = 10 * done // max(total, 1)
        if tenths.get((phase, detail)) != tenth:
            tenths[phase, detail] = tenth
            said = detail if loss is None else f"loss {loss:.4f}"
            sys.stderr.write(f"{phase} {done}/{total} {said}".rstrip() + "\n")

    return watch


def show_table(table: Table) -> None:
    """A table that a pipe does not squeeze."""
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def show_series(report: "SeriesReport", series_id: str, *, as_json: bool) -> None:
    """The table of a series, and what whoever reads it should know."""
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
        return
    from distrack.jobs import SweepReport

    show_table(_swept(report, series_id) if isinstance(report, SweepReport) else _condensed(report, series_id))
    for note in report.notes:
        typer.echo(f"note: {note}")


def _swept(report: "SweepReport", sweep_id: str) -> Table:
    tested = f"{sum(report.test.values()):,} test clips disjoint by {report.disjoint_by}"
    table = Table("tracks", "floats", "evaluator", "trained on", "network", "accuracy", "95 %", "gain", "macro F1")
    table.title = f"{sweep_id}: {report.dataset}, {tested}; deviations over {report.spread}"
    for row in report.rows:
        interval = row.accuracy.interval
        table.add_row(
            str(row.tracks_per_class),
            f"{row.floats_per_class:,}",
            row.evaluator,
            row.trained_on,
            row.network,
            f"{row.accuracy.mean:.3f} ± {row.accuracy.std:.3f} ({len(row.accuracy.runs)})",
            "" if interval is None else "{:.3f}-{:.3f}".format(*interval),
            "" if row.gain is None else f"{row.gain:+.3f}",
            f"{row.macro_f1:.3f}",
        )
    return table


def _condensed(report: "CondenseReport", condensation_id: str) -> Table:
    said = f"{condensation_id}: {report.budget_seconds:g} s of tracks per class, accuracy by {report.evaluator}"
    table = Table("seconds", "tracks", "rendered", "floats", "test clips", "synthetic", "random selection", "gain")
    for row in report.rows:
        cells = [f"{row.seconds_per_track:g}", str(row.tracks_per_class)]
        cells += ["" if count is None else f"{count:,}" for count in (row.rendered_per_class, row.floats_per_class)]
        cells += ["" if row.test is None else f"{row.test:,}"]
        for accuracy in (row.synthetic, row.random_selection):
            found = accuracy and f"{accuracy.mean:.3f} ± {accuracy.std:.3f} ({len(accuracy.runs)})"
            cells.append(found or "")
        table.add_row(*cells, "" if row.gain is None else f"{row.gain:+.3f}")
    table.title = said
    return table


def show_all(reports: Mapping[str, Mapping[str, Any]], *, as_json: bool) -> None:
    """Reports of runs, as `report.json` has them, by ids; as JSON one is itself, several stand under their ids."""
    if as_json and len(reports) != 1:
        typer.echo(json.dumps(reports, indent=2))
        return
    for run_id, report in reports.items():
        _show(report, run_id, as_json=as_json)


def show_comparison(entries: "Sequence[Entry]") -> None:
    """A row for each run, evaluator and network; runs that were tested on other clips are in a table of their own."""
    from distrack.export.comparison import groups

    for group in groups(entries):
        report = group[0].report
        title = f"{report.dataset}, {report.split.test} test clips, disjoint by {report.split.disjoint_by}"
        columns = ("run", "evaluator", "network", "floats", "accuracy", "95 %", "gain", "lost", "recovered")
        shown = Table(*columns, title=title)
        for entry in group:
            for found in entry.comparisons.values():
                accuracy, interval = found.tracks, found.tracks.interval
                shown.add_row(
                    entry.run.id,
                    found.evaluator,
                    found.network,
                    f"{entry.report.floats_per_class:,}",
                    f"{accuracy.mean:.3f} ± {accuracy.std:.3f} ({len(accuracy.runs)})",
                    "" if interval is None else "{:.3f}-{:.3f}".format(*interval),
                    "" if found.gain is None else f"{found.gain:+.3f}",
                    "" if found.lost is None else f"{found.lost:.3f}",
                    "" if found.recovered is None else f"{found.recovered:.1%}",
                )
        show_table(shown)
        for entry in group:
            for note in entry.notes:
                typer.echo(f"note: {entry.run.id}: {note}")


def show_inspection(inspection: "Inspection", run_id: str, *, as_json: bool) -> None:
    """How near tracks come to real clips, beside how near real clips come to each other."""
    if as_json:
        typer.echo(inspection.model_dump_json(indent=2))
        return
    title = f"{run_id}: {len(inspection.names)} tracks, distance to the nearest real clip"
    table = Table(
        "compared by", "clips", "tracks, median", "real clips, median", "first percentile", "nearer", title=title
    )
    for near in inspection.memorisation.found:
        medians = [f"{statistics.median(some):.3f}" for some in (near.distances, near.reference)]
        nearer = f"{len(near.flagged)}, too many" if near.suspicious else str(len(near.flagged))
        table.add_row(near.space, near.side, *medians, f"{near.threshold:.3f}", nearer)
    show_table(table)
    flagged = {track for near in inspection.memorisation.found for track in near.flagged}
    if flagged:
        typer.echo(
            "nearer to a real clip than real clips are: " + ", ".join(inspection.names[n] for n in sorted(flagged))
        )


def show_listening(listening: "Listening", run_id: str, *, as_json: bool) -> None:
    """How many sounds of each kind there are, how loud, and how near those made of images come to them."""
    if as_json:
        typer.echo(listening.model_dump_json(indent=2))
        return
    table = Table("kind", "sounds", "LUFS, median", "inversion error, median", title=f"{run_id}: what is heard")
    for kind in dict.fromkeys(source.kind for source in listening.every):
        of_kind = [source for source in listening.every if source.kind == kind]
        levels = [source.loudness for source in of_kind if source.loudness is not None]
        errors = [source.error for source in of_kind if source.error is not None]
        loud = f"{statistics.median(levels):.1f}" if levels else ""
        error = f"{statistics.median(errors):.2f} {listening.unit}".rstrip() if errors else ""
        table.add_row(kind, str(len(of_kind)), loud, error)
    show_table(table)


def show_decomposition(report: "DecomposeReport", run_id: str, *, as_json: bool) -> None:
    """How near the events come to the clip, and the strongest of them alone."""
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
        return
    said = f"{report.file}, {report.clip_seconds:.2f} s at {report.sample_rate:,} Hz"
    title = f"{run_id}: {said}, {report.floats:,} floats, found in {report.seconds:.1f} s"
    table = Table("events", "SNR, dB", "spectral convergence", title=title)
    for row in report.curve:
        table.add_row(str(row.events), f"{row.snr_db:.1f}", f"{row.spectral_convergence:.3f}")
    show_table(table)


def show(report: "Report", run_id: str, *, as_json: bool) -> None:
    """The report on standard output."""
    _show(report.model_dump(mode="json"), run_id, as_json=as_json)


def _show(report: Mapping[str, Any], run_id: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report, indent=2))
        return
    if not report["evaluations"]:
        typer.echo(f"{run_id} is done, not evaluated. Measure it with: python -m distrack evaluate {run_id}")
        return
    title = f"{run_id}: {report['split']['test']} test clips"
    table = Table("evaluator", "trained on", "accuracy", "macro F1", title=title)
    for evaluation in report["evaluations"]:
        accuracy = evaluation["accuracy"]
        table.add_row(
            evaluation["evaluator"],
            evaluation["trained_on"],
            f"{accuracy['mean']:.3f} ± {accuracy['std']:.3f} ({len(accuracy['runs'])})",
            f"{evaluation['macro_f1']:.3f}",
        )
    Console().print(table)
