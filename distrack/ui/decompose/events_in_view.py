"""Events as the studio shows them: loaded, edited and rendered, each once and then cached."""

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from distrack import runs
from distrack.arrays import Floats
from distrack.decompose import EDITS, Events, History, apply, known_rooms, render, storage
from distrack.jobs.decomposition import events_file
from distrack.settings import settings
from distrack.ui.shared.run_in_view import runs_path


@st.cache_resource(max_entries=16, show_spinner=False)
def loaded(path: Path, changed: float) -> Events:  # noqa: ARG001
    """The events of a file.

    Args:
        changed: time of the file's last change; another one loads the file again.

    Raises:
        EventsError: the file cannot be read.
    """
    return storage.load(path)


def edited(decomposed: Events, edits: History) -> Events:
    """The events after all edits; the decomposed events themselves if there are none.

    Raises:
        EventsError: an edit cannot be applied.
    """
    sources = {one.source for one in edits.done if one.source is not None and EDITS[one.name].takes == "events"}
    return apply(decomposed, edits.done, others=events_of(sources), rooms=available_rooms())


def events_of(run_ids: set[str]) -> Mapping[str, Events]:
    """The events of finished decompositions, by the ids of their runs."""
    files = {run_id: events_file(runs.Run(runs_path() / run_id)) for run_id in run_ids}
    return {run_id: loaded(file, file.stat().st_mtime) for run_id, file in files.items() if file.is_file()}


def available_rooms() -> Mapping[str, Path]:
    """The impulse responses below `IMPULSE_RESPONSE_PATH`, by name."""
    return known_rooms(settings().impulse_response_path)


def sound_of(events: Events) -> Floats:
    """The rendered sound of events, ``[channels, samples]``."""
    return _rendered(storage.to_bytes(events), events)


@st.cache_data(max_entries=64, show_spinner=False)
def _rendered(content: bytes, _events: Events) -> Floats:  # noqa: ARG001
    return render(_events)
