"""The score of a snapshot is the accuracy of the evaluator "prototype"."""

import pytest
import torch

from distrack.datasets.clips import Split
from distrack.distill import SyntheticSet
from distrack.evaluate import Trial, snapshot_score
from distrack.evaluate.evaluators.prototype import prototype
from distrack.images import RealImages
from distrack.jobs.results import SCORES, synthetic_file
from distrack.learning import Recipe, TrainingSet
from distrack.runs import Run


def test_a_set_scores_what_the_evaluator_measures(
    tiny_run: Run, tiny_images: dict[Split, RealImages], cpu: torch.device
) -> None:
    synthetic, test, recipe = SyntheticSet.load(synthetic_file(tiny_run)), tiny_images["test"], Recipe()
    tracks = TrainingSet.of_images(synthetic.tracks(), synthetic.labels, classes=test.classes, shift_bands=True)
    clips = TrainingSet.of_clips(tiny_images["train"])
    trial = Trial(tracks, test, recipe, clips, seed=0, device=cpu, progress=lambda *_: None)
    measured = (prototype(trial).numpy() == test.labels).mean()
    assert snapshot_score(test, recipe, cpu)(synthetic) == pytest.approx(measured)


def test_a_run_has_a_score_for_each_snapshot_after_the_first(tiny_run: Run) -> None:
    scores = tiny_run.metrics(SCORES)
    assert [record["step"] for record in scores] == list(tiny_run.snapshots())[1:]
    assert all(0 <= record["prototype"] <= 1 for record in scores)
    assert all("phase" in record or "loss" in record for record in tiny_run.metrics())
