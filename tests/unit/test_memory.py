"""What was measured before is found again, and only that; a damaged file counts as none."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from distrack.datasets.clips import Split
from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.evaluate import (
    Evaluation,
    EvaluationConfig,
    Measurement,
    PredictionCache,
    cache_predictions,
    evaluate,
    measurements,
)
from distrack.images import RealImages
from distrack.networks import NetworkConfig

Images = Mapping[Split, RealImages]
RECIPE = EvaluationConfig(
    network=NetworkConfig(width=2, depth=2), steps=6, epochs=1, seeds=2, baselines=("random-selection",)
)


@pytest.fixture
def synthetic(tiny_config: DistillConfig, tiny_images: Images, cpu: torch.device) -> SyntheticSet:
    """One track a class of the tiny dataset."""
    distiller = Distiller(tiny_config, tiny_images["train"], classes=("chirp", "noise", "tone"), device=cpu)
    list(distiller)
    return distiller.synthetic_set()


def measured(
    synthetic: SyntheticSet, images: Images, config: EvaluationConfig, memory: PredictionCache | None
) -> list[Evaluation]:
    return list(
        evaluate(
            synthetic,
            images["train"],
            images["test"],
            measurements(config),
            device=torch.device("cpu"),
            progress=lambda _what, _share: None,
            cache=memory,
        )
    )


def kept(memory: PredictionCache) -> set[str]:
    return {path.name for path in memory.folder.glob("*")}


def test_what_is_found_again_is_what_would_be_measured(
    synthetic: SyntheticSet, tiny_images: Images, tmp_path: Path
) -> None:
    memory = PredictionCache(tmp_path / "memory")
    afresh = measured(synthetic, tiny_images, RECIPE, None)
    first = measured(synthetic, tiny_images, RECIPE, memory)
    before = kept(memory)
    assert len(before) == 2 * len(measurements(RECIPE))
    assert measured(synthetic, tiny_images, RECIPE, memory) == first == afresh
    assert kept(memory) == before


def test_a_further_seed_is_one_more_network(synthetic: SyntheticSet, tiny_images: Images, tmp_path: Path) -> None:
    memory = PredictionCache(tmp_path)
    first = measured(synthetic, tiny_images, RECIPE, memory)
    before = kept(memory)
    second = measured(synthetic, tiny_images, RECIPE.model_copy(update={"seeds": 3}), memory)
    assert len(kept(memory) - before) == len(measurements(RECIPE))
    for two, three in zip(first, second, strict=True):
        assert three.accuracy.runs[:2] == two.accuracy.runs


def test_what_a_measurement_depends_on_is_measured_anew(
    synthetic: SyntheticSet, tiny_images: Images, tmp_path: Path
) -> None:
    memory = PredictionCache(tmp_path)
    one = RECIPE.model_copy(update={"seeds": 1, "evaluators": ("random-cnn",)})
    train, test = tiny_images["train"], tiny_images["test"]
    measured(synthetic, tiny_images, one, memory)
    assert len(kept(memory)) == 2
    other = replace(synthetic, parameters=synthetic.parameters + 1e-6)
    fewer = {"train": replace(train, rows=train.rows[1:], labels=train.labels[1:]), "test": test}
    renamed = {"train": train, "test": replace(test, labels=(test.labels + 1) % 3)}
    anew = [
        (other, tiny_images, one, 1),  # the baseline is the same
        (synthetic, fewer, one, 2),
        (synthetic, renamed, one, 2),
        (synthetic, tiny_images, one.model_copy(update={"learning_rate": 0.01}), 2),
        (synthetic, tiny_images, one.model_copy(update={"mixup": 0.0}), 2),
        (synthetic, tiny_images, one.model_copy(update={"network": NetworkConfig(width=3, depth=2)}), 2),
    ]
    for tracks, images, config, new in anew:
        before = kept(memory)
        measured(tracks, images, config, memory)  # type: ignore[arg-type]
        assert len(kept(memory) - before) == new


@pytest.mark.parametrize("damage", [b"", b"{", b'{"predictions": "x"}', b"[]", b"\xff"])
def test_a_damaged_file_is_measured_again(damage: bytes, tmp_path: Path) -> None:
    memory, what = PredictionCache(tmp_path), {"seed": 1}
    memory.put(what, torch.tensor([0, 2, 1]))
    (file,) = tmp_path.iterdir()
    found = memory.get(what)
    assert found is not None
    assert found.tolist() == [0, 2, 1]
    file.write_bytes(damage)
    assert memory.get(what) is None


def test_where_nothing_can_be_kept_the_work_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    memory = PredictionCache(tmp_path / "file" / "memory")
    memory.put({"seed": 1}, torch.tensor([0]))
    assert memory.get({"seed": 1}) is None


def test_what_one_measurement_remembers_the_evaluation_finds(
    synthetic: SyntheticSet, tiny_images: Images, tmp_path: Path, cpu: torch.device
) -> None:
    memory = PredictionCache(tmp_path)
    config = RECIPE.model_copy(update={"learning_rates": (0.0001, 0.01)})
    for asked in measurements(config):
        for seed in range(config.seeds):
            cache_predictions(
                synthetic, tiny_images["train"], tiny_images["test"], asked, seed, device=cpu, cache=memory
            )
    before = kept(memory)
    found = measured(synthetic, tiny_images, config, memory)
    assert kept(memory) == before
    assert [each.learning_rate for each in found if each.evaluator == "random-cnn"] != [None, None]
    assert all(each.learning_rate is None for each in found if each.evaluator == "prototype")


# Learning rates


def test_the_rate_that_learns_is_chosen_and_no_test_clip_takes_part(
    synthetic: SyntheticSet, tiny_images: Images, cpu: torch.device
) -> None:
    def chosen(images: Images) -> float | None:
        config = RECIPE.model_copy(update={"learning_rates": (1e-9, 0.02), "steps": 40, "seeds": 1})
        (found,) = evaluate(
            synthetic,
            images["train"],
            images["test"],
            [Measurement("random-cnn", "full", config.recipe, config.seeds)],
            device=cpu,
            progress=lambda _what, _share: None,
        )
        return found.learning_rate

    assert chosen(tiny_images) == 0.02
    test = tiny_images["test"]
    shuffled = replace(test, labels=np.roll(test.labels, 5))
    assert chosen({"train": tiny_images["train"], "test": shuffled}) == 0.02


# Other networks


def test_the_random_cnn_is_repeated_with_other_networks_and_nothing_else_is() -> None:
    config = EvaluationConfig(
        evaluators=("random-cnn", "prototype"), baselines=("full",), architectures=("LeNet", "convnet", "mlp")
    )
    assert [asked.key for asked in measurements(config)] == [
        ("random-cnn", "synthetic", "convnet 32 x 3"),
        ("random-cnn", "full", "convnet 32 x 3"),
        ("random-cnn", "synthetic", "lenet 32 x 3"),
        ("random-cnn", "full", "lenet 32 x 3"),
        ("random-cnn", "synthetic", "mlp 32 x 3"),
        ("random-cnn", "full", "mlp 32 x 3"),
        ("prototype", "synthetic", "convnet 32 x 3"),
    ]
    assert {asked.recipe.network.name for asked in measurements(config)} == {"convnet", "lenet", "mlp"}
