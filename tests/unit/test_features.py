"""Features: a sound lights up where it should, numbers agree with librosa's, and gradients reach the samples."""

import csv
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from distrack.audio import SAMPLE_RATE, decode_clip
from distrack.distill import DistillConfig
from distrack.errors import ConfigError
from distrack.features import FEATURES, LOG_FLOOR, FeatureConfig, Normalisation, build_feature
from distrack.validation import from_preset

MEL = FEATURES.choice("melspectrogram")
LOG_MEL = FEATURES.choice("logmelspectrogram")
CHROMA = FEATURES.choice("chromagram")

# A tone of 440 Hz, and one of each pitch class somewhere from C3 to B6: MIDI numbers.
PITCHES = (69, 48, 61, 74, 87, 52, 65, 78, 55, 80, 93, 70, 59, 84, 60, 72)


def noise(samples: int = 12_345) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Loud, then 20 dB softer: no band and no frame is near the floor of any feature."""
    wave = np.random.default_rng(0).standard_normal(samples).astype(np.float32) * 0.3
    wave[samples // 2 :] *= 0.1
    return wave


def tone(frequency: float, *, samples: int = SAMPLE_RATE, amplitude: float = 0.5) -> Tensor:
    time = torch.arange(samples, dtype=torch.float64) / SAMPLE_RATE
    return (amplitude * torch.sin(2 * math.pi * frequency * time)).float()[None]


def htk_bands(n_mels: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Lower edge, centre and upper edge of every band in Hz: triangles that are evenly spaced on the HTK mel scale."""
    edges = np.linspace(0, 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700), n_mels + 2)
    hertz = 700 * (10 ** (edges / 2595) - 1)
    return np.stack([hertz[:-2], hertz[1:-1], hertz[2:]], axis=1)


