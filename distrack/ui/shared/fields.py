"""Widgets for the fields of pydantic models: label, tooltip, bounds, choices and first value come from the model."""

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, TypedDict, Unpack, get_origin

import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from streamlit.delta_generator import DeltaGenerator

from distrack.annotations import bounds_of, plain_type, registry_of, values_of
from distrack.registry import Choice
from distrack.validation import overlaid


class Changes(TypedDict, total=False):
    """What a widget does not take from the field.

    Attributes:
        value: what the widget begins with.
        choices: those of a menu that are offered.
        text: what a menu shows for a choice.
        none: the widget begins without a value, which is None and is shown as this text.
        disabled: the widget cannot be used.
    """

    value: Any
    choices: Sequence[Any]
    text: Callable[[Any], str]
    none: str
    disabled: bool


def field_input(field: FieldInfo, *, key: str, place: DeltaGenerator | None = None, **changes: Unpack[Changes]) -> Any:
    """Draws a widget for one field and returns its value.

    A truth value is a toggle; entries of a registry and values of a `Literal` are a menu, or a menu of several for a
    tuple of them; anything else but a number is text. A widget begins with the field's first example, or with its
    default if it has none. A number that may be None is None while its widget is empty. The steps of a number
    are `json_schema_extra={"step": ...}`. Its bounds are left to the model, which says what is wrong with a number: a
    widget with bounds would keep the number before, and the page would go on with that.

    Args:
        field: the field; its title is the label, its description the tooltip.
        key: identifies the widget on the page.
        place: where it is drawn; by default where Streamlit draws next.
        changes: what is not taken from the field.
    """
    draw: Any = st if place is None else place
    begin = changes["value"] if "value" in changes else _first(field)
    common: dict[str, Any] = {"key": key, "help": field.description, "disabled": changes.get("disabled", False)}
    label, (kind, _), none = field.title or key, plain_type(field.annotation), changes.get("none")
    if kind is bool:
        return draw.toggle(label, bool(begin), **common)
    registry = registry_of(field)
    offered = list(changes.get("choices", values_of(field) if registry is None else registry))
    if offered or registry is not None:
        text = changes.get("text", str if registry is None else registry.title)
        if get_origin(kind) is tuple:
            begin = [each for each in begin if each in offered]
            return tuple(draw.multiselect(label, offered, begin, format_func=text, **common))
        begin = begin.name if isinstance(begin, Choice) else begin
        if none is not None:
            offered, begin = [None, *offered], None
        index = offered.index(begin) if begin in offered else 0
        shown = text if none is None else lambda each: none if each is None else text(each)
        return draw.selectbox(label, offered, index=index, format_func=shown, **common)
    if kind not in (int, float):
        return draw.text_input(label, "" if begin is None else str(begin), **common)
    extra = field.json_schema_extra
    step = extra.get("step") if isinstance(extra, dict) else None
    begin, step = (None if each is None else kind(each) for each in (None if none is not None else begin, step))
    form = "%d" if kind is int else "%g"
    return draw.number_input(label, value=begin, step=step, format=form, placeholder=none, **common)


def _first(field: FieldInfo) -> Any:
    if field.is_required() or field.examples:
        return (field.examples or [None])[0]
    return field.get_default(call_default_factory=True, validated_data={})


class Fields:
    """Widgets for the fields of one config, which begin with its values.

    Attributes:
        values: the values of the widgets that were drawn, as overrides of the config.
    """

    def __init__(self, config: BaseModel, key: str) -> None:
        """Draws nothing yet.

        Args:
            config: what the widgets begin with.
            key: the first part of the widgets' keys; with another key they begin with the config's values again.
        """
        self.values: dict[str, Any] = {}
        self._config, self._key = config, key

    def draw(
        self, path: str, place: DeltaGenerator | None = None, *, variant: object = "", **changes: Unpack[Changes]
    ) -> Any:
        """Draws a field's widget and returns its value; see `field_input`.

        Args:
            path: names from the config to the field, joined by dots: `pool.training`. The name of a nested config
                (`network.name`) has the label of that config.
            place, changes: as of `field_input`.
            variant: with another one, the widget begins anew.
        """
        field, here = self._at(path)
        key = f"{self._key}-{path}-{variant}"
        value = field_input(field, key=key, place=place, **({"value": here} | changes))
        self.set(path, {"name": value} if isinstance(here, Choice) and value is not None else value)
        return value

    def slider(self, path: str, place: DeltaGenerator, *, most: int) -> int:
        """Draws a whole number as a slider that ends at `most`, and returns its value."""
        field, here = self._at(path)
        least = int(bounds_of(field)[0] or 0)
        key = f"{self._key}-{path}"
        value: int = place.slider(str(field.title), least, most, min(here, most), key=key, help=field.description)
        self.set(path, value)
        return value

    def switch(self, path: str, place: DeltaGenerator, *, off: BaseModel, on: BaseModel) -> None:
        """Draws a nested config as a toggle between two of its values; a third one that it has counts as on."""
        field, here = self._at(path)
        used = place.toggle(str(field.title), here != off, key=f"{self._key}-{path}", help=field.description)
        self.set(path, (off if not used else on if here == off else here).model_dump())

    def set(self, path: str, value: Any) -> None:
        """Gives a field a value without a widget."""
        for name in reversed(path.split(".")):
            value = {name: value}
        self.values = overlaid(self.values, value)

    def _at(self, path: str) -> tuple[FieldInfo, Any]:
        field, here = FieldInfo(), self._config
        for name in path.split("."):
            outer, field = field, type(here).model_fields[name]
            here = getattr(here, name)
        if path.endswith(".name"):
            field = copy(field)
            field.title, field.description = outer.title, outer.description
        return field, here
