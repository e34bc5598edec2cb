"""A command that makes no run of its own, generated from a config."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from distrack.cli.options import CONFIG, RUNS_PATH, check_required, parameters_of, read_config
from distrack.options import options_of, overrides_of
from distrack.validation import Config, from_preset, overlaid

C = TypeVar("C", bound=Config)


def plain_command(name: str, model: type[C], action: Callable[..., None], *, runs_named: int = 0) -> click.Command:
    """A command whose options are the fields of a config, and that names no run, one run, or at least one (-1)."""
    options = options_of(model)

    def callback(config_file: Path | None, runs_path: Path | None = None, run_ids: Any = (), **values: Any) -> None:
        overrides = overlaid(read_config(config_file), overrides_of(options, values))
        check_required(options, overrides, model)
        config = from_preset(model, overrides)
        if runs_path is None:
            action(config)
            return
        names = [run_ids] if isinstance(run_ids, str) else run_ids
        from distrack import jobs

        action(config, [jobs.find(runs_path, run_id) for run_id in dict.fromkeys(names)])

    parameters = [*parameters_of(options), CONFIG]
    if runs_named:
        metavar = "RUN" if runs_named == 1 else "RUN..."
        run_ids = click.Argument(["run_ids"], metavar=metavar, nargs=runs_named, required=True)
        parameters = [run_ids, *parameters, RUNS_PATH]
    return click.Command(name, params=parameters, callback=callback, help=inspect.getdoc(action))
