"""Loss against optimisation step."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from distrack.figures.style import AXIS, COLOURS, LEGEND, Chart, LiveChart, finished, series_colours

# More points look the same and take longer to send to the browser.
_MOST_POINTS = 250


def loss_curve(metrics: Sequence[dict[str, Any]], steps: int) -> LiveChart:
    """The loss of a run on a logarithmic axis up to a step: a point for each step, and the running median as a line.

    Lines of the run's `metrics.jsonl` without a loss are skipped.
    """
    points = pd.DataFrame(
        [(record["step"], record["loss"]) for record in metrics if "loss" in record], columns=["step", "loss"]
    )
    every = max(1, len(points) // _MOST_POINTS)
    points["median"] = _running_median(points)
    y_scale = {"type": "log", "nice": False, "domain": _edges(points["loss"])}
    x = {"field": "step", "type": "quantitative", "title": "step", "axis": {"tickCount": 6}}
    x["scale"] = {"domain": [0, max(steps, 1)]}
    y = {"type": "quantitative", "title": "loss", "scale": y_scale, "axis": {"tickCount": 5}}
    tooltip = [{"field": "step", "type": "quantitative"}, {"field": "loss", "type": "quantitative", "format": ".4g"}]
    dots = {"type": "circle", "size": 22, "opacity": 0.35, "color": COLOURS["random-selection"]}
    line = {"type": "line", "strokeWidth": 3, "color": COLOURS["synthetic"]}
    specification = {
        "height": 230,
        "config": {"axis": AXIS},
        "layer": [
            {"mark": dots, "encoding": {"x": x, "y": {**y, "field": "loss"}, "tooltip": tooltip}},
            {"mark": line, "encoding": {"x": x, "y": {**y, "field": "median"}}},
        ],
    }
    return LiveChart(points[::every], specification)


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


def _edges(losses: "pd.Series[float]") -> list[float]:
    """Ends of a logarithmic axis that holds the losses, three to a power of ten, so that they move seldom."""
    positive = losses[losses > 0]
    if positive.empty:
        return [0.1, 10.0]
    low, high = (3 * math.log10(edge) for edge in (positive.min(), positive.max()))
    return [10 ** (math.floor(low) / 3), 10 ** (max(math.ceil(high), math.floor(low) + 1) / 3)]


def _running_median(points: pd.DataFrame) -> "pd.Series[float]":
    """Of the loss, over a twelfth of the steps."""
    return points["loss"].rolling(len(points) // 12 + 1, center=True, min_periods=1).median()
