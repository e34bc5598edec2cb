"""Media for our own components: bytes by a URL of the app's own server, as Streamlit's players have them."""

from pathlib import Path

import streamlit as st
from streamlit import runtime

_HERE = Path(__file__).parent


def url_of(data: bytes, mimetype: str, place: str) -> str:
    """Where the browser finds these bytes, as long as the page's session lives; "" where nothing is served.

    Args:
        data: equal ones have the same URL.
        mimetype: "audio/flac", "image/png".
        place: which part of the page they are for; what was there before is forgotten.
    """
    if not runtime.exists():
        return ""
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    return f"/{base}" * bool(base) + runtime.get_instance().media_file_mgr.add(data, mimetype, place)


def source(*names: str) -> str:
    """The text of our own files, one after the other."""
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)
