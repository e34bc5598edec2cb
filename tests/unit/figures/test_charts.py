"""Altair figures. A chart that is turned into a dictionary is checked against the schema of Vega-Lite."""

from typing import Any, NamedTuple

import altair as alt
import pytest

from distrack.evaluate import Accuracy
from distrack.figures.accuracy import Placed, accuracy_against_budget, duration_curve, run_bars
from distrack.figures.loss import loss_curve, loss_curves
from distrack.figures.nearness import nearness
from distrack.figures.quality import quality_curve
from distrack.figures.style import NAMES, LiveChart


class Scored(NamedTuple):
    training_set: str
    accuracy: Accuracy


def score(training_set: str, accuracy: Accuracy) -> Any:
    """As much of an evaluation as a figure reads."""
    return Scored(training_set, accuracy)


def data(chart: alt.Chart | alt.LayerChart) -> list[dict[str, Any]]:
    """All rows that a chart draws."""
    return [row for rows in chart.to_dict()["datasets"].values() for row in rows]


def checked(chart: LiveChart) -> dict[str, Any]:
    """The specification with its data, which the schema of Vega-Lite allows."""
    whole = {"data": {"values": chart.data.to_dict("records")}, **chart.specification}
    return alt.LayerChart.from_dict(whole).to_dict()


def test_a_long_loss_curve_is_thinned_and_reaches_to_the_last_step() -> None:
    records = [{"step": step, "loss": 1 / (1 + step)} for step in range(3000)] + [{"step": 3000, "note": "no loss"}]
    chart = loss_curve(records, steps=3000)
    assert 200 < len(chart.data) <= 300
    assert checked(chart)["layer"][0]["encoding"]["x"]["scale"]["domain"] == [0, 3000]


def test_a_loss_curve_without_points_has_axes() -> None:
    chart = loss_curve([], steps=0)
    assert chart.data.empty
    assert checked(chart)["layer"][0]["encoding"]["y"]["scale"]["domain"] == [0.1, 10]


def test_a_loss_curve_keeps_its_specification_from_step_to_step() -> None:
    records = [{"step": step, "loss": 0.4 - 0.01 * step} for step in range(1, 9)]
    charts = [loss_curve(records[:count], steps=8) for count in (1, 2, 8)]
    assert charts[0].specification == charts[1].specification == charts[2].specification
    assert [len(chart.data) for chart in charts] == [1, 2, 8]
    low, high = checked(charts[-1])["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert 0 < low < 0.32
    assert 0.39 < high < 1


def test_loss_curves_leave_out_what_has_no_place_on_a_logarithmic_axis() -> None:
    chart = loss_curves({"a": [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.0}], "b": [{"step": 3}]})
    assert [(row["run"], row["step"]) for row in data(chart)] == [("a", 1)]


def test_bars_are_in_the_order_of_training_sets_below_their_run() -> None:
    scores = [score(name, Accuracy.of([0.5, 0.7])) for name in ("full", "unknown", "random-selection", "synthetic")]
    chart = run_bars({"one": scores, "two": scores[-1:]}, chance=0.1, ink="black")
    domain = chart.to_dict()["layer"][0]["encoding"]["y"]["scale"]["domain"]
    names = [NAMES["synthetic"], NAMES["random-selection"], NAMES["full"], "unknown"]
    assert domain == ["one|", *(f"one|{name}" for name in names), "two|", f"two|{NAMES['synthetic']}"]


def test_a_single_seed_has_no_error_bar() -> None:
    chart = run_bars({"one": [score("synthetic", Accuracy.of([0.5]))]}, chance=None, ink="black")
    (bar,) = (row for row in data(chart) if "kind" in row)
    assert bar["low"] is None is bar["high"]
    assert bar["end"] == 0.5


def test_the_duration_curve_is_drawn_while_results_are_missing() -> None:
    some, none = Accuracy.of([0.6, 0.8]), None
    chart = duration_curve([(0.5, 4), (1.0, 1)], {"synthetic": [some, none], "full": [none, none]}, chance=0.1)
    (point,) = (row for row in data(chart) if "place" in row)
    assert (point["place"], point["accuracy"], point["best"]) == ("0.5 s|4 tracks", pytest.approx(0.7), True)


def test_random_clips_are_told_from_runs_in_the_budget_figure() -> None:
    placed = [Placed("a", 100, Accuracy.of([0.5]), "dct", marked=True), Placed("a", 400, Accuracy.of([0.4]), None)]
    chart = accuracy_against_budget(placed, full=0.9, chance=0.1, ink="black")
    rows = {row["series"]: row for row in data(chart) if "series" in row}
    assert set(rows) == {"dct", NAMES["random-selection"]}
    assert rows["dct"]["marked"]
    assert {row["text"] for row in data(chart) if "text" in row} == {"chance 10.0%", "full dataset 90.0%"}


def test_distances_of_tracks_and_of_clips_are_apart() -> None:
    chart = nearness([0.1, 0.2], [0.3], threshold=0.15, ink="black")
    assert sorted(row["distance"] for row in data(chart)) == [0.1, 0.15, 0.2, 0.3]


def test_the_quality_curve_has_a_point_for_each_number_of_events() -> None:
    assert len(data(quality_curve([(1, 3.0, 0.9), (4, 9.0, 0.4)]))) == 2
