"""Inversion: feature -> waveform, one way for each feature."""

from collections.abc import Callable

import torch
import torchaudio
from torch import Tensor

from distrack.audio import SAMPLE_RATE
from distrack.features import LOG_FLOOR, FeatureConfig
from distrack.registry import Registry

Inversion = Callable[[Tensor, FeatureConfig, int], Tensor]
INVERSIONS: Registry[Inversion] = Registry("inversion")

_BATCH = 64
_NNLS_ITERATIONS = 100
_GRIFFIN_LIM_ITERATIONS = 60


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
    )
    waves: Tensor = griffin_lim(power)
    return waves


@INVERSIONS.register("logmelspectrogram")
def invert_log_mel(images: Tensor, config: FeatureConfig, samples: int) -> Tensor:
    """The exponential of the image above its floor, inverted as a mel-spectrogram."""
    return invert_mel((images.exp() - LOG_FLOOR).clamp(min=0), config, samples)


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
    target, gram = filters @ mel, filters @ filters.T
    for _ in range(_NNLS_ITERATIONS):
        power = power * target / (gram @ power).clamp(min=1e-12)
    return power
