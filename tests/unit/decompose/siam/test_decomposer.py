"""The method "siam": one pass, then refinement, in mono and in stereo, at any sample rate."""

import numpy as np
import pytest

from distrack.arrays import Floats
from distrack.decompose import DecomposeConfig, Events, render, spectral_convergence
from distrack.decompose.siam.measuring import held_out_scenes
from distrack.decompose.siam.scenes import RATE
from distrack.errors import ConfigError


def clip(rate: int, seconds: float = 1.2) -> Floats:
    time = np.arange(round(rate * seconds)) / rate
    wave = np.zeros_like(time)
    for onset, frequency in ((0.1, 247.0), (0.6, 415.0)):
        past = np.maximum(time - onset, 0)
        wave += 0.3 * np.sin(2 * np.pi * frequency * past) * np.exp(-past / 0.2) * (1 - np.exp(-past / 0.005))
        wave += 0.1 * np.sin(4 * np.pi * frequency * past) * np.exp(-past / 0.1) * (1 - np.exp(-past / 0.005))
    return wave.astype(np.float32)[None]


def decomposed(wave: Floats, rate: int, *, events: int = 3, **method: object) -> Events:
    config = DecomposeConfig.model_validate({"events": events, "method": {"name": "siam", **method}})
    decomposer = config.decomposer(wave, rate)
    list(decomposer)
    return decomposer.events()


@pytest.mark.parametrize("rate", [4_000, 8_000, 22_050, 44_100])
def test_a_clip_of_any_sample_rate_is_heard(rate: int) -> None:
    wave = clip(rate)
    result = decomposed(wave, rate, refine=0)
    assert result.sample_rate == rate
    assert spectral_convergence(wave, render(result)) < 0.6
    assert abs(1200 * np.log2(result.column("frequency")[0] / 247)) < 50 or result.column("frequency")[0] > 400


def test_refinement_comes_nearer() -> None:
    wave = held_out_scenes(3, 1)[0].wave.numpy()[None, :16_000]
    before, after = (spectral_convergence(wave, render(decomposed(wave, RATE, refine=steps))) for steps in (0, 60))
    assert after < 0.9 * before


def test_both_channels_are_panned_to_where_the_events_are() -> None:
    wave = clip(8_000)
    stereo = np.concatenate([wave, 0.25 * wave])
    result = decomposed(stereo, 8_000, refine=0)
    assert result.parameters.shape[1] == 18
    assert (result.column("pan") < -0.3).all()
    sound = render(result)
    energies = np.square(sound).sum(1)
    assert energies[0] > 4 * energies[1]
    assert energies[0] == pytest.approx(float(np.square(wave).sum()), rel=0.5)


def test_the_loss_of_refinement_is_chosen_by_name() -> None:
    assert len(decomposed(clip(8_000, 0.6), 8_000, refine=2, loss="scattering"))
    with pytest.raises(ConfigError, match="unknown loss 'nothing'"):
        DecomposeConfig.validated({"method": {"name": "siam", "loss": "nothing"}})


def test_a_model_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(ConfigError, match="no model 'absent': there are notes"):
        decomposed(clip(8_000), 8_000, model="absent")
