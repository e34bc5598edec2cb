"""The network pool: the network of each step, its brief training, its real embeddings, its classification."""

import gc
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import cycle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from distrack.augmentation import NO_AUGMENTATION, AugmentationConfig
from distrack.datasets.clips import Split
from distrack.device import side_by_side
from distrack.distill import DistillConfig, Distiller
from distrack.distill.objectives import OBJECTIVES
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.distill.pool import Member, NetworkPool, training_steps
from distrack.images import RealImages
from distrack.networks import Network, build_network
from distrack.randomness import derived_seed, generator

Images = Mapping[Split, RealImages]
Config = Callable[..., DistillConfig]
Start = Callable[..., Distiller]
Source = Callable[..., NetworkPool]

AUGMENTED = {"time_shift": 0.2, "band_shift": 0.2, "time_mask": 0.2, "band_mask": 0.2, "gain": 0.5, "noise": 0.3}
PLAIN = NO_AUGMENTATION.model_dump()


@pytest.fixture
def source(tiny: Config, tiny_images: Images, cpu: torch.device) -> Source:
    """The networks of a tiny config."""

    def networks(pool: Mapping[str, Any], **settings: Any) -> NetworkPool:
        train = settings.pop("train", tiny_images["train"])
        return NetworkPool(tiny(pool=pool, **settings), train, cpu)

    return networks


def weights(network: Network) -> Tensor:
    return torch.nn.utils.parameters_to_vector(network.parameters())


def initial(config: DistillConfig, number: int) -> Tensor:
    seed = derived_seed(config.seed, "network", number)
    return weights(build_network(config.network, shape=(16, 32), classes=3, seed=seed)).detach()


def distances(one: Tensor, other: Tensor) -> Tensor:
    """Distances between all rows, which are exactly 0 for equal rows."""
    return torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist")


def everything(side: RealImages) -> Tensor:
    """All images, class by class."""
    return side.batch(np.concatenate([side.of_class(label) for label in range(3)]), torch.device("cpu"))


# The network of each step


def numbers(networks: NetworkPool, config: DistillConfig, steps: range, upto: int) -> list[int]:
    """The number of the network of each step, recognised by its initial weights."""
    known = [initial(config, number) for number in range(upto)]
    drawn = []
    for step in steps:
        vector = weights(networks.at(step).network)
        drawn.append(next(number for number, weight in enumerate(known) if torch.equal(weight, vector)))
    return drawn


def test_a_pool_grows_one_by_one_and_then_draws_from_all(source: Source, tiny: Config) -> None:
    networks = source({"size": 3, "grow_every": 5})
    drawn = numbers(networks, tiny(), range(40), 3)
    assert drawn[:5] == [0] * 5
    assert set(drawn[5:10]) == {0, 1}
    assert set(drawn[10:]) == {0, 1, 2}
    assert drawn[10:40] != sorted(drawn[10:40])
    assert all(drawn[10:40].count(number) > 3 for number in range(3))


def test_a_refreshed_pool_replaces_all_of_its_networks_on_schedule(source: Source, tiny: Config) -> None:
    networks = source({"size": 3, "grow_every": 1, "refresh_every": 20})
    drawn = numbers(networks, tiny(), range(60), 9)
    for generation in range(3):
        of_generation = drawn[20 * generation : 20 * (generation + 1)]
        assert set(of_generation) == {3 * generation + k for k in range(3)}


@pytest.mark.parametrize("refresh_every", [0, 7])
def test_a_pool_has_never_more_networks_than_its_size(source: Source, refresh_every: int) -> None:
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
    # Each network was made once.
    assert seen == (3 if refresh_every == 0 else 6 * 3 - missing(networks, 40))


def missing(networks: NetworkPool, steps: int) -> int:
    """Networks of the six pools of seven steps that no step has drawn."""
    drawn = {networks.number(step) for step in range(steps)}
    return 18 - len(drawn)


def test_without_a_pool_every_step_has_a_new_network(source: Source, tiny: Config) -> None:
    networks = source({"size": 0})
    assert numbers(networks, tiny(), range(6), 6) == list(range(6))


