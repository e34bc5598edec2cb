"""Inversion: feature -> waveform, one way for each feature."""

import math
from collections.abc import Callable

import torch
import torchaudio
from torch import Tensor

from distrack.audio import SAMPLE_RATE
from distrack.features import DECIBELS, LOG_FLOOR, PITCH_CLASSES, FeatureConfig, build_feature, cepstral_basis
from distrack.registry import Registry

Inversion = Callable[[Tensor, FeatureConfig, int], Tensor]
INVERSIONS: Registry[Inversion] = Registry("inversion")

_BATCH = 64
_NNLS_ITERATIONS = 100
_GRIFFIN_LIM_ITERATIONS = 60
_CHROMA_ITERATIONS = 20
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
    inversion = INVERSIONS[config.name]
    return torch.cat([inversion(batch, config, samples) for batch in images.float().cpu().split(_BATCH)])


@INVERSIONS.register("melspectrogram")
def invert_mel(images: Tensor, config: FeatureConfig, samples: int) -> Tensor:
    """Non-negative least squares to the power spectrogram, then fast Griffin-Lim for the phase.

    Source:
        Lee and Seung, "Algorithms for Non-negative Matrix Factorization", NIPS 2000 (the multiplicative update);
        Perraudin, Balazs and Sondergaard, "A Fast Griffin-Lim Algorithm", WASPAA 2013.
    """
    power = spectrum_of_mel(images.squeeze(1).clamp(min=0), config)
    griffin_lim = torchaudio.transforms.GriffinLim(
        n_fft=config.n_fft,
        hop_length=config.hop_length,
        n_iter=_GRIFFIN_LIM_ITERATIONS,
        power=2.0,
        length=samples,
        rand_init=False,
    ).double()
    # The iterations are chaotic: in single precision a batch of one would end elsewhere than the same image among many.
    waves: Tensor = griffin_lim(power.double())
    return waves.float()


@INVERSIONS.register("logmelspectrogram")
def invert_log_mel(images: Tensor, config: FeatureConfig, samples: int) -> Tensor:
    """The exponential of the image above its floor, inverted as a mel-spectrogram."""
    return invert_mel((images.exp() - LOG_FLOOR).clamp(min=0), config, samples)


@INVERSIONS.register("mfcc")
def invert_mfcc(images: Tensor, config: FeatureConfig, samples: int) -> Tensor:
    """The smooth mel-spectrum that the coefficients describe, inverted as a log-mel-spectrogram.

    The transposed DCT is its pseudo-inverse: what the coefficients left out counts as zero, so 13 of them give back the
    envelope of speech without its pitch. No band is made louder than full scale allows.
    """
    log_mel = cepstral_basis(config).T @ images / DECIBELS
    return invert_log_mel(log_mel.clamp(max=2 * math.log(config.n_fft)), config, samples)


@INVERSIONS.register("chromagram")
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
    levels = loudness * (power / power.sum(1, keepdim=True).clamp(min=1e-6)).sqrt()
    place = torch.arange(tones.shape[1]) / config.hop_length
    before = place.long()
    after = (before + 1).clamp(max=levels.shape[2] - 1)
    waves = torch.zeros(len(power), tones.shape[1])
    for level, tone in zip(levels.unbind(1), tones, strict=True):
        waves += torch.lerp(level[:, before], level[:, after], place - before) * tone
    return waves


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


def spectrum_of_mel(mel: Tensor, config: FeatureConfig) -> Tensor:
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
