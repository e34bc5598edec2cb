"""Registries: the named things of one kind, found by name in any case, and the config that each of them brings.

An entry is known before it is imported if its `Place` is registered, or if it is `found_in` a package: what a command
does not use, such as methods that compute with torch, does not make it start later.

A config field that selects an entry of a registry is annotated with `ChosenFrom`. Its value is an instance of that
entry's own config, a subclass of `Choice`; a bare name or a mapping is accepted in its place.
"""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import Any, Generic, TypeVar

import pydantic
from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from distrack.errors import ConfigError, unknown
from distrack.validation import Config, Overrides, explain, overlaid

T = TypeVar("T")


# A list of runs looks up the same few names thousands of times.
@lru_cache(maxsize=1_000)
def canonical(name: str) -> str:
    """A name without case, dashes, underscores and spaces.

    >>> canonical("Audio-MNIST") == canonical("AUDIO_MNIST")
    True
    """
    return re.sub(r"[\s_-]", "", name).lower()


class Choice(Config):
    """The selected entry of a registry and that entry's settings. A subclass adds the settings.

    Attributes:
        name: the entry's registered name.
    """

    name: str = ""

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by name; an entry that is a function or a class takes them as keyword arguments."""
        return {field: getattr(self, field) for field in type(self).model_fields if field != "name"}


@dataclass(frozen=True)
class Place:
    """Stands for an entry whose module is imported when the entry is used."""

    module: str
    attribute: str

    def entry(self) -> Any:
        """Imports the module and returns the entry."""
        return getattr(importlib.import_module(self.module), self.attribute)


class Registry(Generic[T]):
    """The named things of one kind, in the order they were added; those found in a package are in alphabetical order.

    An unknown name raises `ConfigError` wherever a spelling is looked up; the message gives the nearest names.

    Args:
        kind: what is registered, as an error message calls it ("feature").
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T | Place] = {}
        self._names: dict[str, str] = {}
        self._configs: dict[str, type[Choice]] = {}
        self._titles: dict[str, str] = {}
        # Modules of a package that entries are found in; None if all entries add themselves.
        self._unread: list[str] | None = None

    def found_in(self, package: str, path: Iterable[str]) -> None:
        """Names the modules of a package as the origin of entries: adding an entry is adding a file.

        A module is imported when a name is looked up that no entry has yet. The module whose name begins most like it
        is the first, so that hardly any other is imported before the entry is found.
        """
        self._unread = [f"{package}.{module}" for module in _modules(path)]

    def _read(self, like: str | None = None) -> None:
        """Imports the modules that entries are found in, until one registers a name if that is given."""
        if not self._unread or like in self._names:
            return

        def likeness(module: str) -> int:
            letters = zip(canonical(module.rpartition(".")[2]), like or "", strict=False)
            return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], letters))

        for module in sorted(self._unread, key=likeness, reverse=True):
            if like in self._names:
                return
            importlib.import_module(module)
            if self._unread and module in self._unread:
                self._unread.remove(module)

    def add(
        self,
        name: str,
        entry: T | Place,
        *,
        aliases: tuple[str, ...] = (),
        config: type[Choice] = Choice,
        title: str = "",
    ) -> None:
        """Registers `entry`, and the config that selects it; a name or alias that is taken is a programming error.

        The label on the screen is `title`, by default the `title` or the `summary` that `entry` has.
        """
        for spelling in map(canonical, (name, *aliases)):
            if spelling in self._names:
                raise ValueError(f"{self.kind} {spelling!r} is registered twice")
            self._names[spelling] = name
        self._entries[name] = entry
        self._configs[name] = config
        self._titles[name] = title

    def register(
        self, name: str, *, aliases: tuple[str, ...] = (), config: type[Choice] = Choice, title: str = ""
    ) -> Callable[[T], T]:
        """`add` as a decorator."""

        def registered(entry: T) -> T:
            self.add(name, entry, aliases=aliases, config=config, title=title)
            return entry

        return registered

    def name(self, spelling: str) -> str:
        """The registered name behind any spelling."""
        self._read(canonical(spelling))
        try:
            return self._names[canonical(spelling)]
        except KeyError:
            raise unknown(self.kind, spelling, self._entries) from None

    def title(self, spelling: str) -> str:
        """The label of an entry on the screen: its title, or else its summary, or else its name."""
        name = self.name(spelling)
        if title := self._titles.get(name):
            return title
        sources = ((self._entries[name], "title"), (self._configs[name], "title"), (self._entries[name], "summary"))
        texts = (getattr(source, attribute, "") for source, attribute in sources)
        text = next((text for text in texts if text and isinstance(text, str)), "")
        return f"{text[:1].upper()}{text[1:]}" or name

    def short_title(self, spelling: str) -> str:
        """The label of an entry without the remark in brackets."""
        return self.title(spelling).partition(" (")[0]

    def config(self, spelling: str) -> type[Choice]:
        """The config class of an entry."""
        return self._configs[self.name(spelling)]

    def choice(self, spelling: str, **settings: Any) -> Any:
        """An entry's config with these settings and its defaults for the rest, an instance of `config(spelling)`.

        Raises:
            pydantic.ValidationError: a setting is unknown to the entry or out of range.
        """
        name = self.name(spelling)
        return self._configs[name].model_validate({**settings, "name": name})

    def __getitem__(self, spelling: str) -> T:
        name = self.name(spelling)
        entry = self._entries[name]
        if isinstance(entry, Place):
            entry = self._entries[name] = entry.entry()
        return entry

    def __iter__(self) -> Iterator[str]:
        if self._unread is None:
            return iter(self._entries)
        self._read()
        return iter(sorted(self._entries))


