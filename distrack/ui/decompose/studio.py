"""The studio: events on the time-frequency plane, which can be selected, edited like notes, played and saved."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import streamlit as st

from distrack import runs
from distrack.arrays import Floats, Integers
from distrack.decompose import Events, soloed
from distrack.decompose.rendering import save, write_sound
from distrack.errors import DistrackError
from distrack.jobs.decomposition import edits_file, events_file, history, original, put_aside
from distrack.ui.decompose import across, editing, section
from distrack.ui.decompose.events_in_view import edited, loaded, played, sound_of
from distrack.ui.decompose.plane import Hand, draw_plane, draw_selection, select_on_plane, selected_events
from distrack.ui.decompose.section import Section
from distrack.ui.shared import stage
from distrack.ui.shared.page import download_button, sentence
from distrack.ui.sound import PlayerSource, player

# Title of the player, whose position the plane shows.
_PLAYER = "Clip and events"
# Most rows of the table.
_ROWS = 400
_FORMATS = {".safetensors": "Events", ".json": "JSON", ".mid": "MIDI", ".flac": "FLAC"}


@st.fragment
def show(run: runs.Run) -> None:
    """The whole studio of a finished decomposition; unreadable events or edits are an error on the page."""
    try:
        _show(run)
    except DistrackError as error:
        st.error(sentence(error.problem))
        if edits_file(run).is_file():
            st.button("Discard edits", icon=":material/undo:", on_click=put_aside, args=(run,))


def _show(run: runs.Run) -> None:
    sound, _ = original(run)
    decomposed, edits = loaded(events_file(run)), history(run)
    current = edited(decomposed, edits)
    view = section.choose(sound, max(sound.shape[1], current.samples))
    wave = sound[:, view.first : view.last]
    selection, inside = selected_events(run, current), view.numbers(current)
    draw_selection(run, current, inside, selection)
    hand = Hand(
        selection,
        chosen=st.session_state.get(f"chosen-{run.id}", ("", 0)),
        done=st.session_state.get(f"done-{run.id}", ("", 0)),
        on_select=partial(select_on_plane, run),
        on_edit=partial(editing.edit_on_plane, run),
    )
    sounding = sound_of(current, view.first, view.last)
    draw_plane(sounding, view, current, inside, key=f"plane-{run.id}", hand=hand, player=_PLAYER)
    if stage.active():
        _player(run, wave, view, decomposed, current, selection)
        return
    left, right = st.columns([1, 1.3], gap="large")
    with left:
        editing.draw(run, current, edits, selection)
    with right:
        _player(run, wave, view, decomposed, current, selection)
    _table(run, current, inside, selection)
    across.draw(run, selection)
    _downloads(run, current, view)


def _player(
    run: runs.Run, wave: Floats, view: Section, decomposed: Events, current: Events, selection: Integers
) -> None:
    def heard(events: Events) -> Floats:
        return sound_of(events, view.first, view.last)

    reconstruction = heard(decomposed)
    length = min(wave.shape[1], reconstruction.shape[1])
    sounds = [
        ("Original", "The decomposed clip.", wave),
        ("Reconstruction", "Sum of all events.", reconstruction),
        ("Residual", "Original minus events.", wave[:, :length] - reconstruction[:, :length]),
    ]
    if current is not decomposed:
        sounds.append(("Edited", "The events after your edits.", heard(current)))
    if 0 < len(selection) < len(current):
        alone = soloed(current, selection)
        text = f"Event {selection[0]} alone." if len(selection) == 1 else f"{len(selection):,} selected events alone."
        sounds.append(("Selection", text, heard(alone)))
    # A clip that was mixed into this one may be longer: then these have nothing in the section.
    sounds = [(title, text, samples) for title, text, samples in sounds if samples.shape[1]]
    longest = max(samples.shape[1] for _, _, samples in sounds) / view.rate
    where = f" Section {view.text}." if view.is_part else ""
    sources = [PlayerSource(title, text + where, (played(samples, view.rate),)) for title, text, samples in sounds]
    player(sources, title=_PLAYER, seconds=longest, key=f"sounds-{run.id}", front="Edited", begin=view.start)


def _table(run: runs.Run, events: Events, inside: Integers, selection: Integers) -> None:
    """The first events of the section, and what the columns mean."""
    where = " in the section" if len(inside) < len(events) else ""
    place = st.expander(f"Table of {len(inside):,} events{where}", key=f"table-of-{run.id}", on_change="rerun")
    if not place.open:  # an edit is heard sooner without a table that nobody sees
        return
    with place:
        columns = events.kind.columns(events.channels)
        rows = inside[:_ROWS]
        parameters = events.parameters[rows]
        table: dict[str, Any] = {"event": rows}
        table |= {
            f"{column.name} ({column.unit})" if column.unit else column.name: parameters[:, place]
            for place, column in enumerate(columns)
        }
        table |= {"muted": events.muted[rows], "selected": np.isin(rows, selection)}
        st.dataframe(table, hide_index=True, key=f"table-{run.id}")
        if len(inside) > _ROWS:
            st.caption(f"The first {_ROWS} of {len(inside):,} events{where}.")
        st.caption(" · ".join(f"**{column.name}**: {column.about}" for column in columns))


def _downloads(run: runs.Run, events: Events, view: Section) -> None:
    """A download button for each format; a file is made when its button is pressed."""
    st.caption("Edits are saved with the run: a link to this page opens it as it is now. Download:")
    with st.container(horizontal=True):
        for ending, label in _FORMATS.items():
            name = f"{run.id}{ending}"
            content = partial(_content, events, name)
            download_button(label, content, name, key=f"download-{ending}", icon=":material/save:")
        if view.is_part:
            name = f"{run.id}_{view.start:g}-{view.end:g}s.flac"
            content = partial(_sound, events, view, name)
            download_button("FLAC of the section", content, name, key="download-section", icon=":material/save:")


def _sound(events: Events, view: Section, name: str) -> bytes:
    with TemporaryDirectory() as folder:
        write_sound(sound_of(events, view.first, view.last), events.sample_rate, Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def _content(events: Events, name: str) -> bytes:
    with TemporaryDirectory() as folder:
        save(events, Path(folder) / name)
        return (Path(folder) / name).read_bytes()
