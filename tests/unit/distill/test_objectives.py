"""Matching objectives: what each compares of two sets, where its gradient leads, and its scale."""

import math

import pytest
import torch
from torch import Tensor

from distrack.distill.objectives import OBJECTIVES
from distrack.distill.objectives.cf import _amplitude, match_characteristic_functions
from distrack.distill.objectives.mean import match_means
from distrack.distill.objectives.mmd import match_kernel_means, squared_distances

every_objective = pytest.mark.parametrize("name", list(OBJECTIVES))
SAMPLES = [name for name in OBJECTIVES if OBJECTIVES[name].real == "sample"]
every_sample_objective = pytest.mark.parametrize("name", SAMPLES)


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=draws(seed))


def centred(*shape: int, seed: int = 0) -> Tensor:
    """Random sets whose means are zero and whose variances are one, exactly."""
    sets = normal(*shape, seed=seed)
    sets = sets - sets.mean(1, keepdim=True)
    return sets / sets.var(1, correction=0, keepdim=True).sqrt()


def test_distribution_matching_needs_only_the_means() -> None:
    assert {name: OBJECTIVES[name].real for name in OBJECTIVES} == {
        "mean": "mean",
        "mmd": "sample",
        "cf": "sample",
    }


def test_squared_distances_are_those_of_each_pair() -> None:
    one, other = normal(3, 5, 7), normal(3, 4, 7, seed=1)
    wanted = (one[:, :, None] - other[:, None]).square().sum(3)
    torch.testing.assert_close(squared_distances(one, other), wanted)
    assert (squared_distances(1e3 * one, 1e3 * one) >= 0).all()


# What each compares


@every_sample_objective
@pytest.mark.parametrize("spread", [0.0, 0.5, 2.0])
def test_sets_of_different_spread_around_the_same_mean_differ(name: str, spread: float) -> None:
    real = centred(4, 50, 16)
    synthetic = spread * centred(4, 40, 16, seed=1)
    alike = OBJECTIVES[name].distance(real, centred(4, 40, 16, seed=1), draws())
    other = OBJECTIVES[name].distance(real, synthetic, draws())
    assert (other > 2 * alike).all()
    # The first moments alone do not differ.
    assert (match_means(real, synthetic, draws()) < 1e-9).all()


@every_sample_objective
def test_two_clusters_differ_from_one_in_their_middle(name: str) -> None:
    clusters = centred(1, 40, 8)
    clusters = clusters + 3 * torch.tensor([1.0, -1.0]).repeat(20)[None, :, None]
    same = clusters[:, :20]
    torch.testing.assert_close(same.mean(1), clusters.mean(1), atol=1, rtol=0)
    middle = centred(1, 20, 8, seed=1) * clusters.std(1, keepdim=True)
    distance = OBJECTIVES[name].distance
    assert distance(clusters, same, draws()) < 0.5 * distance(clusters, middle, draws())


@every_sample_objective
def test_an_objective_does_not_depend_on_the_origin(name: str) -> None:
    real, synthetic = normal(3, 20, 8), normal(3, 5, 8, seed=1) + 1
    distance = OBJECTIVES[name].distance
    torch.testing.assert_close(
        distance(real + 10, synthetic + 10, draws()), distance(real, synthetic, draws()), rtol=1e-3, atol=0
    )


@every_objective
@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_an_objective_grows_with_the_square_of_its_embeddings(name: str, factor: float) -> None:
    real, synthetic = normal(3, 20, 8), normal(3, 5, 8, seed=1) + 1
    distance = OBJECTIVES[name].distance
    torch.testing.assert_close(
        distance(factor * real, factor * synthetic, draws()),
        factor**2 * distance(real, synthetic, draws()),
        rtol=1e-3,
        atol=0,
    )


# Its scale


