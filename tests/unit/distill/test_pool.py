"""The network pool: who serves when, how long it was trained, and that the real side is seen as the tracks are."""

import gc
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from distrack.augmentation import NO_AUGMENTATION, AugmentationConfig
from distrack.datasets.clips import Split
from distrack.distill import DistillConfig, Distiller
from distrack.distill.objectives import OBJECTIVES
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.distill.pool import Member, NetworkPool, NetworkSource, network_source, training_steps
from distrack.images import RealImages
from distrack.networks import Network, build_network
from distrack.randomness import derived_seed, generator

Images = Mapping[Split, RealImages]
Config = Callable[..., DistillConfig]
Start = Callable[..., Distiller]
Source = Callable[..., NetworkSource]

AUGMENTED = {"time_shift": 0.2, "band_shift": 0.2, "time_mask": 0.2, "band_mask": 0.2, "gain": 0.5, "noise": 0.3}
PLAIN = NO_AUGMENTATION.model_dump()


@pytest.fixture
def source(tiny: Config, tiny_images: Images, cpu: torch.device) -> Source:
    """The networks of a tiny config."""

    def networks(pool: Mapping[str, Any], **asked: Any) -> NetworkSource:
        train = asked.pop("train", tiny_images["train"])
        return network_source(tiny(pool=pool, **asked), train, cpu)

    return networks


def weights(network: Network) -> Tensor:
    return torch.nn.utils.parameters_to_vector(network.parameters())


def initial(config: DistillConfig, number: int) -> Tensor:
    seed = derived_seed(config.seed, "network", number)
    return weights(build_network(config.network, shape=(16, 32), classes=3, seed=seed)).detach()


def distances(one: Tensor, other: Tensor) -> Tensor:
    """Between all rows, exact where they are equal."""
    return torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist")


def everything(side: RealImages) -> Tensor:
    """All images, class by class."""
    return side.batch(np.concatenate([side.of_class(label) for label in range(3)]), torch.device("cpu"))


# Who serves when


def numbers(networks: NetworkSource, config: DistillConfig, steps: range, upto: int) -> list[int]:
    """Which of its networks each step has, by their initial weights."""
    known = [initial(config, number) for number in range(upto)]
    found = []
    for step in steps:
        served = weights(networks.at(step).network)
        found.append(next(number for number, weight in enumerate(known) if torch.equal(weight, served)))
    return found


def test_a_pool_grows_one_by_one_and_then_serves_them_all(source: Source, tiny: Config) -> None:
    networks = source({"size": 3, "grow_every": 5})
    served = numbers(networks, tiny(), range(40), 3)
    assert served[:5] == [0] * 5
    assert set(served[5:10]) == {0, 1}
    assert set(served[10:]) == {0, 1, 2}
    # Drawn by chance, not in turns.
    assert served[10:40] != sorted(served[10:40])
    assert all(served[10:40].count(number) > 3 for number in range(3))


def test_a_refreshed_pool_replaces_all_of_its_networks_on_schedule(source: Source, tiny: Config) -> None:
    networks = source({"size": 3, "grow_every": 1, "refresh_every": 20})
    served = numbers(networks, tiny(), range(60), 9)
    for generation in range(3):
        of_generation = served[20 * generation : 20 * (generation + 1)]
        assert set(of_generation) == {3 * generation + k for k in range(3)}


@pytest.mark.parametrize("refresh_every", [0, 7])
def test_a_pool_never_holds_more_networks_than_its_size(source: Source, refresh_every: int) -> None:
    networks = source({"size": 3, "grow_every": 2, "refresh_every": refresh_every})
    made: weakref.WeakSet[Network] = weakref.WeakSet()
    seen = 0
    for step in range(40):
        network = networks.at(step).network
        seen += network not in made
        made.add(network)
        del network
        if len(made) > 3:
            gc.collect()
        assert len(made) <= 3
    # Each of them was made once.
    assert seen == (3 if refresh_every == 0 else 6 * 3 - missing(networks, 40))


