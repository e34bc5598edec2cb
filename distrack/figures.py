"""Figures from plain arrays: Altair for curves that grow, Plotly for figures that stand still, PNG for images."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import plotly.colors
import plotly.graph_objects as go
from numpy.typing import NDArray
from PIL import Image
from plotly.subplots import make_subplots

from distrack.evaluate import Accuracy, Evaluation

_MOST_POINTS = 250
_COLOURS = {"synthetic": "#c2407f", "random-selection": "#8d8299", "class-mean": "#5b8f8a", "full": "#e2793f"}
_FONT = 17


def _palette() -> NDArray[np.uint8]:
    stops = plotly.colors.sample_colorscale("Magma", np.linspace(0, 1, 256).tolist(), colortype="tuple")
    return (np.array(stops) * 255).astype(np.uint8)


_MAGMA = _palette()
# As rgb(): Streamlit takes some of the palette's hexadecimal names for places where colours of its theme belong.
_MAGMA_SCALE = [[k / 15, "rgb({}, {}, {})".format(*_MAGMA[k * 17])] for k in range(16)]


def image_png(image: NDArray[np.float32], *, low: float, high: float, height: int = 128) -> bytes:
    """A feature as a picture: time to the right, frequency upwards, `low` dark and `high` bright.

    Shape:
        - image: ``[bands, frames]``; values that are not numbers count as `low`
    """
    scaled = (np.nan_to_num(image, nan=low) - low) / max(high - low, 1e-9)
    pixels = _MAGMA[(np.clip(scaled[::-1], 0, 1) * 255).astype(np.uint8)]
    picture = Image.fromarray(pixels)
    picture = picture.resize((height * 5 // 4, height), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def colour_range(images: NDArray[np.float32]) -> tuple[float, float]:
    """What dark and bright stand for in a set of pictures that are to be compared: all but the outermost values."""
    finite = images[np.isfinite(images)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(finite, [1, 99.7])
    return float(low), float(high)


def data_uri(png: bytes) -> str:
    """A PNG as text that stands in a page."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def loss_curve(metrics: Sequence[dict[str, Any]], steps: int) -> alt.LayerChart:
    """Loss against step, on a logarithmic axis: every network's own loss in the back, their running median in front."""
    points = pd.DataFrame(
        [(record["step"], record["loss"]) for record in metrics if "loss" in record], columns=["step", "loss"]
    )
    every = max(1, len(points) // _MOST_POINTS)
    smooth = points.assign(loss=points["loss"].rolling(len(points) // 12 + 1, center=True, min_periods=1).median())
    x = alt.X("step:Q", title="step", scale=alt.Scale(domain=[0, max(steps, 1)]), axis=alt.Axis(tickCount=6))
    # A logarithmic axis without points has no extent of its own.
    domain = alt.Undefined if len(points) else [0.1, 10]
    y_scale = alt.Scale(type="log", nice=False, domain=domain)
    y = alt.Y("loss:Q", title="loss", scale=y_scale, axis=alt.Axis(tickCount=5))
    dots = alt.Chart(points[::every]).mark_circle(size=22, opacity=0.35, color=_COLOURS["random-selection"])
    line = alt.Chart(smooth[::every]).mark_line(strokeWidth=3, color=_COLOURS["synthetic"])
    layers: alt.LayerChart = (dots.encode(x=x, y=y) + line.encode(x=x, y=y)).properties(height=300)
    chart: alt.LayerChart = layers.configure_axis(labelFontSize=_FONT - 3, titleFontSize=_FONT - 2)
    return chart


def duration_curve(
    places: Sequence[tuple[float, int]],
    accuracies: Mapping[str, Sequence[Accuracy | None]],
    *,
    chance: float | None,
) -> alt.LayerChart:
    """Accuracy against the length of a track at an equal budget, with the deviation over all runs; it may still grow.

    Args:
        places: seconds of a track and tracks per class, the shortest first.
        accuracies: for each kind of training set, one at every place; None where there is none yet.
        chance: accuracy of guessing, where it is known.
    """
    names = [f"{seconds:g} s|{tracks} {'track' if tracks == 1 else 'tracks'}" for seconds, tracks in places]
    best = [
        max((found.mean for found in here if found is not None), default=0.0)
        for here in zip(*accuracies.values(), strict=True)
    ]
    points = pd.DataFrame(
        [
            (name, _SPOKEN[kind], found.mean, found.mean - found.std, found.mean + found.std, found.mean == highest)
            for kind, row in accuracies.items()
            for name, found, highest in zip(names, row, best, strict=True)
            if found is not None
        ],
        columns=["place", "learnt from", "accuracy", "low", "high", "best"],
    )
    kinds = [_SPOKEN[kind] for kind in accuracies]
    axis = alt.Axis(
        labelAngle=0,
        labelAlign="center",
        labelFlush=False,
        labelExpr="split(datum.label, '|')",
        labelLineHeight=_FONT + 3,
        ticks=False,
    )
    x = alt.X("place:N", title=None, sort=names, scale=alt.Scale(domain=names), axis=axis)
    scale = alt.Scale(domain=[0, 1])
    y = alt.Y("accuracy:Q", title="accuracy", scale=scale, axis=alt.Axis(format=".0%", tickCount=5))
    low, high = (alt.Y(f"{end}:Q", title="accuracy", scale=scale) for end in ("low", "high"))
    colours = alt.Scale(domain=kinds, range=[_COLOURS[kind] for kind in accuracies])
    legend = alt.Legend(orient="top", title=None, labelFontSize=_FONT - 2, labelLimit=400, symbolStrokeWidth=4)
    colour = alt.Color("learnt from:N", scale=colours, legend=legend)
    chart = alt.Chart(points)
    above, below = chart.transform_filter("datum.best"), chart.transform_filter("!datum.best")
    text = alt.Text("accuracy:Q", format=".0%")
    whole: alt.LayerChart = (
        chart.mark_rule(strokeWidth=2.5).encode(x=x, y=low, y2="high:Q", color=colour)
        + chart.mark_tick(size=16, thickness=2.5).encode(x=x, y=low, color=colour)
        + chart.mark_tick(size=16, thickness=2.5).encode(x=x, y=high, color=colour)
        + chart.mark_line(strokeWidth=3).encode(x=x, y=y, color=colour)
        + chart.mark_circle(size=130, opacity=1).encode(x=x, y=y, color=colour)
        + above.mark_text(dy=-14, fontSize=_FONT, fontWeight=600).encode(x=x, y=high, text=text, color=colour)
        + below.mark_text(dy=16, fontSize=_FONT, fontWeight=600).encode(x=x, y=low, text=text, color=colour)
    )
    if chance is not None:
        guessing = alt.Chart(pd.DataFrame({"accuracy": [chance]}))
        whole += guessing.mark_rule(strokeDash=[3, 4], strokeWidth=2, color=_COLOURS["full"]).encode(y=y)
    whole = whole.properties(height=380)
    readable: alt.LayerChart = whole.configure_axis(labelFontSize=_FONT - 2, titleFontSize=_FONT - 2, labelLimit=160)
    return readable


def accuracy_bars(evaluations: Sequence[Evaluation], *, chance: float, ink: str) -> go.Figure:
    """Accuracy of each evaluator on each training set, with the deviation over seeds and the line of chance.

    `ink` is the colour of the page's own text.
    """
    figure = go.Figure()
    evaluators = list(dict.fromkeys(evaluation.evaluator for evaluation in evaluations))
    for trained_on in dict.fromkeys(evaluation.trained_on for evaluation in evaluations):
        mine = {e.evaluator: e for e in evaluations if e.trained_on == trained_on}
        shown = [name for name in evaluators if name in mine]
        figure.add_bar(
            name=_SPOKEN.get(trained_on, trained_on),
            x=shown,
            y=[mine[name].accuracy.mean for name in shown],
            error_y={
                "type": "data",
                "array": [mine[name].accuracy.std for name in shown],
                "thickness": 2,
                "color": ink,
            },
            marker_color=_COLOURS.get(trained_on),
            text=[f"{mine[name].accuracy.mean:.1%}" for name in shown],
            textposition="inside",
            insidetextanchor="start",
            textfont={"size": _FONT, "color": "white"},
        )
    figure.add_hline(y=chance, line_dash="dot", line_color=ink)
    figure.add_annotation(
        text=f"chance<br>{chance:.0%}", x=1.01, xref="paper", xanchor="left", y=chance, showarrow=False
    )
    figure.update_layout(barmode="group", bargroupgap=0.06, height=440)
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "font": {"size": _FONT - 1}})
    figure.update_xaxes(tickfont={"size": _FONT})
    figure.update_yaxes(range=[0, 1], tickformat=".0%", title="accuracy on real test clips")
    return _readable(figure)


_SPOKEN = {
    "synthetic": "synthetic tracks",
    "random-selection": "as many random clips",
    "class-mean": "mean of all clips",
    "full": "all clips",
}


def confusion_matrix(evaluation: Evaluation, classes: Sequence[str], *, ink: str) -> go.Figure:
    """Share of each true class (rows) that was given each predicted class (columns).

    `ink` is the colour of the page's own text.
    """
    counts = np.array(evaluation.confusion, dtype=np.float64)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=list(classes),
            y=list(classes),
            zmin=0,
            zmax=1,
            colorscale=[[0.0, "rgba(194, 64, 127, 0.05)"], [1.0, _COLOURS["synthetic"]]],
            texttemplate="%{z:.0%}" if len(classes) <= 12 else None,
            textfont={"color": ink},
            colorbar={"title": "share", "tickformat": ".0%"},
        )
    )
    figure.update_xaxes(title="predicted", type="category")
    figure.update_yaxes(title="true", type="category", autorange="reversed")
    figure.update_layout(height=520)
    return _readable(figure)