@pytest.mark.parametrize("frequency", [250.0, 1_000.0, 3_000.0, 7_000.0])
@pytest.mark.parametrize("name", ["melspectrogram", "logmelspectrogram"])
def test_a_tone_peaks_in_the_band_that_holds_it(name: str, frequency: float) -> None:
    image = build_feature(FEATURES.choice(name))(tone(frequency))[0, 0]
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
    ours = build_feature(FEATURES.choice("mel", n_fft=n_fft, hop_length=hop_length, n_mels=n_mels))(
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


@pytest.mark.parametrize(
    ("n_fft", "hop_length", "n_mels", "n_mfcc"),
    [(1024, 512, 64, 13), (1024, 512, 64, 40), (2048, 512, 128, 20), (512, 200, 40, 40)],
)
def test_mfcc_agrees_with_librosa_within_a_hundredth_of_a_decibel(
    n_fft: int, hop_length: int, n_mels: int, n_mfcc: int
) -> None:
    wave = noise()
    config = FEATURES.choice("mfcc", n_fft=n_fft, hop_length=hop_length, n_mels=n_mels, n_mfcc=n_mfcc)
    theirs = librosa.feature.mfcc(
        y=wave,
        sr=SAMPLE_RATE,
        n_fft=n_fft,
        hop_length=hop_length,
        n_mels=n_mels,
        n_mfcc=n_mfcc,
        htk=True,
        mel_norm=None,
        pad_mode="reflect",
    )
    ours = build_feature(config)(torch.from_numpy(wave)[None])
    assert ours.shape == (1, 1, n_mfcc, theirs.shape[1])
    np.testing.assert_allclose(ours[0, 0].numpy(), theirs, rtol=0, atol=0.01)


def test_as_many_coefficients_as_bands_are_the_cosines_that_the_spectrum_in_decibels_is_the_sum_of() -> None:
    sound = tone(1_000)
    cepstrum = build_feature(FEATURES.choice("mfcc", n_mfcc=64))(sound)[0, 0].numpy()
    order, band = np.arange(64)[:, None], np.arange(64)
    cosines = np.cos(np.pi * order * (band + 0.5) / 64) * np.where(order == 0, np.sqrt(1 / 64), np.sqrt(2 / 64))
    log_mel = build_feature(LOG_MEL)(sound)[0, 0].numpy()
    np.testing.assert_allclose(cosines.T @ cepstrum, 10 * log_mel / np.log(10), rtol=0, atol=1e-3)


def test_loudness_is_coefficient_0_alone_and_pitch_class_knows_none() -> None:
    soft, loud = (torch.from_numpy(scale * noise())[None] for scale in (0.3, 3.0))
    cepstrum = build_feature(FEATURES.choice("mfcc"))
    louder = cepstrum(loud) - cepstrum(soft)
    # 20 dB in each of 64 bands.
    torch.testing.assert_close(louder[:, :, 0], torch.full_like(louder[:, :, 0], 20 * math.sqrt(64)), atol=0.1, rtol=0)
    assert louder[:, :, 1:].abs().max() < 0.1
    torch.testing.assert_close(build_feature(CHROMA)(loud), build_feature(CHROMA)(soft), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("n_fft", "hop_length"), [(4096, 512), (2048, 512), (1024, 512), (512, 200)])
@pytest.mark.parametrize("sound", ["noise", "chord"])
def test_a_chromagram_agrees_with_librosa_within_a_thousandth(n_fft: int, hop_length: int, sound: str) -> None:
    """At -20 and at -40 dB of full scale; without noise, between the partials of a chord, the floor of a bin shows."""
    wave = np.float32(1 / 3) * noise()
    if sound == "chord":
        chord = sum(tone(pitch * k, samples=len(wave))[0] / k for pitch in (262, 330, 392) for k in range(1, 8))
        wave = 0.1 * wave + 0.01 * torch.as_tensor(chord).numpy()
    ours = build_feature(FEATURES.choice("chroma", n_fft=n_fft, hop_length=hop_length))(torch.from_numpy(wave)[None])
    magnitude = np.abs(librosa.stft(wave, n_fft=n_fft, hop_length=hop_length, pad_mode="reflect"))
    theirs = librosa.feature.chroma_stft(S=np.sqrt(magnitude), sr=SAMPLE_RATE, n_fft=n_fft, tuning=0.0)
    np.testing.assert_allclose(ours[0, 0].numpy(), theirs, rtol=0, atol=1e-3)


@pytest.mark.parametrize("midi", PITCHES)
def test_a_tone_lights_up_its_pitch_class(midi: int) -> None:
    image = build_feature(CHROMA)(tone(440 * 2 ** ((midi - 69) / 12)))[0, 0]
    assert image.mean(1).argmax() == midi % 12, "A is 9, as C is 0"
    assert (image.amax(0) > 0.999).all()
    # The window stays within the clip: mirrored at its edge, a tone has a kink there, which lights up all classes.
    steady = image[:, 4:-4]
    assert (steady.argmax(0) == midi % 12).all()
    beside = steady.roll(6 - midi % 12, 0)[[4, 5, 7, 8]]
    assert beside.max() < 0.55, "C3 and its neighbours are but two bins apart"
    far = steady.roll(6 - midi % 12, 0)[[0, 1, 2, 3, 9, 10, 11]]
    assert far.max() < 0.1, "three semitones away there is little of it"


def test_silence_has_no_pitch_and_the_lowest_bit_has_little() -> None:
    wave = torch.cat([tone(440), torch.zeros(1, SAMPLE_RATE)], dim=1)
    image = build_feature(CHROMA)(wave)[0, 0]
    assert image[9, :28].min() > 0.999
    assert not image[:, 36:].any()
    dither = 2**-15 * (torch.from_numpy(noise(SAMPLE_RATE))[None] > 0)
    assert build_feature(CHROMA)(dither).amax() < 0.1


@pytest.mark.real_data
def test_a_real_note_lights_up_its_own_pitch_class(real_data: Path) -> None:
    """Eleven of twelve: of a trombone's A#1 the third partial, F, is a hundredth ahead over the whole clip."""
    with (real_data / "tinysol/annotation/TinySOL_metadata.csv").open() as table:
        notes = list(csv.DictReader(table))
    assert len(notes) == 12
    right = 0
    for note in notes:
        wave = decode_clip(real_data / "tinysol/audio" / note["Path"], seconds=3.0).wave
        lit = build_feature(CHROMA)(torch.from_numpy(wave)[None])[0, 0].sum(1).numpy()
        own = int(note["Pitch ID"]) % 12
        right += int(lit.argmax() == own)
    assert right >= 11


def with_settings(name: str, **settings: int) -> FeatureConfig:
    """A feature with those of these settings that it has."""
    known = FEATURES.config(name).model_fields
    config: FeatureConfig = FEATURES.choice(name, **{key: value for key, value in settings.items() if key in known})
    return config


@pytest.mark.parametrize("scale", [1.0, 1e-4])
@pytest.mark.parametrize("name", list(FEATURES))
def test_the_gradient_is_the_slope_of_the_feature(name: str, scale: float) -> None:
    feature = build_feature(with_settings(name, n_fft=256, hop_length=128, n_mels=16)).double()
    draw = torch.Generator().manual_seed(0)
    wave = (scale * torch.randn(1, 1_000, generator=draw, dtype=torch.float64)).requires_grad_()
    weights = torch.randn(1, 1, *feature.config.shape(1_000), generator=draw, dtype=torch.float64)

    def value(samples: Tensor) -> Tensor:
        total: Tensor = (feature(samples) * weights).sum()
        return total

    (gradient,) = torch.autograd.grad(value(wave), wave)
    direction = scale * torch.randn(wave.shape, generator=draw, dtype=torch.float64)
    with torch.no_grad():
        slope = (value(wave + 1e-6 * direction) - value(wave - 1e-6 * direction)) / 2e-6
    assert gradient.isfinite().all()
    assert gradient.count_nonzero() > 990
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-5, atol=0)