@pytest.mark.parametrize("size", [0, 3])
def test_a_step_has_the_same_network_and_clips_in_any_order_of_the_steps(source: Source, size: int) -> None:
    pool = {"size": size, "grow_every": 2, "refresh_every": 4, "training": 4}
    settings = {"augmentation": AUGMENTED, "objective": "mmd"}
    forward, backward = source(pool, **settings), source(pool, **settings)
    ahead = [forward.at(step) for step in range(8)]
    behind = [backward.at(step) for step in reversed(range(8))][::-1]
    images = torch.randn(2, 1, 16, 32, generator=generator(0, "images"))
    for one, other in zip(ahead, behind, strict=True):
        assert torch.equal(weights(one.network), weights(other.network))
        assert torch.equal(one.real, other.real)
        assert torch.equal(one.augmentation.apply(images), other.augmentation.apply(images))
        assert one.trained == other.trained


def test_a_network_that_was_made_ahead_is_the_same(source: Source) -> None:
    pool = {"size": 3, "grow_every": 2, "refresh_every": 6, "training": 4}
    plain, ahead = (source(pool, steps=14, augmentation=AUGMENTED) for _ in range(2))
    with side_by_side(torch.device("cpu")) as workers:
        for step in range(14):
            ahead.make_ahead(step, workers)
            one, other = plain.at(step), ahead.at(step)
            assert torch.equal(weights(one.network), weights(other.network))
            assert torch.equal(one.real, other.real)


def test_every_network_has_its_own_clips_and_the_same_number_of_each_class(source: Source, tiny_images: Images) -> None:
    train = tiny_images["train"]
    networks = source({"size": 0, "clips_per_class": 5}, objective="mmd")
    chosen = []
    for step in range(4):
        member = networks.at(step)
        with torch.no_grad():
            clips = member.network.embed(everything(train)).view(3, 32, -1)
        assert member.real.shape[:2] == (3, 5)
        # Each row is the embedding of another clip of its class.
        apart = distances(member.real, clips)
        assert (apart.amin(2) < 1e-4).all()
        nearest = apart.argmin(2)
        assert all(len(set(of_class.tolist())) == 5 for of_class in nearest)
        chosen.append(tuple(sorted(nearest[0].tolist())))
    assert len(set(chosen)) == 4


def test_clips_of_a_class_with_too_few_are_repeated_equally_often(source: Source, tiny_images: Images) -> None:
    train = tiny_images["train"]
    member = source({"size": 1, "clips_per_class": 80}, objective="mmd").at(0)
    with torch.no_grad():
        clips = member.network.embed(everything(train)).view(3, 32, -1)
    counts = torch.stack([of.bincount(minlength=32) for of in distances(member.real, clips).argmin(2)])
    # 80 is two and a half times 32.
    assert set(counts.unique().tolist()) == {2, 3}


# Brief training


def test_training_steps_are_spread_from_zero_to_the_maximum(tiny: Config) -> None:
    config = tiny(pool={"size": 32, "training": 100})
    for first in (0, 7, 32, 1_000):
        lengths = sorted(training_steps(config, number) for number in range(first, first + 20))
        assert 0 <= lengths[0] < 10
        assert 90 < lengths[-1] <= 100
        gaps = np.diff(lengths)
        assert max(gaps) < 14, "a part of the range is left out"
    assert training_steps(config, 0) == 0
    assert {training_steps(tiny(), number) for number in range(50)} == {0}


def test_trained_networks_classify_and_untrained_ones_have_their_initial_weights(
    source: Source, tiny: Config, tiny_images: Images
) -> None:
    pool = {"size": 4, "grow_every": 1, "training": 80}
    config, networks = tiny(pool=pool), source(pool)
    test = tiny_images["test"]
    images, labels = everything(test), torch.arange(3).repeat_interleave(8)
    members: dict[int, Member] = {}
    for step in range(100):
        members.setdefault(networks.number(step), networks.at(step))
    accuracies = {}
    for number, member in members.items():
        steps = training_steps(config, number)
        assert member.trained == (steps > 0)
        assert torch.equal(weights(member.network), initial(config, number)) == (steps == 0)
        assert not any(parameter.requires_grad for parameter in member.network.parameters())
        with torch.no_grad():
            accuracies[steps] = float((member.network(images).argmax(1) == labels).float().mean())
    assert len(accuracies) == 4
    assert accuracies[max(accuracies)] > 0.8
    assert accuracies[0] < 0.7


def test_without_training_no_network_is_trained(source: Source) -> None:
    networks = source({"size": 4, "grow_every": 1})
    assert not any(networks.at(step).trained for step in range(20))


# Real embeddings


