"""Validation of configs: overrides merged over presets, and pydantic's errors as one line a person can act on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict

from distrack.errors import ConfigError

# Values by field name, nested configs as mappings.
Overrides = Mapping[str, Any]


class Record(BaseModel):
    """An immutable model that is stored as JSON."""

    model_config = ConfigDict(frozen=True)


class Config(BaseModel):
    """An immutable model of settings that accepts no unknown field.

    The docstring below a field is its help text; the field's name is its label unless `title` gives another.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        field_title_generator=lambda name, _: name.replace("_", " ").capitalize(),
    )

    @classmethod
    def validated(cls, values: Any) -> Self:
        """The config from a mapping of its fields.

        Raises:
            ConfigError: one line that names the field, the value and what is allowed.
        """
        try:
            return cls.model_validate(values)
        except pydantic.ValidationError as error:
            raise ConfigError(explain(error)) from None


M = TypeVar("M", bound=BaseModel)
C = TypeVar("C", bound=Config)


def read_model(path: Path, model: type[M]) -> M | None:
    """What a file stores as JSON; None if the file is missing or damaged."""
    try:
        return model.model_validate_json(path.read_bytes())
    except (OSError, pydantic.ValidationError):
        return None


class Option(NamedTuple):
    """Annotates a config field whose command-line option differs from its path joined by dashes.

    A field is given as ``--pool-size`` where its path in the config is ``pool.size``. An `Option` on a field replaces
    that whole name. An `Option` on a nested config, or on one that is chosen from a registry, replaces the prefix of
    the fields inside; an empty name drops it.

    Attributes:
        name: the option without its leading dashes, or the prefix.
        aliases: other spellings that are accepted.
        own: of a nested config, the option that gives its `name`, if it is not the field's own.
        off: of a nested config that may be None, the option that makes it None.
    """

    name: str
    aliases: tuple[str, ...] = ()
    own: str = ""
    off: str = ""


class Positional(NamedTuple):
    """Annotates a config field that is a positional argument of the command.

    Attributes:
        metavar: what `--help` calls it.
        many: it may be given several times; each makes a job of its own.
    """

    metavar: str = "NAME"
    many: bool = False


def from_preset(model: type[C], overrides: Overrides) -> C:
    """Builds a config from overrides; a value of None counts as absent, so that the model's own preset fills it.

    Raises:
        ConfigError: one line that names the field, the value and what is allowed.
    """
    return model.validated(merged({}, overrides))


def explain(error: pydantic.ValidationError) -> str:
    """The first error of a failed validation, in one line."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    value = first["input"]
    return f"{field} {value!r}: {message}" if field and not isinstance(value, Mapping) else f"{field} {message}".strip()


def merged(base: Overrides, over: Overrides) -> dict[str, Any]:
    """`base` with the values of `over`, nested configs merged field by field; a value of None counts as absent."""
    result = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping):
            inner = result.get(key, {})
            result[key] = merged(inner if isinstance(inner, Mapping) else {"name": inner}, value)
        elif value is not None:
            result[key] = value
    return result


def overlaid(base: Overrides, over: Overrides) -> dict[str, Any]:
    """`base` with the values of `over`, nested configs field by field; unlike in `merged`, None replaces a value."""
    result = dict(base)
    for key, value in over.items():
        before = result.get(key)
        both = isinstance(value, Mapping) and isinstance(before, Mapping)
        result[key] = overlaid(before, value) if both else value  # type: ignore[arg-type]
    return result


def flat(config: BaseModel, prefix: str = "") -> list[tuple[str, Any]]:
    """Every field of a config with its value, nested ones under dotted names, in the order of the fields."""
    pairs: list[tuple[str, Any]] = []
    for name in type(config).model_fields:
        value = getattr(config, name)
        pairs += flat(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else [(prefix + name, value)]
    return pairs
