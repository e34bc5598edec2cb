"""What the network sees of a sound."""

import numpy as np
import pytest
import torch

from distrack.decompose.siam import detector
from distrack.decompose.siam.detector import BINS, HOP, MULTIPLES, Detector, Map
from distrack.decompose.siam.scenes import RATE, Scene


@pytest.mark.parametrize("frequency", [110.0, 880.0, 3_000.0])
def test_a_tone_is_loudest_at_its_pitch(frequency: float) -> None:
    wave = torch.sin(2 * torch.pi * frequency * torch.arange(32 * HOP) / RATE)[None]
    place = float(detector.place_of(torch.tensor(frequency)))
    for power in detector.powers(wave):
        assert power.shape == (1, BINS, 33)
        assert abs(int(power[0, :, 16].argmax()) - place) <= 2


def test_levels_are_relative_to_the_loudest_and_shifted_to_the_multiples_of_a_pitch() -> None:
    powers = [torch.full((1, BINS, 3), 1e-30) for _ in detector.WINDOWS]
    powers[0][0, 100, 1] = 2.0
    levels = detector.levels_of(powers)
    assert levels.shape == (1, 2 * len(MULTIPLES), BINS, 3)
    assert float(levels.max()) == pytest.approx(1.0, abs=1e-4)
    for channel, multiple in enumerate(MULTIPLES):
        shift = round(detector.BINS_PER_OCTAVE * np.log2(multiple))
        assert float(levels[0, channel, 100 - shift, 1]) == pytest.approx(1.0, abs=1e-4)
    assert torch.equal(detector.levels_of([7 * one for one in powers]), levels)


def test_the_loss_is_lowest_for_a_map_of_the_events() -> None:
    time, frequency = torch.tensor([0.5]), torch.tensor([440.0])
    scene = Scene(torch.zeros(1), time, frequency, torch.zeros(1), torch.ones(1))
    frame, place = 0.5 * RATE / HOP, float(detector.place_of(frequency))
    score = torch.full((1, BINS, 64), -8.0)
    other = score.clone()
    score[0, round(place), round(frame)] = 8.0
    other[0, round(place) + 12, round(frame)] = 8.0
    late, high = (torch.full_like(score, value - round(value)) for value in (frame, place))
    noise = torch.full_like(score, -8.0)
    right = detector.loss_of(Map(score, late, high, noise), [scene])
    assert float(right) < 0.01
    assert float(detector.loss_of(Map(other, late, high, noise), [scene])) > 1
    assert float(detector.loss_of(Map(score, late + 0.5, high, noise), [scene])) == pytest.approx(0.5, abs=0.02)


def test_a_new_network_expects_few_onsets() -> None:
    with torch.no_grad():
        score = Detector()(torch.rand(1, 2 * len(MULTIPLES), BINS, 8)).score
    assert score.shape == (1, BINS, 8)
    assert float(torch.sigmoid(score).mean()) < 0.1
