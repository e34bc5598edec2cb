"""The overview: the level of a long sound, and the section of it that is in view, which a press or a key moves."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from distrack.ui.sound.media import source


def overview(
    levels: Sequence[float],
    *,
    covered: float,
    seconds: float,
    start: float,
    length: float,
    on_press: Callable[[float], None],
    key: str,
) -> None:
    """Draws the level of a sound over its time, with a frame around the section.

    Args:
        levels: 0 to 1, evenly spaced in time.
        covered: share of the time that they cover, from the beginning on.
        seconds: the time.
        start, length: of the section, in seconds.
        on_press: called with the start of another section, before the page is drawn again.
    """
    data: dict[str, Any] = {
        "levels": levels,
        "covered": covered,
        "seconds": seconds,
        "start": start,
        "length": length,
    }
    _component(key=key, data=data, on_start_change=lambda: on_press(st.session_state[key].start))


_component = st.components.v2.component(
    "distrack_overview", css=source("sound.css", "overview.css"), js=source("sound.js", "overview.js")
)
