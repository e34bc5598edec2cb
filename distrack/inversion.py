"""Inversion: feature -> waveform, one way for each feature, and how near it comes."""

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

# (images, the feature's own config, samples) -> waveforms; (images, the feature's own config) -> mel power.
Sound = Callable[[Tensor, Any, int], Tensor]
MelPower = Callable[[Tensor, Any], Tensor]


class Inversion(NamedTuple):
    """The way back from one feature.

    Attributes:
        sound: makes the waveforms.
        mel_power: the mel power that images stand for, ``[n, 1, bands, frames]``; None of a feature without mel bands.
        summary: how it is done, in a few words.
    """

    sound: Sound
    mel_power: MelPower | None
    summary: str

    @property
    def unit(self) -> str:
        """Of `inversion_error`."""
        return "" if self.mel_power is None else "dB"


INVERSIONS: Registry[Inversion] = Registry("inversion")

_BATCH = 64
# As near to the image, and to the sound that it was of, as 100 and 60 come in twice the time.
_NNLS_ITERATIONS = 200
_GRIFFIN_LIM_ITERATIONS = 32
_CHROMA_ITERATIONS = 20
# Power of a frame below which it is not heard beside the loudest one: 60 dB.
_INAUDIBLE = 1e-6
# Where Shepard tones are loudest: semitones so many bins of the window apart, and so many octaves around it.
_BINS_APART = 8
_BELL = 0.75


def invert(images: Tensor, config: FeatureConfig, *, samples: int) -> Tensor:
    """Waveforms whose feature comes near to the given images; always the same for the same images.

    Args:
        images: in the feature's own unit, not normalised. What no sound can have (negative power) counts as silence.
        config: the feature they are images of.
        samples: length of a waveform.

    Shape:
        - images: ``[n, 1, bands, frames]``
        - returns: ``[n, samples]``, not levelled
    """
    sound = INVERSIONS[config.name].sound
    return torch.cat([sound(batch, config, samples) for batch in images.float().cpu().split(_BATCH)])


