"""Distances from synthetic tracks to their nearest real clips."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from distrack.figures.style import COLOURS, Chart, finished


def nearness(tracks: Sequence[float], reference: Sequence[float], *, threshold: float, ink: str) -> Chart:
    """A tick for the distance of each track, and below it one for each real clip; the threshold is a dotted line.

    Args:
        tracks: distance from each track to its nearest real clip.
        reference: the same for real clips of another split.
        threshold: tracks below it are flagged.
    """
    kinds = {"Synthetic tracks": tracks, "Real clips": reference}
    points = pd.DataFrame(
        [(kind, value) for kind, values in kinds.items() for value in values], columns=["of", "distance"]
    )
    colours = alt.Scale(domain=list(kinds), range=[COLOURS["synthetic"], COLOURS["random-selection"]])
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
    line = alt.Chart(pd.DataFrame({"distance": [threshold]})).mark_rule(
        aria=False, strokeDash=[3, 4], strokeWidth=2, color=ink
    )
    return finished(ticks + line.encode(x=x), 150)
