"""The spectral domain: tracks are normalised images."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distrack.distill.domains.contract import DOMAINS, Domain
from distrack.features import FeatureConfig
from distrack.images import RealImages


@DOMAINS.register("spectral")
class Spectral(Domain):
    """The normalised image itself is optimised."""

    summary = "the image itself, made audible afterwards"

    @classmethod
    def size_of(cls, feature: FeatureConfig, samples: int) -> tuple[int, ...]:
        """``(1, bands, frames)``."""
        return 1, *feature.shape(samples)

    def clips(self, train: RealImages, positions: NDArray[np.int64]) -> Tensor:
        """Their normalised images."""
        return train.batch(positions, torch.device("cpu"))

    def images(self, tracks: Tensor) -> Tensor:
        """The tracks themselves."""
        return tracks
