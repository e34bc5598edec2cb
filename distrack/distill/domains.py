"""Domains: what is optimised, and how it becomes the image that a network sees."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distrack.distill.preconditioner import Guide, SoundGuide
from distrack.features import FeatureConfig, Normalisation, build_feature
from distrack.images import RealImages
from distrack.registry import Registry


class Domain(ABC):
    """What is optimised.

    Args:
        feature: what the networks see.
        samples: length of a clip.
        normalisation: of the real images.

    Attributes:
        summary: half a line for the screen.
        size: of a track, as the domain has it.
    """

    summary: ClassVar[str]
    size: tuple[int, ...]

    def __init__(self, feature: FeatureConfig, samples: int, normalisation: Normalisation) -> None:
        self.feature, self.samples, self.normalisation = feature, samples, normalisation
        self.size = self.size_of(feature, samples)

    @classmethod
    @abstractmethod
    def size_of(cls, feature: FeatureConfig, samples: int) -> tuple[int, ...]:
        """Size of a track."""

    @abstractmethod
    def clips(self, train: RealImages, positions: NDArray[np.int64]) -> Tensor:
        """Real clips as tracks, ``[n, *size]``."""

    @abstractmethod
    def images(self, tracks: Tensor) -> Tensor:
        """Tracks ``[n, *size]`` as a network sees them, ``[n, 1, bands, frames]``; differentiable."""

    def noise(self, count: int, draw: torch.Generator) -> Tensor:
        """Standard normal noise, ``[count, *size]``."""
        return torch.randn(count, *self.size, generator=draw)

    def guide(self, train: RealImages, *, factor: int, prior: str, seed: int, device: torch.device) -> Guide:  # noqa: ARG002
        """What keeps parameters in shape; `factor` of them along time stand for one number of a track."""
        return Guide()


DOMAINS: Registry[type[Domain]] = Registry("domain")


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


@DOMAINS.register("waveform")
class Waveform(Domain):
    """Samples are optimised, through the differentiable feature."""

    summary = "the samples of a sound, through the feature"

    def __init__(self, feature: FeatureConfig, samples: int, normalisation: Normalisation) -> None:
        super().__init__(feature, samples, normalisation)
        self._analyse = build_feature(feature).requires_grad_(False)

    @classmethod
    def size_of(cls, feature: FeatureConfig, samples: int) -> tuple[int, ...]:  # noqa: ARG003
        """``(samples,)``."""
        return (samples,)

    def clips(self, train: RealImages, positions: NDArray[np.int64]) -> Tensor:
        """Their samples."""
        return train.sounds(positions)

    def images(self, tracks: Tensor) -> Tensor:
        """The normalised feature of the samples."""
        return self.normalisation.apply(self._analyse.to(tracks.device)(tracks))

    def guide(self, train: RealImages, *, factor: int, prior: str, seed: int, device: torch.device) -> Guide:
        """Level, band and spectrum of the real clips of each class."""
        return SoundGuide(train, self.feature, factor=factor, prior=prior, seed=seed, device=device)
