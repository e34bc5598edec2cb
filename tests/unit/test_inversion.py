"""Inversion: a sound made from an image has that image, always the same one, and can be played."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torchaudio
from torch import Tensor

from distrack import datasets
from distrack.audio import SAMPLE_RATE, level, read_clip
from distrack.features import LOG_FLOOR, FeatureConfig, build_feature
from distrack.inversion import INVERSIONS, invert, spectrum_of_mel

every_feature = pytest.mark.parametrize("name", list(INVERSIONS))


@pytest.fixture(scope="module")
def plucked() -> Tensor:
    """Two harmonic tones with the envelope of a plucked string, one of them half a second late; `[2, samples]`."""
    time = torch.arange(SAMPLE_RATE, dtype=torch.float64) / SAMPLE_RATE
    waves = []
    for pitch, onset in ((220.0, 0.05), (330.0, 0.5)):
        since = (time - onset).clamp(min=0)
        partials = [torch.sin(2 * math.pi * pitch * k * since) / k for k in range(1, 12)]
        waves.append(0.2 * torch.stack(partials).sum(0) * torch.exp(-3 * since))
    return torch.stack(waves).float()


def error_db(sound: Tensor, again: Tensor) -> Tensor:
    """Mean distance in dB of the mel power of two sounds, over what is within 40 dB of the first one's loudest."""
    mel = build_feature(FeatureConfig(name="melspectrogram"))
    power, other = mel(sound), mel(again)
    loud = power > 1e-4 * power.amax()
    distance: Tensor = 10 * (other[loud].clamp(min=1e-12) / power[loud]).log10().abs().mean()
    return distance


@every_feature
def test_the_sound_of_an_image_has_that_image_within_1_db(plucked: Tensor, name: str) -> None:
    config = FeatureConfig(name=name)
    sound = invert(build_feature(config)(plucked), config, samples=SAMPLE_RATE)
    assert sound.shape == plucked.shape
    assert error_db(plucked, sound) < 1
    # The measure tells a wrong sound: the two swapped are tens of dB apart.
    assert error_db(plucked, sound.flip(0)) > 10


@pytest.mark.real_data
def test_spoken_digits_come_back_within_1_db(real_data: Path) -> None:
    clips = [clip for clip in datasets.index("FSDD", real_data / "fsdd").clips if clip.split == "test"][::30]
    speech = torch.from_numpy(np.stack([read_clip(clip.path, seconds=1.0) for clip in clips]))
    assert len(speech) == 10
    config = FeatureConfig()
    sound = invert(build_feature(config)(speech), config, samples=SAMPLE_RATE)
    for spoken, made in zip(speech.split(1), sound.split(1), strict=True):
        assert error_db(spoken, made) < 1


@every_feature
def test_the_same_images_give_the_same_samples_whatever_was_drawn_before(plucked: Tensor, name: str) -> None:
    config = FeatureConfig(name=name)
    images = build_feature(config)(plucked[:, :4_000])
    torch.manual_seed(1)
    first = invert(images, config, samples=4_000)
    torch.manual_seed(2)
    assert torch.equal(first, invert(images, config, samples=4_000))


@every_feature
@pytest.mark.parametrize("samples", [4_000, 4_321])
def test_a_waveform_is_as_long_as_asked(plucked: Tensor, name: str, samples: int) -> None:
    config = FeatureConfig(name=name)
    assert invert(build_feature(config)(plucked[:, :samples]), config, samples=samples).shape == (2, samples)


@every_feature
def test_a_batch_gives_what_its_images_give_one_by_one(plucked: Tensor, name: str) -> None:
    config = FeatureConfig(name=name, n_fft=512, hop_length=256, n_mels=32)
    # More than are inverted at once, so that the seam is crossed.
    images = build_feature(config)(plucked[:, 8_000:9_000]).repeat(33, 1, 1, 1)
    together = invert(images, config, samples=1_000)
    assert together.shape == (66, 1_000)
    for row in (0, 63, 64):
        alone = invert(images[row : row + 1], config, samples=1_000)[0]
        torch.testing.assert_close(together[row], alone, atol=1e-4, rtol=0)


@every_feature
def test_silence_gives_silence(name: str) -> None:
    config = FeatureConfig(name=name)
    images = build_feature(config)(torch.zeros(1, 4_000))
    assert invert(images, config, samples=4_000).abs().max() < 1e-5


@every_feature
@pytest.mark.parametrize("spread", [1.0, 6.0])
def test_what_no_sound_can_have_still_gives_numbers(name: str, spread: float) -> None:
    config = FeatureConfig(name=name)
    images = spread * torch.randn(2, 1, *config.shape(4_000), generator=torch.Generator().manual_seed(0)) - 3
    sound = invert(images, config, samples=4_000)
    assert sound.isfinite().all()
    assert sound.abs().max() > 0


def test_negative_power_counts_as_silence() -> None:
    config = FeatureConfig(name="melspectrogram")
    assert invert(torch.full((1, 1, *config.shape(4_000)), -5.0), config, samples=4_000).abs().max() < 1e-5
    below = torch.full((1, 1, *config.shape(4_000)), math.log(LOG_FLOOR) - 5)
    assert invert(below, FeatureConfig(), samples=4_000).abs().max() < 1e-5


def test_the_spectrum_of_a_mel_image_is_power_and_has_that_mel_image(plucked: Tensor) -> None:
    config = FeatureConfig(name="melspectrogram")
    mel = build_feature(config)(plucked)[:, 0]
    power = spectrum_of_mel(mel, config)
    assert power.shape == (2, 513, mel.shape[2])
    assert (power >= 0).all()
    again = torchaudio.transforms.MelScale(config.n_mels, SAMPLE_RATE, n_stft=513)(power)
    assert (again - mel).abs().mean() < 0.01 * mel.mean()


@every_feature
def test_levelled_it_can_be_played(plucked: Tensor, name: str) -> None:
    config = FeatureConfig(name=name)
    sound = invert(build_feature(config)(plucked[:1, :8_000]), config, samples=8_000)
    audible = level(sound[0].numpy())
    assert 20 * np.log10(np.abs(audible).max()) <= -1 + 1e-4
    assert -35 < 20 * np.log10(np.sqrt(np.mean(audible**2))) <= -20 + 1e-3
    torch.testing.assert_close(
        torch.nn.functional.cosine_similarity(torch.from_numpy(audible), sound[0] - sound[0].mean(), dim=0),
        torch.tensor(1.0),
    )
