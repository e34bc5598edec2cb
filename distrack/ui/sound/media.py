"""Media of our own components: bytes behind a URL of the app's server, and the text of our JavaScript and CSS."""

from pathlib import Path

import streamlit as st
from streamlit import runtime

_HERE = Path(__file__).parent


def url_of(data: bytes, mimetype: str, place: str) -> str:
    """The URL of these bytes while the page's session lives; "" where no server runs, as in a test of a page.

    Args:
        data: equal bytes have the same URL; none have "".
        mimetype: "audio/flac", "image/png".
        place: the part of the page that uses them; the bytes that it used before are dropped.
    """
    if not data or not runtime.exists():
        return ""
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    return f"/{base}" * bool(base) + runtime.get_instance().media_file_mgr.add(data, mimetype, place)


def source(*names: str) -> str:
    """The text of files of this folder, one after the other."""
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)
