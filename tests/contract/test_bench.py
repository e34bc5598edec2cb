"""A bench: a protocol becomes runs and one table, which is continued, written to files, and says what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from distrack import jobs
from distrack.errors import ConfigError
from distrack.evaluate import Paired
from distrack.jobs.series import BenchJob, BenchReport
from tests.conftest import TINY

Typed = Callable[..., tuple[int, str, str]]
EVALUATION = {
    "evaluators": ["prototype", "random-cnn"],
    "baselines": ["random-selection", "same-storage", "full"],
    "network": {"width": 2, "depth": 2},
    "steps": 3,
    "epochs": 1,
    "seeds": 2,
}


def protocol_of(sounds: Path, folder: Path, **changes: Any) -> Path:
    """A protocol of the tiny dataset, which it names relative to itself, in a new file."""
    settings = {name: value for name, value in TINY.items() if name not in ("dataset", "ipc", "seed")}
    content = {
        "datasets": {"Tiny sounds": {"dataset": "FOLDER", "data_path": str(sounds)}},
        "budgets": [1, 2],
        "methods": {"means": {**settings, "steps": 3, "snapshots": 2}},
        "seeds": 2,
        "evaluation": EVALUATION,
    }
    path = folder / "protocol.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps({**content, **changes}))))
    return path


@pytest.mark.usefixtures("one_thread")
def test_a_protocol_becomes_one_table_that_is_continued_and_written(sounds: Path, tmp_path: Path, typed: Typed) -> None:
    path, where = protocol_of(sounds, tmp_path), ("--runs-path", str(tmp_path / "runs"))
    code, out, err = typed("bench", str(path), "--name", "table", *where, "--json")
    assert code == 0, err
    report = BenchReport.model_validate_json(out)
    assert (report.cells, report.done, len(report.rows)) == (4, 4, 4)
    for row in report.rows:
        assert (row.dataset, row.method, row.test) == ("Tiny sounds", "means", 24)
        assert row.floats_per_class == row.tracks_per_class * (16 * 32 + 1)
        assert len(row.tracks.runs) <= 4
        assert row.sound is not None
        assert row.control is not None
        assert row.random is not None
        # The prototype evaluator has no full dataset.
        assert (row.full is None) == (row.evaluator == "prototype")
        assert row.added is not None
        assert len(row.added.runs) == 2, "one difference for each seed of the evaluation"
        assert row.added.mean == pytest.approx(row.tracks.mean - row.control.mean, abs=1e-6)
    made = [run.path / "synthetic.safetensors" for run in (jobs.find(tmp_path / "runs", cell) for cell in row.runs)]
    before = [file.stat().st_mtime_ns for file in made]
    code, again, _ = typed("bench", str(path), "--name", "table", *where, "--json")
    assert (code, json.loads(again)) == (0, json.loads(out))
    assert [file.stat().st_mtime_ns for file in made] == before, "nothing is distilled again"

    for ending in (".csv", ".tex", ".md", ".html"):
        assert typed("compare", "table", "--to", str(tmp_path / f"table{ending}"), *where)[0] == 0
        assert "Tiny sounds" in (tmp_path / f"table{ending}").read_text()
    frame = pd.read_csv(tmp_path / "table.csv")
    assert frame["added_mean"].tolist() == pytest.approx([row.added.mean for row in report.rows if row.added])
    code, _, err = typed("compare", "table", "--to", str(tmp_path / "table.doc"), *where)
    assert code == 2
    assert ".csv, .tex, .md, .html" in err
    code, out, _ = typed("compare", "table", *where)
    assert code == 0
    assert "table: 4 of 4 runs" in out


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"datasets": {"none": {"dataset": "FSDDD"}}}, "unknown dataset 'FSDDD'"),
        ({"methods": {"odd": {"ipc": 3}}}, "method odd: ipc does not belong to a method"),
        ({"methods": {"odd": {"objective": "nothing"}}}, "Tiny sounds, odd, 1 per class"),
        ({"budgets": [0]}, "budgets.0"),
        ({"sedes": 3}, "sedes"),
        ({"evaluation": {"seeds": 0}}, "evaluation.seeds"),
    ],
)
def test_a_protocol_that_is_wrong_says_where(sounds: Path, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        BenchJob.from_overrides({"protocol": protocol_of(sounds, tmp_path, **changes)})


@pytest.mark.parametrize("content", ["", "- a\n- b\n", "datasets: [", "\x00", "datasets: {}\nmethods: {}\n"])
def test_a_file_that_is_no_protocol_is_refused_in_one_line(tmp_path: Path, typed: Typed, content: str) -> None:
    path = tmp_path / "protocol.yaml"
    path.write_text(content)
    code, _, err = typed("bench", str(path), "--runs-path", str(tmp_path / "runs"))
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    code, _, err = typed("bench", str(tmp_path / "missing.yaml"), "--runs-path", str(tmp_path / "runs"))
    assert code == 2
    assert "missing.yaml cannot be read" in err
    assert not (tmp_path / "runs").exists()


def test_methods_of_other_names_are_other_runs_even_if_they_are_the_same(sounds: Path, tmp_path: Path) -> None:
    job = BenchJob.from_overrides({"protocol": protocol_of(sounds, tmp_path, methods={"one": {}, "two": {}})})
    assert isinstance(job, BenchJob)
    cells = job.cells("table")
    assert len({cell.run_id for cell in cells}) == len({cell.label for cell in cells}) == len(cells) == 8


def test_differences_are_paired() -> None:
    # Intervals of the two accuracies would overlap; that of their differences is narrow.
    paired = Paired.of([0.5, 0.7, 0.9], [0.4, 0.6, 0.8])
    assert paired.mean == pytest.approx(0.1)
    assert paired.interval == pytest.approx((0.1, 0.1))
    assert Paired.of([0.5], [0.4]).interval is None
