"""Ridge regression from tracks to the classes of real clips: its formula, its gradient, and what it does to tracks."""

import math

import pytest
import torch
from sklearn.linear_model import Ridge
from torch import Tensor

from distrack.distill import regression
from distrack.distill.regression import prediction_error


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [3, 200])
def test_it_is_the_error_of_a_ridge_regression_on_the_tracks(size: int) -> None:
    real, synthetic = normal(4, 20, size) + 3, normal(4, 6, size, seed=1) + 3
    centre = real.mean((0, 1))
    length = (real - centre).square().sum(2).mean().sqrt()
    clips, tracks = ((side - centre).flatten(0, 1) / length for side in (real, synthetic))
    targets = torch.eye(4) - 0.25
    strength = 0.01 * float(tracks.square().sum(1).mean()) * math.sqrt(len(tracks))
    known = Ridge(alpha=strength, fit_intercept=False, solver="svd")
    known.fit(tracks.double().numpy(), targets.repeat_interleave(6, 0).double().numpy())
    found = torch.from_numpy(known.predict(clips.double().numpy()))
    wanted = (found - targets.repeat_interleave(20, 0)).square().sum(1).mean()
    torch.testing.assert_close(prediction_error(real, synthetic).double(), wanted, rtol=1e-3, atol=1e-4)


def test_its_gradient_is_its_slope() -> None:
    real, synthetic, step = normal(3, 9, 5).double(), normal(3, 4, 5, seed=1).double(), normal(3, 4, 5, seed=2).double()
    (gradient,) = torch.autograd.grad(prediction_error(real, synthetic.requires_grad_()), synthetic)
    # The strength follows the tracks without a gradient: only directions that keep their length are compared.
    step = step - synthetic.detach() * (step * synthetic.detach()).sum() / synthetic.detach().square().sum()
    after, before = (prediction_error(real, synthetic.detach() + sign * 1e-5 * step) for sign in (1, -1))
    torch.testing.assert_close(after - before, 2e-5 * (gradient * step).sum(), rtol=1e-2, atol=1e-10)


def test_descent_lets_two_tracks_a_class_predict_the_clips() -> None:
    real = normal(3, 40, 16) + 2 * normal(3, 1, 16, seed=1)
    tracks = normal(3, 2, 16, seed=2)
    before = float(prediction_error(real, tracks))
    for _ in range(300):
        (gradient,) = torch.autograd.grad(prediction_error(real, tracks.requires_grad_()), tracks)
        tracks = (tracks - 3 * gradient).detach()
    assert float(prediction_error(real, tracks)) < 0.3 * before


def test_neither_origin_nor_scale_matters() -> None:
    real, synthetic = normal(3, 20, 8), normal(3, 5, 8, seed=1)
    for factor, shift in ((1e3, 0.0), (1e-3, 0.0), (1.0, 50.0)):
        moved = prediction_error(factor * real + shift, factor * synthetic + shift)
        torch.testing.assert_close(moved, prediction_error(real, synthetic), rtol=1e-2, atol=1e-4)


def test_of_many_classes_some_clips_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    real, synthetic = normal(5, 20, 8), normal(5, 3, 8, seed=1)
    monkeypatch.setattr(regression, "_MOST_CLIPS", 40)
    found = prediction_error(real, synthetic)
    monkeypatch.undo()
    assert torch.equal(found, prediction_error(real[:, :8], synthetic))


@pytest.mark.parametrize("factor", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize(
    ("real", "synthetic"),
    [
        (torch.zeros(2, 6, 8), torch.zeros(2, 4, 8)),
        (torch.zeros(2, 6, 8), normal(2, 4, 8)),
        (normal(2, 6, 8), torch.zeros(2, 4, 8)),
        (normal(2, 6, 8), normal(2, 1, 8)[:, :1].expand(2, 4, 8)),
        (normal(1, 6, 8), normal(1, 4, 8)),
        (normal(2, 1, 8), normal(2, 1, 8, seed=1)),
        (normal(2, 6, 8), 1e4 + normal(2, 4, 8)),
    ],
)
def test_error_and_gradient_are_numbers(real: Tensor, synthetic: Tensor, factor: float) -> None:
    synthetic = (factor * synthetic).requires_grad_()
    error = prediction_error(factor * real, synthetic)
    (gradient,) = torch.autograd.grad(error, synthetic)
    assert error.isfinite()
    assert gradient.isfinite().all()
