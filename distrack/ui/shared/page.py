"""What every page has in common: its title and purpose, its errors, its text colour, and notes as sentences."""

from collections.abc import Callable

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from distrack.errors import DistrackError


def begin(title: str, purpose: str) -> None:
    """Draws title and purpose; a page that was opened without the app around it starts over inside it.

    Until `st.navigation` was called once in a server's life, Streamlit takes the folder `pages/` for its older way of
    navigation and opens a page without `app.py`: a reload after a restart would show neither menu nor errors.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()
    st.title(title)
    st.markdown(purpose)


def ink() -> str:
    """The colour of text in the viewer's theme, for figures that stand on the page's own background."""
    return "#f3ecf2" if st.context.theme.type == "dark" else "#231b2e"


def sentence(text: str) -> str:
    """A note of a report as a sentence: with a capital letter and a dot.

    >>> sentence("no speaker appears twice")
    'No speaker appears twice.'
    """
    return f"{text[:1].upper()}{text[1:]}."


def show_errors(action: Callable[[], object]) -> bool:
    """Runs an action and shows its error on the page.

    Returns:
        whether the action succeeded; a caller that reruns the page does so only then, because a rerun wipes the error
    """
    try:
        action()
    except DistrackError as error:
        st.error(str(error))
        return False
    return True
