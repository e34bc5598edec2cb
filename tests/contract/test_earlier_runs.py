"""Runs that an earlier version made open, resume and compare as before."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from distrack import jobs
from distrack.decompose import render, snr_db
from distrack.decompose.storage import load
from distrack.distill import SyntheticSet
from distrack.export.comparison import read
from distrack.export.formats import content
from distrack.jobs.decomposition import DecomposeJob, decomposition_report, events_file, original
from distrack.jobs.distillation import DistillJob, distillation_job
from distrack.jobs.evaluation import EvaluationJob
from distrack.jobs.inspection import inspection_of
from distrack.jobs.listening import listening_of
from distrack.jobs.results import evaluation_report, synthetic_file
from distrack.jobs.series import SweepJob, SweepReport
from distrack.runs import Run

MATERIAL = Path(__file__).parent.parent / "material" / "earlier_runs"


@pytest.fixture
def earlier(tmp_path: Path, sounds: Path) -> Path:
    """A runs path with the folders of the earlier version, whose dataset is the tiny one of the tests."""
    place = tmp_path / "runs"
    shutil.copytree(MATERIAL, place)
    for config in place.rglob("config.json"):
        text = config.read_text().replace("@SOUNDS@", str(sounds)).replace("@RECORDING@", str(tmp_path / "two.wav"))
        config.write_text(text)
    return place


def test_every_run_is_listed_with_its_kind_and_state(earlier: Path) -> None:
    found = {run.id: (jobs.kind_of(run), run.status().state) for run in jobs.all_runs(earlier)}
    assert found == {
        "distilled": ("distillation", "done"),
        "stopped": ("distillation", "stopped"),
        "swept-ipc1": ("distillation", "stopped"),
        "decomposed": ("decomposition", "done"),
    }
    (sweep,) = jobs.all_runs(earlier, "sweep")
    assert (sweep.id, sweep.status().state) == ("swept", "stopped")


def test_a_finished_distillation_keeps_its_config_report_tracks_and_sounds(earlier: Path) -> None:
    run = jobs.find(earlier, "distilled")
    job, report = distillation_job(run), evaluation_report(run)
    stored = json.loads((MATERIAL / "distilled" / "config.json").read_text())
    assert (job.steps, job.seed, job.learning_rate) == (stored["steps"], stored["seed"], stored["learning_rate"])
    assert (job.optimiser.name, job.domain.name, job.objective.name) == ("adam", "spectral", "mean")
    assert job.evaluation is not None
    recipe = job.evaluation.recipe
    assert (recipe.optimiser, recipe.learning_rate, job.evaluation.forms) == ("adamw", 0.006, ("image",))
    assert report is not None
    assert {evaluation.evaluator for evaluation in report.evaluations} == {"prototype", "random-cnn"}
    tracks = SyntheticSet.load(synthetic_file(run)).tracks()
    assert tracks.shape == (3, 1, 16, 32)
    assert tracks.isfinite().all()
    assert inspection_of(run) is not None
    assert listening_of(run) is not None


def test_settings_that_an_entry_now_owns_are_taken_over(earlier: Path) -> None:
    job = distillation_job(jobs.find(earlier, "stopped"))
    assert job.optimiser.name == "sgd"
    assert (job.regression, job.students.count) == (0, 0)
    assert job.optimiser.model_dump()["momentum"] == 0.7
    assert job.feature.model_dump()["n_mfcc"] == 8


def test_an_earlier_evaluation_s_config_keeps_its_optimiser() -> None:
    stored = json.loads((MATERIAL / "distilled" / "config.json").read_text())["evaluation"]
    job = jobs.from_json({**stored, "kind": "evaluation", "run": "any"})
    assert isinstance(job, EvaluationJob)
    assert (job.optimiser, job.learning_rate, job.batch_size) == ("adamw", 0.006, 32)


def test_another_optimiser_than_the_run_s_brings_its_own_rate(earlier: Path) -> None:
    job = EvaluationJob.from_overrides({"run": "distilled", "optimiser": "muon", "epochs": 3}, earlier)
    assert isinstance(job, EvaluationJob)
    assert (job.learning_rate, job.steps, job.batch_size, job.epochs) == (0.05, 200, 16, 3)
    same = EvaluationJob.from_overrides({"run": "distilled", "seeds": 2}, earlier)
    assert isinstance(same, EvaluationJob)
    assert (same.optimiser, same.learning_rate) == ("adamw", 0.006)


def test_a_stopped_distillation_is_resumed_to_where_an_uninterrupted_one_ends(earlier: Path, tmp_path: Path) -> None:
    run = jobs.find(earlier, "stopped")
    job = jobs.job_of(run)
    jobs.work(run)
    whole = job.create(tmp_path / "whole", "whole")
    jobs.work(whole)
    resumed, uninterrupted = (SyntheticSet.load(synthetic_file(each)).parameters for each in (run, whole))
    # The first steps were taken on another machine, whose rounding differs.
    torch.testing.assert_close(resumed, uninterrupted, rtol=1e-3, atol=1e-3)
    assert run.status().state == "done"


def test_a_stopped_sweep_does_the_cell_that_is_left(earlier: Path) -> None:
    sweep = jobs.find(earlier, "swept")
    assert isinstance(jobs.job_of(sweep), SweepJob)
    before = synthetic_file(jobs.find(earlier, "swept-ipc1")).read_bytes()
    report = jobs.work(sweep)
    assert isinstance(report, SweepReport)
    assert (report.cells, report.done) == (2, 2)
    assert {row.tracks_per_class for row in report.rows} == {1, 2}
    assert synthetic_file(jobs.find(earlier, "swept-ipc1")).read_bytes() == before


def test_a_decomposition_opens_and_renders(earlier: Path) -> None:
    run = jobs.find(earlier, "decomposed")
    job, report = jobs.job_of(run), decomposition_report(run)
    assert isinstance(job, DecomposeJob)
    assert job.method.name == "matching-pursuit"
    assert job.method.model_dump()["orthogonal"] is True
    assert report is not None
    assert report.events == 4
    rendered = render(load(events_file(run)))
    before, rate = soundfile.read(run.path / "reconstruction.flac", dtype="float32")
    assert rate == 8000
    assert np.abs(rendered[0] - before).max() < 1e-3


def test_a_decomposition_whose_events_are_gone_is_done_again(earlier: Path) -> None:
    run = jobs.find(earlier, "decomposed")
    before, wave = load(events_file(run)), original(run)[0][:, :]
    events_file(run).unlink()
    jobs.work(run)
    again = load(events_file(run))
    assert len(again) == len(before)
    assert snr_db(wave, render(again)) > snr_db(wave, render(before)) - 0.1


def test_runs_of_both_versions_are_compared_and_exported(earlier: Path, tiny_job: Callable[..., DistillJob]) -> None:
    new = tiny_job().create(earlier, "new")
    jobs.work(new)
    entries, unusable = read([jobs.find(earlier, name) for name in ("distilled", "new", "swept-ipc1")])
    assert [entry.run.id for entry in entries] == ["distilled", "new"]
    assert [left_out.run.id for left_out in unusable] == ["swept-ipc1"]  # it was stopped before its evaluation
    assert b"distilled" in content(entries, ".csv", evaluator=None, network=None)


def test_todays_form_is_not_changed_by_the_migration(tiny_job: Callable[..., DistillJob], tmp_path: Path) -> None:
    run: Run = tiny_job(optimiser={"name": "sgd", "momentum": 0.25}).create(tmp_path, "today")
    assert jobs.job_of(run) == tiny_job(optimiser={"name": "sgd", "momentum": 0.25})
