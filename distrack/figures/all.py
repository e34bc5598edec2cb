"""Figures from plain arrays: Altair for curves that grow, Plotly for figures that stand still, PNG for images."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import altair as alt
import numpy as np
import pandas as pd
import plotly.colors
import plotly.graph_objects as go
from numpy.typing import NDArray
from PIL import Image
from plotly.subplots import make_subplots

from distrack.evaluate import Accuracy, Evaluation, Point
from distrack.evaluate.maps import Method

_MOST_POINTS = 250
_COLOURS = {
    "synthetic": "#c2407f",
    "random-selection": "#8d8299",
    "herding": "#b0884f",
    "k-means": "#5f86c4",
    "k-means-centres": "#7f74c9",
    "class-mean": "#5b8f8a",
    "full": "#e2793f",
}
# Of what has no colour of its own: runs, parameterisations, domains.
_SERIES = ("#c2407f", "#5f86c4", "#d0912f", "#4f9e8f", "#8a74d6", "#d5603f", "#7d9440", "#c77bb0")
_FONT = 17


def _palette() -> NDArray[np.uint8]:
    stops = plotly.colors.sample_colorscale("Magma", np.linspace(0, 1, 256).tolist(), colortype="tuple")
    return (np.array(stops) * 255).astype(np.uint8)


_MAGMA = _palette()
# As rgb(): Streamlit takes some of the palette's hexadecimal names for places where colours of its theme belong.
_MAGMA_SCALE = [[k / 15, "rgb({}, {}, {})".format(*_MAGMA[k * 17])] for k in range(16)]


def image_png(
    image: NDArray[np.float32], *, low: float, high: float, height: int = 128, width: int | None = None
) -> bytes:
    """A feature as a picture: time to the right, frequency upwards, `low` dark and `high` bright.

    Args:
        height, width: in pixels; five wide for four high unless given.

    Shape:
        - image: ``[bands, frames]``; values that are not numbers count as `low`
    """
    return _png([_picture(image, low, high, (width or height * 5 // 4, height))])


def images_png(images: NDArray[np.float32], *, low: float, high: float, height: int = 128) -> bytes:
    """Features as one picture, below each other; see `image_png`.

    Shape:
        - images: ``[n, bands, frames]``
    """
    return _png([_picture(image, low, high, (height * 5 // 4, height)) for image in images])


def _picture(image: NDArray[np.float32], low: float, high: float, size: tuple[int, int]) -> Image.Image:
    scaled = (np.nan_to_num(image, nan=low) - low) / max(high - low, 1e-9)
    pixels = _MAGMA[(np.clip(scaled[::-1], 0, 1) * 255).astype(np.uint8)]
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def _png(pictures: Sequence[Image.Image]) -> bytes:
    sheet = Image.fromarray(np.concatenate([np.asarray(picture) for picture in pictures]))
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG", compress_level=3)
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


class Scored(Protocol):
    """What was learnt from a training set: an evaluation, or several of them together."""

    @property
    def trained_on(self) -> str:
        """Name of the training set."""
        ...

    @property
    def accuracy(self) -> Accuracy:
        """On real test clips."""
        ...


def run_bars(measured: Mapping[str, Sequence[Scored]], *, chance: float | None, ink: str) -> alt.LayerChart:
    """Accuracies of several runs, each with its baselines below it, all clips as a line and chance as a dotted one.

    Error bars are the 95 % interval over seeds; of a single seed there is none.

    Args:
        measured: by run, or what else they have in common, its accuracies by one evaluator with one network.
        chance: accuracy of guessing, where it is known.
        ink: colour of the page's own text.
    """
    order: list[str] = []
    bars, titles, lines = [], [], []
    for run, evaluations in measured.items():
        titles.append((f"{run}|", run))
        rows = {f"{run}|{_SPOKEN.get(e.trained_on, e.trained_on)}": e for e in _in_order(evaluations)}
        order += [f"{run}|", *rows]
        for row, e in rows.items():
            low, high = e.accuracy.interval or (None, None)
            bars.append((row, e.trained_on, e.accuracy.mean, low, high, high or e.accuracy.mean))
            if e.trained_on == "full":
                lines.append((f"{run}|", row, e.accuracy.mean))
    points = pd.DataFrame(bars, columns=["row", "kind", "accuracy", "low", "high", "end"])
    axis = alt.Axis(
        labelExpr="split(datum.label, '|')[1]", ticks=False, domain=False, labelLimit=300, labelOverlap=False
    )
    y = alt.Y("row:N", title=None, sort=None, scale=alt.Scale(domain=order, paddingInner=0.18), axis=axis)
    x_scale, x_axis = alt.Scale(domain=[0, 1.08]), alt.Axis(format=".0%", values=[0, 0.2, 0.4, 0.6, 0.8, 1])
    x = alt.X("accuracy:Q", title="accuracy on real test clips", scale=x_scale, axis=x_axis)
    kinds = list(points["kind"].unique())
    colour = alt.Color("kind:N", legend=None, scale=alt.Scale(domain=kinds, range=[_colour(kind) for kind in kinds]))
    chart = alt.Chart(points)
    only_bars = chart.transform_filter("datum.kind != 'full'")
    spread = chart.transform_filter("isValid(datum.low)")
    names = alt.Chart(pd.DataFrame(titles, columns=["row", "run"]))
    full = alt.Chart(pd.DataFrame(lines, columns=["row", "last", "accuracy"]))
    guessing = alt.Chart(pd.DataFrame({"accuracy": [] if chance is None else [chance]}))
    whole: alt.LayerChart = (
        only_bars.mark_bar(cornerRadiusEnd=3).encode(x=x, y=y, color=colour)
        + full.mark_rule(strokeWidth=2.5, color=_COLOURS["full"]).encode(
            x=x, y=alt.Y("row:N", bandPosition=1), y2=alt.Y2("last:N", bandPosition=1)
        )
        + spread.mark_rule(strokeWidth=2, color=ink).encode(x=alt.X("low:Q", title=""), x2="high:Q", y=y)
        + spread.mark_tick(size=12, thickness=2, color=ink).encode(x=alt.X("low:Q", title=""), y=y)
        + spread.mark_tick(size=12, thickness=2, color=ink).encode(x=alt.X("high:Q", title=""), y=y)
        + chart.mark_text(align="left", dx=8, fontSize=_FONT - 1, color=ink).encode(
            x=alt.X("end:Q", title=""), y=y, text=alt.Text("accuracy:Q", format=".1%")
        )
        + names.mark_text(align="left", baseline="bottom", dy=12, fontSize=_FONT - 1, fontWeight=600, color=ink).encode(
            x=alt.datum(0), y=y, text="run:N"
        )
        + guessing.mark_rule(strokeDash=[3, 4], strokeWidth=2, color=ink).encode(x=x)
    )
    readable: alt.LayerChart = whole.properties(height=31 * len(order)).configure_axis(
        labelFontSize=_FONT - 2, titleFontSize=_FONT - 2
    )
    return readable


def _in_order(evaluations: Sequence[Scored]) -> list[Scored]:
    kinds = list(_SPOKEN)
    return sorted(evaluations, key=lambda e: kinds.index(e.trained_on) if e.trained_on in kinds else len(kinds))


def _colour(kind: str) -> str:
    return _COLOURS.get(kind, _COLOURS["random-selection"])


def loss_curves(metrics: Mapping[str, Sequence[dict[str, Any]]]) -> alt.Chart:
    """Running median of the loss against step, a line for each run, on a logarithmic axis.

    Args:
        metrics: by run, the lines of its `metrics.jsonl`.
    """
    lines = []
    for run, records in metrics.items():
        kept = [(record["step"], record["loss"]) for record in records if record.get("loss", 0) > 0]
        points = pd.DataFrame(kept, columns=["step", "loss"]).assign(run=run)
        points["loss"] = points["loss"].rolling(len(points) // 12 + 1, center=True, min_periods=1).median()
        lines.append(points[:: max(1, len(points) // _MOST_POINTS)])
    x = alt.X("step:Q", title="step", axis=alt.Axis(tickCount=6), scale=alt.Scale(nice=False))
    y = alt.Y("loss:Q", title="loss", scale=alt.Scale(type="log", nice=False), axis=alt.Axis(tickCount=5))
    scale = alt.Scale(domain=list(metrics), range=_series(len(metrics)))
    chart: alt.Chart = (
        alt.Chart(pd.concat(lines))
        .mark_line(strokeWidth=2.5)
        .encode(x=x, y=y, color=alt.Color("run:N", scale=scale, legend=_legend(columns=2)))
        .properties(height=380)
        .configure_axis(labelFontSize=_FONT - 2, titleFontSize=_FONT - 2)
    )
    return chart


def _series(count: int) -> list[str]:
    return [_SERIES[k % len(_SERIES)] for k in range(count)]


def _legend(*, columns: int) -> alt.Legend:
    return alt.Legend(
        orient="bottom",
        title=None,
        columns=columns,
        labelFontSize=_FONT - 3,
        labelLimit=900,
        symbolStrokeWidth=3,
        symbolSize=140,
        columnPadding=24,
        rowPadding=5,
    )


class Placed(NamedTuple):
    """An accuracy at what it costs to store.

    Attributes:
        series: what it is coloured by; None for random clips.
        marked: whether it stands out.
    """

    run: str
    floats: int
    accuracy: Accuracy
    series: str | None
    marked: bool = False


def accuracy_against_budget(placed: Sequence[Placed], *, full: float | None, chance: float, ink: str) -> alt.LayerChart:
    """Accuracy against stored floats per class on a logarithmic axis: a point a run, and the random clips beside it.

    Args:
        placed: the points.
        full: accuracy of all clips, where it was measured.
        chance: accuracy of guessing.
        ink: colour of the page's own text.
    """
    random = _SPOKEN["random-selection"]
    points = pd.DataFrame(
        [
            (
                each.run,
                each.floats,
                each.accuracy.mean,
                *(each.accuracy.interval or (None, None)),
                each.series or random,
                each.marked,
            )
            for each in placed
        ],
        columns=["run", "floats", "accuracy", "low", "high", "series", "marked"],
    )
    named = sorted({each.series for each in placed if each.series is not None})
    series = named + ([random] if any(each.series is None for each in placed) else [])
    edges = [points["floats"].min() / 1.4, points["floats"].max() * 1.4]
    axis = alt.Axis(format="~s", labelOverlap="greedy", tickCount=8)
    x = alt.X(
        "floats:Q", title="stored floats per class", scale=alt.Scale(type="log", domain=edges, nice=False), axis=axis
    )
    y_scale, y_axis = alt.Scale(domain=[0, 1]), alt.Axis(format=".0%", tickCount=5)
    y = alt.Y("accuracy:Q", title="accuracy on real test clips", scale=y_scale, axis=y_axis)
    colours = alt.Scale(domain=series, range=[*_series(len(named)), _COLOURS["random-selection"]][: len(series)])
    shapes = alt.Scale(domain=series, range=[*["circle"] * len(named), "diamond"][: len(series)])
    colour = alt.Color("series:N", scale=colours, legend=_legend(columns=4))
    shape = alt.Shape("series:N", scale=shapes, legend=_legend(columns=4))
    tooltip = ["run:N", "series:N", alt.Tooltip("accuracy:Q", format=".1%"), alt.Tooltip("floats:Q", format=",")]
    chart = alt.Chart(points)
    whole: alt.LayerChart = (
        chart.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=1.5, opacity=0.5)
        .encode(x=x, y=alt.Y("low:Q", title=""), y2="high:Q", color=colour)
        + chart.mark_point(size=130, filled=True, opacity=0.85).encode(
            x=x, y=y, color=colour, shape=shape, tooltip=tooltip
        )
        + chart.transform_filter("datum.marked").mark_point(size=260, strokeWidth=2.5, color=ink).encode(x=x, y=y)
    )
    for text, value in (("chance", chance), ("all clips", full)):
        if value is not None:
            whole += _level(f"{text} {value:.1%}", value, ink if text == "chance" else _COLOURS["full"])
    readable: alt.LayerChart = whole.properties(height=420).configure_axis(
        labelFontSize=_FONT - 2, titleFontSize=_FONT - 2
    )
    return readable


def _level(text: str, value: float, colour: str) -> alt.LayerChart:
    """A dashed line across a figure, with its name at its right end."""
    level = alt.Chart(pd.DataFrame({"accuracy": [value], "text": [text]})).encode(y="accuracy:Q")
    line = level.mark_rule(strokeDash=[5, 4], strokeWidth=2, color=colour)
    name = level.mark_text(align="right", dy=-10, fontSize=_FONT - 2, color=colour).encode(
        x=alt.value("width"), text="text:N"
    )
    layers: alt.LayerChart = line + name
    return layers


_SPOKEN = {
    "synthetic": "synthetic tracks",
    "random-selection": "as many random clips",
    "herding": "as many herded clips",
    "k-means": "as many k-means medoids",
    "k-means-centres": "as many k-means centres",
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


def nearness(tracks: Sequence[float], reference: Sequence[float], *, threshold: float, ink: str) -> alt.LayerChart:
    """How near tracks come to real clips, above how near real clips come to each other; the threshold as a line.

    Args:
        tracks: distance of each track to its nearest clip.
        reference: the same of real clips of the other side.
        threshold: below which a track is flagged.
        ink: colour of the page's own text.
    """
    kinds = {"synthetic tracks": tracks, "real clips": reference}
    points = pd.DataFrame(
        [(kind, value) for kind, values in kinds.items() for value in values], columns=["of", "distance"]
    )
    colours = alt.Scale(domain=list(kinds), range=[_COLOURS["synthetic"], _COLOURS["random-selection"]])
    x = alt.X("distance:Q", title="distance to the nearest real clip", scale=alt.Scale(zero=True))
    ticks = (
        alt.Chart(points)
        .mark_tick(thickness=1.5, size=34, opacity=0.5)
        .encode(
            x=x,
            y=alt.Y("of:N", title=None, sort=list(kinds), axis=alt.Axis(labelLimit=240)),
            color=alt.Color("of:N", scale=colours, legend=None),
        )
    )
    line = alt.Chart(pd.DataFrame({"distance": [threshold]})).mark_rule(strokeDash=[3, 4], strokeWidth=2, color=ink)
    whole: alt.LayerChart = (ticks + line.encode(x=x)).properties(height=150)
    readable: alt.LayerChart = whole.configure_axis(labelFontSize=_FONT - 2, titleFontSize=_FONT - 2)
    return readable


def embedding_map(points: Sequence[Point], classes: Sequence[str], *, method: Method) -> go.Figure:
    """Real clips small, tracks large and class centres as crosses, coloured by class; a point knows what it is.

    Every point has its kind and number as `customdata`.
    """
    figure = go.Figure()
    palette = plotly.colors.qualitative.Light24
    marks: dict[str, dict[str, Any]] = {
        "clip": {"size": 6, "opacity": 0.45},
        "track": {"size": 13, "line": {"width": 1.5, "color": "white"}},
        "centre": {"size": 15, "symbol": "x-thin", "line": {"width": 3}},
    }
    for label, name in enumerate(classes):
        colour = palette[label % len(palette)]
        for kind, mark in marks.items():
            some = [point for point in points if (point.kind, point.label) == (kind, label)]
            places = [point.pca if method == "pca" else point.t_sne for point in some]
            line = {**mark.get("line", {}), **({"color": colour} if kind == "centre" else {})}
            figure.add_scatter(
                x=[place[0] for place in places],
                y=[place[1] for place in places],
                customdata=[[point.kind, point.number] for point in some],
                mode="markers",
                marker={**mark, "color": colour, "line": line},
                name=name,
                legendgroup=name,
                showlegend=kind == "track",
                hovertemplate=f"{kind} of {name}<extra></extra>",
            )
    figure.update_xaxes(showticklabels=False, zeroline=False)
    figure.update_yaxes(showticklabels=False, zeroline=False)
    figure.update_layout(height=620, legend={"font": {"size": _FONT - 2}, "itemsizing": "constant"})
    return _readable(figure)


def event_plane(
    picture: bytes,
    *,
    extent: tuple[float, float, float],
    spans: NDArray[np.float64],
    energy: NDArray[np.float64],
    groups: Mapping[str, tuple[NDArray[np.int64], str]],
) -> go.Figure:
    """Events over a spectrogram: each a line from its onset to its end at its pitch; its number is its `customdata`.

    The vertical axis counts octaves: the logarithm to base 2 of a frequency in Hz.

    Args:
        picture: PNG of the spectrogram, evenly in octaves.
        extent: its seconds, lowest and highest frequency.
        spans: onset, end and pitch of every event.
        energy: of every event: the louder, the larger its mark.
        groups: events by what they are called in the legend, and their colour.

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
    figure.update_layout(height=480, dragmode="select", legend={"orientation": "h", "y": 1.08})
    return _readable(figure)


def quality_curve(curve: Sequence[tuple[int, float, float]]) -> alt.LayerChart:
    """Spectral convergence of the strongest events alone, against their number.

    Args:
        curve: number of events, SNR in dB, spectral convergence.
    """
    points = pd.DataFrame(curve, columns=["events", "snr", "convergence"])
    base = alt.Chart(points).encode(
        x=alt.X("events:Q", title="strongest events alone", scale=alt.Scale(type="log")),
        y=alt.Y("convergence:Q", title="spectral convergence", scale=alt.Scale(zero=True)),
        tooltip=["events", alt.Tooltip("convergence", format=".3f"), alt.Tooltip("snr", format=".1f", title="SNR, dB")],
    )
    chart: alt.LayerChart = (
        (base.mark_line(strokeWidth=3) + base.mark_circle(size=90, opacity=1))
        .properties(height=260)
        .configure_axis(labelFontSize=_FONT - 3, titleFontSize=_FONT - 2)
    )
    return chart
