"""What all figures share: colours, type sizes and the names of training sets. It loads no plotting library."""

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from distrack.evaluate import TRAINING_SETS, name_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd
    import plotly.graph_objects as go

Chart: TypeAlias = "alt.Chart | alt.LayerChart"


class LiveChart(NamedTuple):
    """A Vega-Lite chart that is drawn again and again: where only the data are new, the browser keeps the rest."""

    data: "pd.DataFrame"
    specification: dict[str, Any]


# By training set; a set without an entry has the colour of random clips.
COLOURS = {
    "synthetic": "#c2407f",
    "synthetic (sound)": "#d683ac",
    "synthetic (from noise)": "#d0912f",
    "same-storage": "#4b8fae",
    "same-storage (sound)": "#8ab6cb",
    "random-selection": "#8d8299",
    "herding": "#b0884f",
    "k-means": "#5f86c4",
    "k-means-centres": "#7f74c9",
    "class-mean": "#5b8f8a",
    "full": "#e2793f",
}
# By training set, as a legend or an axis shows it; in the order in which training sets are shown.
NAMES = {name: name_of(name) for name in TRAINING_SETS}
# Pixels: readable from the back row of a lecture room.
FONT_SIZE = 17
# Arguments of an axis.
AXIS: dict[str, Any] = {"labelFontSize": FONT_SIZE - 2, "titleFontSize": FONT_SIZE - 2}
# Arguments of `alt.Legend`.
LEGEND: dict[str, Any] = {
    "orient": "bottom",
    "title": None,
    "labelFontSize": FONT_SIZE - 3,
    "labelLimit": 900,
    "symbolStrokeWidth": 3,
    "symbolSize": 140,
    "columnPadding": 24,
    "rowPadding": 5,
}
_SERIES = ("#c2407f", "#5f86c4", "#d0912f", "#4f9e8f", "#8a74d6", "#d5603f", "#7d9440", "#c77bb0")


def colour_of(training_set: str) -> str:
    """The colour of a training set by its name ("synthetic", "full")."""
    return COLOURS.get(training_set, COLOURS["random-selection"])


def finished(chart: Chart, height: int, **axis: Any) -> Chart:
    """The same Altair chart with a height in pixels and large type; `axis` are arguments of its `configure_axis`."""
    large: Chart = chart.properties(height=height).configure_axis(**AXIS, **axis)
    return large


def series_colours(count: int) -> list[str]:
    """Colours for what has none of its own: runs, domains, classes; after eight come lighter ones, then darker ones."""
    return [_shaded(_SERIES[k % len(_SERIES)], (0.0, 0.5, -0.45)[k // len(_SERIES) % 3]) for k in range(count)]


def _shaded(colour: str, share: float) -> str:
    """A colour mixed with so much white, or with black where the share is negative.

    >>> _shaded("#c2407f", 0.5)
    '#e0a0bf'
    """
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(part + abs(share) * ((255 if share > 0 else 0) - part)):02x}" for part in parts)


def readable(figure: "go.Figure", **layout: Any) -> "go.Figure":
    """The same Plotly figure with large type and a transparent background, so that the page's own colour shows.

    Args:
        figure: changed in place.
        layout: further arguments of its `update_layout`.
    """
    figure.update_layout(
        **layout,
        font={"size": FONT_SIZE},
        margin={"l": 10, "r": 70, "t": 40, "b": 10},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    return figure
