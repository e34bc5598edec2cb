"""A recording of any format in the browser's own player."""

from pathlib import Path

import streamlit as st

from distrack.audio import flac_bytes
from distrack.recording import read_segment

# Formats that browsers play.
_PLAYED = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"})
_LONGEST = 600.0


def recording(file: Path) -> None:
    """Draws a player; a format that browsers do not play is sent as FLAC, its first ten minutes.

    Raises:
        AudioError: such a file cannot be read.
    """
    if file.suffix.lower() in _PLAYED:
        st.audio(str(file))
    else:
        st.audio(_as_flac(file, file.stat().st_mtime), format="audio/flac")


@st.cache_data(max_entries=4, show_spinner="Loading")
def _as_flac(file: Path, changed: float) -> bytes:  # noqa: ARG001
    segment = read_segment(file, seconds=_LONGEST)
    return flac_bytes(segment.wave, sample_rate=segment.sample_rate)
