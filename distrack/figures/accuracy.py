"""Accuracy of training sets: bars, against the length of a track, and against the storage budget."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import altair as alt
import pandas as pd

from distrack.evaluate import name_of
from distrack.figures.style import FONT_SIZE, LEGEND, NAMES, Chart, colour_of, finished, series_colours

if TYPE_CHECKING:
    from distrack.evaluate import Accuracy, Evaluation
    from distrack.jobs.series import SweepRow


def run_bars(measured: "Mapping[str, Sequence[Evaluation | SweepRow]]", *, chance: float | None, ink: str) -> Chart:
    """A group of bars for each run: its tracks and its baselines, the full dataset as a line, chance as a dotted line.

    Error bars are the 95 % confidence interval over seeds; with a single seed there is none.

    Args:
        measured: by run (or another name of a group), its accuracies by one evaluator with one network.
        chance: accuracy of guessing, if known.
    """
    order: list[str] = []
    known = list(NAMES)
    bars, titles, lines, guesses = [], [], [], []
    for run, evaluations in measured.items():
        titles.append((f"{run}|", run))
        in_order = sorted(
            evaluations, key=lambda e: known.index(e.training_set) if e.training_set in known else len(known)
        )
        rows = {f"{run}|{name_of(e.training_set)}": e for e in in_order}
        order += [f"{run}|", *rows]
        guesses.append((f"{run}|", order[-1], chance))
        for row, e in rows.items():
            low, high = e.accuracy.interval or (None, None)
            bars.append((row, e.training_set, e.accuracy.mean, low, high, high or e.accuracy.mean))
            if e.training_set == "full":
                lines.append((f"{run}|", row, e.accuracy.mean))
    points = pd.DataFrame(bars, columns=["row", "kind", "accuracy", "low", "high", "end"])
    axis = alt.Axis(
        labelExpr="split(datum.label, '|')[1]", ticks=False, domain=False, labelLimit=300, labelOverlap=False
    )
    y = alt.Y("row:N", title=None, sort=None, scale=alt.Scale(domain=order, paddingInner=0.18), axis=axis)
    x_scale, x_axis = alt.Scale(domain=[0, 1.08]), alt.Axis(format=".0%", values=[0, 0.2, 0.4, 0.6, 0.8, 1])
    x = alt.X("accuracy:Q", title="accuracy on real test clips", scale=x_scale, axis=x_axis)
    kinds = list(points["kind"].unique())
    colour = alt.Color("kind:N", legend=None, scale=alt.Scale(domain=kinds, range=[colour_of(kind) for kind in kinds]))
    chart = alt.Chart(points)
    only_bars = chart.transform_filter("datum.kind != 'full'")
    spread = chart.transform_filter("isValid(datum.low)")
    names = alt.Chart(pd.DataFrame(titles, columns=["row", "run"]))
    full, guessing = (
        alt.Chart(pd.DataFrame(levels, columns=["row", "last", "accuracy"]))
        for levels in (lines, guesses if chance is not None else [])
    )
    # Below the title of their group.
    first, last = alt.Y("row:N", bandPosition=1), alt.Y2("last:N", bandPosition=1)
    whole: alt.LayerChart = (
        only_bars.mark_bar(cornerRadiusEnd=3).encode(x=x, y=y, color=colour)
        + full.mark_rule(aria=False, strokeWidth=2.5, color=colour_of("full")).encode(x=x, y=first, y2=last)
        + spread.mark_errorbar(
            color=ink, rule={"aria": False, "strokeWidth": 2}, ticks={"aria": False, "size": 12, "thickness": 2}
        ).encode(x=alt.X("low:Q", title=""), x2="high:Q", y=y)
        + chart.mark_text(align="left", dx=8, fontSize=FONT_SIZE - 1, color=ink).encode(
            x=alt.X("end:Q", title=""), y=y, text=alt.Text("accuracy:Q", format=".1%")
        )
        + names.mark_text(
            align="left", baseline="bottom", dy=12, fontSize=FONT_SIZE - 1, fontWeight=600, color=ink
        ).encode(x=alt.datum(0), y=y, text="run:N")
        + guessing.mark_rule(aria=False, strokeDash=[3, 4], strokeWidth=2, color=ink).encode(x=x, y=first, y2=last)
    )
    # The axis and its title take their share of the height.
    return finished(whole, 70 + 28 * len(order))


def duration_curve(
    places: Sequence[tuple[float, int]],
    accuracies: "Mapping[str, Sequence[Accuracy | None]]",
    *,
    chance: float | None,
) -> Chart:
    """Accuracy against the length of a track at an equal budget of seconds per class.

    Error bars are the standard deviation over the runs. The figure may be drawn while some results are missing.

    Args:
        places: seconds of a track and tracks per class, the shortest first.
        accuracies: by training set, its accuracy at every place; None until there is one.
        chance: accuracy of guessing, if known.
    """
    names = [f"{seconds:g} s|{tracks} {'track' if tracks == 1 else 'tracks'}" for seconds, tracks in places]
    best = [
        max((accuracy.mean for accuracy in column if accuracy is not None), default=0.0)
        for column in zip(*accuracies.values(), strict=True)
    ]
    points = pd.DataFrame(
        [
            (name, name_of(kind), score.mean, score.mean - score.std, score.mean + score.std, score.mean == highest)
            for kind, row in accuracies.items()
            for name, score, highest in zip(names, row, best, strict=True)
            if score is not None
        ],
        columns=["place", "trained on", "accuracy", "low", "high", "best"],
    )
    kinds = [name_of(kind) for kind in accuracies]
    axis = alt.Axis(
        labelAngle=0,
        labelAlign="center",
        labelFlush=False,
        labelExpr="split(datum.label, '|')",
        labelLineHeight=FONT_SIZE + 3,
        ticks=False,
    )
    x = alt.X("place:N", title=None, sort=names, scale=alt.Scale(domain=names), axis=axis)
    scale = alt.Scale(domain=[0, 1])
    y = alt.Y("accuracy:Q", title="accuracy", scale=scale, axis=alt.Axis(format=".0%", tickCount=5))
    low, high = (alt.Y(f"{end}:Q", title="accuracy", scale=scale) for end in ("low", "high"))
    colours = alt.Scale(domain=kinds, range=[colour_of(kind) for kind in accuracies])
    legend = alt.Legend(orient="top", title=None, labelFontSize=FONT_SIZE - 2, labelLimit=400, symbolStrokeWidth=4)
    colour = alt.Color("trained on:N", scale=colours, legend=legend)
    chart = alt.Chart(points)
    above, below = chart.transform_filter("datum.best"), chart.transform_filter("!datum.best")
    text = alt.Text("accuracy:Q", format=".0%")
    whole: alt.LayerChart = (
        chart.mark_errorbar(
            rule={"aria": False, "strokeWidth": 2.5}, ticks={"aria": False, "size": 16, "thickness": 2.5}
        ).encode(x=x, y=low, y2="high:Q", color=colour)
        + chart.mark_line(strokeWidth=3).encode(x=x, y=y, color=colour)
        + chart.mark_circle(size=130, opacity=1).encode(x=x, y=y, color=colour)
        + above.mark_text(dy=-14, fontSize=FONT_SIZE, fontWeight=600).encode(x=x, y=high, text=text, color=colour)
        + below.mark_text(dy=16, fontSize=FONT_SIZE, fontWeight=600).encode(x=x, y=low, text=text, color=colour)
    )
    if chance is not None:
        guessing = alt.Chart(pd.DataFrame({"accuracy": [chance]}))
        whole += guessing.mark_rule(aria=False, strokeDash=[3, 4], strokeWidth=2, color=colour_of("full")).encode(y=y)
    return finished(whole, 380, labelLimit=160)


class Placed(NamedTuple):
    """A run's accuracy on real test clips and its stored floats per class, as a point that may be circled.

    The series is the name in the legend, which sets the colour; None for random clips.
    """

    run: str
    floats: int
    accuracy: "Accuracy"
    series: str | None
    marked: bool = False


def accuracy_against_budget(placed: Sequence[Placed], *, full: float | None, chance: float, ink: str) -> Chart:
    """Accuracy against stored floats per class on a logarithmic axis: a point for each run and for its random clips.

    Error bars are the 95 % confidence interval over seeds. Lines show the accuracy of guessing and, if known, of the
    full dataset; `ink` is the colour of the page's text.
    """
    random = name_of("random-selection")
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
    colours = alt.Scale(domain=series, range=[*series_colours(len(named)), colour_of("random-selection")])
    shapes = alt.Scale(domain=series, range=[*["circle"] * len(named), "diamond"][: len(series)])
    colour = alt.Color("series:N", scale=colours, legend=alt.Legend(columns=4, **LEGEND))
    shape = alt.Shape("series:N", scale=shapes, legend=alt.Legend(columns=4, **LEGEND))
    tooltip = ["run:N", "series:N", alt.Tooltip("accuracy:Q", format=".1%"), alt.Tooltip("floats:Q", format=",")]
    chart = alt.Chart(points)
    whole: alt.LayerChart = (
        chart.transform_filter("isValid(datum.low)")
        .mark_rule(aria=False, strokeWidth=1.5, opacity=0.5)
        .encode(x=x, y=alt.Y("low:Q", title=""), y2="high:Q", color=colour)
        + chart.mark_point(size=130, filled=True, opacity=0.85).encode(
            x=x, y=y, color=colour, shape=shape, tooltip=tooltip
        )
        + chart.transform_filter("datum.marked").mark_point(size=260, strokeWidth=2.5, color=ink).encode(x=x, y=y)
    )
    for text, value in (("chance", chance), ("full dataset", full)):
        if value is not None:
            whole += _level(f"{text} {value:.1%}", value, ink if text == "chance" else colour_of("full"))
    return finished(whole, 420)


def _level(text: str, value: float, colour: str) -> alt.LayerChart:
    """A dashed line across the figure, named at its right end."""
    level = alt.Chart(pd.DataFrame({"accuracy": [value], "text": [text]})).encode(y="accuracy:Q")
    line = level.mark_rule(aria=False, strokeDash=[5, 4], strokeWidth=2, color=colour)
    name = level.mark_text(align="right", dy=-10, fontSize=FONT_SIZE - 2, color=colour).encode(
        x=alt.value("width"), text="text:N"
    )
    layers: alt.LayerChart = line + name
    return layers