def class_balance(classes: Sequence[str], counts: Mapping[str, Sequence[int]]) -> go.Figure:
    """How many clips each class has on each side of the split.

    Args:
        classes: their names.
        counts: for each side, a number for each class.
    """
    figure = go.Figure()
    for side, colour in (("train", "synthetic"), ("validation", "class-mean"), ("test", "full")):
        if any(counts.get(side, ())):
            figure.add_bar(name=side, x=list(classes), y=list(counts[side]), marker_color=_COLOURS[colour])
    figure.update_layout(barmode="stack", height=360)
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"})
    figure.update_xaxes(type="category")
    figure.update_yaxes(title="clips")
    return _readable(figure)


def distribution(values: NDArray[np.float32], *, title: str, colour: str = "synthetic") -> go.Figure:
    """A histogram of one number of each clip; `title` says what it is and in what unit."""
    heights, edges = np.histogram(values, bins=40)
    figure = go.Figure(
        go.Bar(x=(edges[:-1] + edges[1:]) / 2, y=heights, width=np.diff(edges), marker_color=_COLOURS[colour])
    )
    figure.update_xaxes(title=title)
    figure.update_yaxes(title="clips")
    figure.update_layout(height=320, bargap=0)
    return _readable(figure)


def clip_views(
    wave: NDArray[np.float32], sample_rate: int, features: Mapping[str, tuple[NDArray[np.float32], float]], *, ink: str
) -> go.Figure:
    """One clip's waveform and its features, one below the other under a common time axis.

    Args:
        wave: ``[samples]``.
        sample_rate: its rate in Hz.
        features: by title, an image ``[bands, frames]`` and the seconds between two frames.
        ink: colour of the page's own text.
    """
    figure = make_subplots(
        rows=1 + len(features),
        shared_xaxes=True,
        vertical_spacing=0.045,
        row_heights=[0.7, *[1.0] * len(features)],
        subplot_titles=["waveform", *features],
    )
    # A screen has fewer columns than a clip has samples: the outermost values of each column look the same.
    columns = np.array_split(wave, min(len(wave), 1500))
    outline = np.array([value for column in columns for value in (column.min(), column.max())])
    time = np.repeat(np.linspace(0, len(wave) / sample_rate, len(columns), endpoint=False), 2)
    figure.add_scatter(x=time, y=outline, mode="lines", line={"width": 1, "color": _COLOURS["synthetic"]}, row=1, col=1)
    for row, (image, hop) in enumerate(features.values(), start=2):
        heat = go.Heatmap(z=image, x=np.arange(image.shape[1]) * hop, colorscale=_MAGMA_SCALE, showscale=False)
        figure.add_trace(heat, row=row, col=1)
    figure.update_xaxes(range=[0, len(wave) / sample_rate])
    figure.update_xaxes(title="seconds", row=1 + len(features), col=1)
    figure.update_yaxes(showgrid=False)
    figure.update_layout(height=190 * (1 + len(features)), showlegend=False)
    figure.update_annotations(font={"size": _FONT, "color": ink})
    return _readable(figure)


def _readable(figure: go.Figure) -> go.Figure:
    """Letters that can be read from the back row; the page's own colours behind them."""
    figure.update_layout(
        font={"size": _FONT},
        margin={"l": 10, "r": 70, "t": 40, "b": 10},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    return figure
