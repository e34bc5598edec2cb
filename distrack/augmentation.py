"""Augmentation of normalised images: shifts, masks, gain and noise, each image its own or all of them alike; mixup."""

from dataclasses import dataclass, replace
from typing import Annotated, Self

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor


class AugmentationConfig(BaseModel):
    """How far an image may be changed. What is 0, or rounds to no frame or band at all, is left out.

    Attributes:
        time_shift: furthest shift in time, either way, as a share of the frames.
        band_shift: furthest shift in frequency, either way, as a share of the bands.
        time_mask: longest stretch of frames that is masked, as a share of them.
        band_mask: longest stretch of bands that is masked, as a share of them.
        gain: standard deviation of what is added to a whole image, in normalised units.
        noise: standard deviation of what is added to each pixel, in normalised units.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_shift: Annotated[float, Field(ge=0, le=0.5)] = 1 / 8
    band_shift: Annotated[float, Field(ge=0, le=0.5)] = 1 / 20
    time_mask: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    band_mask: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    gain: Annotated[float, Field(ge=0, le=10)] = 0.3
    noise: Annotated[float, Field(ge=0, le=10)] = 0.1


NO_AUGMENTATION = AugmentationConfig(time_shift=0, band_shift=0, time_mask=0, band_mask=0, gain=0, noise=0)


@dataclass(frozen=True, eq=False)
class Draw:
    """What was drawn for a number of images, or once for any number of them: an affine map, the same at every call.

    Attributes:
        count: images that have a draw of their own; 1 is a draw for all images alike.
        shape: bands and frames.
        source: which pixel comes where a pixel was, bands and frames flattened, ``[count, bands * frames]`` int64; None
            where nothing is shifted.
        added: what is added, each ``[count, 1, bands, frames]`` or 1 for some of these.
        kept: 0 where an image is masked, 1 elsewhere, shaped likewise.
    """

    count: int
    shape: tuple[int, int]
    source: Tensor | None
    added: tuple[Tensor, ...]
    kept: tuple[Tensor, ...]

    def to(self, device: torch.device) -> Self:
        """The same draw on a device; worth calling once where it is applied more than once."""
        return replace(
            self,
            source=None if self.source is None else self.source.to(device),
            added=tuple(values.to(device) for values in self.added),
            kept=tuple(values.to(device) for values in self.kept),
        )

    def apply(self, images: Tensor) -> Tensor:
        """Augmented images, differentiable with respect to the images; these themselves where nothing was drawn.

        Shape:
            - images, returns: ``[n, 1, bands, frames]``, n any number where `count` is 1

        Raises:
            ValueError: the draw is for other images.
        """
        if self.count not in (1, len(images)) or self.shape != images.shape[2:]:
            bands, frames = self.shape
            raise ValueError(
                f"a draw for {self.count} images of {bands} x {frames} does not suit images {list(images.shape)}"
            )
        draw = self.to(images.device)
        if draw.source is not None:
            # One pass over flat pixels takes half the time of one for each direction. A shared index is not expanded.
            pixels = images.flatten(1)
            moved = pixels.index_select(1, draw.source[0]) if self.count == 1 else pixels.gather(1, draw.source)
            images = moved.view_as(images)
        for values in draw.added:
            images = images + values
        for values in draw.kept:
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
    """Decides all that is random about an augmentation.

    A shift repeats the edge. A masked stretch is of any length up to the longest, 0 included, and has the value 0, the
    mean of normalised images, whatever was added. Everything is drawn on the CPU: another device gets the same numbers.

    Args:
        config: how far images may be changed.
        count: images that get a draw of their own, or 1 for a draw that is applied to all images alike: to real and
            synthetic ones, they are augmented as siblings.
        shape: bands and frames.
        generator: what the random numbers come from, one of the CPU.
        shift_bands: whether to shift in frequency: not where bands are no pitches, or where another pitch is another
            class.

    Source:
        Zhao and Bilen, "Dataset Condensation with Differentiable Siamese Augmentation", ICML 2021, section 3.2; the
        masks: Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition",
        Interspeech 2019, section 2.

    >>> shifted = draw(AugmentationConfig(gain=0, noise=0), 1, (20, 8), torch.Generator().manual_seed(0))
    >>> shifted.apply(torch.ones(3, 1, 20, 8)).unique()
    tensor([1.])
    """
    bands, frames = shape
    # The order of the draws is that of the results that were measured with them.
    frame_source = _shift(round(config.time_shift * frames), frames, count, generator)
    band_source = _shift(round(config.band_shift * bands) if shift_bands else 0, bands, count, generator)
    source = None
    if frame_source is not None or band_source is not None:
        rows = torch.arange(bands)[None] if band_source is None else band_source
        columns = torch.arange(frames)[None] if frame_source is None else frame_source
        source = (rows[:, :, None] * frames + columns[:, None, :]).flatten(1)
    kept = []
    if longest := round(config.time_mask * frames):
        kept.append(_unmasked(longest, frames, count, generator).view(count, 1, 1, frames))
    if longest := round(config.band_mask * bands):
        kept.append(_unmasked(longest, bands, count, generator).view(count, 1, bands, 1))
    added = []
    if config.gain:
        added.append(torch.randn(count, 1, 1, 1, generator=generator).mul_(config.gain))
    if config.noise:
        added.append(torch.randn(count, 1, bands, frames, generator=generator).mul_(config.noise))
    return Draw(count, shape, source, tuple(added), tuple(kept))


def augment(
    images: Tensor, config: AugmentationConfig, generator: torch.Generator, *, shift_bands: bool = True
) -> Tensor:
    """Each image augmented by a draw of its own, as while an evaluator trains. Never applied to test clips.

    Args:
        images: normalised.
        config: how far images may be changed.
        generator: what the random numbers come from, one of the CPU.
        shift_bands: see `draw`.

    Shape:
        - images, returns: ``[n, 1, bands, frames]``
    """
    count, _, bands, frames = images.shape
    return draw(config, count, (bands, frames), generator, shift_bands=shift_bands).apply(images)


def mixup(images: Tensor, targets: Tensor, alpha: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each example blended with another one, and their targets in the same proportion.

    Shape:
        - images: ``[n, 1, bands, frames]``
        - targets: ``[n, classes]``, a distribution in each row

    Source:
        Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
    """
    # A Beta variate is a ratio of Gamma variates; torch draws those with a generator of our own.
    gammas = torch._standard_gamma(torch.full((2, len(images)), alpha), generator=generator)
    share = (gammas[0] / gammas.sum(0)).to(images.device)
    share = torch.maximum(share, 1 - share)
    partner = torch.randperm(len(images), generator=generator).to(images.device)
    blend = share.view(-1, 1, 1, 1)
    images = blend * images + (1 - blend) * images[partner]
    return images, share[:, None] * targets + (1 - share[:, None]) * targets[partner]


def _shift(furthest: int, size: int, count: int, generator: torch.Generator) -> Tensor | None:
    """Where each frame or band comes from, ``[count, size]``, the edge repeated; None where none can move."""
    if furthest == 0:
        return None
    offsets = torch.randint(-furthest, furthest + 1, (count, 1), generator=generator)
    return (torch.arange(size) - offsets).clamp(0, size - 1)


def _unmasked(longest: int, size: int, count: int, generator: torch.Generator) -> Tensor:
    """0 on a stretch of random length at a random place, 1 elsewhere, ``[count, size]``."""
    lengths = torch.randint(longest + 1, (count, 1), generator=generator)
    # Every place where the stretch fits is as likely; in float64 the product never rounds up to one beyond the last.
    starts = (torch.rand(count, 1, dtype=torch.float64, generator=generator) * (size - lengths + 1)).long()
    positions = torch.arange(size)
    return ((positions < starts) | (positions >= starts + lengths)).float()
