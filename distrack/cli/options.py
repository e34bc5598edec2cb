"""Options of the command, generated from the configs: pydantic describes the fields, click parses the words."""

import json
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from distrack.engines import EngineConfig
from distrack.errors import ConfigError
from distrack.options import FieldOption, options_of, overrides_of
from distrack.settings import settings

CONFIG = click.Option(
    ["--config", "config_file"],
    type=click.Path(path_type=Path),
    metavar="FILE.json",
    help="Read the config from a file; options given beside it win.",
)
RUNS_PATH = click.Option(
    ["--runs-path"],
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Folder of the runs.",
    callback=lambda _context, _option, path: (path or settings().runs_path).expanduser().absolute(),
)
NAME = click.Option(["--name"], metavar="NAME", help="Id of the run; one with the same config is continued.")
QUIET = click.Option(["--quiet"], is_flag=True, help="Disable the progress bar.")
AS_JSON = click.Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON.")


def parameters_of(options: list[FieldOption]) -> list[click.Parameter]:
    """The parameters of a click command for the fields of a config."""
    return [_argument(option) if option.positional else _option(option) for option in options]


def engine_of(values: dict[str, Any]) -> EngineConfig:
    """The engine that the options of a command name, which are taken out of its values."""
    given = {option.key: values.pop(option.key, None) for option in _ENGINE}
    return EngineConfig.validated(overrides_of(_ENGINE, given))


def _argument(option: FieldOption) -> click.Argument:
    metavar, nargs = (f"{option.metavar}...", -1) if option.many else (option.metavar, 1)
    return click.Argument([option.key], metavar=metavar, required=False, nargs=nargs)


def _option(option: FieldOption) -> click.Option:
    names = [f"--{name}" for name in (option.name, *option.aliases)]
    if option.off:
        return click.Option([*names, option.key], is_flag=True, default=False, help=option.help)
    if option.flag:
        names = [f"--{option.name}/--no-{option.name}"]
        return click.Option([*names, option.key], default=None, help=option.help)
    words = option.help
    if option.choice_texts:
        words += f" {'Comma-separated, of' if option.several else 'One of'}: {', '.join(option.choice_texts)}."
    if option.several:  # `--track a --track b` is `--track a,b`
        return click.Option([*names, option.key], metavar=option.metavar, multiple=True, callback=_joined, help=words)
    return click.Option([*names, option.key], metavar=option.metavar, default=None, help=words)


def _joined(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> str | None:
    return ",".join(values) if values else None


def read_config(path: Path | None) -> dict[str, Any]:
    """The content of a config file; empty if no file is named.

    Raises:
        ConfigError: the file cannot be read or holds no JSON object.
    """
    if path is None:
        return {}
    try:
        config = json.loads(path.expanduser().read_bytes())
    except OSError as error:
        raise ConfigError(f"--config {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigError(f"--config {path} is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise ConfigError(
            f"--config {path}: it must hold a JSON object, as `python -m distrack config KIND` prints one"
        )
    return config


def check_required(options: list[FieldOption], overrides: dict[str, Any], model: type[BaseModel]) -> None:
    """Refuses a command without an argument that its config needs.

    Raises:
        ConfigError: names the argument.
    """
    for option in options:
        name = option.path[0]
        if name in model.model_fields and model.model_fields[name].is_required() and name not in overrides:
            word = option.metavar if option.positional else f"--{option.name}"
            raise ConfigError(f"{word} is missing: {option.help}")


_ENGINE = options_of(EngineConfig)
ENGINE = parameters_of(_ENGINE)
