"""Sweeps: which cells they have, what a person types for them, and what is made of their reports."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distrack.errors import ConfigError
from distrack.evaluate import Accuracy, Evaluation, Report, SplitReport
from distrack.jobs.distillation import DistillJob
from distrack.jobs.series import Cell, SweepJob, SweepReport, sweep_of, tabulated
from distrack.validation import from_preset

Distillations = Callable[..., list[DistillJob]]


def distillations(*counts: int, **asked: Any) -> list[DistillJob]:
    """One for each number of tracks per class, as the presets say."""
    return [from_preset(DistillJob, {"ipc": count, **asked}) for count in counts]


def cells(job: SweepJob) -> list[Cell]:
    return job.cells("s")


def test_every_number_of_tracks_and_seed_is_a_run_and_only_what_varies_names_it() -> None:
    job = sweep_of(distillations(10, 1), seeds=2)
    assert [cell.run_id for cell in cells(job)] == ["s-ipc1-seed0", "s-ipc10-seed0", "s-ipc1-seed1", "s-ipc10-seed1"]
    assert [(cell.job.ipc, cell.job.seed) for cell in cells(job)] == [(1, 0), (10, 0), (1, 1), (10, 1)]
    assert [group.title for group in job.groups("s")] == ["Seed 0", "Seed 1"]
    # As the preset says for so many tracks, not for the fewest.
    assert cells(job)[1].job == from_preset(DistillJob, {"ipc": 10})
    assert [cell.run_id for cell in cells(sweep_of(distillations(1), seeds=2))] == ["s-seed0", "s-seed1"]


def test_every_official_fold_is_tested_on_once() -> None:
    job = sweep_of(distillations(1, 10, dataset="ESC10"), cross_validate=True)
    assert [cell.job.test_fold for cell in cells(job)] == [1, 2, 3, 4, 5] * 2
    assert cells(job)[0].run_id == "s-ipc1-fold1"
    assert [group.title for group in job.groups("s")] == ["1 per class", "10 per class"]
    single = sweep_of(distillations(1, dataset="ESC10"), cross_validate=True)
    assert [cell.run_id for cell in cells(single)] == [f"s-fold{fold}" for fold in range(1, 6)]


@pytest.mark.parametrize(
    ("counts", "dataset", "fold", "seeds", "says"),
    [
        ((1, 1), "FSDD", None, None, "ipc 1,1: name each number of tracks once"),
        ((1,), "FSDD", None, 0, "seeds"),
        ((1,), "ESC10", 2, None, "remove --test-fold 2"),
        ((1,), "SPOKEN_DIGITS", None, None, "has no folds"),
    ],
)
def test_what_cannot_be_is_said(counts: Sequence[int], dataset: str, fold: int | None, seeds: int, says: str) -> None:
    asked = distillations(*counts, dataset=dataset, test_fold=fold)
    with pytest.raises(ConfigError, match=says):
        sweep_of(asked, cross_validate=dataset != "FSDD", seeds=seeds)


def test_the_command_names_what_all_have_in_common_and_leaves_the_rest_to_the_preset() -> None:
    quick = sweep_of(distillations(1, 10, 50))
    expected = "distill --dataset SPOKEN_DIGITS --preset quick --ipc 1,10,50"
    assert quick.command() == f"python -m distrack {expected}"
    asked = {"dataset": "ESC10", "steps": 7, "evaluation": {"seeds": 5}}
    words = shlex.split(sweep_of(distillations(1, 10, **asked), cross_validate=True, seeds=2).command())
    for option, value in {"--steps": "7", "--evaluation-seeds": "5", "--ipc": "1,10", "--seeds": "2"}.items():
        assert words[words.index(option) + 1] == value
    assert "--cross-validate" in words
    assert "--test-fold" not in words


def evaluated(trained_on: str, *accuracies: float) -> Evaluation:
    return Evaluation(
        evaluator="random-cnn",
        trained_on=trained_on,
        network="convnet 32 x 3",
        accuracy=Accuracy.of(accuracies),
        macro_f1=accuracies[0],
        confusion=((1, 0), (0, 1)),
    )


def reported(cell: Cell, *evaluations: Evaluation) -> Report:
    return Report(
        dataset=cell.job.dataset,
        split=SplitReport(train=80, test=20, disjoint_by="recording", test_fold=cell.job.test_fold),
        feature="logmelspectrogram",
        domain="spectral",
        tracks_per_class=cell.job.ipc,
        rendered_per_class=cell.job.ipc,
        seconds_per_track=1.0,
        floats_per_class=100 * cell.job.ipc,
        seconds={},
        device="cpu",
        skipped=0,
        evaluations=evaluations,
    )


def test_over_folds_an_accuracy_is_of_each_fold_s_mean(tmp_path: Path) -> None:
    evaluation = {"evaluators": ("random-cnn",), "baselines": ("random-selection",), "forms": ("image",)}
    job = sweep_of(distillations(1, dataset="ESC10", evaluation=evaluation), cross_validate=True)
    run = job.create(tmp_path, "s")
    for cell in cells(job)[:3]:
        fold = cell.job.test_fold or 0
        report = reported(
            cell, evaluated("synthetic", 0.1 * fold, 0.1 * fold + 0.2), evaluated("random-selection", 0.1, 0.1)
        )
        cell.job.create(tmp_path, cell.run_id).write("report.json", report.model_dump_json())
    table = tabulated(run, job)
    assert isinstance(table, SweepReport)
    assert (table.cells, table.done, table.test) == (5, 3, {"1": 20, "2": 20, "3": 20})
    assert "not every fold is done: the means are of those that are" in table.notes
    synthetic, random = table.rows
    assert synthetic.accuracy.runs == pytest.approx((0.2, 0.3, 0.4))
    assert synthetic.accuracy.std == pytest.approx(np.std([0.2, 0.3, 0.4]))
    assert synthetic.runs == ("s-fold1", "s-fold2", "s-fold3")
    assert synthetic.gain == pytest.approx(0.2)
    assert (random.gain, random.floats_per_class) == (None, 100)


def test_over_seeds_all_figures_are_pooled_and_a_baseline_that_is_the_same_counts_once(tmp_path: Path) -> None:
    evaluation = {"evaluators": ("random-cnn",), "baselines": ("random-selection",), "forms": ("image",)}
    job = sweep_of(distillations(1, 10, evaluation=evaluation), seeds=2)
    run = job.create(tmp_path, "s")
    for cell in cells(job):
        base = 0.5 if cell.job.ipc == 1 else 0.8
        report = reported(
            cell, evaluated("synthetic", base, base + 0.1 * cell.job.seed), evaluated("random-selection", 0.1, 0.3)
        )
        cell.job.create(tmp_path, cell.run_id).write("report.json", report.model_dump_json())
    table = tabulated(run, job)
    assert isinstance(table, SweepReport)
    found = {(row.tracks_per_class, row.trained_on): row.accuracy.runs for row in table.rows}
    assert found[1, "synthetic"] == pytest.approx((0.5, 0.5, 0.5, 0.6))
    assert found[10, "synthetic"] == pytest.approx((0.8, 0.8, 0.8, 0.9))
    assert found[1, "random-selection"] == (0.1, 0.3)