def test_with_a_wide_kernel_the_discrepancy_is_the_squared_distance_of_the_means() -> None:
    real, synthetic = normal(3, 30, 64), normal(3, 10, 64, seed=1)
    wanted = match_means(real, synthetic, draws())
    wide = match_kernel_means(real, synthetic, draws(), bandwidths=(1e6,))
    torch.testing.assert_close(wide, wanted, rtol=1e-3, atol=0)
    # The result is the mean over the widths.
    torch.testing.assert_close(
        match_kernel_means(real, synthetic, draws(), bandwidths=(1e6, 1e5)), wanted, rtol=1e-3, atol=0
    )


def test_the_discrepancy_is_that_of_the_documented_kernel() -> None:
    real, synthetic = normal(1, 6, 3), normal(1, 4, 3, seed=1)
    distances = torch.pdist(real[0]).square()
    scale = float(distances.median().maximum((synthetic - real.mean(1)).square().sum(2).mean()))

    def kernel(one: Tensor, other: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(one, other).square() / (2 * 0.5 * scale)).mean()

    squared = kernel(real, real) + kernel(synthetic, synthetic) - 2 * kernel(real, synthetic)
    distance = match_kernel_means(real, synthetic, draws(), bandwidths=(0.5,))
    torch.testing.assert_close(distance[0], 0.5 * scale * squared)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.8])
def test_near_sets_differ_in_their_characteristic_functions_as_in_their_means(alpha: float) -> None:
    # The sets are narrow against their distance from each other, which the scale of the frequencies depends on.
    real, synthetic = 1e-2 * normal(3, 20, 64), 1e-2 * normal(3, 10, 64, seed=1) + 0.1
    far = match_characteristic_functions(real, synthetic, draws(), frequencies=8192, alpha=alpha)
    assert (far < match_means(real, synthetic, draws())).all()
    # A shift that is small against the spread: both sides lose the same amplitude.
    shifted = real + 1e-3
    near = match_characteristic_functions(real, shifted, draws(), frequencies=8192, alpha=alpha)
    # |phi|^2 is the mean of the kernel exp(-|x - y|^2 / (2 s^2)) over the pairs.
    scale = 2 * (real - real.mean(1, keepdim=True)).square().sum(2).mean(1)[:, None, None]
    widths = [torch.exp(squared_distances(real, real) / (-2 * w * scale)).mean((1, 2)) for w in (0.25, 1, 4)]
    share = torch.stack(widths).mean(0)
    assert (share > 0.4).all()
    torch.testing.assert_close(near, share * match_means(real, shifted, draws()), rtol=0.1, atol=0)


def test_at_half_weight_the_expected_difference_is_the_discrepancy_of_the_same_kernels() -> None:
    real, synthetic = normal(1, 12, 5), normal(1, 6, 5, seed=1) + 0.3
    difference = match_characteristic_functions(real, synthetic, draws(), frequencies=200_000, bandwidths=(0.5, 2.0))
    # The scales differ: one objective takes the mean squared distance, the other the median.
    mean = 2 * (real - real.mean(1, keepdim=True)).square().sum(2).mean()
    factor = float(mean / torch.pdist(real[0]).square().median())
    wanted = match_kernel_means(real, synthetic, draws(), bandwidths=(0.5 * factor, 2 * factor))
    torch.testing.assert_close(difference, wanted, rtol=0.02, atol=0)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.9])
def test_amplitude_and_phase_have_the_weights_of_the_formula_with_the_angle(alpha: float) -> None:
    real, synthetic = normal(1, 12, 5), normal(1, 6, 5, seed=1) + 0.3
    scale = 2 * (real - real.mean(1, keepdim=True)).square().sum(2).mean() * torch.tensor([1.0, 3.0]).repeat(32)
    directions = torch.randn(5, 64, generator=draws(3)) / scale.sqrt()
    of_real, of_tracks = (torch.exp(1j * (one[0] @ directions)).mean(0) for one in (real, synthetic))
    amplitude = (of_real.abs() - of_tracks.abs()).square()
    angle = of_real.angle() - of_tracks.angle()
    phase = 2 * of_real.abs() * of_tracks.abs() * (1 - angle.cos())
    wanted = (scale * (alpha * amplitude + (1 - alpha) * phase)).mean() / (1 - alpha)
    difference = match_characteristic_functions(
        real, synthetic, draws(3), frequencies=64, alpha=alpha, bandwidths=(1.0, 3.0)
    )
    torch.testing.assert_close(difference[0], wanted, rtol=1e-3, atol=0)


