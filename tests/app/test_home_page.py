"""The home page without a browser."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from distrack import jobs, runs
from distrack.jobs.contract import title_of
from distrack.jobs.distillation import DistillJob
from distrack.validation import from_preset
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


def test_the_side_bar_has_the_queue_in_its_order_and_takes_a_run_out_of_it(
    app: AppTest, brief: Callable[..., dict[str, Any]], own_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b-first", "a-second"):
        run = from_preset(DistillJob, brief()).create(own_runs, name)
        queued = runs.Status.queued(run.status(), psutil.Process(), device="cpu", command=("distill",))
        run.write("status.json", queued.model_dump_json())
    stopped: list[str] = []
    monkeypatch.setattr(jobs, "stop", lambda run: stopped.append(run.id))
    again(app)
    states = [part.value for part in app.sidebar.markdown if "badge" in part.value]
    assert states == [":blue-badge[Starting]", ":blue-badge[Queued, 1 run ahead]"]
    app.button(key="Leave the queue-a-second").click()
    again(app)
    assert stopped == ["a-second"]
