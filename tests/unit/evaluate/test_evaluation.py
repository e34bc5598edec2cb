"""An evaluation follows its plan; its cache gives predictions back, and only for what they depend on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from distrack.datasets.clips import Split
from distrack.distill import SyntheticSet
from distrack.evaluate import (
    Bench,
    Evaluation,
    EvaluationConfig,
    Measurement,
    PredictionCache,
    measurements,
)
from distrack.images import RealImages
from distrack.networks import NetworkConfig

Images = Mapping[Split, RealImages]
CONFIG = EvaluationConfig(
    network=NetworkConfig(width=2, depth=2),
    steps=4,
    epochs=1,
    seeds=2,
    baselines=("random-selection",),
    forms=("image",),
)
KEY = {"seed": 1}


def evaluated(
    synthetic: SyntheticSet, images: Images, plan: Sequence[Measurement], cache: PredictionCache | None = None
) -> list[Evaluation]:
    """The evaluations of a plan."""
    bench = Bench(synthetic, images["train"], images["test"], torch.device("cpu"), cache)
    return [line for line in bench.evaluate(plan) if line.finished]


def files(cache: PredictionCache) -> set[str]:
    """The names of the files in a cache."""
    return {path.name for path in cache.folder.glob("*")}


# The plan and the progress


def test_an_evaluation_follows_its_plan_and_reports_its_progress(
    synthetic: SyntheticSet, tiny_images: Images, cpu: torch.device
) -> None:
    calls: list[tuple[str, float]] = []
    plan = measurements(
        CONFIG.model_copy(update={"architectures": ("mlp",), "evaluators": ("random-cnn", "recognition")})
    )
    bench = Bench(synthetic, tiny_images["train"], tiny_images["test"], cpu)
    lines = bench.evaluate(plan, lambda part, share: calls.append((part, share)))
    evaluations = [line for line in lines if line.finished]
    assert [evaluation.key for evaluation in evaluations] == [measurement.key for measurement in plan]
    for evaluation in evaluations:
        images = 6 if evaluation.evaluator == "recognition" else 24
        assert len(evaluation.accuracy.runs) == CONFIG.seeds
        assert np.sum(evaluation.confusion) == CONFIG.seeds * images
        assert np.trace(evaluation.confusion) == pytest.approx(CONFIG.seeds * images * evaluation.accuracy.mean)
        assert evaluation.network in ("convnet 2 x 2", "mlp 2 x 2")
    shares = [share for _, share in calls]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    counts = [int(part.removesuffix(" of 10 networks")) for part, _ in calls]
    assert counts == sorted(counts), "the number that is done, whichever thread reports"
    assert counts[-1] == 10


def test_a_measurement_is_known_after_its_first_network_and_is_unfinished_until_its_last(
    synthetic: SyntheticSet, tiny_images: Images, cpu: torch.device
) -> None:
    plan = measurements(CONFIG)
    bench = Bench(synthetic, tiny_images["train"], tiny_images["test"], cpu)
    lines = list(bench.evaluate(plan))
    assert [(len(line.accuracy.runs), line.finished) for line in lines] == [(1, False), (2, True)] * len(plan)
    assert [line for line in lines if line.finished] == evaluated(synthetic, tiny_images, plan)


def test_the_share_that_is_done_goes_by_what_is_still_to_train(
    synthetic: SyntheticSet, tiny_images: Images, cpu: torch.device, tmp_path: Path
) -> None:
    cache, plan = PredictionCache(tmp_path), measurements(CONFIG)
    bench = Bench(synthetic, tiny_images["train"], tiny_images["test"], cpu, cache)
    costs = bench.costs(plan)
    assert costs[plan[0].key, 0] == 4 * 10, "four steps, each on ten of the tracks, some twice"
    assert costs[("prototype", "synthetic", "convnet 2 x 2", "image"), 0] == 0
    bench.predict(plan[0], 0)
    assert bench.costs(plan) == {**costs, (plan[0].key, 0): 0}, "what is in the cache takes no time"
    shares: list[float] = []
    list(bench.evaluate(plan, lambda _, share: shares.append(share)))
    assert shares[-1] == pytest.approx(1)


def test_an_exception_of_the_progress_callback_ends_the_evaluation(
    synthetic: SyntheticSet, tiny_images: Images, cpu: torch.device
) -> None:
    def stop(_part: str, _share: float) -> None:
        raise KeyboardInterrupt

    train, test = tiny_images["train"], tiny_images["test"]
    with pytest.raises(KeyboardInterrupt):
        next(Bench(synthetic, train, test, cpu).evaluate(measurements(CONFIG), stop))


# The cache


def test_cached_predictions_are_those_that_would_be_made(
    synthetic: SyntheticSet, tiny_images: Images, tmp_path: Path
) -> None:
    cache, plan = PredictionCache(tmp_path / "cache"), measurements(CONFIG)
    without = evaluated(synthetic, tiny_images, plan)
    first = evaluated(synthetic, tiny_images, plan, cache)
    before = files(cache)
    assert len(before) == CONFIG.seeds * len(plan)
    assert evaluated(synthetic, tiny_images, plan, cache) == first == without
    assert files(cache) == before
    three = evaluated(synthetic, tiny_images, measurements(CONFIG.model_copy(update={"seeds": 3})), cache)
    assert len(files(cache) - before) == len(plan), "a further seed is one more run of every measurement"
    assert [evaluation.accuracy.runs[:2] for evaluation in three] == [each.accuracy.runs for each in first]


def test_everything_that_a_measurement_depends_on_is_in_its_key(
    synthetic: SyntheticSet, tiny_images: Images, tmp_path: Path
) -> None:
    cache = PredictionCache(tmp_path)
    sets = ("synthetic", "random-selection", "class-mean")
    plan = [Measurement("prototype", trained_on, CONFIG.recipe, 1) for trained_on in sets]
    train, test = tiny_images["train"], tiny_images["test"]
    evaluated(synthetic, tiny_images, plan, cache)
    assert len(files(cache)) == 3

    def with_recipe(**changes: object) -> list[Measurement]:
        recipe = CONFIG.recipe.model_copy(update=changes)
        return [measurement._replace(recipe=recipe) for measurement in plan]

    moved = replace(synthetic, parameters=synthetic.parameters + 1e-6)
    smaller = replace(synthetic, config=synthetic.config.model_copy(update={"ipc": 1}))
    fewer = {"train": replace(train, rows=train.rows[1:], labels=train.labels[1:]), "test": test}
    renamed = {"train": train, "test": replace(test, labels=(test.labels + 1) % 3)}
    changed: list[tuple[SyntheticSet, Images, list[Measurement], int]] = [
        (moved, tiny_images, plan, 1),  # the baselines are the same
        (smaller, tiny_images, plan, 2),  # class means are the same whatever the number of tracks
        (synthetic, fewer, plan, 3),  # type: ignore[list-item]
        (synthetic, renamed, plan, 3),  # type: ignore[list-item]
        (synthetic, tiny_images, with_recipe(learning_rate=0.01), 3),
        (synthetic, tiny_images, with_recipe(mixup=0.0), 3),
        (synthetic, tiny_images, with_recipe(network=NetworkConfig(width=3, depth=2)), 3),
    ]
    for tracks, images, measured, new in changed:
        before = files(cache)
        evaluated(tracks, images, measured, cache)
        assert len(files(cache) - before) == new


@pytest.mark.parametrize("damage", [b"", b"{", b'{"predictions": "x"}', b"[]", b"\xff"])
def test_a_damaged_file_counts_as_none(damage: bytes, tmp_path: Path) -> None:
    cache = PredictionCache(tmp_path)
    cache.put(KEY, torch.tensor([0, 2, 1]))
    (file,) = tmp_path.iterdir()
    predictions = cache.get(KEY)
    assert predictions is not None
    assert predictions.tolist() == [0, 2, 1]
    file.write_bytes(damage)
    assert cache.get(KEY) is None


def test_a_cache_that_cannot_be_written_does_not_end_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = PredictionCache(tmp_path / "file" / "cache")
    cache.put(KEY, torch.tensor([0]))
    assert cache.get(KEY) is None


def test_the_evaluation_finds_what_single_runs_have_cached(
    synthetic: SyntheticSet, tiny_images: Images, tmp_path: Path, cpu: torch.device
) -> None:
    cache = PredictionCache(tmp_path)
    plan = measurements(CONFIG.model_copy(update={"learning_rates": (0.0001, 0.01)}))
    for measurement in plan:
        for seed in range(measurement.seeds):
            Bench(synthetic, tiny_images["train"], tiny_images["test"], cpu, cache).predict(measurement, seed)
    before = files(cache)
    evaluations = evaluated(synthetic, tiny_images, plan, cache)
    assert files(cache) == before
    for evaluation in evaluations:
        assert (evaluation.learning_rate in (0.0001, 0.01)) == evaluation.evaluator.startswith("random-cnn")


# Learning rates


def test_the_rate_that_learns_is_selected_without_a_look_at_test_clips(
    synthetic: SyntheticSet, tiny_images: Images
) -> None:
    recipe = CONFIG.recipe.model_copy(update={"learning_rates": (1e-9, 0.02), "steps": 25})
    spoilt = np.array(tiny_images["test"].images)
    spoilt[tiny_images["test"].rows] = np.nan
    images: Images = {"train": tiny_images["train"], "test": replace(tiny_images["test"], images=spoilt)}
    (evaluation,) = evaluated(synthetic, images, [Measurement("random-cnn", "full", recipe, 1)])
    assert evaluation.learning_rate == 0.02