@every_objective
def test_one_learning_rate_suits_all(name: str) -> None:
    # Like embeddings: many dimensions, rectified, the tracks a little apart.
    real, synthetic = normal(3, 50, 256).relu(), (normal(3, 10, 256, seed=1) + 0.2).relu().requires_grad_()
    (gradient,) = torch.autograd.grad(OBJECTIVES[name].distance(real, synthetic, draws()).sum(), synthetic)
    (wanted,) = torch.autograd.grad(match_means(real, synthetic, draws()).sum(), synthetic)
    assert 0.25 < gradient.norm() / wanted.norm() < 2


# Where its gradient leads


def followed(name: str, real: Tensor, synthetic: Tensor, *, steps: int = 250) -> Tensor:
    """The result of gradient descent; the rate is in units of a single track's share of the mean."""
    synthetic = synthetic.clone().requires_grad_()
    for step in range(steps):
        distance = OBJECTIVES[name].distance(real, synthetic, draws(step)).sum()
        (gradient,) = torch.autograd.grad(distance, synthetic)
        rate = 0.4 * synthetic.shape[1] * (1 - step / steps)
        synthetic = (synthetic - rate * gradient).detach().requires_grad_()
    return synthetic.detach()


@every_objective
@pytest.mark.parametrize("away", [1.0, 20.0])
def test_descent_leads_to_the_real_mean_and_for_sample_objectives_to_the_real_spread(name: str, away: float) -> None:
    scale = torch.tensor([0.5, 1.0, 1.5, 2.0])
    real = scale * centred(2, 60, 4) + torch.tensor([[[-1.0]], [[2.0]]])
    # All tracks start in nearly the same place.
    start = real.mean(1, keepdim=True) + away * torch.tensor([1.0, -1.0, 1.0, -1.0]) / 2
    start = start + 0.05 * normal(2, 30, 4, seed=1)
    end = followed(name, real, start)
    torch.testing.assert_close(end.mean(1), real.mean(1), atol=0.15, rtol=0)
    spread = end.std(1, correction=0) / scale
    if name == "mean":
        assert (spread < 0.5).all()
    else:
        torch.testing.assert_close(spread, torch.ones(2, 4), atol=0.2, rtol=0)


@every_objective
def test_the_distance_of_a_class_has_no_gradient_for_other_classes(name: str) -> None:
    real, synthetic = normal(3, 10, 8), normal(3, 4, 8, seed=1).requires_grad_()
    (gradient,) = torch.autograd.grad(OBJECTIVES[name].distance(real, synthetic, draws())[1], synthetic)
    assert gradient[1].any()
    assert not gradient[[0, 2]].any()


# Finite numbers for any sets


def collapsed(kind: str) -> tuple[Tensor, Tensor]:
    real, synthetic = normal(2, 6, 8).relu(), normal(2, 4, 8, seed=1).relu()
    alike = real[:, :1].expand(-1, 6, -1)
    return {
        "tracks alike": (real, synthetic[:, :1].expand(-1, 4, -1)),
        "tracks at the mean": (real, real.mean(1, keepdim=True).expand(-1, 4, -1)),
        "clips alike": (alike, synthetic),
        "clips and tracks alike": (alike, synthetic[:, :1].expand(-1, 4, -1)),
        "all one point": (alike, alike[:, :4]),
        "silence": (torch.zeros(2, 6, 8), torch.zeros(2, 4, 8)),
        "silent clips": (torch.zeros(2, 6, 8), synthetic),
        "silent tracks": (real, torch.zeros(2, 4, 8)),
        "one clip": (real[:, :1], synthetic),
        "one track": (real, synthetic[:, :1]),
        "one clip and one track": (real[:, :1], synthetic[:, :1]),
        "the same clips": (real, real[:, :4]),
        "each clip twice": (real.repeat(1, 2, 1), synthetic),
        "far away": (real, 1e4 + synthetic),
        "far from zero": (1e4 + real, 1e4 + synthetic),
    }[kind]


