"""The time-frequency plane: events over a spectrogram, and the selection of events, on the plane and by buttons."""

import base64
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from distrack import runs
from distrack.arrays import Floats, Integers
from distrack.decompose import Box, Events, strongest
from distrack.decompose.plane import Plane
from distrack.decompose.pursuit.waveform_kind import WAVEFORMS, main_partials
from distrack.ui.decompose.events_in_view import boxes_of, content_of, picture_of, plane_of
from distrack.ui.decompose.section import Section
from distrack.ui.sound.media import source, url_of

# Numbers of events.
Numbers = Sequence[int] | Integers
# Most events that a plane draws; the browser stays fast with these.
MOST_DRAWN = 4_000
# Events that last less than this many seconds are clicks.
_CLICK = 0.04


class Hand(NamedTuple):
    """What was done on a plane by hand, where each selection and each edit has a number.

    Attributes:
        selection: numbers of the selected events, in rising order.
        chosen: name of the plane, and number of the last selection that was made on it.
        done: name of the plane, and number of the last of its edits that was done.
        on_select: called when events were selected on the plane, with the numbers of those selected events that it does
            not draw.
        on_edit: called when edits wait to be done, with the same numbers.
    """

    selection: Integers = np.zeros(0, np.int64)
    chosen: tuple[str, int] = ("", 0)
    done: tuple[str, int] = ("", 0)
    on_select: Callable[[Integers], None] = lambda others: None  # noqa: ARG005
    on_edit: Callable[[Integers], None] = lambda others: None  # noqa: ARG005


def draw_plane(
    wave: Floats,
    section: Section,
    events: Events,
    inside: Integers,
    *,
    key: str,
    hand: Hand | None = None,
    player: str = "",
    height: int = 420,
) -> None:
    """Draws events over the spectrogram of a sound: the first `MOST_DRAWN`, which are the strongest before any edit.

    Args:
        wave: the sound of the section, ``[channels, samples]``.
        events: all events of the clip.
        inside: numbers of those in the section.
        hand: the selection and the edits; None for a plane on which events are heard but not changed.
        player: title of the player whose position the plane shows.
        height: in pixels.
    """
    spectrogram, state = plane_of(wave, section.rate), hand or Hand()
    drawn = inside[:MOST_DRAWN]
    content = _content(events.rows(drawn), drawn, len(events), section.start, spectrogram)
    is_drawn = np.isin(state.selection, drawn)
    others = state.selection[~is_drawn]
    data: dict[str, Any] = {
        "events": url_of(content, "application/json", f"{key}-events"),
        "picture": url_of(picture_of(wave, section.rate), "image/png", f"{key}-picture"),
        "chosen": {
            "name": state.chosen[0],
            "number": state.chosen[1],
            "numbers": state.selection[is_drawn].tolist(),
            "others": bool(len(others)),
        },
        "done": {"name": state.done[0], "number": state.done[1]},
        "editable": hand is not None,
        "player": player,
        "height": height,
    }
    _component(
        key=key,
        data=data,
        on_chosen_change=partial(state.on_select, others),
        on_edits_change=partial(state.on_edit, others),
    )
    if len(inside) > MOST_DRAWN:
        events_here = f"{len(inside):,} events{' of the section' if section.is_part else ''}"
        st.caption(f"The plane shows the first {MOST_DRAWN:,} of {events_here}, strongest first; all of them sound.")


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs={Events: content_of})
def _content(events: Events, numbers: Integers, total: int, begin: float, _spectrogram: Plane) -> bytes:
    """Events as the component reads them, with their numbers among all events of the clip."""
    waveforms = events.shared.get(WAVEFORMS, np.zeros((0, 1), np.float32))
    clip = {
        "kind": events.kind_name,
        "names": [column.name for column in events.kind.columns(events.channels)],
        "rows": _base64(events.parameters),
        "boxes": _base64(np.stack(events.kind.boxes(events), axis=1)),
        "muted": _base64(events.muted),
        "numbers": numbers.tolist(),
        "total": total,
        "rate": events.sample_rate,
        "samples": events.samples,
        "channels": events.channels,
        # A seed may be greater than the greatest whole number of JavaScript.
        "seed": str(events.seed),
        "settings": dict(events.settings),
        "waveforms": {
            "samples": _base64(waveforms),
            "length": waveforms.shape[1],
            "own": main_partials(waveforms).tolist() if len(waveforms) else [],
        },
        # The layers of a network that all events share.
        "layers": [
            {"weights": _base64(events.shared[f"weight {layer}"]), "biases": _base64(events.shared[f"bias {layer}"])}
            for layer in range(1, 1 + sum(name.startswith("weight ") for name in events.shared))
        ],
        "low": _spectrogram.low,
        "high": _spectrogram.high,
        "begin": begin,
        "seconds": _spectrogram.seconds,
    }
    return json.dumps(clip).encode()


