"""Sweeps on the Distill page without a browser: asked for, done, and cut off."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from distrack import jobs, runs
from distrack.jobs.distillation import DistillJob
from distrack.jobs.series import SweepJob, sweep_of
from distrack.settings import settings
from distrack.validation import from_preset
from tests.app.page import opened, texts


def sweep(tones: Path, *counts: int) -> SweepJob:
    plain = {
        "dataset": "FOLDER",
        "data_path": tones,
        "duration": 0.5,
        "steps": 4,
        "snapshots": 2,
        "network": {"width": 4},
        "pool": {"size": 2, "clips_per_class": 4},
        "parameterisation": "identity",
        "factor": 1,
        "evaluation": {"seeds": 2, "steps": 5, "network": {"width": 4}},
    }
    return sweep_of([from_preset(DistillJob, {**plain, "ipc": count}) for count in counts])


@pytest.fixture(scope="module")
def swept(tones: Path) -> runs.Run:
    """One and two tracks a class, done."""
    run = series.create(settings().runs_path, sweep(tones, 1, 2), "swept")
    jobs.work(run)
    return run


def test_every_fold_in_turn_is_offered_where_there_are_folds_and_launched_as_one(
    app: AppTest, real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(app, "distill")
    assert not any("folds in turn" in toggle.label for toggle in app.toggle)
    launched: list[runs.Run] = []
    monkeypatch.setattr(series, "launch", launched.append)
    opened(app, "distill", dataset="ESC10", path=str(real_data / "esc10"))
    (folds,) = (toggle for toggle in app.toggle if "folds in turn" in toggle.label)
    assert folds.label == "Test on each of the 5 official folds in turn"
    folds.set_value(True).run()
    app.button(key="distill").click().run()
    assert not app.exception, app.exception
    (run,) = launched
    job = jobs.job_of(run)
    assert [cell.job.test_fold for cell in job.cells(run.id)] == [1, 2, 3, 4, 5]
    assert app.query_params["sweep"] == run.id
    assert "each of 5 official folds in turn" in texts(app)
    assert texts(app).count("Not done.") == 5


def test_a_sweep_that_is_done_shows_its_cells_bars_and_table(app: AppTest, swept: runs.Run) -> None:
    opened(app, "distill", sweep=swept.id)
    assert "**1 per class**" in texts(app)
    assert "from random clips" in texts(app)
    table = app.dataframe[0].value
    assert list(table["tracks per class"].unique()) == [1, 2]
    assert len(app.get("vega_lite_chart")) == 1
    links = {link.proto.label: link.proto for link in app.get("page_link")}
    assert links["Compare its runs"].query_string == "run=swept-ipc1&run=swept-ipc2"
    app.selectbox[0].select_index(1).run()
    assert not app.exception


def test_a_sweep_can_be_found_again_and_one_that_is_not_there_is_said(app: AppTest, swept: runs.Run) -> None:
    opened(app, "distill")
    assert "Earlier sweeps" in texts(app)
    assert any(link.proto.label == swept.id for link in app.get("page_link"))
    opened(app, "distill", sweep="no-such")
    assert any("no sweep 'no-such'" in warning.value for warning in app.warning)
    assert any(button.key == "distill" for button in app.button)


def test_a_damaged_sweep_says_so(app: AppTest, tones: Path) -> None:
    run = series.create(settings().runs_path, sweep(tones, 1), "damaged-sweep")
    (run.path / "config.json").write_text("{")
    opened(app, "distill", sweep=run.id)
    assert "sweep damaged-sweep: config.json is missing or damaged" in texts(app)
