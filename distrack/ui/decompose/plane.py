"""The time-frequency plane: events over a spectrogram, and the selection of events, on the plane and by buttons."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import streamlit as st

from distrack import runs
from distrack.arrays import Floats, Integers
from distrack.decompose import Events, in_box, in_pitch, strongest
from distrack.figures.events import event_plane
from distrack.figures.images import image_png
from distrack.ui.decompose.events_in_view import plane_of

_HEIGHT = 256
_SELECTED, _OTHERS, _MUTED = "#ff5fa8", "#f4eef8", "#7b7386"
# Events that last less than this many seconds are clicks.
_CLICK = 0.04


def draw_plane(
    wave: Floats,
    rate: int,
    events: Events,
    *,
    key: str,
    selection: list[int] | None = None,
    on_select: Callable[[], None] | None = None,
) -> None:
    """Draws events over the spectrogram of a sound; selected events stand out, muted ones are dimmed.

    Args:
        wave: ``[channels, samples]``
        selection: numbers of the selected events.
        on_select: called when events are selected on the plane; without it, the plane cannot be selected on.
    """
    spectrogram = plane_of(wave, rate)
    box = events.kind.boxes(events)
    spans = np.stack([box.onset, box.end, box.centre], axis=1).astype(np.float64)
    selected = np.zeros(len(events), np.bool_)
    selected[selection or []] = True
    groups = {
        "events": (np.flatnonzero(~selected & ~events.muted), _OTHERS),
        "muted": (np.flatnonzero(~selected & events.muted), _MUTED),
        "selected": (np.flatnonzero(selected), _SELECTED),
    }
    figure = event_plane(
        image_png(spectrogram.image, low=-70, high=0, height=_HEIGHT, width=4 * _HEIGHT),
        extent=(spectrogram.seconds, spectrogram.low, spectrogram.high),
        spans=spans,
        energy=box.energy.astype(np.float64),
        groups={name: group for name, group in groups.items() if len(group[0])},
    )
    if on_select is None:
        st.plotly_chart(figure, key=key)
    else:
        st.plotly_chart(figure, key=key, on_select=on_select, selection_mode=("points", "box", "lasso"))


def selected_events(run: runs.Run, events: Events) -> list[int]:
    """Numbers of the selected events."""
    numbers: list[int] = st.session_state.get(f"selected-{run.id}", [])
    return [number for number in numbers if number < len(events)]


def select(run: runs.Run, numbers: Iterable[int]) -> None:
    """Makes the events of these numbers the selection."""
    st.session_state[f"selected-{run.id}"] = sorted(int(number) for number in numbers)


def select_on_plane(run: runs.Run, events: Events) -> None:
    """Selects the events that were clicked on the plane, and those that a box on it touches."""
    drawn = st.session_state[f"plane-{run.id}"].selection
    numbers = {int(point["customdata"][0]) for point in drawn.points if "customdata" in point}
    for box in drawn.box:
        # The plane's vertical axis is the logarithm of the frequency.
        (start, end), (low, high) = sorted(box["x"]), sorted(2 ** np.clip(box["y"], 0, 20))
        numbers |= set(np.flatnonzero(in_box(events, start=start, end=end, low=float(low), high=float(high))).tolist())
    select(run, numbers)


def draw_selection(run: runs.Run, events: Events, selection: list[int]) -> None:
    """Draws the size of the selection and the buttons that change it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(selection)}** of {len(events)} selected")
        every = range(len(events))
        sets: dict[str, Any] = {"All": every, "None": (), "Invert": set(every) - set(selection)}
        for label, numbers in sets.items():
            st.button(label, key=f"select-{label}", on_click=select, args=(run, numbers))
        with st.popover("By pitch", icon=":material/piano:"):
            low, high = st.slider("Pitch (Hz)", 20, events.sample_rate // 2, (20, events.sample_rate // 2))
            within = np.flatnonzero(in_pitch(events, low=low, high=high))
            st.button(f"Select {len(within)}", key="by-pitch", on_click=select, args=(run, within))
        with st.popover("By type", icon=":material/category:"):
            for name, numbers in _types(events).items():
                label = f"{name}: {len(numbers)}"
                st.button(label, key=f"type-{name}", on_click=select, args=(run, numbers), disabled=not len(numbers))
        with st.popover("Loudest", icon=":material/bar_chart:"):
            count = st.number_input("Number", 1, max(len(events), 1), min(8, max(len(events), 1)))
            loudest = np.flatnonzero(strongest(events, int(count)))
            st.button("Select", key="by-energy", on_click=select, args=(run, loudest))
    st.caption("Click an event or drag a box.")


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
