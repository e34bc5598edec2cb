"""The section of a long clip that the page shows: an overview of the clip, where the section begins and its length.

The URL has both, so that a link opens the same section.
"""

import math
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import streamlit as st

from distrack.arrays import Integers
from distrack.decompose import Events
from distrack.stored_sound import StoredSound
from distrack.ui.cached import cached_by_file
from distrack.ui.decompose.events_in_view import boxes_of
from distrack.ui.sound import overview

# Seconds of the longest clip that is shown as a whole.
WHOLE = 120.0
# Lengths of a section in seconds, and the one at first.
_LENGTHS, _LENGTH = (10, 30, 60, 120), 30
_START, _SECONDS = "start", "length"
# Levels along the overview.
_COLUMNS = 1_000


class Section(NamedTuple):
    """Consecutive samples of a clip.

    Attributes:
        first, last: the first sample, and the sample after the last one.
        is_part: whether the clip has other samples that are not shown.
    """

    first: int
    last: int
    rate: int
    is_part: bool

    @property
    def start(self) -> float:
        """The time in the clip at which it begins, in seconds."""
        return self.first / self.rate

    @property
    def end(self) -> float:
        """The time in the clip at which it ends, in seconds."""
        return self.last / self.rate

    @property
    def text(self) -> str:
        """Its times in words."""
        return f"{_clock(self.start)} to {_clock(self.end)}"

    def numbers(self, events: Events) -> Integers:
        """Numbers of the events that reach into the section, in the order of their rows; of all in a whole clip."""
        if not self.is_part:
            return np.arange(len(events))
        box = boxes_of(events)
        return np.flatnonzero((box.start < self.end) & (box.end > self.start))


def choose(sound: StoredSound, samples: int) -> Section:
    """The section in view of a clip of so many samples; a long clip has controls that change it.

    Args:
        sound: the recording, whose level the overview shows.
    """
    rate = sound.sample_rate
    seconds = samples / rate
    if seconds <= WHOLE:
        return Section(0, samples, rate, is_part=False)
    length = _parameter(_SECONDS, _LENGTH)
    length = int(length) if length in _LENGTHS else _LENGTH
    latest = math.floor(100 * (seconds - length)) / 100
    start = min(max(_parameter(_START, 0.0), 0.0), latest)
    first = round(start * rate)
    section = Section(first, first + length * rate, rate, is_part=True)
    with st.spinner("Reading the recording", show_time=True):
        levels = _levels(sound.path)
    covered = sound.shape[1] / samples
    overview(levels, covered=covered, seconds=seconds, start=start, length=length, on_press=_move, key="overview")
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, icon, next_start in (
            ("Previous", ":material/chevron_left:", max(start - length, 0.0)),
            ("Next", ":material/chevron_right:", min(start + length, latest)),
        ):
            still = next_start == start
            st.button(label, icon=icon, key=f"section-{label}", disabled=still, on_click=_move, args=(next_start,))
        _linked(_START, start)
        st.number_input(
            "Start of the section (s)",
            0.0,
            latest,
            step=float(length),
            key=_key(_START),
            on_change=_changed,
            args=(_START,),
            label_visibility="collapsed",
            width=150,
        )
        _linked(_SECONDS, length)
        st.segmented_control(
            "Length of the section",
            _LENGTHS,
            required=True,
            format_func=lambda each: f"{each} s" if each < 60 else f"{each // 60} min",
            key=_key(_SECONDS),
            on_change=_changed,
            args=(_SECONDS,),
            label_visibility="collapsed",
        )
        st.markdown(
            f"**{section.text}** of {_clock(seconds)}",
            help="This section is drawn and heard. An edit changes all selected events, also those outside of it.",
        )
    return section


@cached_by_file
def _levels(path: Path) -> list[float]:
    """The level of a recording from its beginning to its end, relative to its loudest part."""
    sound = StoredSound(path)
    edges = np.linspace(0, sound.shape[1], _COLUMNS + 1).astype(int).tolist()
    parts = (sound[:, first:last] for first, last in pairwise(edges))
    levels = np.array([np.sqrt(np.square(part).mean()) for part in parts])
    return [round(float(level), 3) for level in levels / max(levels.max(), 1e-9)]


def _parameter(name: str, otherwise: float) -> float:
    """A number of the URL; another one if it is none."""
    try:
        value = float(st.query_params.get(name, otherwise))
    except ValueError:
        return otherwise
    return value if math.isfinite(value) else otherwise


def _key(name: str) -> str:
    return f"section-{name}"


def _linked(name: str, value: float) -> None:
    """Gives the widget of a parameter the value that is in view."""
    if st.session_state.get(_key(name)) != value:
        st.session_state[_key(name)] = value


def _changed(name: str) -> None:
    st.query_params[name] = str(st.session_state[_key(name)])


def _move(start: float) -> None:
    st.query_params[_START] = str(round(start, 2))


def _clock(seconds: float) -> str:
    """A time in minutes and seconds, with hours where there are any.

    >>> _clock(3723.5)
    '1:02:03.5'
    >>> _clock(90)
    '1:30'
    """
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest // 10:02d}" + (f".{rest % 10}" if rest % 10 else "")
    return f"{hours}:{minutes:02d}:{text}" if hours else f"{minutes}:{text}"
