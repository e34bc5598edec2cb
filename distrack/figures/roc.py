"""ROC curves on logarithmic axes: how many true positives an attack has at few false ones."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from distrack.figures.style import LEGEND, Chart, colour_of, finished

# Rates below this are not shown: they rest on too few clips.
_LEAST = 1e-4


def roc(curves: Mapping[str, Sequence[tuple[float, float]]], *, titles: Mapping[str, str], ink: str) -> Chart:
    """One line for each kind of set; a dotted diagonal shows what guessing reaches.

    Args:
        curves: by the name of the set, pairs of false and true positives.
        titles: names as the legend shows them.
    """
    points = pd.DataFrame(
        [
            (titles[name], wrong, max(right, _LEAST))
            for name, curve in curves.items()
            for wrong, right in curve
            if wrong >= _LEAST
        ],
        columns=["of", "false", "true"],
    )
    axis = alt.Axis(format="~%", values=[1e-4, 1e-3, 1e-2, 1e-1, 1])
    scale = alt.Scale(type="log", domain=[_LEAST, 1])
    x = alt.X("false:Q", title="false positives", scale=scale, axis=axis)
    y = alt.Y("true:Q", title="true positives", scale=scale, axis=axis)
    colours = alt.Scale(domain=[titles[name] for name in curves], range=[colour_of(name) for name in curves])
    tooltip = ["of:N", alt.Tooltip("false:Q", format=".2%"), alt.Tooltip("true:Q", format=".2%")]
    lines = (
        alt.Chart(points)
        .mark_line(strokeWidth=3, interpolate="step-after")
        .encode(
            x=x, y=y, color=alt.Color("of:N", scale=colours, legend=alt.Legend(columns=2, **LEGEND)), tooltip=tooltip
        )
    )
    diagonal = pd.DataFrame({"false": [_LEAST, 1.0], "true": [_LEAST, 1.0]})
    guess = alt.Chart(diagonal).mark_line(aria=False, strokeDash=[3, 4], strokeWidth=2, color=ink)
    return finished(lines + guess.encode(x=x, y=y), 380)
