"""A fit gives back the tone or the noise that a sound was made of."""

import numpy as np
import pytest

from distrack.arrays import Doubles
from distrack.decompose.siam.fitting import fit_burst, fit_tone, without
from distrack.decompose.siam.scenes import RATE


def tone(frequency: float, onset: float, decay: float, seconds: float = 2.0) -> Doubles:
    time = np.arange(round(seconds * RATE)) / RATE - onset
    past = np.maximum(time, 0)
    wave = np.sin(2 * np.pi * frequency * past) + 0.5 * np.sin(4 * np.pi * frequency * past)
    return np.asarray(0.3 * wave * np.exp(-past / decay) * (1 - np.exp(-past / 0.003)) ** 2 * (time > 0))


@pytest.mark.parametrize("frequency", [65.0, 443.0, 1_700.0])
@pytest.mark.parametrize("off", [0.985, 1.0, 1.015])
def test_a_tone_is_found_near_a_proposal(frequency: float, off: float) -> None:
    fit = fit_tone(tone(frequency, 0.5, 0.3), 0.52, frequency * off)
    assert fit is not None
    assert abs(1200 * np.log2(fit.frequency / frequency)) < 10
    assert fit.onset == pytest.approx(0.5, abs=0.01)
    assert fit.decay == pytest.approx(0.3, rel=0.7)
    levels = np.abs(fit.harmonics)
    assert levels[1] / levels[0] == pytest.approx(0.5, abs=0.1)
    assert levels[2:].max(initial=0) < 0.1 * levels[0]


def test_no_tone_is_fitted_where_none_fits() -> None:
    assert fit_tone(np.zeros(100), 0.0, 440.0) is None
    assert fit_tone(np.zeros(RATE), 0.0, 9_000.0) is None
    assert fit_burst(np.zeros(100), 0.0, 440.0) is None


def test_a_burst_of_noise_is_found_and_subtracted() -> None:
    random = np.random.default_rng(0)
    spectrum = np.fft.rfft(random.standard_normal(RATE))
    hertz = np.maximum(np.fft.rfftfreq(RATE, 1 / RATE), 1)
    noise = np.fft.irfft(spectrum * np.exp(-0.5 * (np.log2(hertz / 2_000) / 0.5) ** 2), RATE)
    past = np.maximum(np.arange(RATE) / RATE - 0.3, 0) / 0.03
    wave = noise * past * np.exp(1 - past)
    fit = fit_burst(wave, 0.31, 1_700.0)
    assert fit is not None
    assert fit.centre == pytest.approx(2_000, rel=0.35)
    assert fit.time_constant == pytest.approx(0.03, rel=0.01)
    assert fit.onset == pytest.approx(0.3, abs=0.03)
    left = without(wave, wave[::1])
    assert float(np.square(left).sum()) < 0.4 * float(np.square(wave).sum())
    assert np.abs(without(wave, np.zeros_like(wave)) - wave).max() < 1e-9
