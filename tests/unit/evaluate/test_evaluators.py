"""Evaluators and baselines: what an evaluator learns, where its prototypes lie, and which clips a baseline has."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy

from distrack.datasets.clips import Split
from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.evaluate import BASELINES, EVALUATORS, Trial
from distrack.images import RealImages, class_means
from distrack.learning import Recipe, TrainingSet, train
from distrack.networks import NetworkConfig, build_network
from distrack.randomness import derived_seed, generator

Images = Mapping[Split, RealImages]
RECIPE = Recipe(network=NetworkConfig(width=4, depth=2), steps=30, epochs=1)
# `recognition` is `random-cnn` on other images.
every_evaluator = pytest.mark.parametrize("evaluator", [name for name in EVALUATORS if name != "recognition"])


def predictions(
    evaluator: str, training: TrainingSet, test: RealImages, recipe: Recipe = RECIPE, seed: int = 0
) -> Tensor:
    """Predicted classes; all training clips are those of the training set."""
    return EVALUATORS[evaluator].predict(
        Trial(
            training,
            test,
            recipe,
            clips=training,
            seed=seed,
            device=torch.device("cpu"),
            progress=lambda _done, _total: None,
        )
    )


def agreement(first: Tensor, second: Tensor) -> float:
    """Share of equal predictions. A clip between two prototypes may change sides with the order of a sum."""
    return (first == second).float().mean().item()


def randomly_labelled(clips: RealImages) -> TrainingSet:
    """Clips with labels that have nothing to do with them."""
    labels = torch.randint(3, (len(clips),), generator=generator(0, "labels"))
    return replace(TrainingSet.of_clips(clips), labels=labels)


def test_recognition_is_the_random_cnn_the_other_way_round() -> None:
    assert EVALUATORS["recognition"].predict is EVALUATORS["random-cnn"].predict
    assert EVALUATORS["recognition"].tests_tracks


@every_evaluator
def test_a_class_with_another_class_s_label_is_predicted_as_that_class(tiny_images: Images, evaluator: str) -> None:
    clips = TrainingSet.of_clips(tiny_images["train"])
    rotated = replace(clips, labels=(clips.labels + 1) % 3)
    found = predictions(evaluator, rotated, tiny_images["test"])
    assert ((found - torch.from_numpy(tiny_images["test"].labels)) % 3 == 1).float().mean() > 0.9


@every_evaluator
def test_predictions_depend_on_the_seed_and_not_on_the_process_s_random_state(
    tiny_images: Images, evaluator: str
) -> None:
    # After so few steps, and with random labels, the predictions of two networks differ.
    recipe = Recipe(network=NetworkConfig(width=2, depth=2), steps=2, epochs=1)
    training = randomly_labelled(tiny_images["train"])
    torch.manual_seed(1)
    first = [predictions(evaluator, training, tiny_images["test"], recipe, seed) for seed in range(2)]
    torch.manual_seed(2)
    assert torch.equal(first[0], predictions(evaluator, training, tiny_images["test"], recipe, 0))
    deterministic = evaluator == "linear-probe"
    assert (len({tuple(found.tolist()) for found in first}) == 1) == deterministic


def test_a_large_training_set_is_passed_as_often_as_the_recipe_says(tiny_images: Images) -> None:
    calls: list[tuple[int, int]] = []
    recipe = Recipe(network=NetworkConfig(width=1, depth=1), steps=2, epochs=3, batch_size=32)
    clips = TrainingSet.of_clips(tiny_images["train"])
    EVALUATORS["random-cnn"].predict(
        Trial(
            clips,
            tiny_images["test"],
            recipe,
            clips=clips,
            seed=0,
            device=torch.device("cpu"),
            progress=lambda done, total: calls.append((done, total)),
        )
    )
    assert calls == [*((step, 9) for step in range(1, 10)), (9, 9)]


def test_networks_learn_as_those_of_torch_s_adamw(tiny_images: Images) -> None:
    recipe = RECIPE.plain.model_copy(update={"optimiser": "adamw", "learning_rate": 0.01, "weight_decay": 0.1})
    clips = TrainingSet.of_clips(tiny_images["train"])
    ours, theirs = (build_network(recipe.network, shape=clips.shape, classes=3, seed=0) for _ in range(2))
    device, steps = torch.device("cpu"), 12
    train(ours, clips, recipe, generator(0, "batches"), steps=steps, device=device, progress=lambda *_: None)
    optimiser, random = torch.optim.AdamW(theirs.parameters(), lr=0.01, weight_decay=0.1), generator(0, "batches")
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 0.01 * min(1, (step + 1) / (0.1 * steps), (1 - step / steps) / 0.7)
        chosen = torch.randint(len(clips), (recipe.batch_size,), generator=random)
        optimiser.zero_grad()
        cross_entropy(theirs(clips.images(chosen.numpy(), device)), clips.labels[chosen]).backward()
        optimiser.step()
    # Instance norm cancels a bias before it, whose gradient is rounding alone: scores are compared, not parameters.
    images = clips.images(np.arange(len(clips)), device)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-2, atol=1e-2)


def test_networks_learn_by_muon_as_by_torch_s_muon_and_adamw(tiny_images: Images) -> None:
    recipe, clips = RECIPE.plain.model_copy(update={"weight_decay": 0.1}), TrainingSet.of_clips(tiny_images["train"])
    ours, theirs = (build_network(recipe.network, shape=clips.shape, classes=3, seed=0) for _ in range(2))
    device, steps = torch.device("cpu"), 12
    train(ours, clips, recipe, generator(0, "batches"), steps=steps, device=device, progress=lambda *_: None)
    kernels = [each for each in theirs.body.parameters() if each.ndim > 1]
    matrices = [torch.nn.Parameter(each.detach().flatten(1)) for each in kernels]  # they share their numbers
    others = [*(each for each in theirs.body.parameters() if each.ndim == 1), *theirs.head.parameters()]
    hidden = torch.optim.Muon(matrices, lr=0.05, weight_decay=0.1, momentum=0.9)
    rest = torch.optim.AdamW(others, lr=0.01, weight_decay=0.1, betas=(0.9, 0.95))
    random = generator(0, "batches")
    for step in range(steps):
        for optimiser, peak in ((hidden, 0.05), (rest, 0.01)):
            optimiser.param_groups[0]["lr"] = peak * min(1, (step + 1) / (0.1 * steps), (1 - step / steps) / 0.7)
        chosen = torch.randint(len(clips), (recipe.batch_size,), generator=random)
        theirs.zero_grad()
        cross_entropy(theirs(clips.images(chosen.numpy(), device)), clips.labels[chosen]).backward()
        for matrix, kernel in zip(matrices, kernels, strict=True):
            matrix.grad = None if kernel.grad is None else kernel.grad.flatten(1)
        hidden.step()
        rest.step()
    images = clips.images(np.arange(len(clips)), device)
    with torch.no_grad():
        found, wanted = ours(images), theirs(images)
    # Torch's Muon computes in bfloat16, with eight bits of precision.
    assert (found - wanted).norm() < 0.1 * wanted.norm()


# Prototypes


def embedded(clips: RealImages, seed: int) -> Tensor:
    """Embeddings of clips in the network of the prototype evaluator."""
    network = build_network(RECIPE.network, shape=clips.shape, classes=3, seed=derived_seed(seed, "evaluation network"))
    with torch.no_grad():
        return network.embed(clips.batch(np.arange(len(clips)), torch.device("cpu")))


def test_every_example_is_its_own_nearest_prototype(tiny_images: Images) -> None:
    training = randomly_labelled(tiny_images["train"])
    assert torch.equal(predictions("prototype", training, tiny_images["train"]), training.labels)


def test_a_set_of_class_means_has_one_prototype_per_class_at_the_mean_embedding(tiny_images: Images) -> None:
    train, test = tiny_images["train"], tiny_images["test"]
    # With random labels the prototypes lie close together, so that each part of the computation matters.
    training = replace(randomly_labelled(train), centres=1)
    labels = training.labels
    embeddings, queries = embedded(train, 5), embedded(test, 5)
    prototypes = torch.stack([embeddings[labels == label].mean(0) for label in range(3)])
    centre = prototypes.mean(0)
    nearest = torch.stack([cosine_similarity(queries - centre, p[None] - centre) for p in prototypes]).argmax(0)
    assert agreement(predictions("prototype", training, test, seed=5), nearest) > 0.95


@pytest.mark.parametrize("centres", [0, 1])
def test_examples_in_several_batches_count_as_in_one(tiny_images: Images, centres: int) -> None:
    train = tiny_images["train"]
    once = np.arange(len(train))
    small, large = (TrainingSet.of_clips(train, positions, centres=centres) for positions in (once, np.tile(once, 4)))
    assert len(large) > 256
    assert agreement(*(predictions("prototype", each, tiny_images["test"]) for each in (small, large))) > 0.95


def test_class_means_are_those_of_numpy_and_a_class_without_clips_is_zero() -> None:
    values = torch.randn(50, 3, 4, generator=generator(0, "values"))
    labels = torch.arange(50) % 2 + 1
    labels[20] = 0
    batches = list(zip(values.split(7), labels.split(7), strict=True))
    means = class_means(batches, 4)
    for label in range(3):
        assert np.allclose(means[label], values[labels == label].numpy().mean(0), atol=1e-6)
    assert not means[3].any()
    with pytest.raises(ValueError, match="no images"):
        class_means([], 3)


# Baselines


def of_clips(name: str, train: RealImages, like: SyntheticSet, seed: int) -> TrainingSet:
    """A baseline of real clips."""
    chosen = BASELINES[name].choose(train, like, seed)
    assert isinstance(chosen, TrainingSet)
    return chosen


def test_baselines_are_real_training_clips(tiny_images: Images, synthetic: SyntheticSet, cpu: torch.device) -> None:
    train = tiny_images["train"]
    names = ("random-selection", "class-mean", "full")
    random, mean, full = (of_clips(name, train, synthetic, 0) for name in names)
    assert random.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert mean.labels.tolist() == full.labels.tolist() == train.labels.tolist()
    assert (random.centres, mean.centres, full.centres) == (0, 1, 0)
    clips = train.batch(np.arange(len(train)), cpu)
    for image, label in zip(random.images(np.arange(6), cpu), random.labels.tolist(), strict=True):
        matches = (clips == image).flatten(1).all(1)
        assert train.labels[matches.numpy()].tolist() == [label]


def test_a_seed_selects_its_own_clips_and_not_those_that_the_tracks_started_from(
    tiny_images: Images, tiny_config: DistillConfig, synthetic: SyntheticSet, cpu: torch.device
) -> None:
    train = tiny_images["train"]
    sets = [of_clips("random-selection", train, synthetic, seed) for seed in (0, 0, 1)]
    selections = [each.images(np.arange(6), cpu) for each in sets]
    assert torch.equal(selections[0], selections[1])
    assert not torch.equal(selections[0], selections[2])
    start = Distiller(tiny_config.model_copy(update={"ipc": 2}), train, classes=("a", "b", "c"), device=cpu)
    assert not torch.equal(selections[0], start.synthetic_set().tracks())


def test_centres_need_a_latent_space_and_the_full_set_a_network_that_learns() -> None:
    suited = {name: [each for each in EVALUATORS if BASELINES[name].suits(EVALUATORS[each])] for name in BASELINES}
    assert suited["k-means-centres"] == ["prototype", "prototype-ensemble", "prototype-trained"]
    assert set(suited["full"]) == {"linear-probe", "random-cnn", "random-cnn-plain", "recognition"}
    assert set(suited["random-selection"]) == set(EVALUATORS)
