"""The commands of the kinds of job, generated from their configs, and how each job is worked on from the shell."""

import inspect
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from distrack import jobs
from distrack.cli import terminal
from distrack.cli.options import (
    AS_JSON,
    CONFIG,
    ENGINE,
    NAME,
    QUIET,
    RUNS_PATH,
    check_required,
    engine_of,
    parameters_of,
    read_config,
)
from distrack.engines import EngineConfig
from distrack.errors import ConfigError, DistrackError
from distrack.jobs import JOBS, Job
from distrack.jobs.migration import migrated
from distrack.options import overrides_of
from distrack.runs import Run, Stopped
from distrack.validation import Overrides, overlaid


def commands(verb: str | None = None) -> dict[str, click.Command]:
    """A command for the verb of every kind of job, or for one verb."""
    return {JOBS[kind].verb: _command(JOBS[kind]) for kind in _kinds(verb) if JOBS[kind].has_own_command}


def config_commands(kind: str | None = None) -> dict[str, click.Command]:
    """A command for every kind of job, or for one kind, that prints its config."""
    return {name: _config_command(JOBS[name]) for name in _kinds(kind)}


def _kinds(word: str | None) -> list[str]:
    """The kinds of job that a kind or a verb names; all of them without one."""
    if word is None:
        return list(JOBS)
    try:
        return [JOBS.name(word)]
    except ConfigError:
        return []


def _command(kind: type[Job]) -> click.Command:
    shared: list[click.Parameter] = [CONFIG, RUNS_PATH, *([NAME] if kind.has_own_folder else []), QUIET, AS_JSON]
    if kind.on_cluster or kind.hands_over:
        shared = [*ENGINE, *shared]

    def callback(
        config_file: Path | None,
        runs_path: Path,
        quiet: bool,
        as_json: bool,
        name: str | None = None,
        **values: Any,
    ) -> None:
        words = tuple(word for word in sys.argv[1:] if word != "--quiet")
        engine = engine_of(values)
        answers = {}
        with suppress(Stopped):
            for given in _each(kind, values):
                job = kind.from_overrides(_overrides(kind, config_file, given), runs_path)
                run, answer = _worked(job, runs_path, name, words, engine=engine, quiet=quiet, as_json=as_json)
                answers[run.id] = answer
        if answers:
            terminal.show_reports(answers, as_json=as_json)
        if kind.kind == "evaluation" and answers:
            from distrack import known_reports

            known_reports.store(words, runs_path, {run_id: tables for run_id, (_, tables) in answers.items()})

    return click.Command(
        kind.verb,
        params=[*parameters_of(kind.options()), *shared],
        callback=callback,
        help=(inspect.getdoc(kind) or kind.summary).partition("\n\nAttributes:")[0],
        short_help=kind.summary,
    )


def _config_command(kind: type[Job]) -> click.Command:
    def callback(config_file: Path | None, runs_path: Path, **values: Any) -> None:
        overrides = _overrides(kind, config_file, next(_each(kind, values)), required=False)
        examples = {
            name: field.examples[0]
            for name, field in kind.model_fields.items()
            if field.is_required() and field.examples and name not in overrides
        }
        job = kind.from_overrides({**examples, **overrides}, None if "run" in examples else runs_path)
        click.echo(jobs.as_json(job))

    return click.Command(
        kind.kind,
        params=[*parameters_of(kind.options()), CONFIG, RUNS_PATH],
        callback=callback,
        help=f"Prints the complete config of a {kind.kind}, to edit and to pass as --config.",
    )


def _each(kind: type[Job], values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The values of each job: one for each word of an argument that may be repeated."""
    many = next((option for option in kind.options() if option.many), None)
    if many is None:
        yield values
        return
    for word in dict.fromkeys(values[many.key]) or (None,):
        yield {**values, many.key: word}


def _overrides(
    kind: type[Job], config_file: Path | None, values: dict[str, Any], *, required: bool = True
) -> Overrides:
    options = kind.options()
    config = read_config(config_file)
    if config:
        config = migrated(config)
        if JOBS[str(config.pop("kind"))].verb != kind.verb:
            made_by = {JOBS[name].kind for name in JOBS if JOBS[name].verb == kind.verb}
            raise ConfigError(f"--config {config_file}: it is not the config of a {' or '.join(sorted(made_by))}")
    given = overrides_of(options, values)
    if "distillations" in config and given:
        raise ConfigError(f"--config {config_file} is a whole series: edit the file instead of giving options")
    overrides = overlaid(config, given)
    if required:
        check_required(options, overrides, kind)
    return overrides


def _worked(
    job: Job,
    runs_path: Path,
    name: str | None,
    words: tuple[str, ...],
    *,
    engine: EngineConfig,
    quiet: bool,
    as_json: bool,
) -> tuple[Run, terminal.Answer]:
    """Does a job from its beginning, or continues it, in this process; returns its run and what `finish` returns."""
    is_new = name is None or not (runs_path / job.folder / name).is_dir()
    if is_new:
        if engine.is_here:
            job.check_here()
        job.check()  # before it waits in a queue; whoever made the folder has checked
    with terminal.progress(quiet=quiet) as watch:
        run = job.open(runs_path, name, watch=watch)
    try:
        return run, finish(run, job, words, engine=engine, quiet=quiet, as_json=as_json)
    except DistrackError:
        if job.has_own_folder and is_new and not job.worth_keeping(run):
            shutil.rmtree(run.path, ignore_errors=True)
        raise


def finish(
    run: Run, job: Job, words: tuple[str, ...], *, engine: EngineConfig, quiet: bool, as_json: bool
) -> terminal.Answer:
    """Works on a run until it is finished, here or on a cluster, with its progress on the terminal.

    Returns:
        the report as JSON, and its tables.

    Raises:
        Stopped: it was asked to stop; the terminal says how to continue.
    """
    try:
        with terminal.progress(quiet=quiet) as watch:
            if job.on_cluster and not engine.is_here:
                from distrack.jobs.on_cluster import work_elsewhere

                report = work_elsewhere(run, job, engine, watch=watch)
            else:
                report = jobs.work(run, job, watch=watch, command=words, engine=engine)
        return report.model_dump(mode="json"), [list(table) for table in job.tables(report, run.id)]
    except Stopped:
        again = jobs.shell_text(["resume", run.id]) if job.has_own_folder else job.command()
        click.echo(f"stopped. Continue with: {again}", err=as_json)
        raise
