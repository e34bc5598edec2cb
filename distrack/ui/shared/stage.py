"""Presentation mode: large type, no side bar, and the stops of a talk, which the keys of a remote go through."""

from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import StreamlitPage

from distrack.settings import PROJECT
from distrack.ui.sound.media import source

_PARAMETER = "stage"
_ACTIVE = "presenting"
# Pixels of type: what is read from the back row of a lecture room.
TYPE_SIZE = 24
# The stops by their titles in the bar: the page's part of the URL, and one of its views.
_STOPS = {
    "Title": ("", ""),
    "Distill": ("distill", ""),
    "Listen": ("listen", "Play"),
    "Real or synthetic?": ("listen", "Blind test"),
    "Accuracy": ("evaluate", ""),
    "Decompose": ("decompose", ""),
}


def active() -> bool:
    """Whether this session presents; a link or a launch that loses the parameter of the URL does not end it."""
    return bool(st.session_state.get(_ACTIVE))


def enter() -> None:
    """Draws the button that begins it."""
    tooltip = "Large type. Page Down and Page Up, or the arrows, go through the stops of a talk. B blanks the screen."
    if st.button("Presentation mode", icon=":material/slideshow:", type="tertiary", help=tooltip):
        st.query_params[_PARAMETER] = "1"
        st.rerun()


def aside(name: str) -> DeltaGenerator:
    """A container for what belongs to a page, and not to a talk: presentation mode hides it."""
    return st.container(key=f"aside-{name}")


def show(here: str, pages: Mapping[str, StreamlitPage]) -> None:
    """Gives a page of these, by their part of the URL, the look of presentation mode while the session presents."""
    if _PARAMETER in st.query_params:
        st.session_state[_ACTIVE] = True
    if not active():
        return
    st.query_params[_PARAMETER] = "1"
    # The runs in view: of the page of decompositions, and of the others.
    runs: dict[bool, str] = st.session_state.setdefault("stage-runs", {})
    if "run" in st.query_params:
        runs[here == "decompose"] = st.query_params["run"]
    st.html(PROJECT / "assets" / "stage.css")
    view = st.session_state.get("view") or st.query_params.get("view", "Play")
    stops = list(_STOPS.values())
    at = next((number for number, stop in enumerate(stops) if stop in ((here, ""), (here, view))), -1)
    target = _component(key="stage", data={"stops": list(_STOPS), "at": at}, on_go_change=_before_the_page).go
    page = here if target is None else stops[int(target)][0]
    if page != here:
        run = runs.get(page == "decompose")
        st.switch_page(pages[page], query_params={_PARAMETER: "1", **({"run": run} if run else {})})


def _before_the_page() -> None:
    """Leaves, or selects the view of the next stop. A rerun would drop sounds that the browser is about to load."""
    target = st.session_state["stage"].go
    if target == "leave":
        del st.session_state[_ACTIVE], st.query_params[_PARAMETER]
    else:
        st.session_state["view"] = list(_STOPS.values())[int(target)][1]


_component = st.components.v2.component(
    "distrack_stage", css=source("sound.css", "stage.css"), js=source("sound.js", "stage.js")
)
