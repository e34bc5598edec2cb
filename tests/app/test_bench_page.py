"""A bench on the Distill page: its table and its runs, while it works and after."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from distrack import jobs
from distrack.jobs.contract import title_of
from distrack.jobs.series import BenchJob
from distrack.runs import Run
from tests.app.page import links, opened, texts


@pytest.fixture
def bench(tones: Path, own_runs: Path, tmp_path: Path) -> Run:
    """A finished bench of two budgets."""
    path = tmp_path / "two.yaml"
    path.write_text(
        f"datasets: {{Tones: {{dataset: FOLDER, data_path: '{tones}'}}}}\n"
        "budgets: [1, 2]\n"
        "methods: {few steps: {duration: 0.25, steps: 2, snapshots: 2, parameterisation: identity}}\n"
        "evaluation: {evaluators: [prototype], baselines: [same-storage], seeds: 1}\n"
    )
    job = BenchJob.from_overrides({"protocol": path})
    run = job.create(own_runs, "two")
    jobs.work(run)
    return run


def test_a_bench_shows_its_table_and_its_runs_and_is_found_again(app: AppTest, bench: Run) -> None:
    opened(app, "distill", bench=bench.id)
    table = app.dataframe[0].value
    assert table["tracks"].tolist() == ["1", "2"]
    assert set(table["dataset"]) == {"Tones"}
    assert {"same storage", "tracks, image", "tracks, sound", "distillation adds"} <= set(table.columns)
    assert "all clips" not in table.columns, "it was not measured"
    assert texts(app).count("Tones, few steps") == 2
    assert title_of(bench) == "two · 1 dataset · 1 method · 1, 2 per class"
    opened(app, "distill")
    assert title_of(bench) in links(app)
