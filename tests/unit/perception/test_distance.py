"""What every perceptual distance has in common."""

import numpy as np
import pytest
import torch

from distrack.arrays import Floats
from distrack.perception import DISTANCES, distance

RATE = 16_000


def noise(seed: int, channels: int = 1, samples: int = RATE) -> Floats:
    return np.random.default_rng(seed).normal(size=(channels, samples)).astype(np.float32)


@pytest.fixture(params=list(DISTANCES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_clip_is_at_distance_0_from_itself_and_silence_at_1(name: str) -> None:
    clip = noise(0, channels=2)
    assert distance(name, clip, clip, RATE) < 1e-6
    assert distance(name, clip, 0 * clip, RATE) == pytest.approx(1, abs=0.05)
    assert distance(name, 0 * clip, clip, RATE) == 0


def test_a_louder_pair_is_as_far_apart(name: str) -> None:
    clip, other = noise(0), noise(1)
    assert distance(name, 9 * clip, 9 * other, RATE) == pytest.approx(distance(name, clip, other, RATE), rel=1e-3)


def test_sounds_of_different_shapes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        distance(name, noise(0), noise(0, samples=9), RATE)


def test_a_long_clip_is_compared_part_by_part(name: str) -> None:
    clip, other = noise(0, samples=40 * RATE), noise(1, samples=40 * RATE)
    other[:, : 30 * RATE] = clip[:, : 30 * RATE]
    short = distance(name, clip[:, 30 * RATE :], other[:, 30 * RATE :], RATE)
    assert 0 < distance(name, clip, other, RATE) < 0.6 * short


def test_gradient_descent_on_a_distance_brings_a_sound_nearer(name: str) -> None:
    clip = torch.from_numpy(noise(0, samples=6000))
    measure = DISTANCES[name](clip, RATE)
    sound = (0.3 * torch.from_numpy(noise(1, samples=6000))).requires_grad_()
    optimiser = torch.optim.Adam([sound], 0.03)
    first = float(measure(sound).detach())
    for _ in range(15):
        optimiser.zero_grad()
        measure(sound).backward()
        assert sound.grad is not None
        assert sound.grad.isfinite().all()
        optimiser.step()
    assert float(measure(sound).detach()) < 0.7 * first
