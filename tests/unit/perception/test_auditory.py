"""The auditory image shows the pitch of a complex tone, even where its fundamental is missing."""

from collections.abc import Iterable

import numpy as np
import pytest
import torch

from distrack.arrays import Floats
from distrack.perception import distance
from distrack.perception.auditory import AuditoryImage

RATE = 22_050
SEMITONE = 2 ** (1 / 12)


def complex_tone(fundamental: float, harmonics: Iterable[int], seconds: float = 0.6, rate: int = RATE) -> Floats:
    """Harmonics of equal amplitude, each with a phase of its own."""
    time = np.arange(int(seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * fundamental * n * time + n * n) for n in harmonics)
    return np.asarray(wave, np.float32)[None]


@pytest.mark.parametrize("fundamental", [110.0, 200.0, 330.0])
def test_a_complex_without_its_fundamental_is_nearer_than_one_a_semitone_away(fundamental: float) -> None:
    whole = complex_tone(fundamental, range(1, 11))
    missing = distance("auditory", whole, complex_tone(fundamental, range(2, 11)), RATE)
    for factor in (SEMITONE, 1 / SEMITONE):
        shifted = complex_tone(fundamental * factor, range(1, 11))
        assert distance("auditory", whole, shifted, RATE) > 1.5 * missing


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_the_period_of_a_missing_fundamental_is_a_peak_over_all_channels(rate: int) -> None:
    wave = complex_tone(200, range(3, 9), rate=rate)
    image = AuditoryImage(wave.shape[1], rate)
    summary = image(torch.from_numpy(wave))[0, :, :, 1:].mean((0, 1))
    # Lags begin with one sample; the longest one is 20 ms.
    lag = 20e-3 / len(summary)
    lags = lag * (1 + np.arange(len(summary)))
    some = (lags > 2e-3) & (lags < 8e-3)
    period = lags[some][int(summary[torch.from_numpy(some)].argmax())]
    assert period == pytest.approx(1 / 200, rel=0.05)


def test_a_tone_is_loudest_in_the_channel_of_its_frequency() -> None:
    wave = complex_tone(1000, [1])
    image = AuditoryImage(wave.shape[1], RATE)
    loudest = int(image(torch.from_numpy(wave))[0, 3, :, 0].argmax())
    assert image.centres[loudest] == pytest.approx(1000, rel=0.1)


@pytest.mark.parametrize(("samples", "rate"), [(1, 1000), (40, 192_000), (5000, 8000)])
def test_short_sounds_have_finite_images(samples: int, rate: int) -> None:
    assert AuditoryImage(samples, rate)(torch.ones(2, samples)).isfinite().all()
