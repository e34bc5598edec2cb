"""Layers that several networks are made of: a normalised convolution, and pooling of maps of any size."""

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn.functional import avg_pool2d, pad


def convolution(before: int, channels: int, size: int = 3, *, bias: bool = True) -> list[nn.Module]:
    """A convolution that keeps the size of a map, and instance norm, which cancels a bias."""
    return [
        nn.Conv2d(before, channels, size, padding=size // 2, bias=bias),
        nn.GroupNorm(channels, channels),
    ]


class AveragePool(nn.Module):
    """2 x 2 average pooling, without an odd last band or frame.

    On a CPU it adds slices, which takes a third of the time of torch's kernel; on other devices it uses that kernel.

    Args:
        keep: an axis that would have fewer bins than this afterwards is not pooled.

    Shape:
        - images: ``[n, channels, bands, frames]``
        - returns: half as many bands and frames
    """

    def __init__(self, *, keep: int = 1) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, images: Tensor) -> Tensor:
        factors = [2 if size // 2 >= self.keep else 1 for size in images.shape[-2:]]
        if images.device.type != "cpu":
            return avg_pool2d(images, factors)
        halved: Tensor = _Halved.apply(images, *factors)
        return halved


class _Halved(Function):
    """Means over `rows` x `columns`, each 1 or 2, as sums of slices; the remainder of an axis is left out."""

    @staticmethod
    def forward(ctx: FunctionCtx, images: Tensor, rows: int, columns: int) -> Tensor:
        ctx.shape, ctx.factors = images.shape, (rows, columns)  # type: ignore[attr-defined]
        bands, frames = (
            size // factor * factor for size, factor in zip(images.shape[-2:], (rows, columns), strict=True)
        )
        if rows > 1:
            images = images[..., 0:bands:2, :] + images[..., 1:bands:2, :]
        if columns > 1:
            images = images[..., 0:frames:2] + images[..., 1:frames:2]
        return images / (rows * columns)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None, None]:
        (*lead, bands, frames), (rows, columns) = ctx.shape, ctx.factors  # type: ignore[attr-defined]
        high, wide = gradient.shape[-2:]
        images = (gradient.reshape(-1, wide) @ _spreading(wide, rows, columns).to(gradient)).view(
            *lead, high * rows, wide * columns
        )
        left = (0, frames - wide * columns, 0, bands - high * rows)
        return pad(images, left) if any(left) else images, None, None


@lru_cache(maxsize=64)
def _spreading(wide: int, rows: int, columns: int) -> Tensor:
    """Matrix from a row of means to the rows of pixels that each is the mean of, ``[wide, rows * wide * columns]``.

    The product takes a fifth of the time of repeated elements, and gives the same numbers.
    """
    pixels = torch.arange(rows * wide * columns)
    matrix = torch.zeros(wide, len(pixels))
    matrix[pixels % (wide * columns) // columns, pixels] = 1 / (rows * columns)
    return matrix


class GridAverage(nn.Module):
    """Averages over equal windows, which overlap if the size of the map is no multiple of the grid.

    Torch's adaptive pooling has windows of unequal size instead. It has no kernel for them on Apple's devices, and no
    deterministic gradient on CUDA.

    Args:
        size: bands and frames of the result; an axis that has fewer is not pooled.

    Shape:
        - images: ``[n, channels, bands, frames]``
        - returns: ``[n, channels, min(size, bands), min(size, frames)]``
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        sizes = images.shape[-2:]
        steps = [max(1, size // self.size) for size in sizes]
        windows = [size - (min(size, self.size) - 1) * step for size, step in zip(sizes, steps, strict=True)]
        return avg_pool2d(images, windows, steps)
