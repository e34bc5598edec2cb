"""What the annotation of a pydantic field says: its type, its marks, its possible values and its bounds."""

import math
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from distrack.registry import ChosenFrom, NameIn, Registry, canonical


def mark_of(field: FieldInfo, kind: type[Any]) -> Any:
    """The mark of a kind (`Option`, `ChosenFrom` ...) that a field is annotated with; None if there is none."""
    return next((each for each in field.metadata if isinstance(each, kind)), None)


def plain_type(annotation: Any) -> tuple[Any, bool]:
    """An annotation without `None` and without metadata, and whether `None` was possible."""
    optional = False
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, types.UnionType):
            parts = [part for part in get_args(annotation) if part is not type(None)]
            optional = optional or len(parts) < len(get_args(annotation))
            if len(parts) != 1:
                return annotation, optional
            annotation = parts[0]
        else:
            return annotation, optional


def registry_of(field: FieldInfo) -> Registry[Any] | None:
    """The registry whose entry or entries a field names; None if it names none."""
    return next((mark.registry for mark in _marks(field) if isinstance(mark, (ChosenFrom, NameIn))), None)


def values_of(field: FieldInfo) -> tuple[Any, ...]:
    """The values that a `Literal` allows, in a field that may hold one, several or None; empty if there is none."""
    return next((get_args(part) for part in _parts(field.annotation) if get_origin(part) is Literal), ())


def choices_of(field: FieldInfo) -> tuple[str, ...]:
    """The names that a field allows, of the entries of a registry or of a `Literal`; empty if it allows any value."""
    registry = registry_of(field)
    return tuple(map(str, values_of(field) if registry is None else registry))


def choice_texts_of(field: FieldInfo) -> tuple[str, ...]:
    """The choices of a field for `--help`: the name of an entry, with its title in brackets if that says more."""
    registry = registry_of(field)
    if registry is None:
        return choices_of(field)
    titles = {name: registry.title(name) for name in registry}
    return tuple(name if canonical(title) == canonical(name) else f"{name} ({title})" for name, title in titles.items())


def bounds_of(field: FieldInfo) -> tuple[float | None, float | None]:
    """The least and the greatest number; an exclusive bound is replaced by the next number inside."""
    limits = {
        name: getattr(mark, name)
        for mark in _marks(field)
        for name in ("ge", "gt", "le", "lt")
        if getattr(mark, name, None) is not None
    }
    whole = plain_type(field.annotation)[0] is int
    if "gt" in limits:
        limits["ge"] = limits["gt"] + 1 if whole else math.nextafter(limits["gt"], math.inf)
    if "lt" in limits:
        limits["le"] = limits["lt"] - 1 if whole else math.nextafter(limits["lt"], -math.inf)
    return limits.get("ge"), limits.get("le")


def _marks(field: FieldInfo) -> Iterator[Any]:
    """The marks of a field, and those inside its annotation, as of the items of a tuple."""
    yield from field.metadata
    for part in _parts(field.annotation):
        if get_origin(part) is Annotated:
            for mark in get_args(part)[1:]:
                yield from _marks(mark) if isinstance(mark, FieldInfo) else (mark,)


def _parts(annotation: Any) -> Iterator[Any]:
    """An annotation and everything inside it."""
    yield annotation
    for part in () if get_origin(annotation) is Literal else get_args(annotation):
        yield from _parts(part)
