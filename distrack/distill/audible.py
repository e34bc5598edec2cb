"""Images made audible: the sound that is handed over of an image, and the image that a network sees of that sound."""

import torch
from torch import Tensor

from distrack.audio import SILENCE, level
from distrack.features import FeatureConfig, Normalisation, build_feature
from distrack.inversion import INVERSIONS, THOROUGH, Effort, at_level_of, invert

# Highest sample of a sound: 1 dB below full scale.
_HIGHEST_PEAK = 10 ** (-1 / 20)


@torch.no_grad()
def audible(images: Tensor, feature: FeatureConfig, *, samples: int, effort: Effort = THOROUGH) -> Tensor:
    """Sounds of images at their level, and softer only where the peak would exceed 1 dB below full scale.

    At its image's level a sound has nearly that image again; at another one a network learns less from it. A feature
    without a level, the chromagram, gives sounds of -20 dBFS.

    Args:
        images: in the feature's own unit.

    Shape:
        - images: ``[n, 1, bands, frames]``
        - returns: ``[n, samples]``, within full scale
    """
    sounds = invert(images, feature, samples=samples, effort=effort)
    if INVERSIONS[feature.name].mel_power is None:
        return torch.stack([torch.from_numpy(level(wave)) for wave in sounds.numpy()])
    sounds = at_level_of(images.float().cpu(), sounds, feature)
    return sounds * (_HIGHEST_PEAK / sounds.abs().amax(1, keepdim=True).clamp_min(SILENCE)).clamp_max(1)


@torch.no_grad()
def image_of_sound(
    images: Tensor, feature: FeatureConfig, normalisation: Normalisation, *, samples: int, effort: Effort = THOROUGH
) -> Tensor:
    """Normalised images of the sounds that normalised images become, `[n, 1, bands, frames]`."""
    sounds = audible(normalisation.undo(images), feature, samples=samples, effort=effort)
    return normalisation.apply(build_feature(feature)(sounds)).to(images.device)
