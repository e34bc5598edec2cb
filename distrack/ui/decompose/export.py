"""The table of events, and their download as events, JSON, MIDI or sound."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import streamlit as st

from distrack import runs
from distrack.decompose import Events
from distrack.decompose.formats import save
from distrack.ui.shared.page import download_button

# Most rows of the table.
_ROWS = 400
_FORMATS = {".safetensors": "Events", ".json": "JSON", ".mid": "MIDI", ".flac": "FLAC"}


def draw_table(run: runs.Run, events: Events, selection: list[int]) -> None:
    """Draws a table of the first events, and what its columns mean."""
    with st.expander(f"Table of {len(events)} events"):
        columns = events.kind.columns(events.channels)
        parameters = events.parameters[:_ROWS]
        table: dict[str, Any] = {"event": np.arange(len(parameters))}
        table |= {
            f"{column.name} ({column.unit})" if column.unit else column.name: parameters[:, place]
            for place, column in enumerate(columns)
        }
        table |= {"muted": events.muted[:_ROWS], "selected": np.isin(np.arange(len(parameters)), selection)}
        st.dataframe(table, hide_index=True, key=f"table-{run.id}")
        if len(events) > _ROWS:
            st.caption(f"The first {_ROWS} of {len(events)} events.")
        st.caption(" · ".join(f"**{column.name}**: {column.about}" for column in columns))


def draw_downloads(run: runs.Run, events: Events) -> None:
    """Draws a download button for each format; a file is made when its button is pressed."""
    st.caption("Edits are saved with the run: a link to this page opens it as it is now. Download:")
    with st.container(horizontal=True):
        for ending, label in _FORMATS.items():
            name = f"{run.id}{ending}"
            content = partial(_content, events, name)
            download_button(label, content, name, key=f"download-{ending}", icon=":material/save:")


def _content(events: Events, name: str) -> bytes:
    with TemporaryDirectory() as folder:
        return save(events, Path(folder) / name).path.read_bytes()
