"""Real clips: their number by class and split, the distribution of one property, and a single clip in detail."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from distrack.figures.images import magma
from distrack.figures.style import COLOURS, FONT_SIZE, readable

_BINS = 40
# More points of a waveform than a screen has columns cannot be seen.
_MOST_COLUMNS = 1500


def class_balance(classes: Sequence[str], counts: Mapping[str, Sequence[int]]) -> go.Figure:
    """The number of clips of each class, stacked by split ("train", "validation", "test")."""
    figure = go.Figure()
    for split, colour in (("train", "synthetic"), ("validation", "class-mean"), ("test", "full")):
        if any(counts.get(split, ())):
            figure.add_bar(name=split, x=list(classes), y=list(counts[split]), marker_color=COLOURS[colour])
    figure.update_xaxes(type="category")
    figure.update_yaxes(title="clips")
    legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom"}
    return readable(figure, barmode="stack", height=360, legend=legend)


def distribution(values: NDArray[np.float32], *, title: str, colour: str = "synthetic") -> go.Figure:
    """A histogram of one number for each clip, ``[n]``, in the colour of a training set; the title has the unit."""
    heights, edges = np.histogram(values, bins=_BINS)
    figure = go.Figure(
        go.Bar(x=(edges[:-1] + edges[1:]) / 2, y=heights, width=np.diff(edges), marker_color=COLOURS[colour])
    )
    figure.update_xaxes(title=title)
    figure.update_yaxes(title="clips")
    return readable(figure, height=320, bargap=0)


def clip_views(
    wave: NDArray[np.float32], sample_rate: int, features: Mapping[str, tuple[NDArray[np.float32], float]], *, ink: str
) -> go.Figure:
    """A clip's waveform and its features below each other, on a common time axis.

    Args:
        wave: ``[samples]``.
        sample_rate: in Hz.
        features: by title, an image ``[bands, frames]`` and the seconds from frame to frame.
    """
    figure = make_subplots(
        rows=1 + len(features),
        shared_xaxes=True,
        vertical_spacing=0.045,
        row_heights=[0.7, *[1.0] * len(features)],
        subplot_titles=["waveform", *features],
    )
    columns = np.array_split(wave, min(len(wave), _MOST_COLUMNS))
    outline = np.array([value for column in columns for value in (column.min(), column.max())])
    starts = np.cumsum([0, *map(len, columns[:-1])])
    time = np.repeat(starts / sample_rate, 2)
    figure.add_scatter(x=time, y=outline, mode="lines", line={"width": 1, "color": COLOURS["synthetic"]}, row=1, col=1)
    # As rgb(): Streamlit replaces some hexadecimal colours by those of its theme.
    scale = [[k / 15, "rgb({}, {}, {})".format(*magma()[k * 17])] for k in range(16)]
    for row, (image, hop) in enumerate(features.values(), start=2):
        heat = go.Heatmap(z=image, x=np.arange(image.shape[1]) * hop, colorscale=scale, showscale=False)
        figure.add_trace(heat, row=row, col=1)
    figure.update_xaxes(range=[0, len(wave) / sample_rate])
    figure.update_xaxes(title="seconds", row=1 + len(features), col=1)
    figure.update_yaxes(showgrid=False)
    figure.update_annotations(font={"size": FONT_SIZE, "color": ink})
    return readable(figure, height=190 * (1 + len(features)), showlegend=False)
