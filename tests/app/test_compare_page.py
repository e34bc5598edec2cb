"""The Compare page without a browser: the selection, its URL, groups by test clips, and runs without results."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from distrack import runs
from distrack.jobs.results import evaluation_report
from distrack.runs.about import tell
from distrack.settings import PROJECT
from tests.app.page import again, opened, texts


@pytest.fixture
def folder(finished: runs.Run, own_runs: Path) -> Path:
    """Three runs alike but for their seed and accuracy, one of other test clips, and three that cannot be used."""
    for number, name in enumerate(("one", "two", "three", "apart")):
        shutil.copytree(finished.path, own_runs / name)
        config = json.loads((own_runs / name / "config.json").read_text())
        (own_runs / name / "config.json").write_text(json.dumps({**config, "seed": number}))
        report = json.loads((own_runs / name / "report.json").read_text())
        if name == "apart":
            report["split"]["test"] += 1
        (own_runs / name / "report.json").write_text(json.dumps(report))
        tell(runs.Run(own_runs / name), title=name)
    for name in ("damaged", "unmeasured", "without-tracks"):
        shutil.copytree(finished.path, own_runs / name)
        tell(runs.Run(own_runs / name), title=name)
    (own_runs / "damaged" / "config.json").write_text("{")
    (own_runs / "unmeasured" / "report.json").unlink()
    (own_runs / "without-tracks" / "synthetic.safetensors").unlink()
    return own_runs


def linked(app: AppTest, name: str) -> list[str]:
    """The values of a parameter of the URL."""
    value = app.query_params[name]
    return [value] if isinstance(value, str) else list(value)


def scores(app: AppTest) -> Any:
    """The table of scores."""
    return app.dataframe[0].value


def test_selected_runs_are_shown_side_by_side_with_their_differences(app: AppTest, folder: Path) -> None:
    opened(app, "compare", run=["one", "two"])
    table = scores(app)
    assert sorted(table["run"]) == ["one", "two"]
    report = evaluation_report(runs.Run(folder / "one"))
    assert report is not None
    assert table["accuracy"].tolist() == [report.accuracy("random-cnn", "synthetic")] * 2
    assert "Error bars: 95 % CI" in texts(app)
    opened(app, "compare", run=["one", "two"], tab="Differences")
    difference = app.dataframe[0].value
    assert difference.index.tolist() == ["seed"]
    assert list(difference.loc["seed"]) == ["0", "1"]
    opened(app, "compare", run=["one", "two"], tab="Budget")
    ranked = app.dataframe[0].value
    assert set(ranked["run"]) >= {"one", "two", "three"}
    assert "apart" not in set(ranked["run"])


def test_runs_of_equal_titles_are_told_apart(app: AppTest, folder: Path) -> None:
    for name in ("one", "two", "three"):
        tell(runs.Run(folder / name), title="Same" if name != "three" else None)
    opened(app, "compare", run=["one", "two", "three"])
    shown = scores(app)
    assert len(set(shown["run"])) == 3
    by_id = dict(zip(shown["id"], shown["run"], strict=True))
    assert by_id["one"].startswith("Same · ")
    assert by_id["three"].startswith("tones0 · 2 tracks per class · quick")


def test_runs_with_different_test_clips_are_never_in_one_chart(app: AppTest, folder: Path) -> None:  # noqa: ARG001
    opened(app, "compare", run=["one", "apart"])
    assert "were tested on different clips" in texts(app)
    assert len(app.subheader) == 2
    assert [table.value["run"].tolist() for table in app.dataframe] == [["one"], ["apart"]]
    opened(app, "compare", run=["one", "apart"], tab="Export")
    buttons: list[Any] = list(app.get("download_button"))
    assert {button.label for button in buttons} == {"Report", "CSV", "LaTeX"}


def test_a_run_without_results_is_named_with_the_reason_and_the_others_are_shown(app: AppTest, folder: Path) -> None:  # noqa: ARG001
    opened(app, "compare", run=["one", "damaged", "nowhere", "without-tracks"])
    said = texts(app)
    assert "damaged cannot be compared: run damaged: config.json is missing or damaged" in said
    assert "Run 'nowhere' not found" in said
    assert "**unmeasured**: not evaluated yet" in said
    assert "Resume" in [link.proto.label for link in app.get("page_link")]
    assert "Tracks deleted" in said
    assert sorted(scores(app)["run"]) == ["one", "without-tracks"]


def test_filters_are_in_the_url_so_that_a_link_shows_the_same(app: AppTest, folder: Path) -> None:  # noqa: ARG001
    opened(app, "compare", run=["one", "two"])
    app.selectbox(key="compare-evaluator").select("prototype")
    again(app)
    assert linked(app, "evaluator") == ["prototype"]
    app.multiselect(key="compare-run").set_value(["two"])
    again(app)
    assert linked(app, "run") == ["two"]
    shown = scores(app)["accuracy"].tolist()
    app.selectbox(key="compare-ipc").select("2")
    again(app)
    assert linked(app, "ipc") == ["2"]
    assert scores(app)["run"].tolist() == ["two"]
    link = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=60)
    assert scores(opened(link, "compare", run=["two"], evaluator="prototype"))["accuracy"].tolist() == shown


def test_an_unknown_filter_is_shown_as_a_warning_and_forgotten(app: AppTest, folder: Path) -> None:  # noqa: ARG001
    opened(app, "compare", run=["one"], feature="mell")
    assert "No representation 'mell' here: showing All" in texts(app)
    assert "feature" not in app.query_params


def test_published_results_have_a_table_of_their_own(app: AppTest, folder: Path) -> None:
    config = json.loads((folder / "one" / "config.json").read_text())
    (folder / "one" / "config.json").write_text(json.dumps({**config, "dataset": "GTZAN", "data_path": None}))
    report = json.loads((folder / "one" / "report.json").read_text())
    (folder / "one" / "report.json").write_text(json.dumps({**report, "dataset": "GTZAN"}))
    opened(app, "compare", run=["one"], tab="Budget")
    said = texts(app)
    assert "Published results" in said
    assert "GTZAN genre collection is no longer on disk" in said
    reported = app.dataframe[-1].value
    assert reported["accuracy"].tolist() == [0.19, 0.40]
    assert not {0.19, 0.40} & set(scores(app)["accuracy"])
