"""Presentation mode: large type, no side bar, and the stops of a talk, which the keys of a remote go through."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from distrack.ui.sound.media import source

_PARAMETER = "stage"
# Key of the session state; the bar has the key of its own name.
_ACTIVE = "presenting"
# Pixels of type: what is read from the back row of a lecture room.
TYPE_SIZE = 24


class Stop(NamedTuple):
    """A stop of a talk.

    Attributes:
        title: in the bar.
        page: its part of the URL; empty for the home page.
        view: the view of that page, where it has several.
    """

    title: str
    page: str
    view: str = ""


STOPS = (
    Stop("Title", ""),
    Stop("Distill", "distill"),
    Stop("Listen", "listen"),
    Stop("Real or synthetic?", "listen", "Blind test"),
    Stop("Accuracy", "evaluate"),
    Stop("Decompose", "decompose"),
)
_LOOK = f"""<style>
html {{ font-size: {TYPE_SIZE}px !important; }}
[data-testid="stSidebar"], [data-testid="stExpandSidebarButton"], [data-testid="stHeader"] {{ display: none; }}
[data-testid="stMainBlockContainer"] {{ padding: 0.5rem 1.5rem; }}
h1 {{ padding: 0 !important; font-size: 1.5rem !important; }}
</style>"""


def active() -> bool:
    """Whether this session presents; a link or a launch that loses the parameter of the URL does not end it."""
    return bool(st.session_state.get(_ACTIVE))


def enter() -> None:
    """Draws the button that begins it."""
    tooltip = "Large type. Page Down and Page Up, or the arrows, go through the stops of a talk. B blanks the screen."
    if st.button("Presentation mode", icon=":material/slideshow:", type="tertiary", help=tooltip):
        st.query_params[_PARAMETER] = "1"
        st.rerun()


def show(here: str, pages: Mapping[str, StreamlitPage]) -> None:
    """Gives a page the look of presentation mode and its bar, while the session presents.

    Args:
        here: the page's part of the URL.
        pages: all pages by their part of the URL.
    """
    if _PARAMETER in st.query_params:
        st.session_state[_ACTIVE] = True
    if not active():
        return
    st.query_params[_PARAMETER] = "1"
    runs: dict[str, str] = st.session_state.setdefault("stage-runs", {})
    if "run" in st.query_params:
        runs[_kind(here)] = st.query_params["run"]
    st.html(_LOOK)
    in_view = st.session_state.get("view") or st.query_params.get("view", "")
    data: dict[str, Any] = {"stops": [stop.title for stop in STOPS], "at": _at(here, in_view)}
    target = _component(key="stage", data=data, on_go_change=lambda: None).go
    if target == "leave":
        del st.session_state[_ACTIVE], st.query_params[_PARAMETER]
        st.rerun()
    elif target is not None:
        stop = STOPS[min(max(int(target), 0), len(STOPS) - 1)]
        run = {"run": runs[_kind(stop.page)]} if stop.page and _kind(stop.page) in runs else {}
        view = {"view": stop.view} if stop.view else {}
        if stop.page == here:
            # Another view of the page that is open: its menu has that view now.
            st.session_state["view"] = stop.view or None
            st.rerun()
        st.switch_page(pages[stop.page], query_params={_PARAMETER: "1", **run, **view})


def _kind(page: str) -> str:
    """Decompositions and distillations are in view each on pages of their own."""
    return "decompose" if page == "decompose" else "distill"


def _at(here: str, view: str) -> int:
    """The stop that is in view; -1 on a page that is none."""
    places = [number for number, stop in enumerate(STOPS) if stop.page == here]
    return next((number for number in places if STOPS[number].view == view), places[0] if places else -1)


_component = st.components.v2.component(
    "distrack_stage", css=source("sound.css", "stage.css"), js=source("sound.js", "stage.js")
)
