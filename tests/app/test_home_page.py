"""The home page without a browser."""

import shutil

from streamlit.testing.v1 import AppTest

from distrack import runs
from distrack.settings import settings
from tests.app.page import again, links, opened, texts


def test_it_offers_the_ways_in_and_recent_runs(app: AppTest, finished: runs.Run) -> None:
    again(app)
    assert "distilled to a handful of tracks" in texts(app)
    assert finished.id in links(app)


def test_a_damaged_run_does_not_hide_the_others(app: AppTest, finished: runs.Run) -> None:
    broken = settings().runs_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{")
    (broken / "status.json").write_text("not json")
    try:
        again(app)
        assert {"broken", finished.id} <= set(links(app))
        opened(app, "distill", run="broken")
        assert "missing or damaged" in texts(app)
    finally:
        shutil.rmtree(broken)
