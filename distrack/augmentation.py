"""Augmentation of normalised images: shifts, masks, gain and noise, drawn for each image or once for all; mixup."""

from dataclasses import dataclass, replace
from typing import Annotated, Self

import torch
from pydantic import Field
from torch import Tensor

from distrack.validation import Config


class AugmentationConfig(Config):
    """How far an image may be changed. A change of 0, or of less than half a frame or band, is left out."""

    time_shift: Annotated[float, Field(ge=0, le=0.5)] = 1 / 8
    """Longest shift in time either way, as a share of the frames."""
    band_shift: Annotated[float, Field(ge=0, le=0.5)] = 1 / 20
    """Longest shift in frequency either way, as a share of the bands."""
    time_mask: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Longest stretch of masked frames, as a share of the frames."""
    band_mask: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Longest stretch of masked bands, as a share of the bands."""
    gain: Annotated[float, Field(ge=0, le=10)] = 0.3
    """Standard deviation of the number added to a whole image, in normalised units."""
    noise: Annotated[float, Field(ge=0, le=10)] = 0.1
    """Standard deviation of the noise added to each pixel, in normalised units."""


NO_AUGMENTATION = AugmentationConfig(time_shift=0, band_shift=0, time_mask=0, band_mask=0, gain=0, noise=0)


@dataclass(frozen=True, eq=False)
class Draw:
    """The random numbers of an augmentation: a map of images that is the same at every call.

    Attributes:
        count: number of images that have a draw of their own; 1 for a draw that all images share.
        shape: bands and frames.
        source: for each pixel the pixel that replaces it, bands and frames flattened; None without a shift.
        added: tensors that are added.
        masks: tensors that are multiplied, 0 where an image is masked and 1 elsewhere.

    Shape:
        - source: ``[count, bands * frames]`` int64
        - added, masks: each broadcasts to ``[count, 1, bands, frames]``
    """

    count: int
    shape: tuple[int, int]
    source: Tensor | None
    added: tuple[Tensor, ...]
    masks: tuple[Tensor, ...]

    def to(self, device: torch.device) -> Self:
        """The same draw on a device; call it once for a draw that is applied several times."""
        return replace(
            self,
            source=None if self.source is None else self.source.to(device),
            added=tuple(values.to(device) for values in self.added),
            masks=tuple(values.to(device) for values in self.masks),
        )

    def apply(self, images: Tensor) -> Tensor:
        """Augmented images, differentiable with respect to the images; the images themselves if nothing was drawn.

        Shape:
            - images, returns: ``[n, 1, bands, frames]``; n is `count`, or any number if that is 1

        Raises:
            ValueError: the draw is for another number or size of images.
        """
        if self.count not in (1, len(images)) or self.shape != images.shape[2:]:
            bands, frames = self.shape
            raise ValueError(
                f"a draw for {self.count} images of {bands} x {frames} does not suit images {list(images.shape)}"
            )
        draw = self.to(images.device)
        if draw.source is not None:
            # One pass over flat pixels takes half the time of two passes. A shared index is not expanded.
            pixels = images.flatten(1)
            moved = pixels.index_select(1, draw.source[0]) if self.count == 1 else pixels.gather(1, draw.source)
            images = moved.view_as(images)
        for values in draw.added:
            images = images + values
        for values in draw.masks:
            images = images * values
        return images


