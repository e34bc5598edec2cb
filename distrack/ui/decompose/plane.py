"""The time-frequency plane: events over a spectrogram, and the selection of events, on the plane and by buttons."""

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from distrack import runs
from distrack.arrays import Floats, Integers
from distrack.decompose import Events, in_pitch, storage, strongest
from distrack.decompose.plane import Plane
from distrack.decompose.pursuit.waveform_kind import WAVEFORMS, main_partials
from distrack.ui.decompose.events_in_view import picture_of, plane_of
from distrack.ui.sound.media import source, url_of

# Most events that a plane draws; the browser stays fast with these.
MOST_DRAWN = 4_000
# Events that last less than this many seconds are clicks.
_CLICK = 0.04


class Hand(NamedTuple):
    """What was done on a plane by hand, where each selection and each edit has a number.

    Attributes:
        selection: numbers of the selected events.
        chosen: name of the plane, and number of the last selection that was made on it.
        done: name of the plane, and number of the last of its edits that was done.
        on_select: called when events were selected on the plane.
        on_edit: called when edits wait to be done.
    """

    selection: Sequence[int] = ()
    chosen: tuple[str, int] = ("", 0)
    done: tuple[str, int] = ("", 0)
    on_select: Callable[[], None] = lambda: None
    on_edit: Callable[[], None] = lambda: None


def draw_plane(
    wave: Floats, rate: int, events: Events, *, key: str, hand: Hand | None = None, player: str = "", height: int = 420
) -> None:
    """Draws events over the spectrogram of a sound: the first `MOST_DRAWN`, which are the strongest before any edit.

    Args:
        wave: ``[channels, samples]``
        hand: the selection and the edits; None for a plane on which events are heard but not changed.
        player: title of the player whose position the plane shows.
        height: in pixels.
    """
    spectrogram, state = plane_of(wave, rate), hand or Hand()
    data: dict[str, Any] = {
        "events": url_of(_content(events, spectrogram), "application/json", f"{key}-events"),
        "picture": url_of(picture_of(wave, rate), "image/png", f"{key}-picture"),
        "chosen": {"name": state.chosen[0], "number": state.chosen[1], "numbers": list(state.selection)},
        "done": {"name": state.done[0], "number": state.done[1]},
        "editable": hand is not None,
        "player": player,
        "height": height,
    }
    _component(key=key, data=data, on_chosen_change=state.on_select, on_edits_change=state.on_edit)
    if len(events) > MOST_DRAWN:
        st.caption(
            f"The plane shows the first {MOST_DRAWN:,} of {len(events):,} events, strongest first; all of them sound."
        )


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs={Events: storage.to_bytes})
def _content(events: Events, _spectrogram: Plane) -> bytes:
    """The numbers of events as the component reads them."""
    drawn = events.rows(np.arange(min(len(events), MOST_DRAWN)))
    waveforms = events.shared.get(WAVEFORMS, np.zeros((0, 1), np.float32))
    clip = {
        "kind": events.kind_name,
        "names": [column.name for column in events.kind.columns(events.channels)],
        "rows": _base64(drawn.parameters),
        "boxes": _base64(np.stack(drawn.kind.boxes(drawn), axis=1)),
        "muted": _base64(drawn.muted),
        "undrawn": len(events) - len(drawn),
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
        "seconds": _spectrogram.seconds,
    }
    return json.dumps(clip).encode()


def _base64(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array, dtype="<f4").tobytes()).decode()


def selected_events(run: runs.Run, events: Events) -> list[int]:
    """Numbers of the selected events."""
    numbers: list[int] = st.session_state.get(f"selected-{run.id}", [])
    return [number for number in numbers if number < len(events)]


def select(run: runs.Run, numbers: Iterable[int]) -> None:
    """Makes the events of these numbers the selection."""
    st.session_state[f"selected-{run.id}"] = sorted(int(number) for number in numbers)


def select_on_plane(run: runs.Run) -> None:
    """Makes the events that were selected on the plane the selection."""
    chosen = st.session_state[f"plane-{run.id}"].chosen
    st.session_state[f"chosen-{run.id}"] = chosen["name"], chosen["number"]
    select(run, chosen["numbers"])


def draw_selection(run: runs.Run, events: Events, selection: list[int]) -> None:
    """Draws the size of the selection and the buttons that change it."""
    state = st.session_state

    def button(label: str, key: str, numbers: Callable[[], Iterable[int]], *, disabled: bool = False) -> None:
        # Called when the button is pressed: a number that was typed just before is known only then.
        st.button(label, key=key, disabled=disabled, on_click=lambda: select(run, numbers()))

    def in_pitches() -> Integers:
        low, high = state["pitches"]
        return np.flatnonzero(in_pitch(events, low=low, high=high))

    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(selection)}** of {len(events)} selected")
        every = range(len(events))
        button("All", "select-All", lambda: every)
        button("None", "select-None", lambda: ())
        button("Invert", "select-Invert", lambda: set(every) - set(selected_events(run, events)))
        with st.popover("By pitch", icon=":material/piano:"):
            top = events.sample_rate // 2
            st.slider("Pitch (Hz)", 20, top, (20, top), key="pitches")
            button(f"Select {len(in_pitches())}", "by-pitch", in_pitches)
        with st.popover("By type", icon=":material/category:"):
            for name, numbers in _types(events).items():
                button(f"{name}: {len(numbers)}", f"type-{name}", numbers.tolist, disabled=not len(numbers))
        with st.popover("Loudest", icon=":material/bar_chart:"):
            st.number_input("Number", 1, max(len(events), 1), min(8, max(len(events), 1)), key="loudest")
            button("Select", "by-energy", lambda: np.flatnonzero(strongest(events, int(state["loudest"]))))


def _types(events: Events) -> dict[str, Integers]:
    """Numbers of the events that are tones (with a pitch), clicks (short) and noise (the rest)."""
    box = events.kind.boxes(events)
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
