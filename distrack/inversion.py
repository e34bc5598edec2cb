"""Inversion: waveforms whose feature is near to a given image, one way for each feature, and the error that is left."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torchaudio
from torch import Tensor

from distrack.audio import SAMPLE_RATE
from distrack.features import (
    DECIBELS,
    LOG_FLOOR,
    PITCH_CLASSES,
    FeatureConfig,
    MelConfig,
    MfccConfig,
    build_feature,
    cepstral_basis,
)
from distrack.registry import Registry


class Effort(NamedTuple):
    """Iterations of an inversion.

    Attributes:
        least_squares: of the power spectrogram of mel bands.
        griffin_lim: of the phase.
        chroma: of the shares of a chromagram's tones.
    """

    least_squares: int
    griffin_lim: int
    chroma: int


# Three times the iterations for the phase change little; measured in `benchmarks/sounds.md`.
THOROUGH = Effort(least_squares=200, griffin_lim=32, chroma=20)
# About a seventh of the time. Its images differ from those of the thorough one by a third of what both differ from the
# given ones.
QUICK = Effort(least_squares=30, griffin_lim=4, chroma=4)

# (images, the feature's own config, samples, effort) -> waveforms; (images, the feature's own config) -> mel power.
Sound = Callable[[Tensor, Any, int, Effort], Tensor]
MelPower = Callable[[Tensor, Any], Tensor]


class Inversion(NamedTuple):
    """The inversion of one feature.

    Attributes:
        sound: makes waveforms of images.
        mel_power: the mel power that images describe, ``[n, 1, bands, frames]``; None for a feature without mel bands.
        summary: the method in a few words.
    """

    sound: Sound
    mel_power: MelPower | None
    summary: str

    @property
    def unit(self) -> str:
        """Unit of `inversion_error`."""
        return "" if self.mel_power is None else "dB"


INVERSIONS: Registry[Inversion] = Registry("inversion")

_GRIFFIN_LIM = "non-negative least squares for the spectrum, fast Griffin-Lim for its phase"
_BATCH = 64
# A frame of less power than this share of the loudest one, 60 dB below it, is inaudible.
_INAUDIBLE = 1e-6
# Shepard tones are loudest where neighbouring semitones are this many bins of the window apart.
_BINS_APART = 8
# Standard deviation of their levels around that frequency, in octaves.
_BELL = 0.75


def invert(images: Tensor, config: FeatureConfig, *, samples: int, effort: Effort = THOROUGH) -> Tensor:
    """Waveforms whose feature is near to the given images. Nothing is random.

    Args:
        images: in the feature's own unit, not normalised. Negative power counts as silence.

    Shape:
        - images: ``[n, 1, bands, frames]``
        - returns: ``[n, samples]``, not levelled
    """
    sound = INVERSIONS[config.name].sound
    return torch.cat([sound(batch, config, samples, effort) for batch in images.float().cpu().split(_BATCH)])


def inversion_error(images: Tensor, waves: Tensor, config: FeatureConfig) -> Tensor:
    """Difference between images and the images of the waveforms that were made of them.

    For features with mel bands it is the mean absolute difference in dB, above the feature's floor, over all bands of
    the frames whose power is within 60 dB of that of the loudest frame; for MFCC it is that of the smooth mel-spectra
    which the coefficients describe. For a chromagram it is the mean absolute difference of the shares.

    Args:
        images: in the feature's own unit.
        waves: waveforms that were made of them, not levelled.

    Shape:
        - images: ``[n, 1, bands, frames]``
        - waves: ``[n, samples]``
        - returns: ``[n]``
    """
    again, mel_power = _images(waves, config), INVERSIONS[config.name].mel_power
    if mel_power is None:
        return (again - images).abs().mean((1, 2, 3))
    power, other = mel_power(images, config), mel_power(again, config)
    frames = power.sum((1, 2))
    heard = (frames >= _INAUDIBLE * frames.amax(1, keepdim=True)).float()
    difference = DECIBELS * ((other + LOG_FLOOR) / (power + LOG_FLOOR)).log().abs().mean((1, 2))
    return (difference * heard).sum(1) / heard.sum(1)


def at_level_of(images: Tensor, waves: Tensor, config: FeatureConfig) -> Tensor:
    """Waveforms, each scaled to the level of its image; unchanged for a feature that has no level.

    Shape:
        - images: ``[n, 1, bands, frames]``
        - waves: ``[n, samples]``
        - returns: ``[n, samples]``
    """
    mel_power = INVERSIONS[config.name].mel_power
    if mel_power is None:
        return waves
    target, present = (mel_power(each, config).sum((1, 2, 3)) for each in (images, _images(waves, config)))
    return waves * (target / present.clamp(min=LOG_FLOOR)).sqrt()[:, None]


def _images(waves: Tensor, config: FeatureConfig) -> Tensor:
    with torch.no_grad():
        images: Tensor = build_feature(config)(waves)
    return images


def _mel_power_of_log(images: Tensor, config: FeatureConfig) -> Tensor:
    return (images.clamp(max=_loudest(config)).exp() - LOG_FLOOR).clamp(min=0)


def _loudest(config: FeatureConfig) -> float:
    """Logarithm of a power that no band of a sound exceeds."""
    return 2 * math.log(config.n_fft)


def _mel_power_of_mfcc(images: Tensor, config: MfccConfig) -> Tensor:
    """The smooth mel-spectrum that the coefficients describe; no band is louder than full scale allows.

    The transposed DCT is its pseudo-inverse: missing coefficients count as zero, so that 13 of them give the envelope
    of speech without its pitch.
    """
    log_mel = cepstral_basis(config).T @ images / DECIBELS
    return _mel_power_of_log(log_mel, config)


def _of_mel(mel_power: MelPower, summary: str = _GRIFFIN_LIM) -> Inversion:
    """Non-negative least squares from mel power to the power spectrogram, then fast Griffin-Lim for the phase.

    Source:
        Lee and Seung, "Algorithms for Non-negative Matrix Factorization", NIPS 2000 (the multiplicative update);
        Perraudin, Balazs and Sondergaard, "A Fast Griffin-Lim Algorithm", WASPAA 2013.
    """
    return Inversion(
        lambda images, config, samples, effort: _sound_of_power(mel_power(images, config), config, samples, effort),
        mel_power,
        summary,
    )


def _sound_of_power(mel: Tensor, config: MelConfig, samples: int, effort: Effort) -> Tensor:
    """Waveforms of mel power ``[n, 1, bands, frames]``, ``[n, samples]``."""
    griffin_lim = torchaudio.transforms.GriffinLim(
        n_fft=config.n_fft,
        hop_length=config.hop_length,
        n_iter=effort.griffin_lim,
        power=2.0,
        length=samples,
        rand_init=False,
    ).double()
    # The iterations are chaotic: in single precision the result for an image would depend on the size of its batch.
    waves: Tensor = griffin_lim(spectrum_of_mel(mel.squeeze(1), config, iterations=effort.least_squares).double())
    return waves.float()


def invert_chroma(images: Tensor, config: FeatureConfig, samples: int, effort: Effort = THOROUGH) -> Tensor:
    """A Shepard tone for each pitch class at the level of its share of the power; their sum has a constant loudness.

    Neighbouring tones leak into each other's class and beat, so that the shares are corrected by the chromagram of the
    sound. The final chromagram differs from the image by 0.02 on average for plucked tones and speech, and by 0.005 for
    noise. The difference is large at onsets, which give values to all classes: tones cannot. A frame whose largest
    value is below one is softer in that proportion. Such frames are near silence in a real image, and without a clear
    pitch in a mean of many.

    Source:
        Shepard, "Circularity in Judgments of Relative Pitch", JASA 36(12), 1964 (the tones);
        Ellis, "Chroma Feature Analysis and Synthesis", 2007 (a chromagram made audible by them).
    """
    feature, tones = build_feature(config), shepard_tones(config, samples)
    chroma = images.squeeze(1).clamp(min=0)
    loudest = chroma.amax(1, keepdim=True)
    loudness = _loudness(loudest.clamp(max=1), config)
    target = chroma / loudest.clamp(min=1e-6)
    # A chromagram is proportional to the fourth root of the power.
    power = target**4
    for _ in range(effort.chroma):
        again = feature(_sounded(power, loudness, tones, config)).squeeze(1)
        power = power * (target / again.clamp(min=1e-3)).clamp(max=2) ** 4
    return _sounded(power, loudness, tones, config)


def _loudness(largest: Tensor, config: FeatureConfig) -> Tensor:
    """Loudness of the sound at the middle of each frame, from the largest value of each frame, ``[n, 1, frames]``.

    A sound raises the value of every frame whose window it touches. So a frame sounds only if all frames within half a
    window are raised. A short sound would then vanish; for it one frame less to either side is enough.
    """
    reach = config.n_fft // (2 * config.hop_length)
    sounding, nearly = (-_widened(-largest, frames) for frames in (reach, reach - 1))
    return sounding + nearly - _widened(sounding, 1)


def _widened(values: Tensor, frames: int) -> Tensor:
    """Largest value among that many frames to either side."""
    return torch.nn.functional.max_pool1d(values, 2 * frames + 1, stride=1, padding=frames)


def _sounded(power: Tensor, loudness: Tensor, tones: Tensor, config: FeatureConfig) -> Tensor:
    """Sum of the tones at these shares of the power ``[n, 12, frames]``; levels are interpolated between frames."""
    levels = (loudness * (power / power.sum(1, keepdim=True).clamp(min=1e-6)).sqrt()).permute(2, 0, 1)
    after = torch.cat([levels[1:], levels[-1:]])
    hop, samples = config.hop_length, tones.shape[1]
    # A block is the time from one frame to the next; each of its samples is a sum of twelve tones, a matrix product.
    blocks = (
        torch.nn.functional.pad(tones, (0, len(levels) * hop - samples)).view(PITCH_CLASSES, -1, hop).transpose(0, 1)
    )
    rising = torch.arange(hop) / hop
    waves = levels @ (blocks * (1 - rising)) + after @ (blocks * rising)
    return waves.transpose(0, 1).reshape(power.shape[0], -1)[:, :samples]


def shepard_tones(config: FeatureConfig, samples: int) -> Tensor:
    """One tone for each pitch class: sines in all octaves below 7 kHz, with bell-shaped levels over log frequency.

    The centre of the bell is where neighbouring semitones are eight bins of the window apart, but between 440 Hz and
    3 kHz, where pitch is audible. The tones fade in and out within 5 ms, so that they do not click.

    Shape:
        - returns: ``[12, samples]``, of RMS 0.1
    """
    classes, octaves = torch.arange(PITCH_CLASSES), torch.arange(-4, 5)
    frequencies = 440 * 2 ** ((classes[:, None] - 9) / 12 + octaves)
    centre = _BINS_APART * SAMPLE_RATE / config.n_fft / (2 ** (1 / 12) - 1)
    centre = min(max(centre, 440.0), 3_000.0)
    levels = torch.exp(-0.5 * ((frequencies / centre).log2() / _BELL) ** 2) * (frequencies < 7_000)
    levels = 0.1 * math.sqrt(2) * levels / levels.square().sum(1, keepdim=True).sqrt()
    time = torch.arange(samples, dtype=torch.float64) / SAMPLE_RATE
    # Quadratic phases keep the peaks of many sines apart.
    phases = math.pi * torch.arange(frequencies.numel()).reshape_as(frequencies) ** 2 / frequencies.numel()
    tones = torch.zeros(PITCH_CLASSES, samples)
    for octave in range(len(octaves)):
        angle = 2 * math.pi * frequencies[:, octave, None].double() * time + phases[:, octave, None]
        tones += levels[:, octave, None] * angle.sin().float()
    edge = (torch.minimum(time, time.flip(0)) / 0.005).clamp(max=1)
    return tones * (0.5 - 0.5 * torch.cos(math.pi * edge)).float()


def spectrum_of_mel(mel: Tensor, config: MelConfig, *, iterations: int = THOROUGH.least_squares) -> Tensor:
    """The non-negative power spectrogram whose mel bands are nearest to the given ones.

    Shape:
        - mel: ``[n, bands, frames]``, non-negative
        - returns: ``[n, 1 + n_fft / 2, frames]``
    """
    filters = torchaudio.functional.melscale_fbanks(
        1 + config.n_fft // 2, 0.0, SAMPLE_RATE / 2, config.n_mels, SAMPLE_RATE
    )
    power: Tensor = (torch.linalg.pinv(filters.T) @ mel).clamp(min=1e-8)
    target = filters @ mel
    for _ in range(iterations):
        power = power * target / (filters @ (filters.T @ power)).clamp(min=1e-12)
    return power


INVERSIONS.add("melspectrogram", _of_mel(lambda images, config: images.clamp(0, config.n_fft**2)))
INVERSIONS.add("logmelspectrogram", _of_mel(_mel_power_of_log))
INVERSIONS.add("mfcc", _of_mel(_mel_power_of_mfcc, f"the envelope that the coefficients describe; {_GRIFFIN_LIM}"))
INVERSIONS.add(
    "chromagram", Inversion(invert_chroma, None, "a Shepard tone for each pitch class, as loud as its share")
)
