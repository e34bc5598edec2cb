"""Widgets of the Compare page whose values are in the URL, so that a reload or a shared link shows the same.

The URL has the value; a widget shows it and changes it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

# The option of a menu that stands for no filter; it is not written to the URL.
ALL = "All"
# The value of a parameter whose menu was emptied; without the parameter the menu would show its default.
_EMPTY = [""]


def linked(
    draw: Callable[..., Any], label: str, options: Sequence[str], *, name: str, value: Any, place: str = "", **more: Any
) -> Any:
    """Draws a widget with a value, and returns the value; a change of it is written to the URL.

    Args:
        draw: the widget, such as `st.multiselect`.
        name: the parameter of the URL.
        value: what is selected.
        place: distinguishes it from other widgets of the same parameter on the page.
        more: further arguments of `draw`.
    """
    key = f"compare-{name}{place}"
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return draw(label, options, key=key, on_change=lambda: set_parameter(name, st.session_state[key]), **more)


def menu(
    label: str, name: str, options: Sequence[str], default: str, text: Callable[[str], str] = str, *, place: str = ""
) -> str:
    """A menu with one value. A value in the URL that is not among the options is shown as a warning and forgotten."""
    value = st.query_params.get(name, default)
    if value not in options:
        st.warning(f"No {label.lower()} {value!r} here: showing {default}.")
        del st.query_params[name]
        value = default
    texts = {option: option if option == ALL else text(option) for option in options}
    return str(linked(st.selectbox, label, options, name=name, value=value, place=place, format_func=texts.get))


def requested(name: str) -> list[str] | None:
    """The values of a parameter in the URL, each once; None if the URL does not have it."""
    values = st.query_params.get_all(name)
    if values == _EMPTY:
        return []
    return list(dict.fromkeys(values)) or None


def set_parameter(name: str, value: str | Sequence[str]) -> None:
    """Writes one value or several to the URL, unless they are there already."""
    if value == ALL:
        st.query_params.pop(name, None)
        return
    new = [value] if isinstance(value, str) else list(value) or _EMPTY
    if st.query_params.get_all(name) != new:
        st.query_params[name] = new
