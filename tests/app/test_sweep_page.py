"""Sweeps on the Distill page without a browser: asked for, done, and cut off."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from distrack import jobs, runs
from distrack.jobs.contract import title_of
from distrack.jobs.distillation import DistillJob
from distrack.jobs.series import SweepJob, sweep_of
from distrack.settings import settings
from distrack.validation import from_preset
from tests.app.page import again, labelled, links, opened, texts
from tests.dataset_trees import esc10_tree

Sweep = Callable[..., SweepJob]


@pytest.fixture(scope="module")
def sweep(brief: Callable[..., dict[str, Any]]) -> Sweep:
    """A sweep of the tones over numbers of tracks per class."""
    return lambda *counts: sweep_of([from_preset(DistillJob, brief(duration=0.5, ipc=count)) for count in counts])


@pytest.fixture(scope="module")
def swept(sweep: Sweep) -> runs.Run:
    """One and two tracks a class, done."""
    run = sweep(1, 2).create(settings().runs_path, "swept")
    jobs.work(run)
    return run


def test_every_fold_in_turn_is_offered_where_there_are_folds_and_launched_as_one(
    app: AppTest, tmp_path: Path, launched: list[tuple[str, ...]]
) -> None:
    opened(app, "distill")
    assert not any("cross-validation" in toggle.label for toggle in app.toggle)
    esc10_tree(tmp_path)
    opened(app, "distill", dataset="ESC10", path=str(tmp_path))
    labelled(app, "toggle", "5-fold cross-validation").set_value(True)
    app.button(key="distill").click()
    again(app)
    (command,) = launched
    assert command[1] == "distill"
    assert "--cross-validate" in command
    run = jobs.find(settings().runs_path, command[0])
    job = jobs.job_of(run)
    assert isinstance(job, SweepJob)
    assert [cell.job.test_fold for cell in job.cells(run.id)] == [1, 2, 3, 4, 5]
    assert app.query_params["sweep"] == run.id
    assert "· 5 folds" in texts(app)
    assert texts(app).count("Not finished.") == 5


def test_several_budgets_and_seeds_are_launched_as_one_sweep_each_budget_with_its_preset(
    app: AppTest, launched: list[tuple[str, ...]]
) -> None:
    opened(app, "distill")
    labelled(app, "number_input", "Steps").set_value(60)
    again(app)
    labelled(app, "multiselect", "Tracks per class").set_value([1, 10])
    labelled(app, "number_input", "Distillation seeds").set_value(2)
    app.button(key="distill").click()
    again(app)
    (command,) = launched
    job = jobs.job_of(jobs.find(settings().runs_path, command[0]))
    assert isinstance(job, SweepJob)
    assert (job.seeds, [(each.ipc, each.steps) for each in job.distillations]) == (2, [(1, 60), (10, 60)])
    usual = [from_preset(DistillJob, {"ipc": count}) for count in (1, 10)]
    assert [each.factor for each in job.distillations] == [each.factor for each in usual]
    assert usual[0].factor != usual[1].factor


def test_a_sweep_that_is_done_shows_its_cells_bars_and_table(app: AppTest, swept: runs.Run) -> None:
    opened(app, "distill", sweep=swept.id)
    assert "**1 per class**" in texts(app)
    assert "trained on random clips" in texts(app)
    table = app.dataframe[0].value
    assert list(table["tracks per class"].unique()) == [1, 2]
    assert len(app.get("vega_lite_chart")) == 1
    (compare,) = (link.proto for link in app.get("page_link") if link.proto.label == "Compare these runs")
    assert compare.query_string == "run=swept-ipc1&run=swept-ipc2"
    app.selectbox[0].select_index(1)
    again(app)


def test_a_sweep_can_be_found_again_and_one_that_is_not_there_is_said(app: AppTest, swept: runs.Run) -> None:
    opened(app, "distill")
    assert "Previous sweeps" in texts(app)
    assert title_of(swept) in links(app)
    opened(app, "distill", sweep="no-such")
    assert any("No run 'no-such'" in warning.value for warning in app.warning)
    assert any(button.key == "distill" for button in app.button)


def test_a_damaged_sweep_says_so(app: AppTest, sweep: Sweep) -> None:
    run = sweep(1).create(settings().runs_path, "damaged-sweep")
    (run.path / "config.json").write_text("{")
    opened(app, "distill", sweep=run.id)
    assert "damaged-sweep: config.json is missing or damaged" in texts(app)
