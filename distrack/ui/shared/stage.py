"""Presentation mode: large type, no side bar, and a key that goes to the next page with the run in view."""

from typing import Any

import streamlit as st

from distrack.ui.sound.media import source

_PARAMETER = "stage"
# The pages in order. A presenter's remote sends Page Down for the next one and Page Up for the one before.
_STOPS = {"distill": "Distill", "listen": "Listen", "evaluate": "Evaluate"}
_LOOK = """<style>
html { font-size: 24px !important; }
[data-testid="stSidebar"], [data-testid="stExpandSidebarButton"], [data-testid="stHeader"] { display: none; }
</style>"""


def enter() -> None:
    """Draws the button that begins it."""
    tooltip = "Large type. Page Down moves on."
    if st.button("Presentation mode", icon=":material/slideshow:", type="tertiary", help=tooltip):
        st.query_params[_PARAMETER] = "1"
        st.rerun()


def parameters() -> dict[str, str]:
    """What a link must have in its URL to stay in presentation mode; nothing outside of it."""
    return {_PARAMETER: "1"} if _PARAMETER in st.query_params else {}


def show(here: str) -> None:
    """Gives a page, named as in its URL, the look of presentation mode if the URL asks for it."""
    if not parameters():
        return
    st.html(_LOOK)
    stops = list(_STOPS)
    at = stops.index(here) if here in stops else -1
    data: dict[str, Any] = {"stops": list(_STOPS.values()), "at": at}
    target = _component(key="stage", data=data, on_go_change=lambda: None).go
    if target is None:
        return
    if target == "leave":
        del st.query_params[_PARAMETER]
        st.rerun()
    run = st.query_params.get("run")
    in_view = {"run": run} if run else {}
    st.switch_page(f"pages/{stops[int(target) % len(stops)]}.py", query_params={**parameters(), **in_view})


_component = st.components.v2.component(
    "distrack_stage", css=source("sound.css", "stage.css"), js=source("sound.js", "stage.js")
)
