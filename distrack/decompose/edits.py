"""Edits by name: the registry of edits, one edit as it is stored, and the history that is replayed and undone."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import update_wrapper
from pathlib import Path
from typing import Annotated, Any, Concatenate, Literal, NamedTuple, ParamSpec, Self, get_type_hints

import pydantic
from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model, model_validator

from distrack.decompose.events import MOST_EVENTS, Events
from distrack.decompose.rooms import room_named
from distrack.errors import DistrackError, EventsError
from distrack.registry import Registry
from distrack.validation import Config, explain

P = ParamSpec("P")
Takes = Literal["nothing", "events", "room"]
Number = Annotated[int, Field(ge=0, lt=MOST_EVENTS)]

MOST_EDITS = 1_000


class EditKind(NamedTuple):
    """A registered edit.

    Attributes:
        change: the function that does it. It takes events, a source if `takes` names one, `which`, and the arguments.
        arguments: its arguments with their ranges, from which the Decompose page makes its widgets.
        takes: what the edit needs besides the events: nothing, other events, or a room.
        selects: whether it changes selected events; if not, it changes all of them.
    """

    change: Callable[..., Events]
    arguments: type[BaseModel]
    takes: Takes
    selects: bool
    about: str


EDITS: Registry[EditKind] = Registry("edit")


def edit(
    name: str, title: str, *, takes: Takes = "nothing"
) -> Callable[[Callable[Concatenate[Events, P], Events]], Callable[Concatenate[Events, P], Events]]:
    """Registers a pure function on events as an edit; its keyword-only arguments are the arguments of the edit.

    A call of the decorated function validates its arguments in the same way as a stored edit does.

    Args:
        title: its label on the page.
        takes: what the second argument of the function is, if it is not `which`.
    """

    def registered(change: Callable[Concatenate[Events, P], Events]) -> Callable[Concatenate[Events, P], Events]:
        arguments = _arguments(name, change)
        parameters = inspect.signature(change).parameters

        def checked(events: Events, /, *rest: P.args, **given: P.kwargs) -> Events:
            named = {key: value for key, value in given.items() if key in arguments.model_fields}
            valid = _validated(name, arguments, named)
            others = {key: value for key, value in given.items() if key not in named}
            return change(events, *rest, **others, **dict(valid))  # type: ignore[arg-type]

        about = (inspect.getdoc(change) or "").splitlines()[0]
        update_wrapper(checked, change)
        EDITS.add(name, EditKind(checked, arguments, takes, "which" in parameters, about), title=title)
        return checked

    return registered


class Edit(Config):
    """One edit as it is stored, with JSON both ways.

    Attributes:
        name: a name in `EDITS`, in any spelling.
        which: numbers of the selected events, as they are counted before the edit; None for all events.
        source: name of the other events, or of the room. None for an edit without a source, and for the room edit that
            removes the reverb.
        arguments: arguments of the edit; those left out have their defaults.
    """

    name: str
    which: Annotated[tuple[Number, ...], Field(max_length=MOST_EVENTS)] | None = None
    source: Annotated[str, Field(max_length=1_000)] | None = None
    arguments: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> Self:
        kind = EDITS[self.name]
        _validated(self.name, kind.arguments, self.arguments)
        if kind.takes == "events" and self.source is None:
            raise EventsError(f"{self.name}: it needs other events: name them as its source")
        if kind.takes == "nothing" and self.source is not None:
            raise EventsError(f"{self.name}: it needs no source: leave it out")
        if not kind.selects and self.which is not None:
            raise EventsError(f"{self.name}: it changes all events: leave which out")
        return self


def apply(
    events: Events,
    edits: Sequence[Edit],
    *,
    others: Mapping[str, Events] | None = None,
    rooms: Mapping[str, Path] | None = None,
) -> Events:
    """The events after all edits, in this order; the given events are not modified.

    Args:
        others: events of other clips, by the names that edits give as their source.
        rooms: files of impulse responses, by the names that edits give as their source.

    Raises:
        EventsError: an edit cannot be applied; the message begins with its number.
    """
    for number, one in enumerate(edits, 1):
        kind = EDITS[one.name]
        try:
            source: tuple[object, ...] = ()
            if kind.takes == "events":
                source = (_named(str(one.source), others or {}),)
            elif kind.takes == "room":
                source = (None if one.source is None else room_named(one.source, rooms or {}),)
            which = {"which": one.which} if kind.selects else {}
            events = kind.change(events, *source, **which, **one.arguments)
        except DistrackError as error:
            problem = f"edit {number}: {error.problem}" if len(edits) > 1 else error.problem
            raise EventsError(problem, remedy=error.remedy) from None
    return events


class History(Config):
    """Edits that are done and edits that were undone: immutable, with JSON both ways.

    Attributes:
        done: edits to apply to the decomposed events, from first to last.
        undone: edits that can be redone; the next one stands last.
    """

    done: Annotated[tuple[Edit, ...], Field(max_length=MOST_EDITS)] = ()
    undone: Annotated[tuple[Edit, ...], Field(max_length=MOST_EDITS)] = ()

    def do(self, one: Edit) -> Self:
        """The history with one more edit, and with nothing left to redo.

        Raises:
            EventsError: there are `MOST_EDITS` already.
        """
        if len(self.done) >= MOST_EDITS:
            raise EventsError(f"{MOST_EDITS} edits already: save the edited events, and continue from the file")
        return type(self)(done=(*self.done, one))

    def undo(self) -> Self:
        """The history without the last edit; the same history if there is none."""
        return type(self)(done=self.done[:-1], undone=(*self.undone, *self.done[-1:]))

    def redo(self) -> Self:
        """The history with the last undone edit done again; the same history if there is none."""
        return type(self)(done=(*self.done, *self.undone[-1:]), undone=self.undone[:-1])

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The history that `model_dump_json` stored.

        Raises:
            EventsError: it is not a history, or an edit in it is unknown or has impossible arguments.
        """
        try:
            return cls.model_validate_json(text)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "all of it"
            raise EventsError(f"edits cannot be read: {where}: {first['msg']}") from None


def _arguments(name: str, change: Callable[..., Events]) -> type[BaseModel]:
    hints = get_type_hints(change, include_extras=True)
    keyword = [p for p in inspect.signature(change).parameters.values() if p.kind is p.KEYWORD_ONLY]
    fields: dict[str, Any] = {p.name: (hints[p.name], ... if p.default is p.empty else p.default) for p in keyword}
    closed = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    return create_model(f"{name}-arguments", __config__=closed, **fields)


def _validated(name: str, arguments: type[BaseModel], given: Mapping[str, Any]) -> BaseModel:
    try:
        return arguments(**given)
    except pydantic.ValidationError as error:
        raise EventsError(f"{name}: {explain(error)}") from None


def _named(source: str, others: Mapping[str, Events]) -> Events:
    if source not in others:
        known = ", ".join(sorted(others)) or "none"
        raise EventsError(f"there are no events called {source[:80]!r}: there are: {known}")
    return others[source]
