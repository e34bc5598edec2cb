"""The store on the Runs page without a browser: what is in it alone is shown and fetched, what is here is not."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from distrack import jobs, runs
from distrack.jobs.contract import title_of
from distrack.jobs.transfer import PullJob, PushJob
from distrack.settings import settings
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
    menu = labelled(app, "multiselect", "Runs to fetch")
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
    assert labelled(app, "multiselect", "Runs to fetch").options == []


@pytest.mark.usefixtures("shelf")
def test_a_store_that_cannot_be_read_is_said(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_BUCKET", "s3://matching-pursuit-trained-models")
    settings.cache_clear()
    opened(app, "runs")
    assert [error.value for error in app.error] == [
        "s3://matching-pursuit-trained-models holds pickled models of another program, which are never loaded: use a "
        "bucket that was written by `python -m distrack push`."
    ]
