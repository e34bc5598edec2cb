"""The download button of every page."""

from collections.abc import Callable

import streamlit as st


def download_button(
    label: str,
    content: bytes | Callable[[], bytes],
    file_name: str,
    *,
    key: str | None = None,
    mime: str | None = None,
    icon: str | None = ":material/download:",
    description: str | None = None,
    primary: bool = False,
) -> None:
    """Draws a button that downloads a file; its press does not rerun the page.

    A rerun would give every file that is yet to be made another id, while the browser still asks for the old one: a
    second press within a second or two would then fail.

    Args:
        label: on the button.
        content: the file's content, or a function that makes it when the button is pressed.
        file_name: suggested name.
        key: of the widget.
        mime: MIME type; by default that of any bytes.
        icon: shown before the label.
        description: tooltip.
        primary: whether it is the main button of its view.
    """
    st.download_button(
        label,
        content,
        file_name,
        mime,
        key=key,
        help=description,
        icon=icon,
        type="primary" if primary else "secondary",
        on_click="ignore",
    )
