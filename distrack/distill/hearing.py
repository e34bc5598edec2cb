"""Hearing: while tracks are images, networks see them as the sounds that are made of them."""

from functools import cached_property

import torch
from torch import Tensor

from distrack.distill.audible import image_of_sound
from distrack.distill.config import DistillConfig
from distrack.features import FEATURES, Normalisation, build_feature
from distrack.inversion import QUICK

# Tracks that are made audible together.
_BATCH = 16


class Hearing:
    """What an inversion changes in the images of tracks, measured every few steps, and the images with that change.

    Not every image is that of a sound: no sound has less power than silence or a peak above full scale, and
    neighbouring frames share samples. A network that learns from the sounds sees other images than those that
    distillation moved. So every few steps all tracks are made audible, quickly, and analysed again, and the steps that
    follow see image plus correction. The correction is a constant for the gradient (a straight-through estimator).
    Values below silence are raised to it at every step.

    Where images are a result as well, in the spectral domain, every other step sees them as they are; measured in
    `benchmarks/sounds.md`.

    Attributes:
        correction: images of the sounds less the images, of all tracks; None until they are made audible.

    Shape:
        - correction: ``[tracks, 1, bands, frames]``

    Source:
        Bengio, Leonard and Courville, "Estimating or Propagating Gradients Through Stochastic Neurons for Conditional
        Computation", 2013 (the straight-through estimator).
    """

    def __init__(self, config: DistillConfig, normalisation: Normalisation, device: torch.device) -> None:
        self.config, self.normalisation, self.device = config, normalisation, device
        self.correction: Tensor | None = None
        self._alternates = config.domain.name == "spectral"

    def corrections(self, count: int) -> Tensor:
        """The corrections of so many tracks, zero before they are made audible."""
        if self.correction is None:
            self.correction = torch.zeros(count, 1, *self.config.feature.shape(self.config.samples), device=self.device)
        return self.correction

    @torch.no_grad()
    def listen(self, images: Tensor, tracks: Tensor, corrections: Tensor) -> None:
        """Makes some tracks audible, and remembers how their images change.

        Args:
            tracks: their numbers.
            corrections: those of all tracks, which are written in place.

        Shape:
            - images: ``[n, 1, bands, frames]``, normalised
            - tracks: ``[n]``
        """
        config, images = self.config, self._above_silence(images)
        for some, numbers in zip(images.split(_BATCH), tracks.split(_BATCH), strict=True):
            heard = image_of_sound(some, config.feature, self.normalisation, samples=config.samples, effort=QUICK)
            corrections[numbers] = heard - some

    def seen(self, images: Tensor, tracks: Tensor, step: int) -> Tensor:
        """Images of some tracks as the network of a step sees them, differentiable."""
        return images if self._alternates and step % 2 else self.heard(images, tracks)

    def heard(self, images: Tensor, tracks: Tensor) -> Tensor:
        """Images of some tracks as those of their sounds; as they are before they were made audible.

        Shape:
            - images: ``[n, 1, bands, frames]``
            - tracks: ``[n]``
        """
        if self.correction is None:
            return images
        return self._above_silence(images) + self.correction[tracks]

    # Not needed by those that never hear.
    @cached_property
    def _silence(self) -> Tensor | None:
        """The image of silence; None for a feature that has lower values."""
        if not FEATURES[self.config.feature.name].silence_is_lowest:
            return None
        image = build_feature(self.config.feature)(torch.zeros(1, self.config.samples))
        return self.normalisation.apply(image).to(self.device)

    def _above_silence(self, images: Tensor) -> Tensor:
        return images if self._silence is None else images.maximum(self._silence)
