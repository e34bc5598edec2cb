"""Features: a sound lights up where it should, numbers agree with librosa's, and gradients reach the samples."""

import math
from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from distrack.audio import SAMPLE_RATE
from distrack.distill import DistillConfig, from_preset
from distrack.errors import ConfigError
from distrack.features import FEATURES, LOG_FLOOR, FeatureConfig, Normalisation, build_feature

MEL = FeatureConfig(name="melspectrogram")
LOG_MEL = FeatureConfig(name="logmelspectrogram")


def tone(frequency: float, *, samples: int = SAMPLE_RATE, amplitude: float = 0.5) -> Tensor:
    time = torch.arange(samples, dtype=torch.float64) / SAMPLE_RATE
    return (amplitude * torch.sin(2 * math.pi * frequency * time)).float()[None]


def htk_bands(n_mels: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Lower edge, centre and upper edge of every band in Hz: triangles that are evenly spaced on the HTK mel scale."""
    edges = np.linspace(0, 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700), n_mels + 2)
    hertz = 700 * (10 ** (edges / 2595) - 1)
    return np.stack([hertz[:-2], hertz[1:-1], hertz[2:]], axis=1)


@pytest.mark.parametrize("frequency", [250.0, 1_000.0, 3_000.0, 7_000.0])
@pytest.mark.parametrize("name", list(FEATURES))
def test_a_tone_peaks_in_the_band_that_holds_it(name: str, frequency: float) -> None:
    image = build_feature(FeatureConfig(name=name))(tone(frequency))[0, 0]
    loudest = image[:, 2:-2].argmax(0)
    lower, centre, upper = htk_bands(64)[loudest[0]]
    assert (loudest == loudest[0]).all(), "a steady tone stays in its band"
    assert lower < frequency < upper
    # The triangles overlap: of the two that hold the tone, the one whose centre is nearer is the louder.
    assert abs(frequency - centre) == pytest.approx(np.abs(htk_bands(64)[:, 1] - frequency).min(), abs=20)


def test_a_sound_of_twice_the_amplitude_has_four_times_the_power() -> None:
    mel = build_feature(MEL)
    torch.testing.assert_close(mel(tone(440, amplitude=0.4)), 4 * mel(tone(440, amplitude=0.2)))


@pytest.mark.parametrize(("n_fft", "hop_length", "n_mels"), [(1024, 512, 64), (2048, 512, 128), (512, 200, 40)])
def test_mel_agrees_with_librosa_within_a_thousandth_of_a_percent_of_the_loudest(
    n_fft: int, hop_length: int, n_mels: int
) -> None:
    wave = np.random.default_rng(0).standard_normal(12_345).astype(np.float32) * 0.1
    ours = build_feature(FeatureConfig(name="mel", n_fft=n_fft, hop_length=hop_length, n_mels=n_mels))(
        torch.from_numpy(wave)[None]
    )
    theirs = librosa.feature.melspectrogram(
        y=wave,
        sr=SAMPLE_RATE,
        n_fft=n_fft,
        hop_length=hop_length,
        n_mels=n_mels,
        htk=True,
        norm=None,
        power=2.0,
        center=True,
        pad_mode="reflect",
    )
    np.testing.assert_allclose(ours[0, 0].numpy(), theirs, rtol=1e-3, atol=1e-5 * theirs.max())


def test_log_mel_is_the_logarithm_of_mel_above_the_floor() -> None:
    sound = tone(1_000)
    mel, log_mel = build_feature(MEL)(sound), build_feature(LOG_MEL)(sound)
    loud = mel > 1e3 * LOG_FLOOR
    assert 0.1 < loud.float().mean() < 0.9
    torch.testing.assert_close(log_mel[loud], mel[loud].log(), atol=1e-3, rtol=0)
    assert (log_mel >= math.log(LOG_FLOOR) - 1e-5).all()
    silent = build_feature(LOG_MEL)(torch.zeros(1, SAMPLE_RATE))
    torch.testing.assert_close(silent, torch.full_like(silent, math.log(LOG_FLOOR)))


@pytest.mark.parametrize("name", list(FEATURES))
def test_the_gradient_is_the_slope_of_the_feature(name: str) -> None:
    feature = build_feature(FeatureConfig(name=name, n_fft=256, hop_length=128, n_mels=16)).double()
    draw = torch.Generator().manual_seed(0)
    wave = torch.randn(1, 1_000, generator=draw, dtype=torch.float64).requires_grad_()
    weights = torch.randn(1, 1, 16, 8, generator=draw, dtype=torch.float64)

    def value(samples: Tensor) -> Tensor:
        total: Tensor = (feature(samples) * weights).sum()
        return total

    (gradient,) = torch.autograd.grad(value(wave), wave)
    direction = torch.randn(wave.shape, generator=draw, dtype=torch.float64)
    with torch.no_grad():
        slope = (value(wave + 1e-6 * direction) - value(wave - 1e-6 * direction)) / 2e-6
    assert gradient.isfinite().all()
    assert gradient.count_nonzero() > 990
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("samples", [1_600, 8_000, 12_345, 16_000, 16_383, 16_384, 40_000])
@pytest.mark.parametrize("name", list(FEATURES))
def test_the_shape_is_known_beforehand(name: str, samples: int) -> None:
    for config in (
        FeatureConfig(name=name),
        FeatureConfig(name=name, n_fft=2048, hop_length=300, n_mels=40),
        FeatureConfig(name=name, n_fft=128, hop_length=64, n_mels=8),
    ):
        image = build_feature(config)(tone(440, samples=samples))
        assert tuple(image.shape) == (1, 1, *config.shape(samples))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"hop_length": 513}, "hop_length 513 is more than half of n_fft 1024"),
        ({"n_fft": 32}, "greater than or equal to 64"),
        ({"n_fft": 16_384}, "less than or equal to 8192"),
        ({"n_mels": 0}, "greater than or equal to 8"),
        ({"n_mels": 1_000}, "less than or equal to 256"),
        ({"hop_length": 0}, "greater than or equal to 16"),
        ({"hop": 512}, "Extra inputs are not permitted"),
    ],
)
def test_impossible_values_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FeatureConfig.model_validate(values)


def test_an_unknown_feature_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown feature 'spectogram'.*melspectrogram"):
        FeatureConfig(name="spectogram")


def test_any_spelling_of_a_feature_gives_the_same_config() -> None:
    assert FeatureConfig(name="logmel") == FeatureConfig(name="Log-Mel-Spectrogram") == FeatureConfig()


def test_a_clip_shorter_than_half_a_window_is_refused_before_any_work() -> None:
    config = FeatureConfig(n_fft=4096, hop_length=16)
    with pytest.raises(ValueError, match="2048 samples is too short for n_fft 4096"):
        config.shape(2_048)
    assert build_feature(config)(tone(440, samples=2_049)).shape[2:] == config.shape(2_049)
    with pytest.raises(ConfigError, match=r"too short for n_fft 4096: choose a duration of more than 0\.128 s"):
        from_preset(DistillConfig, {"duration": 0.12, "feature": {"n_fft": 4096, "hop_length": 16}})


def uneven(images: Tensor) -> list[Tensor]:
    return list(images.split([1, 7, 2]))


@pytest.mark.parametrize("batched", [uneven, lambda images: [images], lambda images: list(images.split(3))])
def test_normalisation_is_the_mean_and_deviation_of_all_numbers(batched: Callable[[Tensor], list[Tensor]]) -> None:
    # An offset far from zero: a float32 sum of squares would lose the deviation.
    images = torch.randn(10, 1, 16, 20, generator=torch.Generator().manual_seed(0)) * 0.5 + 300
    measured = Normalisation.of(batched(images))
    assert measured.mean == pytest.approx(images.double().numpy().mean(), rel=1e-9)
    assert measured.std == pytest.approx(images.double().numpy().std(), rel=1e-6)


def test_normalised_images_have_mean_0_and_deviation_1_and_undo_gives_them_back() -> None:
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 3 - 7
    normalisation = Normalisation.of([images])
    applied = normalisation.apply(images)
    assert float(applied.mean()) == pytest.approx(0, abs=1e-5)
    assert float(applied.std(correction=0)) == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(normalisation.undo(applied), images)


def test_images_without_any_variation_are_not_divided_by_zero() -> None:
    images = torch.full((2, 1, 4, 4), 5.0)
    assert Normalisation.of([images]).apply(images).isfinite().all()
