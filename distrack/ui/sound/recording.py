"""A recording of any format in the browser's own player."""

from pathlib import Path

import streamlit as st

from distrack.audio import flac_bytes
from distrack.recording import read_segment
from distrack.stored_sound import LONG, StoredSound

# Formats that browsers play.
_PLAYED = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"})
# Seconds of a long recording that are played.
_PART = 120.0


def recording(file: Path, *, start: float = 0.0) -> None:
    """Draws a player; a format that browsers do not play is sent as FLAC.

    Streamlit holds in memory what it sends: of a recording of more than ten minutes, two minutes from `start` on.

    Raises:
        AudioError: the file cannot be read.
    """
    sound = StoredSound(file)
    if sound.shape[1] > LONG * sound.sample_rate:
        st.audio(_as_flac(file, file.stat().st_mtime, start, _PART), format="audio/flac")
        st.caption(f"The player has {_PART / 60:.0f} minutes of this long recording, from {start:g} s on.")
    elif file.suffix.lower() in _PLAYED:
        st.audio(str(file))
    else:
        st.audio(_as_flac(file, file.stat().st_mtime, 0.0, LONG), format="audio/flac")


@st.cache_data(max_entries=4, show_spinner="Loading")
def _as_flac(file: Path, changed: float, start: float, seconds: float) -> bytes:  # noqa: ARG001
    segment = read_segment(file, start=start, seconds=seconds)
    return flac_bytes(segment.wave, sample_rate=segment.sample_rate)
