"""The spectral loss is 0 for the clip itself and 1 for silence, and the phase weight makes it see phases."""

import pytest
import torch

from distrack.decompose.losses import LOSSES
from distrack.decompose.losses.spectral import SpectralLoss
from distrack.perception import DISTANCES
from tests.unit.decompose.splat.fits import notes


def test_the_loss_is_zero_for_the_clip_and_one_for_silence() -> None:
    clip = torch.from_numpy(notes())
    distance = SpectralLoss(clip, phases=0.0, bands=0.0)
    assert float(distance(clip)) < 1e-6
    assert float(distance(torch.zeros_like(clip))) == pytest.approx(1, abs=1e-5)


def test_only_the_phase_weight_makes_an_inverted_clip_different() -> None:
    clip = torch.from_numpy(notes())
    assert float(SpectralLoss(clip, phases=0.0, bands=0.0)(-clip)) < 1e-6
    assert float(SpectralLoss(clip, phases=0.5, bands=0.0)(-clip)) == pytest.approx(1, abs=1e-3)


def test_every_perceptual_distance_is_a_loss() -> None:
    assert set(LOSSES) == {"spectral", *DISTANCES}
