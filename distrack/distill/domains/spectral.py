"""The spectral domain: a track is a normalised image."""

import torch
from torch import Tensor

from distrack.arrays import Integers
from distrack.distill.domains.contract import DOMAINS, Domain
from distrack.features import FeatureConfig
from distrack.images import RealImages


@DOMAINS.register("spectral")
class Spectral(Domain):
    """Optimises the normalised image itself; it is made audible afterwards."""

    summary = "spectrogram (converted to audio afterwards)"

    @classmethod
    def size_of(cls, feature: FeatureConfig, samples: int) -> tuple[int, ...]:
        return 1, *feature.shape(samples)

    def clips(self, train: RealImages, positions: Integers) -> Tensor:
        return train.batch(positions, torch.device("cpu"))

    def images(self, tracks: Tensor) -> Tensor:
        return tracks
