"""The configuration of an evaluation, the measurements that it asks for, scores, and the report."""

import json
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from distrack.errors import ConfigError
from distrack.evaluate import Accuracy, EvaluationConfig, Report, SplitReport, measurements, score
from distrack.learning import Recipe

# The evaluation in a `config.json` of the first version.
EARLIER: dict[str, Any] = {
    "evaluators": ["random-cnn", "prototype"],
    "baselines": ["random-selection", "class-mean"],
    "seeds": 3,
    "network": {"name": "convnet", "width": 32, "depth": 3},
    "architectures": ["mlp"],
    "metric": "euclidean",
    "steps": 40,
    "epochs": 12,
    "batch_size": 32,
    "smallest_batch": 10,
    "learning_rate": 0.006,
    "learning_rates": [0.001, 0.01],
    "weight_decay": 0.01,
    "augmentation": {
        **{"time_shift": 0.125, "band_shift": 0.05, "time_mask": 0.0, "band_mask": 0.0, "gain": 0.3, "noise": 0.1}
    },
    "mixup": 0.3,
}


# The config


def test_a_config_is_flat_json_as_in_earlier_versions() -> None:
    config = EvaluationConfig.model_validate(EARLIER)
    assert config.model_dump(mode="json") == EARLIER | {"forms": ["image", "sound"], "optimiser": "muon"}
    assert EvaluationConfig.model_validate_json(config.model_dump_json()) == config


def test_the_recipe_is_all_but_what_is_measured() -> None:
    config = EvaluationConfig.model_validate(EARLIER)
    recipe = config.recipe
    assert type(recipe) is Recipe
    measured = {"evaluators", "baselines", "seeds", "architectures"}
    kept = {name: EARLIER[name] for name in EARLIER if name not in measured}
    assert recipe.model_dump(mode="json") == kept | {"optimiser": "muon"}
    assert recipe.network_name == "convnet 32 x 3"


def test_adamw_brings_the_steps_and_the_rate_that_it_needs() -> None:
    recipe = EvaluationConfig.model_validate({"optimiser": "adamw", "steps": 7}).recipe
    assert (recipe.learning_rate, recipe.batch_size, recipe.epochs, recipe.steps) == (0.006, 32, 12, 7)
    assert EvaluationConfig.model_validate_json(recipe.model_dump_json()).recipe == recipe
    assert Recipe() == Recipe(optimiser="muon", learning_rate=0.05, batch_size=16, steps=200, epochs=12)


def test_unknown_names_and_impossible_values_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown evaluator 'random-cn'\. Did you mean random-cnn"):
        EvaluationConfig(evaluators=("random-cn",))
    with pytest.raises(ConfigError, match="unknown baseline"):
        EvaluationConfig(baselines=("everything",))
    with pytest.raises(ConfigError, match="unknown network"):
        EvaluationConfig(architectures=("transformer",))
    for impossible in ({"seeds": 0}, {"learning_rates": (0.0,)}, {"steps": 0}, {"optimiser": "sgd"}):
        with pytest.raises(ValidationError):
            EvaluationConfig.model_validate(impossible)
    assert EvaluationConfig(evaluators=("Random_CNN",)).evaluators == ("random-cnn",)


# The plan


def test_each_evaluator_measures_the_tracks_and_the_baselines_that_suit_it() -> None:
    config = EvaluationConfig(
        evaluators=("random-cnn", "prototype", "recognition"),
        baselines=("random-selection", "same-storage", "class-mean", "k-means-centres", "full"),
    )
    assert [(each.evaluator, each.trained_on, each.form) for each in measurements(config)] == [
        ("random-cnn", "synthetic", "image"),
        ("random-cnn", "synthetic", "sound"),
        ("random-cnn", "random-selection", "image"),
        ("random-cnn", "same-storage", "image"),
        ("random-cnn", "class-mean", "image"),
        ("random-cnn", "full", "image"),
        ("prototype", "synthetic", "image"),
        ("prototype", "synthetic", "sound"),
        ("prototype", "random-selection", "image"),
        ("prototype", "same-storage", "image"),
        ("prototype", "class-mean", "image"),
        ("prototype", "k-means-centres", "image"),
        ("recognition", "full", "image"),
        ("recognition", "full", "sound"),
    ]
    (only,) = measurements(EvaluationConfig(evaluators=("prototype",), baselines=(), forms=("image",)))
    assert only.key == ("prototype", "synthetic", "convnet 32 x 3", "image")


def test_only_the_random_cnn_is_repeated_with_other_networks() -> None:
    config = EvaluationConfig(
        evaluators=("random-cnn", "prototype"),
        baselines=("full",),
        architectures=("LeNet", "convnet", "mlp"),
        forms=("image",),
    )
    plan = measurements(config)
    assert [measurement.key for measurement in plan] == [
        ("random-cnn", "synthetic", "convnet 32 x 3", "image"),
        ("random-cnn", "full", "convnet 32 x 3", "image"),
        ("random-cnn", "synthetic", "lenet 32 x 3", "image"),
        ("random-cnn", "full", "lenet 32 x 3", "image"),
        ("random-cnn", "synthetic", "mlp 32 x 3", "image"),
        ("random-cnn", "full", "mlp 32 x 3", "image"),
        ("prototype", "synthetic", "convnet 32 x 3", "image"),
    ]
    assert {measurement.recipe.network.name for measurement in plan} == {"convnet", "lenet", "mlp"}