def inversion_error(images: Tensor, waves: Tensor, config: FeatureConfig) -> Tensor:
    """How far the images of sounds are from those they were made from.

    Of features with mel bands it is the mean absolute difference in dB, above the feature's floor, over all bands of
    the frames whose power is within 60 dB of that of the image's loudest; of an mfcc image, that of the smooth
    mel-spectra which the coefficients describe. Of a chromagram it is the mean absolute difference of the shares.

    Args:
        images: in the feature's own unit.
        waves: what was made of them, at the level that they came with.
        config: the feature.

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
    """The same waves, each at the level that its image says; of a feature that says nothing of level, as they are.

    Shape:
        - images: ``[n, 1, bands, frames]``
        - waves: ``[n, samples]``
        - returns: ``[n, samples]``
    """
    mel_power = INVERSIONS[config.name].mel_power
    if mel_power is None:
        return waves
    wanted, there = (mel_power(each, config).sum((1, 2, 3)) for each in (images, _images(waves, config)))
    return waves * (wanted / there.clamp(min=LOG_FLOOR)).sqrt()[:, None]


def _images(waves: Tensor, config: FeatureConfig) -> Tensor:
    with torch.no_grad():
        images: Tensor = build_feature(config)(waves)
    return images


def invert_mel(images: Tensor, config: MelConfig, samples: int) -> Tensor:
    """Non-negative least squares to the power spectrogram, then fast Griffin-Lim for the phase.

    Source:
        Lee and Seung, "Algorithms for Non-negative Matrix Factorization", NIPS 2000 (the multiplicative update);
        Perraudin, Balazs and Sondergaard, "A Fast Griffin-Lim Algorithm", WASPAA 2013.
    """
    return _sound_of_power(_mel_power(images, config), config, samples)


def invert_log_mel(images: Tensor, config: MelConfig, samples: int) -> Tensor:
    """The exponential of the image above its floor, inverted as a mel-spectrogram."""
    return _sound_of_power(_mel_power_of_log(images, config), config, samples)


def invert_mfcc(images: Tensor, config: MfccConfig, samples: int) -> Tensor:
    """The smooth mel-spectrum that the coefficients describe, inverted as a log-mel-spectrogram.

    The transposed DCT is its pseudo-inverse: what the coefficients left out counts as zero, so 13 of them give back the
    envelope of speech without its pitch. No band is made louder than full scale allows.
    """
    return _sound_of_power(_mel_power_of_mfcc(images, config), config, samples)


def _mel_power(images: Tensor, _: FeatureConfig) -> Tensor:
    return images.clamp(min=0)


def _mel_power_of_log(images: Tensor, _: FeatureConfig) -> Tensor:
    return (images.exp() - LOG_FLOOR).clamp(min=0)


def _mel_power_of_mfcc(images: Tensor, config: MfccConfig) -> Tensor:
    log_mel = cepstral_basis(config).T @ images / DECIBELS
    return _mel_power_of_log(log_mel.clamp(max=2 * math.log(config.n_fft)), config)


def _sound_of_power(mel: Tensor, config: MelConfig, samples: int) -> Tensor:
    """Waveforms of mel power ``[n, 1, bands, frames]``, ``[n, samples]``."""
    griffin_lim = torchaudio.transforms.GriffinLim(
        n_fft=config.n_fft,
        hop_length=config.hop_length,
        n_iter=_GRIFFIN_LIM_ITERATIONS,
        power=2.0,
        length=samples,
        rand_init=False,
    ).double()
    # The iterations are chaotic: in single precision a batch of one would end elsewhere than the same image among many.
    waves: Tensor = griffin_lim(spectrum_of_mel(mel.squeeze(1), config).double())
    return waves.float()


def invert_chroma(images: Tensor, config: FeatureConfig, samples: int) -> Tensor:
    """A Shepard tone for each pitch class, as loud as its share of the power, all at one loudness together.

    Neighbouring tones leak into each other's class and beat, so the shares are corrected by what the sound's own
    chromagram says. It comes back within 0.02 on average, of plucked tones and of speech, and within 0.005 of noise.
    What is far off is where an onset lights up all classes, which tones cannot. A frame whose largest value is below
    one is softer in that proportion: near-silence in a real image, and what is not clear of pitch in a mean of many.

    Source:
        Shepard, "Circularity in Judgments of Relative Pitch", JASA 36(12), 1964 (the tones);
        Ellis, "Chroma Feature Analysis and Synthesis", 2007 (a chromagram made audible by them).
    """
    feature, tones = build_feature(config), shepard_tones(config, samples)
    chroma = images.squeeze(1).clamp(min=0)
    loudest = chroma.amax(1, keepdim=True)
    loudness = _loudness(loudest.clamp(max=1), config)
    target = chroma / loudest.clamp(min=1e-6)
    # The chromagram goes with the fourth root of the power.
    power = target**4
    for _ in range(_CHROMA_ITERATIONS):
        again = feature(_sounded(power, loudness, tones, config)).squeeze(1)
        power = power * (target / again.clamp(min=1e-3)).clamp(max=2) ** 4
    return _sounded(power, loudness, tones, config)


def _loudness(lit: Tensor, config: FeatureConfig) -> Tensor:
    """How loud each frame itself is ``[n, 1, frames]``, where a sound lights up all whose window it touches.

    A frame sounds where those around it, half a window to either side, are lit too. Where nothing would be left of a
    short sound, one frame less to either side is enough.
    """
    reach = config.n_fft // (2 * config.hop_length)
    sounding, nearly = (-_widened(-lit, frames) for frames in (reach, reach - 1))
    return sounding + nearly - _widened(sounding, 1)


def _widened(lit: Tensor, frames: int) -> Tensor:
    """Largest value among so many frames to either side."""
    return torch.nn.functional.max_pool1d(lit, 2 * frames + 1, stride=1, padding=frames)


def _sounded(power: Tensor, loudness: Tensor, tones: Tensor, config: FeatureConfig) -> Tensor:
    """Tones at these shares of the power ``[n, 12, frames]``, levels going straight from frame to frame."""
    levels = (loudness * (power / power.sum(1, keepdim=True).clamp(min=1e-6)).sqrt()).permute(2, 0, 1)
    after = torch.cat([levels[1:], levels[-1:]])
    hop, samples = config.hop_length, tones.shape[1]
    # Between a frame and the next; every sample of a block is the sum of twelve tones, so a block is a product.
    blocks = (
        torch.nn.functional.pad(tones, (0, len(levels) * hop - samples)).view(PITCH_CLASSES, -1, hop).transpose(0, 1)
    )
    rising = torch.arange(hop) / hop
    waves = levels @ (blocks * (1 - rising)) + after @ (blocks * rising)
    return waves.transpose(0, 1).reshape(power.shape[0], -1)[:, :samples]


def shepard_tones(config: FeatureConfig, samples: int) -> Tensor:
    """One tone for each pitch class: sines at all its octaves below 7 kHz, under a bell over log frequency.

    The bell stands where neighbouring semitones are eight bins of the window apart, but where pitch is still heard. The
    tones fade in and out within 5 ms, so that they neither start nor end with a click.

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
    # Phases of a quadratic row keep the peaks of many sines apart.
    phases = math.pi * torch.arange(frequencies.numel()).reshape_as(frequencies) ** 2 / frequencies.numel()
    tones = torch.zeros(PITCH_CLASSES, samples)
    for octave in range(len(octaves)):
        angle = 2 * math.pi * frequencies[:, octave, None].double() * time + phases[:, octave, None]
        tones += levels[:, octave, None] * angle.sin().float()
    edge = (torch.minimum(time, time.flip(0)) / 0.005).clamp(max=1)
    return tones * (0.5 - 0.5 * torch.cos(math.pi * edge)).float()


def spectrum_of_mel(mel: Tensor, config: MelConfig) -> Tensor:
    """The non-negative power spectrogram whose mel bands come nearest to the given ones.

    Shape:
        - mel: ``[n, bands, frames]``, non-negative
        - returns: ``[n, 1 + n_fft / 2, frames]``
    """
    filters = torchaudio.functional.melscale_fbanks(
        1 + config.n_fft // 2, 0.0, SAMPLE_RATE / 2, config.n_mels, SAMPLE_RATE
    )
    power: Tensor = (torch.linalg.pinv(filters.T) @ mel).clamp(min=1e-8)
    target = filters @ mel
    for _ in range(_NNLS_ITERATIONS):
        power = power * target / (filters @ (filters.T @ power)).clamp(min=1e-12)
    return power


_GRIFFIN_LIM = "non-negative least squares for the spectrum, fast Griffin-Lim for its phase"
INVERSIONS.add("melspectrogram", Inversion(invert_mel, _mel_power, _GRIFFIN_LIM))
INVERSIONS.add("logmelspectrogram", Inversion(invert_log_mel, _mel_power_of_log, _GRIFFIN_LIM))
INVERSIONS.add(
    "mfcc",
    Inversion(invert_mfcc, _mel_power_of_mfcc, f"the envelope that the coefficients describe; {_GRIFFIN_LIM}"),
)
INVERSIONS.add(
    "chromagram", Inversion(invert_chroma, None, "a Shepard tone for each pitch class, as loud as its share")
)