def missing(networks: NetworkSource, steps: int) -> int:
    """Networks of the six pools of seven steps that no step has drawn."""
    assert isinstance(networks, NetworkPool)
    drawn = {networks.number(step) for step in range(steps)}
    return 18 - len(drawn)


def test_no_pool_takes_a_fresh_network_at_every_step(source: Source, tiny: Config) -> None:
    networks = source({"size": 0})
    assert numbers(networks, tiny(), range(6), 6) == list(range(6))


@pytest.mark.parametrize("size", [0, 3])
def test_a_step_has_the_same_network_and_clips_whoever_asks_and_when(source: Source, size: int) -> None:
    pool = {"size": size, "grow_every": 2, "refresh_every": 4, "training": 4}
    asked = {"augmentation": AUGMENTED, "objective": "mmd"}
    forward, backward = source(pool, **asked), source(pool, **asked)
    ahead = [forward.at(step) for step in range(8)]
    behind = [backward.at(step) for step in reversed(range(8))][::-1]
    images = torch.randn(2, 1, 16, 32, generator=generator(0, "images"))
    for one, other in zip(ahead, behind, strict=True):
        assert torch.equal(weights(one.network), weights(other.network))
        assert torch.equal(one.real, other.real)
        assert torch.equal(one.augmentation.apply(images), other.augmentation.apply(images))
        assert one.trained == other.trained


def test_what_was_made_ahead_is_what_would_have_been_made_then(source: Source) -> None:
    pool = {"size": 3, "grow_every": 2, "refresh_every": 6, "training": 4}
    plain, ahead = (source(pool, steps=14, augmentation=AUGMENTED) for _ in range(2))
    with ThreadPoolExecutor(2) as workers:
        for step in range(14):
            ahead.make_ahead(step, workers)
            one, other = plain.at(step), ahead.at(step)
            assert torch.equal(weights(one.network), weights(other.network))
            assert torch.equal(one.real, other.real)


def test_every_network_has_clips_of_its_own_as_many_of_each_class(source: Source, tiny_images: Images) -> None:
    train = tiny_images["train"]
    networks = source({"size": 0, "clips_per_class": 5}, objective="mmd")
    chosen = []
    for step in range(4):
        member = networks.at(step)
        with torch.no_grad():
            clips = member.network.embed(everything(train)).view(3, 32, -1)
        assert member.real.shape[:2] == (3, 5)
        # Each is the embedding of a clip of its class, none twice.
        apart = distances(member.real, clips)
        assert (apart.amin(2) < 1e-4).all()
        nearest = apart.argmin(2)
        assert all(len(set(of_class.tolist())) == 5 for of_class in nearest)
        chosen.append(tuple(sorted(nearest[0].tolist())))
    assert len(set(chosen)) == 4


def test_where_a_class_has_too_few_clips_they_are_drawn_again_as_often_as_each_other(
    source: Source, tiny_images: Images
) -> None:
    train = tiny_images["train"]
    member = source({"size": 1, "clips_per_class": 80}, objective="mmd").at(0)
    with torch.no_grad():
        clips = member.network.embed(everything(train)).view(3, 32, -1)
    counts = torch.stack([of.bincount(minlength=32) for of in distances(member.real, clips).argmin(2)])
    # Two and a half times 32.
    assert set(counts.unique().tolist()) == {2, 3}


# Brief training


def test_training_lengths_are_spread_from_none_to_the_most(tiny: Config) -> None:
    config = tiny(pool={"size": 32, "training": 100})
    for first in (0, 7, 32, 1_000):
        lengths = sorted(training_steps(config, number) for number in range(first, first + 20))
        assert 0 <= lengths[0] < 10
        assert 90 < lengths[-1] <= 100
        gaps = np.diff(lengths)
        assert max(gaps) < 14, "no part of the range is left out"
    assert training_steps(config, 0) == 0
    assert {training_steps(tiny(), number) for number in range(50)} == {0}


