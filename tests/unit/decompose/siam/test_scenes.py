"""Synthetic scenes know what is in them."""

import numpy as np
import pytest
import torch

from distrack.decompose.siam.measuring import FEWEST, MOST, held_out_scenes
from distrack.decompose.siam.scenes import RATE, Draw, note, partial_amplitudes, scene


def draw(seed: int) -> Draw:
    return Draw(torch.Generator().manual_seed(seed))


def test_equal_seeds_give_equal_scenes() -> None:
    waves = [scene(draw(1), [note(draw(2), seconds=0.5)], samples=RATE, most=3).wave for _ in range(2)]
    assert torch.equal(*waves)
    assert waves[0].abs().max() > 0


@pytest.mark.parametrize("seed", range(12))
def test_a_note_has_energy_at_the_multiples_of_its_pitch(seed: int) -> None:
    random = draw(seed)
    one = next(one for one in iter(lambda: note(random, seconds=1.0), None) if one.noise == 0)
    power = np.abs(np.fft.rfft(one.wave.numpy() * np.hanning(RATE))) ** 2
    hertz = np.arange(len(power))
    off = np.abs(
        1200 * np.log2(np.maximum(hertz, 1) / (np.maximum(np.round(hertz / one.frequency), 1) * one.frequency))
    )
    wide = np.abs(hertz - np.round(hertz / one.frequency) * one.frequency) < 8
    assert power[(off < 100) | wide].sum() > 0.8 * power.sum()


def test_amplitudes_have_no_energy_above_half_the_sample_rate() -> None:
    amplitudes = partial_amplitudes(draw(0), 3_000.0)
    assert amplitudes.square().sum() == pytest.approx(1, abs=1e-5)
    assert not amplitudes[2:].any()


def test_held_out_scenes_have_two_to_four_notes_that_can_be_heard() -> None:
    scenes = held_out_scenes(0, 4)
    for one in scenes:
        assert FEWEST <= len(one.time) <= MOST
        assert bool((one.noise < 1).all())
        assert float(one.level.min()) >= 0.1 * float(one.level.max())
    assert torch.equal(scenes[0].wave, held_out_scenes(0, 1)[0].wave)
    assert not torch.equal(scenes[0].wave, held_out_scenes(1, 1)[0].wave)
