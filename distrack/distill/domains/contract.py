"""The contract of domains, and their registry."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distrack.distill.preconditioner import Preconditioner
from distrack.features import FeatureConfig, Normalisation
from distrack.images import RealImages
from distrack.registry import Registry


class Domain(ABC):
    """What is optimised.

    Args:
        feature: what the networks see.
        samples: length of a clip.
        normalisation: of the real images.
        settings: those of the domain's own config, by name, as keyword arguments of a subclass.

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

    def preconditioner(self, train: RealImages, *, factor: int, seed: int, device: torch.device) -> Preconditioner:  # noqa: ARG002
        """How a gradient becomes a step; `factor` numbers of a track along time stand for one parameter."""
        return Preconditioner()


DOMAINS: Registry[type[Domain]] = Registry("domain")
