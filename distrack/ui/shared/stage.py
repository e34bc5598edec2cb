"""Stage mode: larger type, no side bar, and one key that goes on with the run in view."""

from typing import Any

import streamlit as st

from distrack.ui.sound.media import source

_PARAMETER = "stage"
# A presenter's remote sends these keys: page down goes on, page up goes back.
_WAY = {"distill": "Distill", "listen": "Listen", "evaluate": "Evaluate"}
_LOOK = """<style>
html { font-size: 24px !important; }
[data-testid="stSidebar"], [data-testid="stExpandSidebarButton"], [data-testid="stHeader"] { display: none; }
</style>"""


def enter() -> None:
    """The button that leads there."""
    if st.button("Stage mode", icon=":material/slideshow:", type="tertiary", help="Larger type, one key to go on."):
        st.query_params[_PARAMETER] = "1"
        st.rerun()


def show(here: str) -> None:
    """Makes a page one of the stage where the URL says so.

    Args:
        here: the page's part of the URL.
    """
    if _PARAMETER not in st.query_params:
        return
    st.html(_LOOK)
    stops = list(_WAY)
    at = stops.index(here) if here in stops else -1
    data: dict[str, Any] = {"stops": list(_WAY.values()), "at": at}
    asked = _component(key="stage", data=data, on_go_change=lambda: None).go
    if asked is None:
        return
    if asked == "leave":
        del st.query_params[_PARAMETER]
        st.rerun()
    run = st.query_params.get("run")
    kept = {"run": run} if run else {}
    st.switch_page(f"pages/{stops[int(asked) % len(stops)]}.py", query_params={_PARAMETER: "1", **kept})


_component = st.components.v2.component(
    "distrack_stage", css=source("sound.css", "stage.css"), js=source("sound.js", "stage.js")
)
