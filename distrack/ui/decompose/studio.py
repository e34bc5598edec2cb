"""The studio: events on the time-frequency plane, which can be selected, edited like notes, played and saved."""

import streamlit as st

from distrack import runs
from distrack.errors import DistrackError
from distrack.jobs.decomposition import edits_file, events_file, history, original, put_aside
from distrack.ui.decompose import editing, export, sounds
from distrack.ui.decompose.events_in_view import edited, loaded, sound_of
from distrack.ui.decompose.plane_view import draw_plane
from distrack.ui.decompose.selection import draw_selection, select_on_plane, selected_events


@st.fragment
def show(run: runs.Run) -> None:
    """The whole studio of a finished decomposition; unreadable events or edits are an error on the page."""
    try:
        _show(run)
    except DistrackError as error:
        st.error(str(error))
        if edits_file(run).is_file():
            st.button("Discard edits", icon=":material/undo:", on_click=put_aside, args=(run,))


def _show(run: runs.Run) -> None:
    wave, rate = original(run)
    file = events_file(run)
    decomposed = loaded(file, file.stat().st_mtime)
    edits = history(run)
    current = edited(decomposed, edits)
    selection = selected_events(run, current)
    draw_selection(run, current, selection)
    draw_plane(
        sound_of(current),
        rate,
        current,
        key=f"plane-{run.id}",
        selection=selection,
        on_select=lambda: select_on_plane(run, current),
    )
    left, right = st.columns([1, 1.3], gap="large")
    with left:
        editing.draw(run, current, edits, selection)
    with right:
        sounds.draw(run, wave, rate, decomposed, current, selection)
    export.draw_table(run, current, selection)
    export.draw_downloads(run, current)
