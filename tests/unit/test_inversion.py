"""Inversion: a sound made from an image has that image, always the same one, and can be played."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torchaudio
from torch import Tensor

from distrack import datasets
from distrack.audio import SAMPLE_RATE, decode_clip, level
from distrack.features import FEATURES, LOG_FLOOR, FeatureConfig, build_feature
from distrack.inversion import INVERSIONS, at_level_of, inversion_error, invert, shepard_tones, spectrum_of_mel

every_feature = pytest.mark.parametrize("name", list(INVERSIONS))
CHROMA = FEATURES.choice("chromagram")


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
    mel = build_feature(FEATURES.choice("melspectrogram"))
    power, other = mel(sound), mel(again)
    loud = power > 1e-4 * power.amax()
    distance: Tensor = 10 * (other[loud].clamp(min=1e-12) / power[loud]).log10().abs().mean()
    return distance


@pytest.mark.parametrize(
    "config",
    [
        FEATURES.choice("melspectrogram"),
        FEATURES.choice("logmelspectrogram"),
        # As many coefficients as bands: nothing is left out.
        FEATURES.choice("mfcc", n_mfcc=64),
    ],
    ids=lambda config: config.name,
)
def test_the_sound_of_an_image_has_that_image_within_1_db(plucked: Tensor, config: FeatureConfig) -> None:
    sound = invert(build_feature(config)(plucked), config, samples=SAMPLE_RATE)
    assert sound.shape == plucked.shape
    assert error_db(plucked, sound) < 1
    # The measure tells a wrong sound: the two swapped are tens of dB apart.
    assert error_db(plucked, sound.flip(0)) > 10


@pytest.mark.parametrize(("n_mfcc", "decibels"), [(13, 3.0), (40, 5.0)])
def test_the_sound_of_coefficients_has_those_within_a_few_db_on_average(
    plucked: Tensor, n_mfcc: int, decibels: float
) -> None:
    """Coefficients range over hundreds of dB, and count the silence between partials and before the onset alike."""
    config = FEATURES.choice("mfcc", n_mfcc=n_mfcc)
    feature = build_feature(config)
    images = feature(plucked)
    again = feature(invert(images, config, samples=SAMPLE_RATE))
    assert (again - images).abs().mean() < decibels
    assert torch.corrcoef(torch.stack([images.flatten(), again.flatten()]))[0, 1] > 0.97
    assert (again.flip(0) - images).abs().mean() > 2 * decibels


# Chroma: a sound is made of Shepard tones, which share nothing with the first one but its pitch classes.


@pytest.mark.parametrize("n_fft", [2048, 4096])
def test_the_sound_of_a_chromagram_has_that_chromagram_within_a_fortieth_on_average(
    plucked: Tensor, n_fft: int
) -> None:
    config = FEATURES.choice("chromagram", n_fft=n_fft)
    feature = build_feature(config)
    images = feature(plucked)
    again = feature(invert(images, config, samples=SAMPLE_RATE))
    assert (again - images).abs().mean() < 0.025
    assert torch.corrcoef(torch.stack([images.flatten(), again.flatten()]))[0, 1] > 0.98
    assert (again.flip(0) - images).abs().mean() > 0.25


@pytest.mark.parametrize("n_fft", [2048, 4096])
def test_the_sound_of_the_chroma_of_noise_has_that_within_a_hundredth_on_average(n_fft: int) -> None:
    config = FEATURES.choice("chromagram", n_fft=n_fft)
    feature = build_feature(config)
    images = feature(0.1 * torch.randn(2, SAMPLE_RATE, generator=torch.Generator().manual_seed(0)))
    again = feature(invert(images, config, samples=SAMPLE_RATE))
    assert (again - images).abs().mean() < 0.01
    assert torch.corrcoef(torch.stack([images.flatten(), again.flatten()]))[0, 1] > 0.98
    assert (again.flip(0) - images).abs().mean() > 0.02


@pytest.mark.real_data
def test_the_chroma_of_spoken_digits_comes_back_within_a_fortieth_on_average(real_data: Path) -> None:
    paths = sorted((real_data / "fsdd").rglob("*_0.wav"))[::6]
    assert len(paths) == 10
    speech = torch.from_numpy(np.stack([decode_clip(path, seconds=1.0).wave for path in paths]))
    feature = build_feature(CHROMA)
    images = feature(speech)
    again = feature(invert(images, CHROMA, samples=SAMPLE_RATE))
    assert (again - images).abs().mean() < 0.025
    assert torch.corrcoef(torch.stack([images.flatten(), again.flatten()]))[0, 1] > 0.97


@pytest.mark.parametrize("pitch_class", range(12))
def test_a_pitch_class_sounds_in_many_octaves_and_far_more_than_any_other_class(pitch_class: int) -> None:
    image = torch.zeros(1, 1, 12, 32)
    image[:, :, pitch_class] = 1.0
    sound = invert(image, CHROMA, samples=SAMPLE_RATE)
    again = build_feature(CHROMA)(sound)[0, 0]
    assert (again.argmax(0) == pitch_class).all()
    # While it fades in or out it lights up others too, and the classes beside it always.
    others = again.roll(-pitch_class, 0)[1:]
    assert others.max() < 0.75
    assert others[:, 4:-4].max() < 0.25
    assert others[1:-1, 4:-4].max() < 0.05
    power = torch.fft.rfft(sound[0] * torch.hann_window(SAMPLE_RATE)).abs().square()
    octaves = [440 * 2 ** ((pitch_class - 9) / 12 + octave) for octave in range(-4, 5)]
    heard = [power[round(f) - 2 : round(f) + 3].sum() for f in octaves if f < 7_000]
    assert sum(value > 0.01 * max(heard) for value in heard) >= 3
    assert sum(heard) > 0.98 * power.sum()


def test_shepard_tones_are_equally_loud_and_neither_start_nor_end_with_a_click() -> None:
    tones = shepard_tones(CHROMA, SAMPLE_RATE)
    torch.testing.assert_close(tones.square().mean(1).sqrt(), torch.full((12,), 0.1), atol=0.002, rtol=0)
    assert tones.abs().max() < 0.5
    assert tones[:, [0, -1]].abs().max() < 1e-6
    assert tones[:, [8, -9]].abs().max() < 0.03


def test_a_change_of_pitch_class_is_no_click() -> None:
    image = torch.zeros(1, 1, 12, 32)
    image[:, :, 0, :16] = image[:, :, 6, 16:] = 1.0
    sound = invert(image, CHROMA, samples=SAMPLE_RATE)[0]
    # Above the highest tone there is nothing but what a click would leave.
    spectra = torch.stft(sound, 512, 128, window=torch.hann_window(512), return_complex=True).abs().square()
    above = spectra[7_200 * 512 // SAMPLE_RATE :, 8:-8]
    assert above.max() < 1e-6 * spectra.max()


def test_where_a_sound_is_silent_its_chroma_stays_silent() -> None:
    wave = torch.zeros(1, 2 * SAMPLE_RATE)
    time = torch.arange(SAMPLE_RATE) / SAMPLE_RATE
    wave[:, :SAMPLE_RATE] = 0.3 * torch.sin(2 * math.pi * 440 * time)
    sound = invert(build_feature(CHROMA)(wave), CHROMA, samples=2 * SAMPLE_RATE)
    # The window is a quarter of a second long: nothing can end more sharply than a few of its frames.
    assert sound[:, : SAMPLE_RATE - 2_048].abs().max() > 0.05
    assert not sound[:, SAMPLE_RATE + 1_024 :].any()


def test_a_click_is_not_too_short_to_be_heard_and_sounds_where_it_was() -> None:
    wave = torch.zeros(1, SAMPLE_RATE)
    wave[:, 8_000:8_032] = 0.5
    sound = invert(build_feature(CHROMA)(wave), CHROMA, samples=SAMPLE_RATE)[0]
    assert sound[7_500:8_500].abs().max() > 0.05
    assert not sound[:6_900].any()
    assert not sound[9_100:].any()


def test_frames_of_one_loudness_sound_so_however_many_pitch_classes_there_are() -> None:
    image = torch.zeros(2, 1, 12, 32)
    image[0, :, 9] = image[1, :, ::3] = 1.0
    one, four = invert(image, CHROMA, samples=SAMPLE_RATE).square().mean(1).sqrt()
    assert one == pytest.approx(0.1, rel=0.05)
    assert four == pytest.approx(0.1, rel=0.05)
    faint = invert(0.5 * image[:1], CHROMA, samples=SAMPLE_RATE).square().mean().sqrt()
    assert faint == pytest.approx(0.05, rel=0.05)


@pytest.mark.real_data
def test_spoken_digits_come_back_within_1_db(real_data: Path) -> None:
    clips = [clip for clip in datasets.index("FSDD", real_data / "fsdd").clips if clip.split == "test"][::30]
    speech = torch.from_numpy(np.stack([decode_clip(clip.path, seconds=1.0).wave for clip in clips]))
    assert len(speech) == 10
    config = FEATURES.choice("logmelspectrogram")
    sound = invert(build_feature(config)(speech), config, samples=SAMPLE_RATE)
    for spoken, made in zip(speech.split(1), sound.split(1), strict=True):
        assert error_db(spoken, made) < 1


@every_feature
def test_the_same_images_give_the_same_samples_whatever_was_drawn_before(plucked: Tensor, name: str) -> None:
    config = FEATURES.choice(name)
    images = build_feature(config)(plucked[:, :4_000])
    torch.manual_seed(1)
    first = invert(images, config, samples=4_000)
    torch.manual_seed(2)
    assert torch.equal(first, invert(images, config, samples=4_000))


@every_feature
@pytest.mark.parametrize("samples", [4_000, 4_321])
def test_a_waveform_is_as_long_as_asked(plucked: Tensor, name: str, samples: int) -> None:
    config = FEATURES.choice(name)
    assert invert(build_feature(config)(plucked[:, :samples]), config, samples=samples).shape == (2, samples)


@every_feature
def test_a_batch_gives_what_its_images_give_one_by_one(plucked: Tensor, name: str) -> None:
    bands = {} if name == "chromagram" else {"n_mels": 32}
    config = FEATURES.choice(name, n_fft=512, hop_length=256, **bands)
    # More than are inverted at once, so that the seam is crossed.
    images = build_feature(config)(plucked[:, 8_000:9_000]).repeat(33, 1, 1, 1)
    together = invert(images, config, samples=1_000)
    assert together.shape == (66, 1_000)
    for row in (0, 63, 64):
        alone = invert(images[row : row + 1], config, samples=1_000)[0]
        torch.testing.assert_close(together[row], alone, atol=1e-4, rtol=0)


@every_feature
def test_silence_gives_silence(name: str) -> None:
    config = FEATURES.choice(name)
    images = build_feature(config)(torch.zeros(1, 4_000))
    assert invert(images, config, samples=4_000).abs().max() < 1e-5


@every_feature
@pytest.mark.parametrize("spread", [1.0, 6.0])
def test_what_no_sound_can_have_still_gives_numbers(name: str, spread: float) -> None:
    config = FEATURES.choice(name)
    images = spread * torch.randn(2, 1, *config.shape(4_000), generator=torch.Generator().manual_seed(0)) - spread / 2
    sound = invert(images, config, samples=4_000)
    assert sound.isfinite().all()
    assert sound.abs().max() > 0


def test_negative_power_counts_as_silence() -> None:
    config = FEATURES.choice("melspectrogram")
    assert invert(torch.full((1, 1, *config.shape(4_000)), -5.0), config, samples=4_000).abs().max() < 1e-5
    below = torch.full((1, 1, *config.shape(4_000)), math.log(LOG_FLOOR) - 5)
    assert invert(below, FEATURES.choice("logmelspectrogram"), samples=4_000).abs().max() < 1e-5


def test_the_spectrum_of_a_mel_image_is_power_and_has_that_mel_image(plucked: Tensor) -> None:
    config = FEATURES.choice("melspectrogram")
    mel = build_feature(config)(plucked)[:, 0]
    power = spectrum_of_mel(mel, config)
    assert power.shape == (2, 513, mel.shape[2])
    assert (power >= 0).all()
    again = torchaudio.transforms.MelScale(config.n_mels, SAMPLE_RATE, n_stft=513)(power)
    assert (again - mel).abs().mean() < 0.01 * mel.mean()


@every_feature
def test_a_sound_is_at_no_distance_from_its_own_image(plucked: Tensor, name: str) -> None:
    config = FEATURES.choice(name)
    images = build_feature(config)(plucked)
    assert inversion_error(images, plucked, config).tolist() == [0, 0]
    assert (inversion_error(images, plucked.flip(0), config) > (0.05 if name == "chromagram" else 5)).all()


@pytest.mark.parametrize("name", ["melspectrogram", "logmelspectrogram"])
def test_a_sound_at_another_level_is_as_many_decibels_away_and_can_be_brought_back(name: str) -> None:
    config = FEATURES.choice(name)
    # Noise, all of whose bands are far above the floor.
    noise = 0.1 * torch.randn(2, 8_000, generator=torch.Generator().manual_seed(0))
    images = build_feature(config)(noise)
    softer = noise * torch.tensor([[0.5], [0.1]])
    assert inversion_error(images, softer, config).tolist() == pytest.approx([6.02, 20], abs=0.1)
    assert (inversion_error(images, at_level_of(images, softer, config), config) < 0.01).all()


def test_what_is_60_db_below_the_loudest_frame_does_not_count() -> None:
    config = FEATURES.choice("logmelspectrogram")
    noise = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    noise[:, 8_000:] *= 3e-4
    images, louder = build_feature(config)(noise), noise.clone()
    louder[:, 9_000:] *= 2
    assert inversion_error(images, louder, config) == 0
    louder[:, :1_000] *= 2
    assert inversion_error(images, louder, config) > 0.1


@every_feature
def test_silence_is_at_no_distance_from_silence(name: str) -> None:
    config = FEATURES.choice(name)
    silence = torch.zeros(1, 4_000)
    images = build_feature(config)(silence)
    assert inversion_error(images, silence, config) == 0
    assert at_level_of(images, silence, config).isfinite().all()


@every_feature
def test_levelled_it_can_be_played(plucked: Tensor, name: str) -> None:
    config = FEATURES.choice(name)
    sound = invert(build_feature(config)(plucked[:1, :8_000]), config, samples=8_000)
    audible = level(sound[0].numpy())
    assert 20 * np.log10(np.abs(audible).max()) <= -1 + 1e-4
    assert -35 < 20 * np.log10(np.sqrt(np.mean(audible**2))) <= -20 + 1e-3
    torch.testing.assert_close(
        torch.nn.functional.cosine_similarity(torch.from_numpy(audible), sound[0] - sound[0].mean(), dim=0),
        torch.tensor(1.0),
    )