def test_what_was_trained_tells_classes_apart_and_what_was_not_is_as_it_was_drawn(
    source: Source, tiny: Config, tiny_images: Images
) -> None:
    pool = {"size": 8, "grow_every": 1, "training": 80}
    config, networks = tiny(pool=pool), source(pool)
    test = tiny_images["test"]
    images, labels = everything(test), torch.arange(3).repeat_interleave(8)
    members: dict[int, Member] = {}
    assert isinstance(networks, NetworkPool)
    for step in range(200):
        members.setdefault(networks.number(step), networks.at(step))
    accuracies = {}
    for number, member in members.items():
        steps = training_steps(config, number)
        assert member.trained == (steps > 0)
        assert torch.equal(weights(member.network), initial(config, number)) == (steps == 0)
        assert not any(parameter.requires_grad for parameter in member.network.parameters())
        with torch.no_grad():
            accuracies[steps] = float((member.network(images).argmax(1) == labels).float().mean())
    assert len(accuracies) == 8
    assert accuracies[max(accuracies)] > 0.9
    assert accuracies[0] < 0.7


def test_a_pool_that_is_not_trained_is_random(source: Source) -> None:
    networks = source({"size": 4, "grow_every": 1})
    assert not any(networks.at(step).trained for step in range(20))


# The real side


