"""Loss against optimisation step."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from distrack.figures.style import COLOURS, LEGEND, Chart, finished, series_colours

# More points look the same and take longer to send to the browser.
_MOST_POINTS = 250


def loss_curve(metrics: Sequence[dict[str, Any]], steps: int) -> Chart:
    """The loss of a run on a logarithmic axis up to a step: a point for each step, and the running median as a line.

    Lines of the run's `metrics.jsonl` without a loss are skipped.
    """
    points = pd.DataFrame(
        [(record["step"], record["loss"]) for record in metrics if "loss" in record], columns=["step", "loss"]
    )
    every = max(1, len(points) // _MOST_POINTS)
    smooth = points.assign(loss=_running_median(points))
    x = alt.X("step:Q", title="step", scale=alt.Scale(domain=[0, max(steps, 1)]), axis=alt.Axis(tickCount=6))
    # A logarithmic axis without points has no extent of its own.
    domain = alt.Undefined if len(points) else [0.1, 10]
    y_scale = alt.Scale(type="log", nice=False, domain=domain)
    y = alt.Y("loss:Q", title="loss", scale=y_scale, axis=alt.Axis(tickCount=5))
    dots = alt.Chart(points[::every]).mark_circle(size=22, opacity=0.35, color=COLOURS["random-selection"])
    line = alt.Chart(smooth[::every]).mark_line(strokeWidth=3, color=COLOURS["synthetic"])
    tooltip = ["step:Q", alt.Tooltip("loss:Q", format=".4g")]
    return finished(dots.encode(x=x, y=y, tooltip=tooltip) + line.encode(x=x, y=y), 230)


def loss_curves(metrics: Mapping[str, Sequence[dict[str, Any]]]) -> Chart:
    """The running median of the loss of several runs on a logarithmic axis, one line for each run.

    Lines of a run's `metrics.jsonl` without a positive loss are skipped.
    """
    lines = []
    for run, records in metrics.items():
        losses = [(record["step"], record["loss"]) for record in records if record.get("loss", 0) > 0]
        points = pd.DataFrame(losses, columns=["step", "loss"]).assign(run=run)
        points["loss"] = _running_median(points)
        lines.append(points[:: max(1, len(points) // _MOST_POINTS)])
    x = alt.X("step:Q", title="step", axis=alt.Axis(tickCount=6), scale=alt.Scale(nice=False))
    y = alt.Y("loss:Q", title="loss", scale=alt.Scale(type="log", nice=False), axis=alt.Axis(tickCount=5))
    scale = alt.Scale(domain=list(metrics), range=series_colours(len(metrics)))
    colour = alt.Color("run:N", scale=scale, legend=alt.Legend(columns=2, **LEGEND))
    tooltip = ["run:N", "step:Q", alt.Tooltip("loss:Q", format=".4g")]
    curves = alt.Chart(pd.concat(lines)).mark_line(strokeWidth=2.5, point={"opacity": 0, "size": 120})
    return finished(curves.encode(x=x, y=y, color=colour, tooltip=tooltip), 380)


def _running_median(points: pd.DataFrame) -> "pd.Series[float]":
    """Of the loss, over a twelfth of the steps."""
    return points["loss"].rolling(len(points) // 12 + 1, center=True, min_periods=1).median()
