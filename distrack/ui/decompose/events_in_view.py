"""Events as the studio shows them: loaded, edited and rendered, each once and then cached."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import streamlit as st

from distrack import runs
from distrack.arrays import Floats
from distrack.audio import flac_bytes, loudness
from distrack.decompose import EDITS, Box, Events, History, apply, known_rooms, render_part, storage
from distrack.decompose.plane import plane
from distrack.figures.images import image_png
from distrack.jobs.decomposition import events_file
from distrack.settings import settings
from distrack.ui.cached import cached_by_file
from distrack.ui.shared.run_in_view import runs_path
from distrack.ui.sound import Sound

# Pixels of a picture.
_HEIGHT = 256
# Most pictures that are kept; sounds, of which one of two minutes takes up to 46 MB; and boxes, of 28 bytes an event.
_MOST, _MOST_SOUNDS, _MOST_BOXES = 64, 16, 4


def digest(wave: Floats) -> str:
    """A hash of all samples, as a cache key: Streamlit's own hash of a large array reads only some of them."""
    return hashlib.blake2b(wave.tobytes(), digest_size=16).hexdigest() + str(wave.shape)


def content_of(events: Events) -> bytes:
    """All that events are made of, as a cache key. Rows that are rounded would take long to store in few bits."""
    return storage.to_bytes(replace(events, steps=None))


loaded = cached_by_file(storage.load)
sound_of = st.cache_data(max_entries=_MOST_SOUNDS, show_spinner=False, hash_funcs={Events: content_of})(render_part)
plane_of = st.cache_data(max_entries=_MOST, show_spinner=False, hash_funcs={np.ndarray: digest})(plane)


@st.cache_data(max_entries=_MOST_BOXES, show_spinner=False, hash_funcs={Events: content_of})
def boxes_of(events: Events) -> Box:
    """Where each event lies on the time-frequency plane."""
    return events.kind.boxes(events)


@st.cache_data(max_entries=_MOST, show_spinner=False, hash_funcs={np.ndarray: digest})
def picture_of(wave: Floats, rate: int) -> bytes:
    """The spectrogram of a sound, a PNG for the plane and the player."""
    return image_png(plane_of(wave, rate).image, low=-70, high=0, height=_HEIGHT, width=4 * _HEIGHT)


@st.cache_data(max_entries=_MOST_SOUNDS, show_spinner=False, hash_funcs={np.ndarray: digest})
def played(wave: Floats, rate: int) -> Sound:
    """A sound as the player takes it, scaled so that no sample clips; the player brings all to the same loudness."""
    scaled = wave / max(float(np.abs(wave).max(initial=0.0)), 1.0)
    return Sound(flac_bytes(scaled, sample_rate=rate), loudness(scaled, sample_rate=rate), picture_of(wave, rate))


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
    return {run_id: loaded(file) for run_id, file in files.items() if file.is_file()}


def available_rooms() -> Mapping[str, Path]:
    """The impulse responses below `IMPULSE_RESPONSE_PATH`, by name."""
    return known_rooms(settings().impulse_response_path)