@pytest.mark.parametrize("samples", [1_600, 8_000, 12_345, 16_000, 16_383, 16_384, 40_000])
@pytest.mark.parametrize("name", list(FEATURES))
def test_the_shape_is_known_beforehand(name: str, samples: int) -> None:
    for config in (
        FEATURES.choice(name, n_fft=1024),
        with_settings(name, n_fft=2048, hop_length=300, n_mels=40, n_mfcc=40),
        with_settings(name, n_fft=128, hop_length=64, n_mels=8, n_mfcc=5),
    ):
        image = build_feature(config)(tone(440, samples=samples))
        assert tuple(image.shape) == (1, 1, *config.shape(samples))


def test_an_image_has_the_bands_of_its_feature() -> None:
    assert {name: FEATURES.choice(name).shape(SAMPLE_RATE) for name in FEATURES} == {
        "melspectrogram": (64, 32),
        "logmelspectrogram": (64, 32),
        "mfcc": (13, 32),
        "chromagram": (12, 32),
    }
    assert FEATURES.choice("mfcc", n_mfcc=40).shape(SAMPLE_RATE) == (40, 32)


def test_the_window_is_what_the_feature_needs_unless_it_is_given() -> None:
    assert {name: FEATURES.choice(name).n_fft for name in FEATURES} == {
        "melspectrogram": 1024,
        "logmelspectrogram": 1024,
        "mfcc": 1024,
        "chromagram": 4096,
    }
    assert FEATURES.choice("chroma", n_fft=2048).n_fft == 2048


def test_features_are_known_without_loading_librosa() -> None:
    code = "import sys, distrack.features; sys.exit('librosa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0


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
        ({"name": "mfcc", "n_mfcc": 1}, "greater than or equal to 2"),
        ({"n_mfcc": 13}, "Extra inputs are not permitted"),
        ({"name": "chroma", "n_mels": 64}, "Extra inputs are not permitted"),
        ({"name": "mfcc", "n_mfcc": 65}, "n_mfcc 65 is more than n_mels 64"),
        ({"name": "mfcc", "n_mels": 12}, "n_mfcc 13 is more than n_mels 12"),
        ({"name": "chroma", "hop_length": 2049}, "hop_length 2049 is more than half of n_fft 4096"),
    ],
)
def test_impossible_values_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FEATURES.choice(values.pop("name", "logmelspectrogram"), **values)


def test_an_unknown_feature_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown feature 'spectogram'.*melspectrogram"):
        FEATURES.choice("spectogram")


def test_any_spelling_of_a_feature_gives_the_same_config() -> None:
    assert FEATURES.choice("logmel") == FEATURES.choice("Log-Mel-Spectrogram") == FEATURES.choice("logmelspectrogram")


def test_a_clip_shorter_than_half_a_window_is_refused_before_any_work() -> None:
    config = FEATURES.choice("logmelspectrogram", n_fft=4096, hop_length=16)
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


def rows(seed: int = 0) -> Tensor:
    """Images whose four bands differ in mean and deviation, `[10, 1, 4, 20]`."""
    scale, offset = torch.tensor([[100.0], [3.0], [1.0], [0.1]]), torch.tensor([[-300.0], [20.0], [0.0], [1.0]])
    return torch.randn(10, 1, 4, 20, generator=torch.Generator().manual_seed(seed)) * scale + offset


@pytest.mark.parametrize("batched", [uneven, lambda images: [images], lambda images: list(images.split(3))])
def test_normalisation_per_band_is_the_mean_and_deviation_of_each_row(
    batched: Callable[[Tensor], list[Tensor]],
) -> None:
    images = rows()
    measured = Normalisation.of(batched(images), per_band=True)
    assert measured.mean == pytest.approx(images.double().mean((0, 1, 3)).tolist(), rel=1e-9)
    assert measured.std == pytest.approx(images.double().numpy().std((0, 1, 3)).tolist(), rel=1e-6)
    applied = measured.apply(images)
    torch.testing.assert_close(applied.mean((0, 1, 3)), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(applied.std((0, 1, 3), correction=0), torch.ones(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(measured.undo(applied), images, atol=1e-3, rtol=1e-5)


def test_one_loud_band_leaves_nothing_of_the_others_unless_each_has_its_own_deviation() -> None:
    assert Normalisation.of([rows()]).apply(rows())[:, :, 3].std() < 0.01
    assert FEATURES["mfcc"].per_band_normalisation
    assert not FEATURES["logmelspectrogram"].per_band_normalisation


@pytest.mark.parametrize("per_band", [False, True])
def test_a_normalisation_is_read_as_it_was_written(per_band: bool) -> None:
    measured = Normalisation.of([rows()], per_band=per_band)
    assert Normalisation.model_validate_json(measured.model_dump_json()) == measured


def test_a_normalisation_written_before_bands_had_their_own_is_read() -> None:
    assert Normalisation.model_validate_json('{"mean":-2.5,"std":3}') == Normalisation(mean=-2.5, std=3.0)


@pytest.mark.parametrize("values", ['{"mean":[1,2],"std":[1]}', '{"mean":0,"std":[1]}', '{"mean":[0,0],"std":1}'])
def test_a_normalisation_of_uneven_length_is_refused(values: str) -> None:
    with pytest.raises(ValidationError, match="as many numbers as there are bands"):
        Normalisation.model_validate_json(values)