# Scores


def test_scores_of_two_runs_are_those_of_hand_and_of_sklearn() -> None:
    truth = np.array([0, 0, 1, 1, 2, 2])
    runs = [np.array([0, 1, 1, 1, 2, 0]), np.array([0, 0, 1, 1, 2, 2])]
    scored = score(truth, runs, classes=3, evaluator="prototype", trained_on="full", network="convnet 4 x 2")
    assert scored.accuracy.runs == (4 / 6, 1.0)
    assert scored.accuracy.mean == pytest.approx(5 / 6)
    assert scored.accuracy.std == pytest.approx(1 / 6)
    # F1 of the first run: 1/2, 4/5 and 2/3; of the second: 1.
    assert scored.macro_f1 == pytest.approx(((1 / 2 + 4 / 5 + 2 / 3) / 3 + 1) / 2)
    assert scored.confusion == ((3, 1, 0), (0, 4, 0), (1, 0, 3))
    assert scored.key == ("prototype", "full", "convnet 4 x 2", "image")
    assert scored.accuracy.runs == tuple(accuracy_score(truth, run) for run in runs)
    f1 = [precision_recall_fscore_support(truth, run, average="macro")[2] for run in runs]
    assert scored.macro_f1 == pytest.approx(np.mean(f1))
    assert np.array_equal(scored.confusion, sum(confusion_matrix(truth, run) for run in runs))


def test_a_class_that_is_never_predicted_has_no_recall_and_one_without_clips_is_not_the_worst() -> None:
    truth = np.array([1, 2, 3, 3])
    scored = score(truth, [np.ones(4, dtype=np.int64)], classes=4, evaluator="e", trained_on="t", network="n")
    # Class 1: precision 1/4, recall 1. The other three, one of which has no clips, count zero.
    assert scored.macro_f1 == pytest.approx(2 * 0.25 / 1.25 / 4)
    assert scored.confusion == ((0, 0, 0, 0), (0, 1, 0, 0), (0, 1, 0, 0), (0, 2, 0, 0))
    assert scored.recall == (0.0, 1.0, 0.0, 0.0)
    assert (scored.worst_class, scored.lowest_recall) == (2, 0.0)


def test_an_interval_narrows_with_the_seeds_and_stays_between_0_and_1() -> None:
    # Student's t for 2 degrees of freedom at 97.5 %: 4.3027.
    three = Accuracy.of([0.90, 0.91, 0.92])
    assert three.interval == pytest.approx((0.91 - 4.3027 * 0.01 / 3**0.5, 0.91 + 4.3027 * 0.01 / 3**0.5), abs=1e-5)
    many = Accuracy.of([0.90, 0.91, 0.92] * 4)
    assert many.interval is not None
    assert three.interval is not None
    assert three.interval[0] < many.interval[0] < many.interval[1] < three.interval[1]
    assert Accuracy.of([0.0, 1.0]).interval == (0.0, 1.0)
    assert Accuracy.of([0.5]).interval is None
    assert (Accuracy.of([0.5]).text, Accuracy.of([0.5]).interval_text) == ("0.500 ± 0.000 (1)", "")


# The report


def test_a_report_has_the_agreed_fields_and_is_read_back_as_it_was_written() -> None:
    scored = score(
        np.array([0, 1]), [np.array([0, 0])], classes=2, evaluator="prototype", trained_on="synthetic", network="c"
    )
    report = Report(
        dataset="FSDD",
        split=SplitReport(train=2_700, test=300, disjoint_by="recording"),
        feature="logmelspectrogram",
        domain="spectral",
        parameterisation="multiformation",
        tracks_per_class=1,
        rendered_per_class=4,
        seconds_per_track=1.0,
        floats_per_class=2_049,
        seconds={"prepare": 1.0, "distill": 2.0, "evaluate": 3.0},
        device="cpu",
        skipped=0,
        evaluations=(scored,),
    )
    text = report.model_dump_json()
    assert Report.model_validate_json(text) == report
    fields = json.loads(text)
    assert set(fields) == {
        *("dataset", "split", "feature", "domain", "parameterisation", "tracks_per_class", "rendered_per_class"),
        *("seconds_per_track", "floats_per_class", "seconds", "device", "evaluations", "skipped", "pace"),
    }
    assert set(fields["split"]) == {"train", "test", "disjoint_by", "validation", "test_fold", "notes", "copies"}
    (evaluation,) = fields["evaluations"]
    agreed = {"evaluator", "trained_on", "network", "form", "accuracy", "macro_f1", "confusion"}
    assert set(evaluation) == agreed | {"recall", "recipe", "learning_rate", "seeds"}
    assert evaluation["accuracy"] == {"mean": 0.5, "std": 0.0, "runs": [0.5], "interval": None}
    assert evaluation["recall"] == [1.0, 0.0]
    assert evaluation["confusion"] == [[1, 0], [1, 0]]
    assert report.accuracy("prototype", "synthetic") == 0.5
    assert report.accuracy("prototype", "full") is None
