"""Evaluation: what can be learnt from a set is measured, what cannot is not; a report says it in the agreed words."""

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support
from torch import Tensor
from torch.nn.functional import cosine_similarity

from distrack.datasets.clips import Split
from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.errors import ConfigError
from distrack.evaluate import (
    BASELINES,
    EVALUATORS,
    EvaluationConfig,
    Report,
    SplitReport,
    TrainingSet,
    evaluate,
    measurements,
    score,
)
from distrack.images import RealImages
from distrack.networks import NetworkConfig, build_network
from distrack.randomness import derived_seed, generator

Images = Mapping[Split, RealImages]


@pytest.fixture
def recipe() -> EvaluationConfig:
    return EvaluationConfig(network=NetworkConfig(width=4, depth=2), steps=40, epochs=1, seeds=2)


@pytest.fixture
def synthetic(tiny_config: DistillConfig, tiny_images: Images, cpu: torch.device) -> SyntheticSet:
    """Two tracks a class of the tiny dataset: real clips, a few steps on."""
    config = tiny_config.model_copy(update={"ipc": 2})
    distiller = Distiller(config, tiny_images["train"], classes=("chirp", "noise", "tone"), device=cpu)
    list(distiller)
    return distiller.synthetic_set()


def quiet(_done: object, _total: object) -> None:
    """Watches nothing."""


def predicted(evaluator: str, training: TrainingSet, test: RealImages, config: EvaluationConfig, seed: int) -> Tensor:
    return EVALUATORS[evaluator].predict(
        training, test, config, clips=training, seed=seed, device=torch.device("cpu"), progress=quiet
    )


def accuracy(evaluator: str, training: TrainingSet, test: RealImages, config: EvaluationConfig, seed: int) -> float:
    return float((predicted(evaluator, training, test, config, seed).numpy() == test.labels).mean())


# What is learnt


@pytest.mark.parametrize("evaluator", list(EVALUATORS))
def test_three_kinds_of_sound_are_told_apart(tiny_images: Images, recipe: EvaluationConfig, evaluator: str) -> None:
    clips = TrainingSet.of_clips(tiny_images["train"])
    assert accuracy(evaluator, clips, tiny_images["test"], recipe, 0) > 0.9


@pytest.mark.parametrize("evaluator", list(EVALUATORS))
def test_from_labels_that_say_nothing_nothing_is_learnt(
    tiny_images: Images, recipe: EvaluationConfig, evaluator: str
) -> None:
    clips = TrainingSet.of_clips(tiny_images["train"])
    figures = []
    for seed in range(6):
        order = torch.randperm(len(clips), generator=generator(seed, "shuffle"))
        figures.append(
            accuracy(evaluator, replace(clips, labels=clips.labels[order]), tiny_images["test"], recipe, seed)
        )
    # Chance is 1/3; each figure counts 24 clips, of which those of a class are likely to be named alike.
    assert 0.1 < np.mean(figures) < 0.6


@pytest.mark.parametrize("evaluator", list(EVALUATORS))
def test_a_class_that_is_called_by_another_s_name_is_predicted_by_that_name(
    tiny_images: Images, recipe: EvaluationConfig, evaluator: str
) -> None:
    clips = TrainingSet.of_clips(tiny_images["train"])
    renamed = replace(clips, labels=(clips.labels + 1) % 3)
    found = predicted(evaluator, renamed, tiny_images["test"], recipe, 0)
    assert ((found - torch.from_numpy(tiny_images["test"].labels)) % 3 == 1).float().mean() > 0.9


@pytest.mark.parametrize("evaluator", list(EVALUATORS))
def test_a_seed_decides_the_predictions_and_nothing_else_does(
    tiny_images: Images, synthetic: SyntheticSet, evaluator: str
) -> None:
    # So short a training that predictions still hang on the seed.
    short = EvaluationConfig(network=NetworkConfig(width=2, depth=2), steps=2, epochs=1)
    tracks = TrainingSet.of_tracks(synthetic)
    torch.manual_seed(1)
    first = [predicted(evaluator, tracks, tiny_images["test"], short, seed) for seed in range(6)]
    torch.manual_seed(2)
    for seed in range(6):
        assert torch.equal(first[seed], predicted(evaluator, tracks, tiny_images["test"], short, seed))
    # There is no chance in a linear probe.
    assert (len({tuple(found.tolist()) for found in first}) > 1) == (evaluator != "linear-probe")


def test_a_large_set_is_passed_through_as_often_as_asked(tiny_images: Images) -> None:
    told: list[tuple[int, int]] = []
    recipe = EvaluationConfig(network=NetworkConfig(width=1, depth=1), steps=2, epochs=3, batch_size=32)
    clips = TrainingSet.of_clips(tiny_images["train"])
    EVALUATORS["random-cnn"].predict(
        clips,
        tiny_images["test"],
        recipe,
        clips=clips,
        seed=0,
        device=torch.device("cpu"),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(step, 9) for step in range(1, 10)]