def draw(
    config: AugmentationConfig,
    count: int,
    shape: tuple[int, int],
    generator: torch.Generator,
    *,
    shift_bands: bool = True,
) -> Draw:
    """Draws the random numbers of an augmentation.

    A shift repeats the edge. A masked stretch has any length from 0 to the longest one and the value 0, the mean of
    normalised images; gain and noise do not reach it. Everything is drawn on the CPU, so that every device gets the
    same numbers.

    Args:
        count: number of images that get a draw of their own, or 1 for a draw that all images share: siamese
            augmentation applies the same one to real and synthetic images.
        shape: bands and frames.
        shift_bands: whether to shift in frequency. Do not where bands are not pitches, or where another pitch is
            another class.

    Source:
        Zhao and Bilen, "Dataset Condensation with Differentiable Siamese Augmentation", ICML 2021, section 3.2; the
        masks: Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition",
        Interspeech 2019, section 2.

    >>> shifted = draw(AugmentationConfig(gain=0, noise=0), 1, (20, 8), torch.Generator().manual_seed(0))
    >>> shifted.apply(torch.ones(3, 1, 20, 8)).unique()
    tensor([1.])
    """
    bands, frames = shape
    # Another order of the draws would change all measured results.
    in_time, in_bands = round(config.time_shift * frames), round(config.band_shift * bands) if shift_bands else 0
    columns, rows = _shift(in_time, frames, count, generator), _shift(in_bands, bands, count, generator)
    source = (rows[:, :, None] * frames + columns[:, None, :]).flatten(1) if in_time or in_bands else None
    masks = []
    if longest := round(config.time_mask * frames):
        masks.append(_unmasked(longest, frames, count, generator).view(count, 1, 1, frames))
    if longest := round(config.band_mask * bands):
        masks.append(_unmasked(longest, bands, count, generator).view(count, 1, bands, 1))
    added = []
    if config.gain:
        added.append(torch.randn(count, 1, 1, 1, generator=generator).mul_(config.gain))
    if config.noise:
        added.append(torch.randn(count, 1, bands, frames, generator=generator).mul_(config.noise))
    return Draw(count, shape, source, tuple(added), tuple(masks))


def augment(
    images: Tensor, config: AugmentationConfig, generator: torch.Generator, *, shift_bands: bool = True
) -> Tensor:
    """Images that are augmented by a draw each, as for the training of an evaluator; test clips are never augmented.

    Args:
        images: normalised, ``[n, 1, bands, frames]``.
        config, generator, shift_bands: see `draw`.
    """
    count, _, bands, frames = images.shape
    return draw(config, count, (bands, frames), generator, shift_bands=shift_bands).apply(images)


def mixup(images: Tensor, targets: Tensor, alpha: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Examples that are each blended with another one, and their targets in the same proportion.

    Args:
        targets: a distribution over the classes for each image.
        alpha: parameter of the Beta distribution of the proportions.

    Shape:
        - images: ``[n, 1, bands, frames]``
        - targets: ``[n, classes]``

    Source:
        Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
    """
    # A Beta variate is a ratio of Gamma variates, which torch can draw with a generator.
    gammas = torch._standard_gamma(torch.full((2, len(images)), alpha), generator=generator)
    share = (gammas[0] / gammas.sum(0)).to(images.device)
    share = torch.maximum(share, 1 - share)
    partner = torch.randperm(len(images), generator=generator).to(images.device)
    blend = share.view(-1, 1, 1, 1)
    images = blend * images + (1 - blend) * images[partner]
    return images, share[:, None] * targets + (1 - share[:, None]) * targets[partner]


def _shift(furthest: int, size: int, count: int, generator: torch.Generator) -> Tensor:
    """For each frame or band the one that replaces it, edges repeated, ``[count or 1, size]``."""
    if furthest == 0:
        return torch.arange(size)[None]
    offsets = torch.randint(-furthest, furthest + 1, (count, 1), generator=generator)
    return (torch.arange(size) - offsets).clamp(0, size - 1)


def _unmasked(longest: int, size: int, count: int, generator: torch.Generator) -> Tensor:
    """0 on a stretch of random length at a random place, 1 elsewhere, ``[count, size]``."""
    lengths = torch.randint(longest + 1, (count, 1), generator=generator)
    # All places where the stretch fits are equally likely; in float64 the product never rounds up past the last one.
    starts = (torch.rand(count, 1, dtype=torch.float64, generator=generator) * (size - lengths + 1)).long()
    positions = torch.arange(size)
    return ((positions < starts) | (positions >= starts + lengths)).float()
