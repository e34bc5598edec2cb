"""Command-line options of a config: every field of a pydantic model has one, and a config can be written as options.

The field's annotation says everything: its title and description, `Option` for another name than the path joined by
dashes, `Positional` for an argument without a name, and `Literal`, `ChosenFrom` or `NameIn` for the possible values.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from distrack.annotations import choice_texts_of, choices_of, mark_of, plain_type
from distrack.errors import ConfigError
from distrack.registry import ChosenFrom
from distrack.validation import Option, Overrides, Positional, overlaid

# The text of a value that is None.
_NONE = "none"
_MISSING = object()


class FieldOption(NamedTuple):
    """The option of one field of a config.

    Attributes:
        path: where the field is: `("pool", "size")`.
        name: the option without its dashes; empty for a positional argument.
        choices: possible values, where these are names.
        choice_texts: the same for `--help`, with a title where it says more than the name.
        flag: the value is a truth value: `--name` and `--no-name`.
        off: `--name` sets the whole nested config at `path` to None.
        several: the value is a comma-separated list.
        metavar: what `--help` shows for the value.
        positional: an argument without a name; `many` says whether it may be repeated, a job for each.
    """

    path: tuple[str, ...]
    name: str
    help: str
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    choice_texts: tuple[str, ...] = ()
    flag: bool = False
    off: bool = False
    several: bool = False
    optional: bool = False
    metavar: str = "TEXT"
    positional: bool = False
    many: bool = False

    @property
    def key(self) -> str:
        """A name for the value among the values of all options."""
        return "__".join(self.path) + ("__off" if self.off else "")

    def parsed(self, text: Any) -> Any:
        """The value of the field that a text on the command line stands for; pydantic converts it further."""
        if self.off:
            return None
        if not isinstance(text, str):
            return text
        if self.several:
            return tuple(word.strip() for word in text.split(",") if word.strip())
        return None if self.optional and text.lower() == _NONE else text

    def words(self, value: Any) -> list[str]:
        """The field's value as words on the command line."""
        if self.positional:
            return [str(value)]
        if self.off or (self.flag and isinstance(value, bool)):
            return [f"--{self.name}" if self.off or value else f"--no-{self.name}"]
        return [f"--{self.name}", ",".join(map(_text, value)) if self.several else _text(value)]


def _text(value: Any) -> str:
    if value is None:
        return _NONE
    return f"{value:.15g}" if isinstance(value, float) and float(f"{value:.15g}") == value else str(value)


def options_of(model: type[BaseModel]) -> list[FieldOption]:
    """The options of every field of a config, nested configs and the configs of registry entries included."""
    options: dict[str, FieldOption] = {}
    for option in _walk(model, (), ""):
        options.setdefault(option.key, option)
    return list(options.values())


def _walk(model: type[BaseModel], path: tuple[str, ...], prefix: str) -> Iterator[FieldOption]:
    for name, field in model.model_fields.items():
        yield from _of_field(field, (*path, name), prefix)


def _of_field(field: FieldInfo, path: tuple[str, ...], prefix: str) -> Iterator[FieldOption]:
    marker, chosen = mark_of(field, Option), mark_of(field, ChosenFrom)
    inside, optional = plain_type(field.annotation)
    dashed = f"{prefix}{path[-1].replace('_', '-')}"
    if chosen is not None:
        configs = [chosen.registry.config(entry) for entry in chosen.registry]
    elif isinstance(inside, type) and issubclass(inside, BaseModel):
        configs = [inside]
    else:
        yield _leaf(field, path, dashed if marker is None else marker.name)
        return
    entry, label = (*path, "name"), marker.own if marker is not None and marker.own else dashed
    if chosen is not None:
        yield _leaf(field, entry, label)
    inner = f"{dashed}-" if marker is None else f"{prefix}{marker.name}-" if marker.name else prefix
    for option in (option for config in configs for option in _walk(config, path, inner)):
        if option.path != entry:
            yield option
        elif chosen is None:
            yield option._replace(name=label)
    if optional and marker is not None and marker.off:
        yield FieldOption(path, marker.off, field.description or "", off=True)


