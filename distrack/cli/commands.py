"""The command: every job starts here, from a shell or from a page."""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distrack.cli import terminal
from distrack.cli.options import AS_JSON, ENGINE, QUIET, RUNS_PATH, engine_of, parameters_of
from distrack.errors import DistrackError
from distrack.files import size_text
from distrack.options import options_of, overrides_of
from distrack.registry import load_plugins
from distrack.runs import about
from distrack.settings import PROJECT, settings

if TYPE_CHECKING:
    from distrack.datasets import Dataset

_DATASET_FIELDS = ("name", "title", "task", "stands_for", "clips", "size", "licence", "citation", "url", "layout")
_RUN = click.Argument(["run_id"], metavar="RUN")
_STORE = click.Option(
    ["--store", "address"], metavar="TEXT", help="Address of the store: s3://BUCKET/PREFIX or a folder."
)
_ALL = click.Option(["--all", "every"], is_flag=True, help="List the runs of every kind.")
_MARKS = [option for option in options_of(about.About) if option.key in {"tags", "star"}]


# The generated command of a name, or all of them by name.
_Generated = Callable[[str | None], Mapping[str, click.Command]]


def _of_events(_name: str | None) -> Mapping[str, click.Command]:
    from distrack.cli import event_commands

    return event_commands.commands()


def _of_jobs(name: str | None) -> Mapping[str, click.Command]:
    from distrack.cli import job_commands

    return job_commands.commands(name)


def _of_runs(_name: str | None) -> Mapping[str, click.Command]:
    from distrack.cli import run_commands

    return run_commands.commands()


def _of_kinds(name: str | None) -> Mapping[str, click.Command]:
    from distrack.cli.job_commands import config_commands

    return config_commands(name)


class _Commands(click.Group):
    """Commands that are written here, and groups of generated ones, which are loaded in turn until one is found."""

    def __init__(self, name: str, *generated: _Generated, **settings: Any) -> None:
        super().__init__(name, **settings)
        self._generated = generated

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(name for group in self._generated for name in group(None))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if (command := super().get_command(ctx, cmd_name)) is not None:
            return command
        return next((found for group in self._generated if (found := group(cmd_name).get(cmd_name))), None)


app = _Commands(
    "distrack",
    # In this order: those that are found without torch are the first to be asked.
    _of_events,
    _of_jobs,
    _of_runs,
    help="Distills audio datasets to a handful of synthetic tracks per class, makes them audible, and evaluates them.",
    context_settings={"token_normalize_func": lambda word: word.replace("_", "-")},
)
app.add_command(
    _Commands("config", _of_kinds, help="Prints the complete config of a job, to edit and pass as --config.")
)


def main() -> None:
    """Entry point: exit code 0, or 2 with one line that says what is wrong and what to do."""
    words = sys.argv[1:]
    try:
        load_plugins(settings().plugins)
        if words[:1] == ["evaluate"]:
            from distrack import known_reports

            if (answers := known_reports.known(words)) is not None:
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
    from distrack import datasets as library

    rows = [_dataset_row(library.DATASETS[name]) for name in library.DATASETS]
    columns: terminal.Columns = {
        "dataset": lambda row: row["name"],
        "task": lambda row: row["task"],
        "clips": lambda row: f"{row['clips']:,}" if row["clips"] else "",
        "GB": lambda row: f"{row['size'] / 1e9:.2f}" if row["size"] else "",
        "installed": lambda row: "yes" if row["present"] else "no",
        "get it with": lambda row: row["short"],
    }
    note = "`python -m distrack datasets --json` prints licences, citations, home pages and expected layouts too."
    terminal.show_rows(rows, columns, as_json=as_json, notes=[note])


def _dataset_row(dataset: "Dataset") -> dict[str, Any]:
    from distrack import datasets as library

    root = library.home(dataset, None)
    present = root.is_dir()
    get = "prepare" if present or dataset.make else "prepare --download" if dataset.downloads else "--data-path FOLDER"
    return {
        **{field: getattr(dataset, field) for field in _DATASET_FIELDS},
        "folds": list(dataset.folds),
        "present": present,
        "path": str(root),
        "how": "ready to prepare" if present else dataset.how_to_get(),
        "short": get,
    }


@app.command(params=[_RUN, *ENGINE, RUNS_PATH, QUIET, AS_JSON])
def resume(run_id: str, runs_path: Path, quiet: bool, as_json: bool, **values: Any) -> None:
    """Resumes an interrupted run."""
    from distrack import jobs
    from distrack.cli.job_commands import finish
    from distrack.runs import Stopped

    run = jobs.find(runs_path, run_id)
    job = jobs.job_of(run)
    with suppress(Stopped):
        words = tuple(word for word in sys.argv[1:] if word != "--quiet")
        answers = {run.id: finish(run, job, words, engine=engine_of(values), quiet=quiet, as_json=as_json)}
        terminal.show_reports(answers, as_json=as_json)


