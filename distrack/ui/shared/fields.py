"""Widgets for the fields of pydantic models: label, tooltip, limits, choices and first value come from the field."""

import math
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo
from streamlit.delta_generator import DeltaGenerator


def field_input(field: FieldInfo, *, key: str, place: DeltaGenerator | None = None) -> Any:
    """Draws a widget for one field and returns its value: a toggle, a menu, or a number within the field's bounds.

    The widget begins with the field's default; one for a required field begins with the field's first example. A number
    that may be None is None while its widget is empty. The steps of a number are `json_schema_extra={"step": ...}`.

    Args:
        field: the field; its title is the label, its description the tooltip.
        key: identifies the widget on the page.
        place: where it is drawn; by default where Streamlit draws next.
    """
    draw: Any = st if place is None else place
    label, tooltip = field.title or key, field.description
    first = (field.examples or [None])[0] if field.is_required() else field.get_default(call_default_factory=True)
    kind = _inside(field.annotation)
    if kind is bool:
        return draw.toggle(label, bool(first), key=key, help=tooltip)
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        return draw.selectbox(label, choices, index=choices.index(first), key=key, help=tooltip)
    if kind not in (int, float):
        return draw.text_input(label, "" if first is None else str(first), key=key, help=tooltip)
    least, most = _bounds(field)
    extra = field.json_schema_extra
    step = extra.get("step") if isinstance(extra, dict) else None
    numbers = [None if each is None else kind(each) for each in (least, most, first, step)]
    return draw.number_input(label, *numbers, "%d" if kind is int else "%g", key=key, help=tooltip)


def _inside(annotation: Any) -> Any:
    """An annotation without `Annotated` and without None."""
    if get_origin(annotation) is Annotated:
        return _inside(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [part for part in get_args(annotation) if part is not type(None)]
        return _inside(parts[0]) if len(parts) == 1 else annotation
    return annotation


def _bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    """Least and greatest value; an exclusive bound is replaced by the next number inside."""
    limits = {
        name: getattr(mark, name)
        for mark in field.metadata
        for name in ("ge", "gt", "le", "lt")
        if getattr(mark, name, None) is not None
    }
    whole = _inside(field.annotation) is int
    if "gt" in limits:
        limits["ge"] = limits["gt"] + 1 if whole else math.nextafter(limits["gt"], math.inf)
    if "lt" in limits:
        limits["le"] = limits["lt"] - 1 if whole else math.nextafter(limits["lt"], -math.inf)
    return limits.get("ge"), limits.get("le")
