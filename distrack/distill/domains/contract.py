"""The contract of domains, and their registry."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from distrack.arrays import Integers
from distrack.distill.preconditioner import Preconditioner
from distrack.features import FeatureConfig, Normalisation
from distrack.images import RealImages
from distrack.registry import Registry


class Domain(ABC):
    """The space that tracks are optimised in.

    A subclass takes the settings of its own config as further keyword arguments.

    Args:
        samples: length of a clip in samples.

    Attributes:
        summary: what a track is, in a few words; its label in menus.
    """

    summary: ClassVar[str]

    def __init__(self, feature: FeatureConfig, samples: int, normalisation: Normalisation) -> None:
        self.feature, self.samples, self.normalisation = feature, samples, normalisation
        self.size = self.size_of(feature, samples)

    @classmethod
    @abstractmethod
    def size_of(cls, feature: FeatureConfig, samples: int) -> tuple[int, ...]:
        """Size of a track of clips of that length."""

    @abstractmethod
    def clips(self, train: RealImages, positions: Integers) -> Tensor:
        """Real clips as tracks, ``[n, *size]``."""

    @abstractmethod
    def images(self, tracks: Tensor) -> Tensor:
        """Tracks ``[n, *size]`` as a network sees them, ``[n, 1, bands, frames]``; differentiable."""

    def noise(self, count: int, draw: torch.Generator) -> Tensor:
        """Standard normal noise, ``[count, *size]``."""
        return torch.randn(count, *self.size, generator=draw)

    def preconditioner(self, train: RealImages, *, factor: int, seed: int, device: torch.device) -> Preconditioner:  # noqa: ARG002
        """The preconditioner of stored parameters, each of which stands for `factor` numbers of a track along time."""
        return Preconditioner()


DOMAINS: Registry[type[Domain]] = Registry("domain")
