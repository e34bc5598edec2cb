"""Widgets of the Compare page whose values are in the URL, so that a reload or a shared link shows the same.

The URL has the value; a widget shows it and changes it.
"""

from collections.abc import Sequence

import streamlit as st

# The option of a menu that stands for no filter.
ALL = "All"
# The value of a parameter whose menu was emptied; without the parameter the menu would show its default.
_EMPTY = [""]


def menu(label: str, name: str, options: Sequence[str], default: str) -> str:
    """A menu with one value. A value in the URL that is not among the options is shown as a warning and forgotten.

    Args:
        label: the label on the screen.
        name: the parameter of the URL.
        options: the values; `ALL` is not written to the URL.
        default: the value if the URL has none.
    """
    value = st.query_params.get(name)
    if value is not None and value not in options:
        st.warning(f"No {label.lower()} {value!r} here: showing {default}.")
        del st.query_params[name]
        value = None
    key = _key(name, default if value is None else value)

    def changed() -> None:
        if st.session_state[key] == ALL:
            st.query_params.pop(name, None)
        else:
            set_parameter(name, [st.session_state[key]])

    return st.selectbox(label, options, key=key, on_change=changed)


def several(
    label: str, name: str, options: Sequence[str], selected: Sequence[str], *, most: int | None = None
) -> list[str]:
    """A menu with several values.

    Args:
        label: the label on the screen.
        name: the parameter of the URL.
        options: the values.
        selected: the selected values; see `requested`.
        most: the largest number of selected values.
    """
    key = _key(name, list(selected))
    return st.multiselect(
        label,
        options,
        key=key,
        max_selections=most,
        on_change=lambda: set_parameter(name, st.session_state[key]),
    )


def switch(label: str, name: str, options: Sequence[str], *, place: str) -> str:
    """A row of buttons, one of which is selected; the first if the URL has none.

    Args:
        label: the label on the screen.
        name: the parameter of the URL.
        options: the values.
        place: distinguishes it from other switches of the same parameter on the page.
    """
    value = st.query_params.get(name)
    key = _key(f"{name}-{place}", options[0] if value is None or value not in options else value)
    st.segmented_control(
        label, options, key=key, required=True, on_change=lambda: set_parameter(name, [st.session_state[key]])
    )
    return str(st.session_state[key])


def requested(name: str) -> list[str] | None:
    """The values of a parameter in the URL, each once; None if the URL does not have it."""
    values = st.query_params.get_all(name)
    if values == _EMPTY:
        return []
    return list(dict.fromkeys(values)) or None


def set_parameter(name: str, values: Sequence[str]) -> None:
    """Writes values to the URL, unless they are there already."""
    new = list(values) or _EMPTY
    if st.query_params.get_all(name) != new:
        st.query_params[name] = new


def _key(name: str, value: str | list[str]) -> str:
    """The key of a widget, whose state is set to the value of the URL."""
    key = f"compare-{name}"
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return key
