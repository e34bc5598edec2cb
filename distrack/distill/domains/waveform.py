"""The waveform domain: a track is a sound, and gradients pass through the differentiable feature."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from distrack.arrays import Integers
from distrack.distill.domains.contract import DOMAINS, Domain
from distrack.distill.preconditioner import Preconditioner, Prior, SpectrumPreconditioner
from distrack.features import FeatureConfig, Normalisation, build_feature
from distrack.images import RealImages
from distrack.registry import Choice
from distrack.validation import Option


class WaveformConfig(Choice):
    """Settings of the waveform domain."""

    prior: Annotated[Prior, Field(title="Step scaling"), Option("prior")] = "spectrum"
    """How a step is spread over the frequencies: in proportion to the class's spectrum, or evenly."""


@DOMAINS.register("waveform", config=WaveformConfig)
class Waveform(Domain):
    """Optimises the samples of a sound, which a network sees through the feature."""

    summary = "waveform (raw audio)"

    def __init__(
        self, feature: FeatureConfig, samples: int, normalisation: Normalisation, *, prior: Prior = "spectrum"
    ) -> None:
        super().__init__(feature, samples, normalisation)
        self.prior = prior
        self._feature = build_feature(feature).requires_grad_(False)

    @classmethod
    def size_of(cls, feature: FeatureConfig, samples: int) -> tuple[int, ...]:  # noqa: ARG003
        return (samples,)

    def clips(self, train: RealImages, positions: Integers) -> Tensor:
        return train.sounds(positions)

    def images(self, tracks: Tensor) -> Tensor:
        return self.normalisation.apply(self._feature.to(tracks.device)(tracks))

    def preconditioner(self, train: RealImages, *, factor: int, seed: int, device: torch.device) -> Preconditioner:
        return SpectrumPreconditioner(train, self.feature, factor=factor, prior=self.prior, seed=seed, device=device)