def _base64(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array, dtype="<f4").tobytes()).decode()


def selected_events(run: runs.Run, events: Events) -> Integers:
    """Numbers of the selected events, in rising order."""
    numbers = np.asarray(st.session_state.get(f"selected-{run.id}", ()), np.int64)
    return numbers[numbers < len(events)]


def select(run: runs.Run, numbers: Numbers) -> None:
    """Makes the events of these numbers, each of which is there once, the selection."""
    st.session_state[f"selected-{run.id}"] = np.sort(np.asarray(numbers, np.int64))


def select_on_plane(run: runs.Run, others: Integers) -> None:
    """Makes the events that were selected on the plane the selection, with `others` if they stay selected."""
    chosen = st.session_state[f"plane-{run.id}"].chosen
    st.session_state[f"chosen-{run.id}"] = chosen["name"], chosen["number"]
    select(run, with_others(chosen["numbers"], others if chosen["others"] else ()))


def with_others(numbers: Numbers, others: Numbers) -> Integers:
    """Numbers of events that are drawn and of others, in rising order."""
    return np.sort(np.concatenate([np.asarray(numbers, np.int64), np.asarray(others, np.int64)]))


def draw_selection(run: runs.Run, events: Events, inside: Integers, selection: Integers) -> None:
    """Draws the size of the selection and the buttons that change it.

    Args:
        inside: numbers of the events in the section in view.
    """
    state, box = st.session_state, boxes_of(events)

    def button(label: str, key: str, numbers: Callable[[], Numbers], *, disabled: bool = False) -> None:
        # Called when the button is pressed: a number that was typed just before is known only then.
        st.button(label, key=key, disabled=disabled, on_click=lambda: select(run, numbers()))

    def in_pitches() -> Integers:
        low, high = state["pitches"]
        return np.flatnonzero((box.pitch > 0) & (box.pitch >= low) & (box.pitch <= high))

    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(selection):,}** of {len(events):,} selected")
        every = np.arange(len(events))
        button("All", "select-All", lambda: every)
        if len(inside) < len(events):
            button("In section", "select-inside", lambda: inside)
        button("None", "select-None", lambda: ())
        button("Invert", "select-Invert", lambda: np.setdiff1d(every, selected_events(run, events), assume_unique=True))
        with st.popover("By pitch", icon=":material/piano:"):
            top = events.sample_rate // 2
            st.slider("Pitch (Hz)", 20, top, (20, top), key="pitches")
            button(f"Select {len(in_pitches())}", "by-pitch", in_pitches)
        with st.popover("By type", icon=":material/category:"):
            for name, numbers in _types(box).items():
                button(f"{name}: {len(numbers)}", f"type-{name}", numbers.copy, disabled=not len(numbers))
        with st.popover("Loudest", icon=":material/bar_chart:"):
            st.number_input("Number", 1, max(len(events), 1), min(8, max(len(events), 1)), key="loudest")
            button("Select", "by-energy", lambda: np.flatnonzero(strongest(events, int(state["loudest"]))))


def _types(box: Box) -> dict[str, Integers]:
    """Numbers of the events that are tones (with a pitch), clicks (short) and noise (the rest)."""
    click = box.end - box.onset < _CLICK
    tone = ~click & (box.pitch > 0)
    return {
        "Tones": np.flatnonzero(tone),
        f"Clicks under {1000 * _CLICK:.0f} ms": np.flatnonzero(click),
        "Noise": np.flatnonzero(~click & ~tone),
    }


_component = st.components.v2.component(
    "distrack_plane", css=source("sound.css", "plane.css"), js=source("sound.js", "synthesis.js", "plane.js")
)
