"""The map of real clips and synthetic tracks in an embedding."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from distrack.figures.style import FONT_SIZE, readable, series_colours

if TYPE_CHECKING:
    from distrack.evaluate import Point
    from distrack.evaluate.inspection import Method

_MARKS: dict[str, dict[str, Any]] = {
    "clip": {"size": 6, "opacity": 0.45},
    "track": {"size": 13, "line": {"width": 1.5, "color": "white"}},
    "centre": {"size": 15, "symbol": "x-thin", "line": {"width": 3}},
}


def embedding_map(points: "Sequence[Point]", classes: Sequence[str], *, method: "Method") -> go.Figure:
    """Small dots for real clips, large ones for tracks and crosses for class means, coloured by class.

    The `customdata` of a point is its kind and its number.
    """
    figure = go.Figure()
    for label, (name, colour) in enumerate(zip(classes, series_colours(len(classes)), strict=True)):
        for kind, mark in _MARKS.items():
            group = [point for point in points if (point.kind, point.label) == (kind, label)]
            places = [point.pca if method == "pca" else point.t_sne for point in group]
            line = {**mark.get("line", {}), **({"color": colour} if kind == "centre" else {})}
            figure.add_scatter(
                x=[place[0] for place in places],
                y=[place[1] for place in places],
                customdata=[[point.kind, point.number] for point in group],
                mode="markers",
                marker={**mark, "color": colour, "line": line},
                name=name,
                legendgroup=name,
                showlegend=kind == "track",
                hovertemplate=f"{kind} of {name}<extra></extra>",
            )
    figure.update_xaxes(showticklabels=False, zeroline=False)
    figure.update_yaxes(showticklabels=False, zeroline=False)
    return readable(figure, height=620, legend={"font": {"size": FONT_SIZE - 2}, "itemsizing": "constant"})
