"""The time-frequency plane: events over a spectrogram."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from distrack.arrays import Floats
from distrack.decompose import Events
from distrack.figures.events import event_plane
from distrack.figures.images import image_png
from distrack.ui.decompose.events_in_view import plane_of

_HEIGHT = 256
_SELECTED, _OTHERS, _MUTED = "#ff5fa8", "#f4eef8", "#7b7386"


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