# The prototype evaluator


def embedded(tiny_images: Images, recipe: EvaluationConfig, side: Split, seed: int) -> Tensor:
    network = build_network(
        recipe.network, shape=tiny_images[side].shape, classes=3, seed=derived_seed(seed, "evaluation network")
    )
    with torch.no_grad():
        return network.embed(tiny_images[side].batch(np.arange(len(tiny_images[side])), torch.device("cpu")))


def test_every_example_is_its_own_nearest_prototype(tiny_images: Images, recipe: EvaluationConfig) -> None:
    train = tiny_images["train"]
    names = torch.randint(3, (len(train),), generator=generator(0, "names"))
    nameless = replace(TrainingSet.of_clips(train), labels=names)
    assert torch.equal(predicted("prototype", nameless, train, recipe, 0), names)


def test_an_averaged_set_has_one_prototype_a_class_at_the_mean_embedding(
    tiny_images: Images, recipe: EvaluationConfig
) -> None:
    train, test = tiny_images["train"], tiny_images["test"]
    # A network and labels with which prototypes and clips often disagree.
    labels = torch.from_numpy(train.labels).clone()
    labels[::3] = 0
    found = predicted("prototype", replace(TrainingSet.of_clips(train, centres=1), labels=labels), test, recipe, 5)
    embeddings = embedded(tiny_images, recipe, "train", 5)
    prototypes = torch.stack([embeddings[labels == label].mean(0) for label in range(3)])
    queries = embedded(tiny_images, recipe, "test", 5)
    centre = prototypes.mean(0)
    expected = torch.stack([cosine_similarity(queries - centre, p[None] - centre) for p in prototypes]).argmax(0)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("centres", [0, 1])
def test_examples_over_several_batches_count_as_in_one(
    tiny_images: Images, recipe: EvaluationConfig, centres: int
) -> None:
    train = tiny_images["train"]
    once = np.arange(len(train))
    few, many = (TrainingSet.of_clips(train, positions, centres=centres) for positions in (once, np.tile(once, 4)))
    assert len(many) == 384
    assert torch.equal(*(predicted("prototype", some, tiny_images["test"], recipe, 0) for some in (few, many)))


# Baselines


def test_baselines_are_real_training_clips(tiny_images: Images, cpu: torch.device) -> None:
    train = tiny_images["train"]
    random, mean, full = (BASELINES[name].choose(train, 2, 0) for name in ("random-selection", "class-mean", "full"))
    assert random.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert mean.labels.tolist() == full.labels.tolist() == train.labels.tolist()
    assert (random.centres, mean.centres, full.centres) == (0, 1, 0)
    clips = train.batch(np.arange(len(train)), cpu)
    for image, label in zip(random.images(np.arange(6), cpu), random.labels.tolist(), strict=True):
        matches = (clips == image).flatten(1).all(1)
        assert train.labels[matches.numpy()].tolist() == [label]


def test_another_seed_selects_other_clips_than_the_tracks_started_from(
    tiny_images: Images, tiny_config: DistillConfig, cpu: torch.device
) -> None:
    train = tiny_images["train"]
    choose = BASELINES["random-selection"].choose
    selections = [choose(train, 2, seed).images(np.arange(6), cpu) for seed in (0, 0, 1)]
    assert torch.equal(selections[0], selections[1])
    assert not torch.equal(selections[0], selections[2])
    start = Distiller(tiny_config.model_copy(update={"ipc": 2}), train, classes=("a", "b", "c"), device=cpu)
    assert not torch.equal(selections[0], start.synthetic_set().tracks())


# Scores


def test_scores_of_two_runs_by_hand_and_by_sklearn() -> None:
    truth = np.array([0, 0, 1, 1, 2, 2])
    runs = [np.array([0, 1, 1, 1, 2, 0]), np.array([0, 0, 1, 1, 2, 2])]
    scored = score(truth, runs, classes=3, evaluator="prototype", trained_on="full", network="convnet 4 x 2")
    assert scored.accuracy.runs == (4 / 6, 1.0)
    assert scored.accuracy.mean == pytest.approx(5 / 6)
    assert scored.accuracy.std == pytest.approx(1 / 6)
    # F1 of the first run: 1/2, 4/5 and 2/3; of the second: 1.
    assert scored.macro_f1 == pytest.approx(((1 / 2 + 4 / 5 + 2 / 3) / 3 + 1) / 2)
    assert scored.confusion == ((3, 1, 0), (0, 4, 0), (1, 0, 3))
    assert (scored.evaluator, scored.trained_on, scored.network) == ("prototype", "full", "convnet 4 x 2")
    assert scored.accuracy.runs == tuple(accuracy_score(truth, run) for run in runs)
    f1 = [precision_recall_fscore_support(truth, run, average="macro")[2] for run in runs]
    assert scored.macro_f1 == pytest.approx(np.mean(f1))
    assert np.array_equal(scored.confusion, sum(confusion_matrix(truth, run) for run in runs))


