"""The Condense page without a browser: the form, a condensation that is done, one that waits, and what is not there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from distrack import jobs, runs
from distrack.jobs.series import CondenseJob, condense_job, fitting
from distrack.settings import settings
from tests.app.page import again, links, opened, texts


def html(app: AppTest) -> str:
    return "\n".join(part.proto.body for part in app.get("html"))


Grid = Callable[..., CondenseJob]


@pytest.fixture(scope="module")
def grid(brief: Callable[..., dict[str, Any]]) -> Grid:
    """A condensation of half a second of tones per class, with changes."""
    return lambda **changes: condense_job(brief(budget_seconds=0.5, **changes))


@pytest.fixture(scope="module")
def condensed(grid: Grid) -> runs.Run:
    """Two tracks of a quarter second against one of half a second, done."""
    run = grid(durations=(0.25, 0.5)).create(settings().runs_path, "condensed")
    jobs.work(run)
    return run


def test_only_lengths_that_divide_the_budget_are_offered_and_the_cells_are_told(app: AppTest) -> None:
    opened(app, "condense")
    lengths = app.multiselect[0]
    # Below a quarter of a second the images are too small for the networks.
    assert lengths.options == [f"{seconds:g} s" for seconds in fitting(3.0) if seconds >= 0.24]
    assert lengths.value == [0.5, 1.0, 3.0]
    assert "**3 runs** of 3 s per class" in texts(app)
    assert "6 tracks x 0.5 s" in html(app)
    assert "cut or padded" in texts(app)
    app.number_input[0].set_value(2.0)
    again(app)
    assert app.multiselect[0].options == ["0.25 s", "0.4 s", "0.5 s", "1 s", "2 s"]
    assert "2 tracks x 1 s" in html(app)
    app.multiselect[0].set_value([0.4, 2.0])
    again(app)
    assert "**2 runs** of 2 s per class" in texts(app)
    assert "5 tracks x 0.4 s" in html(app)


def test_no_length_says_what_to_choose(app: AppTest) -> None:
    opened(app, "condense")
    app.multiselect[0].set_value([])
    again(app)
    assert "Select the lengths of a track" in texts(app)
    assert not any(button.key == "condense" for button in app.button)


def test_a_budget_too_small_for_any_length_says_why(app: AppTest) -> None:
    opened(app, "condense")
    app.number_input[0].set_value(0.1)
    again(app)
    assert any("too small" in error.value for error in app.error)
    assert not any(button.key == "condense" for button in app.button)


def test_a_dataset_that_is_not_here_is_said_and_nothing_is_left(app: AppTest, tmp_path: Path) -> None:
    before = {run.id for run in jobs.all_runs(settings().runs_path, "condensation")}
    opened(app, "condense", dataset="FOLDER", path=str(tmp_path / "nothing"))
    app.button(key="condense").click()
    again(app)
    assert "No FOLDER recordings" in texts(app)
    assert "--data-path" not in texts(app)
    assert "Get this dataset" in links(app)
    assert {run.id for run in jobs.all_runs(settings().runs_path, "condensation")} == before


def test_one_that_is_done_shows_cells_curve_table_and_both_ends(app: AppTest, condensed: runs.Run) -> None:
    opened(app, "condense", condensation=condensed.id)
    report = jobs.report_of(condensed)
    assert report is not None
    assert links(app).count("Listen") == links(app).count("Evaluate") == 2
    assert app.get("arrow_vega_lite_chart") or app.get("vega_lite_chart")
    table = app.dataframe[0].value
    assert list(table["tracks per class"]) == [2, 1]
    assert table["gain"][0] == f"{report.rows[0].gain:+.3f}"
    assert [subheader.value for subheader in app.subheader][-1] == "Listen: shortest and longest"
    assert all(note[1:] in texts(app) for note in report.notes)
    # Two short ones and a long one.
    first = [player.proto.url for player in app.get("audio")]
    assert len(first) == len(set(first)) == 3
    app.selectbox(key=f"class-{condensed.id}").select("middle")
    app.session_state[f"details-{condensed.id}"] = True
    again(app)
    assert set(first).isdisjoint(player.proto.url for player in app.get("audio"))
    assert any(code.value.startswith("python -m distrack condense") for code in app.code)


def test_it_is_listed_and_its_choices_are_where_another_one_starts(app: AppTest, condensed: runs.Run) -> None:
    opened(app, "condense")
    assert "tones0 · 0.5 s per class as tracks of 0.25, 0.5 s · quick" in links(app)
    opened(app, "condense", condensation=condensed.id)
    assert app.multiselect[0].value == [0.25, 0.5]
    assert app.number_input[0].value == 0.5


def test_one_whose_process_is_gone_can_be_resumed(app: AppTest, grid: Grid) -> None:
    run = grid(durations=(0.5,), seeds=2).create(settings().runs_path, "series-gone")
    run.write("status.json", runs.Status(state="running", phase="series", pid=2**22 - 1).model_dump_json())
    opened(app, "condense", condensation=run.id)
    assert app.button(key="resume-series-gone").label == "Resume"
    assert "Seed 1" in texts(app)
    assert texts(app).count("Not finished.") == 2


def test_a_damaged_one_is_said(app: AppTest, grid: Grid) -> None:
    run = grid(durations=(0.5,)).create(settings().runs_path, "damaged")
    (run.path / "config.json").write_text("{")
    opened(app, "condense")
    assert "damaged" in links(app)
    opened(app, "condense", condensation=run.id)
    assert "missing or damaged" in texts(app)


def test_an_unknown_one_is_said(app: AppTest) -> None:
    opened(app, "condense", condensation="no-such")
    assert any("No run 'no-such'" in warning.value for warning in app.warning)
    assert any(button.key == "condense" for button in app.button)