KINDS = (
    *("tracks alike", "tracks at the mean", "clips alike", "clips and tracks alike", "all one point", "silence"),
    *("silent clips", "silent tracks", "one clip", "one track", "one clip and one track", "the same clips"),
    *("each clip twice", "far away", "far from zero"),
)


@every_objective
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", [1e-8, 1.0, 1e8])
def test_a_distance_and_its_gradient_are_numbers(name: str, kind: str, factor: float) -> None:
    real, synthetic = (factor * side for side in collapsed(kind))
    synthetic = synthetic.clone().requires_grad_()
    distance = OBJECTIVES[name].distance(real, synthetic, draws())
    (gradient,) = torch.autograd.grad(distance.sum(), synthetic)
    assert distance.isfinite().all()
    size = float(torch.cat([real, synthetic], 1).detach().square().sum(2).amax())
    assert (distance >= -1e-6 * size).all()
    assert gradient.isfinite().all()
    if kind in {"all one point", "silence"}:
        assert (distance <= 1e-6 * size).all()
    elif kind not in {"tracks at the mean", "the same clips"}:
        # Sets that differ have a gradient.
        assert gradient.flatten(1).any(1).all()
        assert gradient.norm() > 1e-3 * math.sqrt(size) / 1e4


@every_sample_objective
@pytest.mark.parametrize("away", [3.0, 30.0, 3000.0])
def test_tracks_that_are_far_away_have_a_gradient_towards_the_clips(name: str, away: float) -> None:
    real, synthetic = normal(2, 20, 64), (normal(2, 10, 64, seed=1) + away).requires_grad_()
    (gradient,) = torch.autograd.grad(OBJECTIVES[name].distance(real, synthetic, draws()).sum(), synthetic)
    (wanted,) = torch.autograd.grad(match_means(real, synthetic, draws()).sum(), synthetic)
    assert 0.2 < (gradient * wanted).sum() / wanted.square().sum() < 1.5


@every_sample_objective
def test_a_single_distant_track_has_a_gradient_towards_the_clips(name: str) -> None:
    real, others = centred(1, 60, 8), centred(1, 29, 8, seed=1)
    # A squared distance of ten times the usual one between two clips.
    behind = (10 * 2 * 8 / 8) ** 0.5 * torch.ones(1, 1, 8)
    synthetic = torch.cat([others, behind], 1).requires_grad_()
    distances = torch.stack([OBJECTIVES[name].distance(real, synthetic, draws(seed)) for seed in range(20)])
    (gradient,) = torch.autograd.grad(distances.mean(), synthetic)
    (wanted,) = torch.autograd.grad(match_means(real, synthetic, draws()).sum(), synthetic)
    assert torch.cosine_similarity(gradient[0, -1], wanted[0, -1], 0) > 0.8
    assert gradient[0, -1].norm() > 0.05 * wanted[0, -1].norm()


def test_an_amplitude_of_zero_has_a_finite_gradient() -> None:
    parts = torch.zeros(2, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(_amplitude(*parts).sum(), parts)
    assert torch.equal(gradient, torch.zeros(2, 3))


# Random draws


def test_frequencies_depend_on_the_given_generator_alone() -> None:
    real, synthetic = normal(3, 10, 8), normal(3, 4, 8, seed=1)
    torch.manual_seed(1)
    first = match_characteristic_functions(real, synthetic, draws(5))
    torch.manual_seed(2)
    assert torch.equal(match_characteristic_functions(real, synthetic, draws(5)), first)
    other = match_characteristic_functions(real, synthetic, draws(6))
    assert not torch.equal(other, first)
    torch.testing.assert_close(other, first, rtol=0.5, atol=0)


@pytest.mark.parametrize("name", ["mean", "mmd"])
def test_other_objectives_draw_nothing(name: str) -> None:
    draw = draws()
    before = draw.get_state()
    OBJECTIVES[name].distance(normal(3, 10, 8), normal(3, 4, 8, seed=1), draw)
    assert torch.equal(draw.get_state(), before)