@pytest.mark.parametrize("objective", list(OBJECTIVES))
@pytest.mark.parametrize("size", [0, 2])
@pytest.mark.parametrize("training", [0, 5])
def test_the_real_side_is_augmented_clips_under_the_network_s_own_draw(
    source: Source, tiny_images: Images, objective: str, size: int, training: int
) -> None:
    # Every clip of a class, so that the draw of clips is no part of it.
    pool = {"size": size, "grow_every": 1, "clips_per_class": 32, "training": training}
    networks = source(pool, objective=objective, augmentation=AUGMENTED)
    clips = everything(tiny_images["train"])
    for step in range(4):
        member = networks.at(step)
        augmented = member.augmentation.apply(clips)
        assert not torch.equal(augmented, clips)
        with torch.no_grad():
            embeddings = member.network.embed(augmented).view(3, 32, -1)
        means = embeddings.mean(1)
        torch.testing.assert_close(member.real.mean(1), means, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(member.spread, (means - means.mean(0)).square().sum(), rtol=1e-3, atol=1e-6)
        if OBJECTIVES[objective].real == "sample":
            assert member.real.shape == embeddings.shape
            # The same rows, in an order of their own.
            apart = distances(member.real, embeddings)
            for of_class in apart.argmin(2):
                assert sorted(of_class.tolist()) == list(range(32))
            assert apart.amin(2).max() < 1e-4


def test_each_network_has_an_augmentation_of_its_own_the_same_for_all_images(source: Source) -> None:
    networks = source({"size": 4, "grow_every": 1}, augmentation=AUGMENTED)
    image = torch.randn(1, 1, 16, 32, generator=generator(0, "image"))
    results = {}
    for step in range(40):
        member = networks.at(step)
        both = member.augmentation.apply(image.expand(2, -1, -1, -1))
        assert torch.equal(both[0], both[1])
        results[member.network] = both[0]
    assert len(results) == 4
    assert len({tuple(result.flatten().tolist()) for result in results.values()}) == 4


def test_without_augmentation_images_are_as_they_are(source: Source) -> None:
    image = torch.randn(2, 1, 16, 32, generator=generator(0, "image"))
    assert torch.equal(source({"size": 2}).at(0).augmentation.apply(image), image)


def test_where_another_pitch_is_another_class_no_band_is_shifted(source: Source, tiny_images: Images) -> None:
    steps = range(8)
    shifts = AugmentationConfig(time_shift=0, band_shift=0.5, gain=0, noise=0).model_dump()
    image = torch.randn(1, 1, 16, 32, generator=generator(0, "image"))
    fixed = replace(tiny_images["train"], shift_bands=False)
    moved = [
        [not torch.equal(networks.at(step).augmentation.apply(image), image) for step in steps]
        for networks in (
            source({"size": 0}, augmentation=shifts),
            source({"size": 0}, augmentation=shifts, train=fixed),
        )
    ]
    assert any(moved[0])
    assert not any(moved[1])


@pytest.mark.parametrize("objective", list(OBJECTIVES))
@pytest.mark.parametrize(
    ("domain", "form"),
    [(domain, form) for form in PARAMETERISATIONS for domain in PARAMETERISATIONS[form].domains],
)
def test_a_step_s_loss_is_the_objective_between_both_sides_augmented_alike(
    start: Start, source: Source, objective: str, domain: str, form: str
) -> None:
    asked: dict[str, Any] = {"objective": objective, "augmentation": AUGMENTED, "seed": 3, "ipc": 2}
    pool = {"size": 2, "clips_per_class": 6, "training": 3}
    distiller = start(pool=pool, domain=domain, parameterisation=form, **asked)
    tracks = distiller.synthetic_set().tracks()
    loss = next(iter(distiller)).loss
    member = source(pool, **asked).at(0)
    with torch.no_grad():
        synthetic = member.network.embed(member.augmentation.apply(tracks)).view(3, len(tracks) // 3, -1)
        distance = OBJECTIVES[objective].distance(member.real, synthetic, generator(3, "objective", 0)).sum()
    assert loss == pytest.approx(float(distance / member.spread), rel=1e-3)


# Classification


def test_classification_has_no_effect_without_trained_networks(start: Start) -> None:
    results = [
        (list(distiller), distiller.synthetic_set().parameters)
        for distiller in (start(classification=weight) for weight in (0.0, 5.0))
    ]
    assert results[0][0] == results[1][0]
    assert torch.equal(results[0][1], results[1][1])


def test_classification_makes_the_pool_s_trained_networks_surer_of_the_tracks(start: Start, source: Source) -> None:
    pool = {"size": 4, "grow_every": 1, "training": 60}
    judges = [member for member in map(source(pool).at, range(20)) if member.trained]
    labels = torch.arange(3).repeat_interleave(2)
    losses = {}
    for weight in (0.0, 10.0):
        asked: dict[str, Any] = {"initialisation": "noise", "ipc": 2, "steps": 60, "learning_rate": 0.1}
        distiller = start(classification=weight, pool=pool, **asked)
        list(distiller)
        tracks = distiller.synthetic_set().tracks()
        with torch.no_grad():
            losses[weight] = np.mean([float(cross_entropy(judge.network(tracks), labels)) for judge in judges])
    assert losses[10.0] < 0.7 * losses[0.0]


def test_classification_weighs_as_much_as_it_says(start: Start, source: Source) -> None:
    # A pool of one trained network: number 1, as the pool is refreshed after its first step.
    pool = {"size": 1, "refresh_every": 1, "training": 20, "clips_per_class": 32}
    asked: dict[str, Any] = {
        **{"optimiser": {"name": "sgd", "momentum": 0.0}, "learning_rate": 1.0, "schedule": "constant"},
        **{"balance": "none", "ipc": 2, "steps": 2},
    }
    moved, tracks = {}, torch.empty(0)
    for weight in (0.0, 1.0, 3.0):
        distiller = start(pool=pool, classification=weight, **asked)
        drive = iter(distiller)
        next(drive)
        tracks = distiller.synthetic_set().parameters
        next(drive)
        moved[weight] = distiller.synthetic_set().parameters - tracks
    member = source(pool, **asked).at(1)
    assert member.trained
    free = tracks.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(cross_entropy(member.network(free), torch.arange(3).repeat_interleave(2)), free)
    for weight in (1.0, 3.0):
        found = moved[weight] - moved[0.0]
        assert (found + weight * gradient).norm() < 1e-3 * weight * gradient.norm()
