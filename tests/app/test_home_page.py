"""The home page without a browser."""

import shutil
from pathlib import Path

from streamlit.testing.v1 import AppTest

from distrack import runs
from distrack.jobs.contract import title_of
from tests.app.page import again, links, opened, texts


def test_it_offers_the_ways_in_and_recent_runs(app: AppTest, finished: runs.Run, own_runs: Path) -> None:
    again(app)
    assert "distilled to a handful of tracks" in texts(app)
    assert "No runs yet" in texts(app)
    shutil.copytree(finished.path, own_runs / "finished")
    (own_runs / "broken").mkdir()
    (own_runs / "broken" / "config.json").write_text("{")
    (own_runs / "broken" / "status.json").write_text("not json")
    again(app)
    assert {"broken", title_of(finished)} <= set(links(app)), "a damaged run does not hide the others"
    opened(app, "distill", run="broken")
    assert "missing or damaged" in texts(app)