@app.command(params=[_RUN, RUNS_PATH])
def stop(run_id: str, runs_path: Path) -> None:
    """Stops a run of any kind; it keeps what it has done, and `resume` continues it."""
    from distrack import jobs

    status = jobs.stop(jobs.find(runs_path, run_id))
    click.echo(f"{run_id} is {status.state}")


@app.command(params=[_RUN, click.Argument(["title"]), RUNS_PATH])
def rename(run_id: str, title: str, runs_path: Path) -> None:
    """Gives a run a title; an empty one brings back the title that is made from its config."""
    _tell(run_id, runs_path, title=title)


@app.command(params=[_RUN, click.Argument(["note"], required=False), *parameters_of(_MARKS), RUNS_PATH])
def note(run_id: str, note: str | None, runs_path: Path, **marks: Any) -> None:
    """Stores a note, tags or a star of a run, and prints what is known about it."""
    _tell(run_id, runs_path, **overrides_of(_MARKS, marks), **({} if note is None else {"note": note}))


def _tell(run_id: str, runs_path: Path, **said: Any) -> None:
    from distrack import jobs

    click.echo(about.tell(jobs.find(runs_path, run_id), **said).model_dump_json(indent=2))


@app.command(params=[_RUN, RUNS_PATH])
def delete(run_id: str, runs_path: Path) -> None:
    """Moves a run to the bin, from which `restore` brings it back."""
    from distrack import jobs

    about.delete(jobs.find(runs_path, run_id))
    click.echo(f"{run_id} is in the bin. Bring it back with: python -m distrack restore {run_id}")


@app.command(params=[_RUN, RUNS_PATH])
def restore(run_id: str, runs_path: Path) -> None:
    """Brings back the run of this id that was deleted last."""
    about.restore(runs_path, run_id)
    click.echo(f"{run_id} is back")


@app.command("runs", params=[RUNS_PATH, AS_JSON])
def list_runs(runs_path: Path, as_json: bool) -> None:
    """Lists the runs, newest first."""
    from distrack import jobs
    from distrack.jobs.results import evaluation_report

    rows = []
    for run in jobs.all_runs(runs_path):
        report = evaluation_report(run)
        status = run.status().model_dump(include={"state", "phase", "step", "steps", "error"})
        accuracy = report.accuracy("random-cnn", "synthetic") if report else None
        said = about.about(run).model_dump(mode="json")
        rows.append({"id": run.id, "kind": jobs.kind_of(run), **status, "accuracy": accuracy, **said})
    columns: terminal.Columns = {
        "run": lambda row: row["id"],
        "title": lambda row: row["title"],
        "kind": lambda row: row["kind"],
        "state": lambda row: row["state"],
        "phase": lambda row: row["phase"],
        "step": lambda row: f"{row['step']} / {row['steps']}" if row["steps"] else "",
        "accuracy": lambda row: "" if row["accuracy"] is None else f"{row['accuracy']:.3f}",
    }
    terminal.show_rows(rows, columns, as_json=as_json)


@app.command("models", params=[_STORE, _ALL, RUNS_PATH, AS_JSON])
def list_models(address: str | None, every: bool, runs_path: Path, as_json: bool) -> None:
    """Lists the models of events here and in the store, and with --all every run in the store."""
    from distrack.decompose.siam.model_files import names, shipped
    from distrack.jobs.event_model import EventModelJob
    from distrack.store import is_set, listed, open_store

    places = {name: ["included" if name in shipped() else "here"] for name in names(runs_path)}
    about_stored: dict[str, dict[str, Any]] = {}
    if address or is_set():
        store = open_store(address)
        for manifest in listed(store):
            if every or manifest.kind == EventModelJob.kind:
                about_stored[manifest.id] = {"kind": manifest.kind, "title": manifest.title, "bytes": manifest.size}
                here = [] if manifest.id in places or not (runs_path / manifest.id).is_dir() else ["here"]
                places.setdefault(manifest.id, here).append(store.where)
    model = {"kind": EventModelJob.kind, "title": "", "bytes": None}
    rows = [{"name": name, **about_stored.get(name, model), "places": where} for name, where in places.items()]
    columns: terminal.Columns = {
        "name": lambda row: row["name"],
        "kind": lambda row: row["kind"],
        "title": lambda row: row["title"],
        "size": lambda row: size_text(row["bytes"]) if row["bytes"] else "",
        "where": lambda row: ", ".join(row["places"]),
    }
    notes = [] if address or is_set() else ["S3_BUCKET or --store names a store, whose models are listed too."]
    terminal.show_rows(rows, columns, as_json=as_json, notes=notes)


@app.command("app")
def start_app() -> None:
    """Opens the app on PORT."""
    from distrack.process_environment import server_environment

    os.chdir(PROJECT)
    command = ["-m", "streamlit", "run", str(PROJECT / "app.py"), "--server.port", str(settings().port)]
    os.execve(sys.executable, [sys.executable, *command], server_environment())
