"""The events of a decomposition over its spectrogram."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from distrack.figures.images import data_uri
from distrack.figures.style import readable


def event_plane(
    picture: bytes,
    *,
    extent: tuple[float, float, float],
    spans: NDArray[np.float64],
    energy: NDArray[np.float64],
    groups: Mapping[str, tuple[NDArray[np.int64], str]],
) -> go.Figure:
    """A line for each event from its onset to its end at its pitch, and a mark at the onset that grows with its energy.

    The vertical axis counts octaves: log2 of the frequency in Hz. The `customdata` of a mark is the number of its event
    and its frequency in Hz.

    Args:
        picture: PNG of the spectrogram with octaves of equal height.
        extent: length in seconds, lowest and highest frequency in Hz of the picture.
        spans: onset and end in seconds and pitch in Hz of every event.
        energy: energy of every event.
        groups: by name in the legend, the numbers of the events and their colour.

    Shape:
        - spans: ``[events, 3]``
        - energy: ``[events]``
    """
    seconds, low, high = extent
    figure = go.Figure()
    octaves = np.log2(np.clip(spans[:, 2], low, high))
    decibels = 10 * np.log10(np.maximum(energy / max(float(energy.max(initial=0.0)), 1e-20), 1e-4))
    sizes = 6 + 10 * (1 + decibels / 40)
    for name, (numbers, colour) in groups.items():
        starts, ends, at = spans[numbers, 0], spans[numbers, 1], octaves[numbers]
        gaps = np.full(len(numbers), np.nan)
        figure.add_scatter(
            x=np.stack([starts, ends, gaps], axis=1).ravel(),
            y=np.stack([at, at, gaps], axis=1).ravel(),
            mode="lines",
            line={"color": colour, "width": 2},
            opacity=0.75,
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_scatter(
            x=starts,
            y=at,
            customdata=[[int(number), float(spans[number, 2])] for number in numbers],
            mode="markers",
            marker={"color": colour, "size": sizes[numbers], "line": {"width": 1, "color": "#14101c"}},
            name=f"{name} ({len(numbers)})",
            hovertemplate="event %{customdata[0]}: %{x:.3f} s, %{customdata[1]:.0f} Hz<extra></extra>",
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
        )
    bottom, top = float(np.log2(low)), float(np.log2(high))
    figure.add_layout_image(
        source=data_uri(picture),
        xref="x",
        yref="y",
        x=0,
        y=top,
        sizex=seconds,
        sizey=top - bottom,
        sizing="stretch",
        layer="below",
    )
    marks = [float(55 * 2**octave) for octave in range(9) if low <= 55 * 2**octave <= high]
    figure.update_yaxes(
        range=[bottom, top],
        tickvals=[float(np.log2(mark)) for mark in marks],
        ticktext=[f"{mark:,.0f} Hz" for mark in marks],
        showgrid=False,
        zeroline=False,
    )
    figure.update_xaxes(range=[0, seconds], title="seconds", showgrid=False, zeroline=False)
    return readable(figure, height=480, dragmode="select", legend={"orientation": "h", "y": 1.08})