@pytest.mark.parametrize(
    ("objective", "size", "training"),
    [("mean", 0, 5), ("mean", 2, 0), ("mmd", 2, 5), ("cf", 0, 0)],
)
def test_real_embeddings_are_those_of_clips_with_the_augmentation_of_the_network(
    source: Source, tiny_images: Images, objective: str, size: int, training: int
) -> None:
    # Every clip of a class is drawn.
    pool = {"size": size, "grow_every": 1, "clips_per_class": 32, "training": training}
    networks = source(pool, objective=objective, augmentation=AUGMENTED)
    clips = everything(tiny_images["train"])
    for step in range(3):
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
            # The same rows in another order.
            apart = distances(member.real, embeddings)
            for of_class in apart.argmin(2):
                assert sorted(of_class.tolist()) == list(range(32))
            assert apart.amin(2).max() < 1e-4


def test_each_network_has_one_augmentation_for_all_images(source: Source) -> None:
    networks = source({"size": 4, "grow_every": 1}, augmentation=AUGMENTED)
    image = torch.randn(1, 1, 16, 32, generator=generator(0, "image"))
    results = {}
    for step in range(24):
        member = networks.at(step)
        both = member.augmentation.apply(image.expand(2, -1, -1, -1))
        assert torch.equal(both[0], both[1])
        results[member.network] = both[0]
    assert len(results) == 4
    assert len({tuple(result.flatten().tolist()) for result in results.values()}) == 4


def test_without_augmentation_images_do_not_change(source: Source) -> None:
    image = torch.randn(2, 1, 16, 32, generator=generator(0, "image"))
    assert torch.equal(source({"size": 2}).at(0).augmentation.apply(image), image)


def test_if_another_pitch_is_another_class_bands_are_not_shifted(source: Source, tiny_images: Images) -> None:
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


KINDS = [(domain, form) for form in PARAMETERISATIONS for domain in PARAMETERISATIONS[form].domains]


@pytest.mark.parametrize(
    ("domain", "form", "objective"), [(*kind, objective) for kind, objective in zip(KINDS, cycle(OBJECTIVES))]
)
def test_a_step_s_loss_is_the_objective_between_real_clips_and_tracks_with_the_same_augmentation(
    start: Start, source: Source, objective: str, domain: str, form: str
) -> None:
    settings: dict[str, Any] = {"objective": objective, "augmentation": AUGMENTED, "seed": 3, "ipc": 2}
    pool = {"size": 2, "clips_per_class": 6, "training": 3}
    distiller = start(pool=pool, domain=domain, parameterisation=form, **settings)
    # The first step sees what is stored; it was not made audible yet.
    tracks = distiller.synthetic_set().drawn()
    loss = next(iter(distiller)).loss
    member = source(pool, **settings).at(0)
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


def test_classification_makes_the_pool_s_trained_networks_more_certain_of_the_tracks(
    start: Start, source: Source
) -> None:
    pool = {"size": 3, "grow_every": 1, "training": 60}
    judges = [member for member in map(source(pool).at, range(20)) if member.trained]
    labels = torch.arange(3).repeat_interleave(2)
    losses = {}
    for weight in (0.0, 10.0):
        settings: dict[str, Any] = {"initialisation": "noise", "ipc": 2, "steps": 30, "learning_rate": 0.1}
        distiller = start(classification=weight, pool=pool, **settings)
        list(distiller)
        tracks = distiller.synthetic_set().tracks()
        with torch.no_grad():
            losses[weight] = np.mean([float(cross_entropy(judge.network(tracks), labels)) for judge in judges])
    assert losses[10.0] < 0.7 * losses[0.0]


def test_classification_has_its_weight(start: Start, source: Source) -> None:
    # A pool of one network, refreshed after its first step: number 1 is trained.
    pool = {"size": 1, "refresh_every": 1, "training": 20, "clips_per_class": 32}
    settings: dict[str, Any] = {
        **{"optimiser": {"name": "sgd", "momentum": 0.0}, "learning_rate": 1.0, "schedule": "constant"},
        **{"balance": "none", "ipc": 2, "steps": 2},
    }
    moved, tracks = {}, torch.empty(0)
    for weight in (0.0, 1.0, 3.0):
        distiller = start(pool=pool, classification=weight, **settings)
        drive = iter(distiller)
        next(drive)
        tracks = distiller.synthetic_set().parameters
        next(drive)
        moved[weight] = distiller.synthetic_set().parameters - tracks
    member = source(pool, **settings).at(1)
    assert member.trained
    free = tracks.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(cross_entropy(member.network(free), torch.arange(3).repeat_interleave(2)), free)
    for weight in (1.0, 3.0):
        difference = moved[weight] - moved[0.0]
        assert (difference + weight * gradient).norm() < 1e-3 * weight * gradient.norm()
