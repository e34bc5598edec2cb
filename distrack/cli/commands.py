"""The command: every job starts here, from a shell or from a page."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from distrack import datasets as library
from distrack import known_reports, plugins
from distrack.cli import terminal
from distrack.cli.options import AS_JSON, QUIET, RUNS_PATH
from distrack.errors import ConfigError, DistrackError
from distrack.settings import PROJECT, settings

_RUN = click.Argument(["run_id"], metavar="RUN")


class _Commands(click.Group):
    """The commands written here, and those of the kinds of job, which are loaded only when one is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from distrack.cli.job_commands import commands

        return sorted({*super().list_commands(ctx), *commands()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        from distrack.cli.job_commands import commands

        return commands().get(cmd_name)


class _ConfigCommands(click.Group):
    """A command for every kind of job."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        from distrack.cli.job_commands import config_commands

        return sorted(config_commands())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        from distrack.cli.job_commands import config_commands

        return config_commands().get(cmd_name)


app = _Commands(
    "distrack",
    help="Distills audio datasets to a handful of synthetic tracks per class, makes them audible, and evaluates them.",
    context_settings={"token_normalize_func": lambda word: word.replace("_", "-")},
)
app.add_command(_ConfigCommands("config", help="Prints the complete config of a job, to edit and pass as --config."))


def main() -> None:
    """Entry point: exit code 0, or 2 with one line that says what is wrong and what to do."""
    words = sys.argv[1:]
    try:
        plugins.load()
        answers = known_reports.known(words) if words[:1] == ["evaluate"] else None
        if answers is not None:
            terminal.show_reports(answers, as_json="--json" in words)
            sys.exit(0)
        app(words or ["--help"], prog_name="python -m distrack", standalone_mode=False)
    except DistrackError as error:
        _refuse(str(error))
    except click.ClickException as error:
        _refuse(f"{error.format_message().rstrip('.')}. See: python -m distrack --help")
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("distrack: interrupted\n")
        sys.exit(130)
    sys.exit(0)


def _refuse(message: str) -> None:
    sys.stderr.write(" ".join(f"distrack: {message}".split()) + "\n")
    sys.exit(2)


@app.command("datasets", params=[AS_JSON])
def list_datasets(as_json: bool) -> None:
    """Lists the known datasets, where they are, and how to get them."""
    rows = [_dataset_row(library.DATASETS[name]) for name in library.DATASETS]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    cells = [
        (
            row["name"],
            row["task"],
            f"{row['clips']:,}" if row["clips"] else "",
            f"{row['size'] / 1e9:.2f}" if row["size"] else "",
            "yes" if row["present"] else "no",
            row["short"],
        )
        for row in rows
    ]
    terminal.show_table(
        "",
        ("dataset", "task", "clips", "GB", "present", "get it with"),
        cells,
        ["`python -m distrack datasets --json` prints licences, citations, home pages and expected layouts too."],
    )


def _dataset_row(dataset: library.Dataset) -> dict[str, Any]:
    root = library.home(dataset, None)
    present = root.is_dir()
    get = "prepare" if present or dataset.make else "prepare --download" if dataset.downloads else "--data-path FOLDER"
    return {
        "name": dataset.name,
        "title": dataset.title,
        "task": dataset.task,
        "stands_for": dataset.stands_for,
        "clips": dataset.clips,
        "size": dataset.size,
        "licence": dataset.licence,
        "citation": dataset.citation,
        "url": dataset.url,
        "layout": dataset.layout,
        "folds": list(dataset.folds),
        "present": present,
        "path": str(root),
        "how": "ready to prepare" if present else dataset.how_to_get(),
        "short": get,
    }


@app.command(params=[_RUN, RUNS_PATH, QUIET, AS_JSON])
def resume(run_id: str, runs_path: Path | None, quiet: bool, as_json: bool) -> None:
    """Finishes a run of any kind that was stopped, failed, or lost its process."""
    from distrack import jobs
    from distrack.cli.job_commands import finish, runs_path_or_default, show
    from distrack.runs import Stopped

    run = jobs.find(runs_path_or_default(runs_path), run_id)
    job = jobs.job_of(run)
    with suppress(Stopped):
        words = tuple(word for word in sys.argv[1:] if word != "--quiet")
        show(run, job, finish(run, job, words, quiet=quiet, as_json=as_json), as_json=as_json)


@app.command(params=[_RUN, RUNS_PATH])
def stop(run_id: str, runs_path: Path | None) -> None:
    """Stops a run of any kind; it keeps what it has done, and `resume` continues it."""
    from distrack import jobs
    from distrack.cli.job_commands import runs_path_or_default

    status = jobs.stop(jobs.find(runs_path_or_default(runs_path), run_id))
    click.echo(f"{run_id} is {status.state}")


@app.command("runs", params=[RUNS_PATH, AS_JSON])
def list_runs(runs_path: Path | None, as_json: bool) -> None:
    """Lists the runs, newest first."""
    from distrack import jobs
    from distrack.cli.job_commands import runs_path_or_default
    from distrack.jobs.results import evaluation_report

    rows = []
    for run in jobs.all_runs(runs_path_or_default(runs_path)):
        report = evaluation_report(run)
        status = run.status().model_dump(include={"state", "phase", "step", "steps", "error"})
        accuracy = report.accuracy("random-cnn", "synthetic") if report else None
        rows.append({"id": run.id, "kind": jobs.kind_of(run), **status, "accuracy": accuracy})
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    cells = [
        (
            row["id"],
            row["kind"],
            row["state"],
            row["phase"],
            f"{row['step']} / {row['steps']}" if row["steps"] else "",
            "" if row["accuracy"] is None else f"{row['accuracy']:.3f}",
        )
        for row in rows
    ]
    terminal.show_table("", ("run", "kind", "state", "phase", "step", "accuracy"), cells)


@app.command(
    params=[
        click.Argument(["run_ids"], metavar="RUN...", nargs=-1, required=True),
        click.Option(["--to"], type=click.Path(path_type=Path), help="File to write: .csv, .tex, .html, .png or .svg."),
        click.Option(["--evaluator"], help="Evaluator of a table or a figure that shows one."),
        click.Option(["--network"], help="Network of a table or a figure that shows one, as a report names it."),
        RUNS_PATH,
    ]
)
def compare(
    run_ids: tuple[str, ...], to: Path | None, evaluator: str | None, network: str | None, runs_path: Path | None
) -> None:
    """Compares runs in a table here, or in a file; a run that cannot be used is named, and the others are shown."""
    from distrack import runs
    from distrack.cli.job_commands import runs_path_or_default
    from distrack.export.comparison import read
    from distrack.export.config import CompareConfig
    from distrack.export.formats import content
    from distrack.files import write_atomically
    from distrack.validation import from_preset

    config = from_preset(CompareConfig, {"to": to, "evaluator": evaluator, "network": network})
    place = runs_path_or_default(runs_path)
    entries, unusable = read(runs.find(place, run_id) for run_id in dict.fromkeys(run_ids))
    for left_out in unusable:
        click.echo(f"left out {left_out.run.id}: {left_out.reason}", err=True)
    if not entries:
        raise ConfigError("nothing to compare: none of these runs has an evaluation")
    if to is None:
        _show_comparison(entries)
        return
    file = content(entries, to.suffix.lower(), evaluator=config.evaluator, network=config.network)
    try:
        write_atomically(to.expanduser(), file)
    except OSError as error:
        raise ConfigError(f"cannot write {to}: {error.strerror or error}") from None
    click.echo(f"{to}: {len(entries)} {'run' if len(entries) == 1 else 'runs'}")


def _show_comparison(entries: Any) -> None:
    """A row for each run, evaluator and network; runs that were tested on other clips have a table of their own."""
    from distrack.export.comparison import groups

    columns = ("run", "evaluator", "network", "floats", "accuracy", "95 %", "gain", "lost", "recovered")
    for group in groups(entries):
        rows = []
        for entry in group:
            for compared in entry.comparisons.values():
                rows.append(
                    (
                        entry.run.id,
                        compared.evaluator,
                        compared.network,
                        f"{entry.report.floats_per_class:,}",
                        compared.tracks.text,
                        compared.tracks.interval_text,
                        "" if compared.gain is None else f"{compared.gain:+.3f}",
                        "" if compared.lost is None else f"{compared.lost:.3f}",
                        "" if compared.recovered is None else f"{compared.recovered:.1%}",
                    )
                )
        report = group[0].report
        title = f"{report.dataset}, {report.split.test} test clips, disjoint by {report.split.disjoint_by}"
        notes = [f"note: {entry.run.id}: {note}" for entry in group for note in entry.notes]
        terminal.show_table(title, columns, rows, notes)


@app.command(
    params=[
        _RUN,
        click.Option(
            ["--to"], type=click.Path(path_type=Path), required=True, help="A .zip to write, or a new folder."
        ),
        click.Option(["--class", "of_class"], help="Only the tracks of this class."),
        click.Option(["--track"], help="Only this track."),
        click.Option(["--format", "audio_format"], default="flac", help="flac or wav."),
        click.Option(["--overwrite"], is_flag=True, help="Replace an existing zip."),
        RUNS_PATH,
    ]
)
def export(
    run_id: str,
    to: Path,
    of_class: str | None,
    track: str | None,
    audio_format: str,
    overwrite: bool,
    runs_path: Path | None,
) -> None:
    """Writes tracks as files that need nothing else: sounds, images, numbers, config, licence and dataset card."""
    from distrack import runs
    from distrack.cli.job_commands import runs_path_or_default
    from distrack.export import bundle
    from distrack.export.config import ExportConfig
    from distrack.validation import from_preset

    options = {"to": to, "of_class": of_class, "track": track, "format": audio_format, "overwrite": overwrite}
    config = from_preset(ExportConfig, options)
    count = bundle.export(runs.find(runs_path_or_default(runs_path), run_id), config)
    click.echo(f"{to}: {count} {'track' if count == 1 else 'tracks'}")


@app.command(
    params=[
        click.Argument(["events"], metavar="EVENTS", type=click.Path(path_type=Path)),
        click.Option(
            ["--to"],
            type=click.Path(path_type=Path),
            required=True,
            help="File to write: .flac, .wav, .mid, .json or .safetensors.",
        ),
        click.Option(["--room"], help="An impulse response: a file, or a name below IMPULSE_RESPONSE_PATH."),
        click.Option(["--wet"], type=float, help="Share that goes through the room, 0 to 1."),
        click.Option(["--tail"], is_flag=True, help="Render until the room has died away."),
    ]
)
def render(events: Path, to: Path, room: str | None, wet: float | None, tail: bool) -> None:
    """Renders a file of events, `events.safetensors` of a decomposition, to sound, to notes, or to JSON."""
    from distrack.decompose import formats, known_rooms, room_named, storage, with_room
    from distrack.decompose import wet as with_wet

    loaded = storage.load(events)
    if room is not None:
        place = Path(room) if Path(room).is_file() else room_named(room, known_rooms(settings().impulse_response_path))
        loaded = with_room(loaded, place, wet=0.3 if wet is None else wet)
    elif wet is not None and loaded.room is None:
        raise ConfigError(f"wet {wet:g}: name a room that the sound goes through: --room")
    elif wet is not None:
        loaded = with_wet(loaded, share=wet)
    click.echo(formats.save(loaded, to, tail=tail).summary)


@app.command("app")
def start_app() -> None:
    """Opens the app on PORT."""
    from distrack.process_environment import worker_environment

    os.chdir(PROJECT)
    command = ["-m", "streamlit", "run", str(PROJECT / "app.py"), "--server.port", str(settings().port)]
    os.execve(sys.executable, [sys.executable, *command], worker_environment())