@dataclass(frozen=True)
class ChosenFrom:
    """Annotates a config field whose value is the `Choice` of an entry of a registry.

    A name in any spelling, a mapping (`{"name": "sgd", "momentum": 0.9}`) or an instance is accepted; a mapping without
    a name selects `default`. The value serialises to a mapping.
    """

    registry: Registry[Any]
    default: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value, info: value.model_dump(mode=info.mode), info_arg=True
            ),
        )

    def filled(self, base: Any, given: Any) -> Any:
        """`given`, and from `base` the values that it lacks; settings that the chosen entry does not have are left out.

        Args:
            base: the field's value in a preset.
            given: the field's value as a person gave it; its own unknown settings stay, for validation to refuse them.

        Raises:
            ConfigError: the name is unknown.
            ValueError: a value is neither a name nor an object with a name.
        """
        usual, over = _choice_mapping(base), _choice_mapping(given)
        name = self.registry.name(over.get("name") or usual.get("name") or self.default)
        known = self.registry.config(name).model_fields.keys()
        usual = {key: setting for key, setting in usual.items() if key in known}
        return {**overlaid(usual, over), "name": name}

    def _validate(self, value: Any) -> Choice:
        settings = _choice_mapping(value)
        name = self.registry.name(settings.get("name") or self.default)
        rest = {key: setting for key, setting in settings.items() if key != "name"}
        known = self.registry.config(name).model_fields.keys() - {"name"}
        for key in rest.keys() - known:
            has = f"it has {', '.join(sorted(known))}" if known else "it has no settings"
            raise ValueError(f"{name} has no setting {key!r}: {has}")
        try:
            chosen: Choice = self.registry.choice(name, **rest)
        except pydantic.ValidationError as error:
            raise ValueError(f"{name}: {explain(error)}") from None
        return chosen


def filled_choices(model: type[BaseModel], base: Overrides, given: Overrides) -> dict[str, Any]:
    """`given`, and from `base` the values that it lacks, field by field; see `ChosenFrom.filled` for selected entries.

    Raises:
        ConfigError: the name of an entry is unknown.
        ValueError: a selected entry is neither a name nor an object with a name.
    """
    result = overlaid(base, given)
    for field in base.keys() & model.model_fields.keys():
        for mark in model.model_fields[field].metadata:
            if isinstance(mark, ChosenFrom):
                result[field] = mark.filled(base[field], given.get(field, {}))
    return result


def entry_name(value: Any) -> str:
    """The name in the value of a field that selects an entry; empty where it has none.

    Raises:
        ValueError: the value is neither a name nor an object with a name.
    """
    return str(_choice_mapping(value).get("name", ""))


def _choice_mapping(value: Any) -> Mapping[str, Any]:
    settings = {"name": value} if isinstance(value, str) else value
    if isinstance(settings, BaseModel):
        settings = settings.model_dump()
    if not isinstance(settings, Mapping) or not isinstance(settings.get("name", ""), str):
        raise ValueError("expected a name or an object with a name")
    return settings


@dataclass(frozen=True)
class NameIn:
    """Annotates a config field that holds an entry's name; any spelling becomes the registered one."""

    registry: Registry[Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.registry.name, core_schema.str_schema())


def discover(package: str, path: Iterable[str]) -> None:
    """Imports every module of a package, so that their entries are registered: adding an entry is adding a file."""
    for module in _modules(path):
        importlib.import_module(f"{package}.{module}")


def _modules(path: Iterable[str]) -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(path))


def load_plugins(names: str) -> None:
    """Imports a user's modules, named with commas between, so that their entries are registered too.

    Raises:
        ConfigError: a module cannot be imported.
    """
    for name in filter(None, map(str.strip, names.split(","))):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ConfigError(f"DISTRACK_PLUGINS: module {name!r} cannot be imported: {error}") from None