def _leaf(field: FieldInfo, path: tuple[str, ...], name: str) -> FieldOption:
    inside, optional = plain_type(field.annotation)
    several = get_origin(inside) is tuple
    of, choices = get_args(inside)[0] if several else inside, choices_of(field)
    marker, positional = mark_of(field, Option), mark_of(field, Positional)
    return FieldOption(
        path,
        name if positional is None else "",
        field.description or "",
        aliases=() if marker is None else marker.aliases,
        choices=choices,
        choice_texts=choice_texts_of(field),
        flag=of is bool,
        several=several,
        optional=optional,
        metavar=_metavar(of, choices, several=several) if positional is None else positional.metavar,
        positional=positional is not None,
        many=positional is not None and positional.many,
    )


def _metavar(annotation: Any, choices: tuple[str, ...], *, several: bool) -> str:
    inside, _ = plain_type(annotation)
    names = {int: "INTEGER", float: "NUMBER", bool: "BOOLEAN"}
    word = "NAME" if choices else names.get(inside, "PATH" if "Path" in getattr(inside, "__name__", "") else "TEXT")
    return f"{word},..." if several else word


def value_at(config: BaseModel, option: FieldOption) -> Any:
    """The value of an option's field in a config; a mark that equals only itself where the config has no such field."""
    value: Any = config
    for name in option.path:
        if value is None or not hasattr(value, name):
            return _MISSING
        value = getattr(value, name)
    if option.off:
        return value is None
    return value


def overrides_of(options: Sequence[FieldOption], values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested overrides of a config from the values of its options by `FieldOption.key`; None is an absent option."""
    overrides: dict[str, Any] = {}
    for option in options:
        text = values.get(option.key)
        if (text is not None and text is not False) or (option.flag and text is False):
            overrides = overlaid(overrides, nested(option, option.parsed(text)))
    return overrides


def nested(option: FieldOption, value: Any) -> dict[str, Any]:
    """An override of one field, nested as its path is."""
    result = value
    for name in reversed(option.path):
        result = {name: result}
    overrides: dict[str, Any] = result
    return overrides


def given_overrides(given: Iterable[tuple[FieldOption, Any]]) -> dict[str, Any]:
    """Nested overrides of a config from options and their values, as `fewest` has them."""
    overrides: dict[str, Any] = {}
    for option, value in given:
        overrides = overlaid(overrides, nested(option, None if option.off else value))
    return overrides


def fewest(
    options: Sequence[FieldOption],
    targets: Sequence[BaseModel],
    build: Callable[[Overrides], Sequence[BaseModel]],
    always: Mapping[tuple[str, ...], Any],
) -> list[tuple[FieldOption, Any]]:
    """The fewest options, with their values, from which `build` makes the targets.

    A preset fills many fields, and one option may change what it says of others; so one option at a time is added.

    Args:
        targets: configs to arrive at; all have the same value in a field that is not as the preset says.
        build: makes as many configs from overrides.
        always: values of the options that are given in any case, by path.
    """
    by_path = {option.path: option for option in options}
    chosen = {by_path[path]: value for path, value in always.items()}
    uncertain: list[FieldOption] = []

    def built(values: Mapping[FieldOption, Any]) -> list[BaseModel | None]:
        try:
            return [*build(given_overrides(values.items()))]
        except ConfigError:
            return [None] * len(targets)

    while True:
        now = built(chosen)
        values = ((option, _differing(option, targets, now)) for option in options if option not in chosen)
        option, value = next(((option, value) for option, value in values if value is not _MISSING), (None, None))
        if option is None:
            break
        chosen[option] = value
        if None in now:
            uncertain.append(option)
    for option in uncertain:  # while the overrides are impossible, nobody can say which option is needed
        without = {other: value for other, value in chosen.items() if other != option}
        if built(without) == [*targets]:
            chosen = without
    return list(chosen.items())


def _differing(option: FieldOption, targets: Sequence[BaseModel], now: Sequence[BaseModel | None]) -> Any:
    """The first target's value that is another now; `_MISSING` if there is none, or if no words express it."""
    for target, plain in zip(targets, now, strict=True):
        value = value_at(target, option)
        if value is _MISSING or (option.off and not value):
            continue
        if plain is None or value_at(plain, option) != value:
            return value
    return _MISSING
