"""The store on the Runs page without a browser: what is in it alone is shown and fetched, what is here is not."""

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from distrack import jobs, runs
from distrack.jobs.contract import title_of
from distrack.jobs.distillation import DistillJob
from distrack.jobs.live import Follower, Mirror
from distrack.jobs.preparation import Preparation
from distrack.jobs.transfer import PullJob, PushJob
from distrack.runs import Status
from distrack.settings import settings
from distrack.store import open_store
from tests.app.page import again, labelled, opened, texts


@pytest.fixture
def shelf(tmp_path: Path, own_runs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the store that the environment names."""
    own_runs.mkdir()
    monkeypatch.setenv("S3_BUCKET", str(tmp_path / "shelf"))
    settings.cache_clear()
    return tmp_path / "shelf"


@pytest.mark.usefixtures("shelf")
def test_a_run_that_lies_in_the_store_alone_is_shown_and_fetched(
    app: AppTest, finished: runs.Run, own_runs: Path, launched: list[tuple[str, ...]]
) -> None:
    push = PushJob(run=finished.id)
    jobs.work(push.open(finished.path.parent), push)
    opened(app, "runs")
    app.session_state["stored"] = True
    again(app)
    menu = labelled(app, "multiselect", "What to fetch")
    assert [option.startswith(title_of(finished)) for option in menu.options] == [True]
    assert "0 of 1 are on this computer" in texts(app)
    menu.set_value([finished.id])
    again(app)
    app.button(key="fetch").click()
    again(app)
    assert [command[:3] for command in launched] == [(f"pull-{finished.id}", "pull", finished.id)]
    jobs.work(PullJob(run=finished.id).open(own_runs), PullJob(run=finished.id))
    opened(app, "runs")
    app.session_state["stored"] = True
    again(app)
    assert "1 of 1 are on this computer" in texts(app)
    assert labelled(app, "multiselect", "What to fetch").options == []


@pytest.mark.usefixtures("shelf")
def test_a_store_that_cannot_be_read_is_said(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_BUCKET", "s3://matching-pursuit-trained-models")
    settings.cache_clear()
    opened(app, "runs")
    assert [error.value for error in app.error] == [
        "s3://matching-pursuit-trained-models holds pickled models of another program, which are never loaded: use a "
        "bucket that was written by `python -m distrack push`."
    ]


def test_a_run_in_progress_is_offered_as_such_and_watched(
    app: AppTest, shelf: Path, tiny_job: Callable[..., DistillJob], tmp_path: Path, own_runs: Path
) -> None:
    run = tiny_job().create(tmp_path / "elsewhere", "live")
    working = Status.queued(Status(state="done"), psutil.Process(), device="cpu")
    run.write("status.json", working.model_copy(update={"state": "running", "phase": "distill"}).model_dump_json())
    mirror = Mirror(run, str(shelf))
    mirror.begin()
    opened(app, "runs")
    app.session_state["stored"] = True
    again(app)
    assert labelled(app, "multiselect", "What to fetch").options == [f"{title_of(run)} · in progress · live"]
    follower = Follower(open_store(str(shelf)), "live", own_runs)
    follower.look()
    opened(app, "distill", run="live")
    assert "Stop" in {button.label for button in app.button}
    mirror.end()


@pytest.mark.usefixtures("shelf")
def test_a_prepared_dataset_is_pushed_and_offered_on_the_datasets_page(
    app: AppTest, sounds: Path, tmp_path: Path, launched: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    preparation = Preparation.validated({"dataset": "folder", "data_path": sounds, "duration": 0.5})
    jobs.work(preparation.open(tmp_path / "runs"), preparation)
    opened(app, "datasets", dataset="FOLDER", path=str(sounds))
    app.button(key="push").click()
    again(app)
    assert [command[1:3] for command in launched] == [("push", str(sounds))]
    push = PushJob(run=str(sounds))
    jobs.work(push.open(tmp_path / "runs"), push)
    monkeypatch.setenv("DISTRACK_DATA_PATH", str(tmp_path / "other"))
    settings.cache_clear()
    opened(app, "datasets")
    app.session_state["stored"] = True
    again(app)
    (label,) = labelled(app, "multiselect", "What to fetch").options
    assert label.startswith(f"{sounds.name}, clips of 0.5 s · ")
    app.session_state["stored"] = False
    opened(app, "runs")
    app.session_state["stored"] = True
    again(app)
    assert "Nothing is there yet" in texts(app), "datasets are offered on their own page"
