"""What the pages have in common: their head, errors, downloads, tiles, text colour, and notes as sentences."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from distrack.errors import DistrackError
from distrack.figures.style import LiveChart
from distrack.ui.shared import stage

# A press of the button does not rerun the page. A rerun would give every file that is yet to be made another id, while
# the browser still asks for the old one: a second press within a second or two would then fail.
download_button = partial(st.download_button, on_click="ignore", icon=":material/download:")

# Says in the state of a session that `app.py` was run.
IN_APP = "in-app"

T = TypeVar("T")


def begin(title: str, purpose: str = "") -> None:
    """Draws title and purpose; a page that was opened without the app around it starts over inside it.

    Until `st.navigation` was called once in a server's life, Streamlit takes the folder `pages/` for its older way of
    navigation and opens a page without `app.py`: a reload after a restart would show neither menu nor errors. Of two
    sessions that begin together, the second is still one of these when the first has started over. A page calls this
    first, before anything that `app.py` has to load.
    """
    if IN_APP not in st.session_state:
        st.session_state[IN_APP] = True
        PagesManager.uses_pages_directory = False
        st.rerun()
    st.title(title)
    say(purpose)


def say(purpose: str) -> None:
    """Draws what a page is for, in one sentence; not on stage."""
    if purpose and not stage.active():
        st.markdown(purpose)


def nothing_yet(text: str) -> None:
    """Says why a page has nothing to show, with a link to the page that makes a run."""
    st.info(f"{text} Distill a dataset to start.")
    st.page_link("pages/distill.py", label="Distill", icon=":material/science:")


def ink() -> str:
    """The colour of text in the viewer's theme, for figures that stand on the page's own background."""
    return "#f3ecf2" if st.context.theme.type == "dark" else "#150e1e"


def chart(figure: Any, **place: Any) -> Any:
    """Draws a figure of any library, on stage with larger type. `place` holds arguments of Streamlit's own call."""
    if isinstance(figure, LiveChart):
        live = figure.specification
        return st.vega_lite_chart(figure.data, _enlarged(live) if stage.active() else live, **place)
    plotly = hasattr(figure, "update_layout")
    if not stage.active():
        return st.plotly_chart(figure, **place) if plotly else st.altair_chart(figure, **place)
    large = _enlarged(figure.to_plotly_json() if plotly else figure.to_dict())
    return st.plotly_chart(large, **place) if plotly else st.vega_lite_chart(large, **place)


def _enlarged(part: Any, key: str = "", inside: str = "") -> Any:
    """A figure's specification with type as large as presentation mode has it, and taller by 30 % to make room."""
    if isinstance(part, dict):
        return {name: _enlarged(value, name, key) for name, value in part.items()}
    if isinstance(part, (list, tuple)):
        return [_enlarged(value, key, inside) for value in part]
    if key == "height":
        return 1.3 * part
    return stage.TYPE_SIZE if key.endswith("ontSize") or (key == "size" and inside.endswith("font")) else part


def sentence(text: str) -> str:
    """A note or an error as a sentence: with a dot, and a capital letter unless it begins with the name of a file.

    >>> sentence("text.wav is not an audio file")
    'text.wav is not an audio file.'
    """
    word = text.partition(" ")[0].rstrip(":,")
    return f"{text[:1].upper() if word.isalpha() else text[:1]}{text[1:].rstrip('.')}." if text else ""


def tiles(items: Sequence[T], beside: int) -> Iterator[T]:
    """Yields each item inside a bordered tile of its own, so many tiles beside each other."""
    for first in range(0, len(items), beside):
        row = items[first : first + beside]
        for column, item in zip(st.columns(min(len(items), beside)), row, strict=False):
            with column.container(border=True, height="stretch"):
                yield item


@contextmanager
def errors_shown(show: Callable[[str], object] = st.error) -> Iterator[None]:
    """Runs a block; an error in it is shown on the page, without the words of the command, and the page goes on.

    A rerun wipes the error: a block that reruns the page does so as its last step.
    """
    try:
        yield
    except DistrackError as error:
        show(sentence(error.problem))
        if error.dataset:
            here = {"dataset": error.dataset}
            st.page_link("pages/datasets.py", label="Get this dataset", icon=":material/download:", query_params=here)