def test_a_class_that_is_never_predicted_counts_as_missed() -> None:
    truth = np.array([0, 1, 2, 2])
    scored = score(truth, [np.zeros(4, dtype=np.int64)], classes=4, evaluator="e", trained_on="t", network="n")
    # Class 0: precision 1/4, recall 1; the other three, one of which is not even there, count zero.
    assert scored.macro_f1 == pytest.approx(2 * 0.25 / 1.25 / 4)
    assert scored.confusion == ((1, 0, 0, 0), (1, 0, 0, 0), (2, 0, 0, 0), (0, 0, 0, 0))


# The plan and the report


def test_a_plan_has_each_evaluator_on_the_tracks_and_on_the_baselines_that_suit_it() -> None:
    config = EvaluationConfig(baselines=("random-selection", "class-mean", "full"))
    assert [(asked.evaluator, asked.trained_on) for asked in measurements(config)] == [
        ("random-cnn", "synthetic"),
        ("random-cnn", "random-selection"),
        ("random-cnn", "class-mean"),
        ("random-cnn", "full"),
        ("prototype", "synthetic"),
        ("prototype", "random-selection"),
        ("prototype", "class-mean"),
    ]
    (only,) = measurements(EvaluationConfig(evaluators=("prototype",), baselines=()))
    assert only.key == ("prototype", "synthetic", "convnet 32 x 3")


def test_unknown_names_and_impossible_values_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown evaluator 'random-cn'\. Did you mean random-cnn"):
        EvaluationConfig(evaluators=("random-cn",))
    with pytest.raises(ConfigError, match="unknown baseline"):
        EvaluationConfig(baselines=("everything",))
    with pytest.raises(ValidationError):
        EvaluationConfig(seeds=0)
    assert EvaluationConfig(evaluators=("Random_CNN",)).evaluators == ("random-cnn",)


def test_an_evaluation_follows_its_plan_and_tells_how_far_it_is(
    synthetic: SyntheticSet, tiny_images: Images, recipe: EvaluationConfig, cpu: torch.device
) -> None:
    told: list[tuple[str, float]] = []
    plan = measurements(recipe)
    found = list(
        evaluate(
            synthetic,
            tiny_images["train"],
            tiny_images["test"],
            plan,
            device=cpu,
            progress=lambda what, done: told.append((what, done)),
        )
    )
    assert [scored.key for scored in found] == [asked.key for asked in plan]
    for scored in found:
        assert len(scored.accuracy.runs) == recipe.seeds
        assert np.sum(scored.confusion) == recipe.seeds * 24
        assert np.trace(scored.confusion) == pytest.approx(recipe.seeds * 24 * scored.accuracy.mean)
        assert scored.network.startswith("convnet 4 x 2")
    shares = [done for _, done in told]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert {what for what, _ in told} >= {"random-cnn on synthetic, 1 of 2", "random-cnn on synthetic, 2 of 2"}


def test_what_the_watcher_raises_ends_the_evaluation(
    synthetic: SyntheticSet, tiny_images: Images, recipe: EvaluationConfig, cpu: torch.device
) -> None:
    def stop(_what: str, _done: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(
            evaluate(
                synthetic,
                tiny_images["train"],
                tiny_images["test"],
                measurements(recipe),
                device=cpu,
                progress=stop,
            )
        )


def test_a_report_has_the_agreed_fields_and_survives_its_file() -> None:
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
        "dataset",
        "split",
        "feature",
        "domain",
        "parameterisation",
        "tracks_per_class",
        "rendered_per_class",
        "seconds_per_track",
        "floats_per_class",
        "seconds",
        "device",
        "evaluations",
        "skipped",
    }
    assert set(fields["split"]) == {"train", "test", "disjoint_by", "validation", "test_fold", "notes"}
    (evaluation,) = fields["evaluations"]
    agreed = {"evaluator", "trained_on", "network", "accuracy", "macro_f1", "confusion"}
    assert set(evaluation) == agreed | {"recall", "recipe", "learning_rate"}
    assert evaluation["accuracy"] == {"mean": 0.5, "std": 0.0, "runs": [0.5], "interval": None}
    assert evaluation["recall"] == [1.0, 0.0]
    assert evaluation["confusion"] == [[1, 0], [1, 0]]
    assert report.accuracy("prototype", "synthetic") == 0.5
    assert report.accuracy("prototype", "full") is None
