"""Layers that networks are made of: a normalised convolution, and pooling of maps of any size."""

from functools import lru_cache
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn.functional import avg_pool2d, conv2d, fold, pad

from distrack.arrays import Floats


def convolution(before: int, channels: int, size: int = 3, *, bias: bool = True) -> nn.Conv2d:
    """A convolution that keeps the size of a map."""
    if before == 1:
        return ImageConvolution(channels, size, bias=bias)
    return nn.Conv2d(before, channels, size, padding=size // 2, bias=bias)


def normalised(before: int, channels: int, size: int = 3, *, bias: bool = True) -> list[nn.Module]:
    """A convolution that keeps the size of a map, and instance norm, which cancels a bias."""
    return [convolution(before, channels, size, bias=bias), nn.GroupNorm(channels, channels)]


class ImageConvolution(nn.Conv2d):
    """A convolution of images that have one channel; on a CPU, its gradient at the images takes a third of the time.

    Shape:
        - images: ``[n, 1, bands, frames]``
        - returns: ``[n, channels, bands, frames]``
    """

    def __init__(self, channels: int, size: int = 3, *, bias: bool = True) -> None:
        super().__init__(1, channels, size, padding=size // 2, bias=bias)

    def forward(self, images: Tensor) -> Tensor:
        if images.device.type != "cpu" or not images.requires_grad:
            return super().forward(images)
        return cast(Tensor, _ImageConvolution.apply(images, self.weight, self.bias))


class _ImageConvolution(Function):
    """Torch's convolution, with a gradient at the images as one product of matrices whose patches are added."""

    @staticmethod
    def forward(ctx: FunctionCtx, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.wanted = [False, *ctx.needs_input_grad[1:]]  # type: ignore[attr-defined]
        return conv2d(images, weight, bias, padding=weight.shape[-1] // 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        (images, weight), wanted = ctx.saved_tensors, ctx.wanted  # type: ignore[attr-defined]
        channels, size = len(weight), weight.shape[-1]
        patches = weight.flatten(1).T @ gradient.flatten(2)
        at_images = fold(patches, images.shape[2:], size, padding=size // 2)
        if not any(wanted):
            return at_images, None, None
        ones, padding = [1, 1], [size // 2, size // 2]
        _, at_weight, at_bias = torch.ops.aten.convolution_backward(
            gradient, images, weight, [channels], ones, padding, ones, False, [0, 0], 1, wanted
        )
        return at_images, at_weight, at_bias


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


class NormalisedPool(nn.Sequential):
    """Instance norm, ReLU and 2 x 2 average pooling, without an odd last band or frame.

    On a CPU they are one compiled operation; see `distrack.compiled_pool`.

    Shape:
        - images: ``[n, channels, bands, frames]``, with two bands and two frames at least
        - returns: half as many bands and frames
    """

    def __init__(self, channels: int) -> None:
        super().__init__(nn.GroupNorm(channels, channels), nn.ReLU(inplace=True), AveragePool())

    def forward(self, images: Tensor) -> Tensor:
        if images.device.type != "cpu" or images.dtype != torch.float32:
            return cast(Tensor, super().forward(images))  # type: ignore[no-untyped-call]
        norm = cast(nn.GroupNorm, self[0])
        return cast(Tensor, _NormalisedPool.apply(images.contiguous(), norm.weight, norm.bias, norm.eps))


class _NormalisedPool(Function):
    """The compiled operation, and its gradient where one of the tensors needs it."""

    @staticmethod
    def forward(ctx: FunctionCtx, images: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> Tensor:
        from distrack.compiled_pool import pooled

        count, channels, bands, frames = images.shape
        out = torch.empty(count, channels, bands // 2, frames // 2)
        statistics = pooled(_rows(images), frames, weight.numpy(), bias.numpy(), np.float32(epsilon), _rows(out))
        ctx.save_for_backward(images, weight, bias, torch.from_numpy(statistics))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        from distrack.compiled_pool import pooled_gradient

        images, weight, bias, statistics = ctx.saved_tensors  # type: ignore[attr-defined]
        out = torch.empty_like(images)
        parameters = weight.numpy(), bias.numpy(), statistics.numpy()
        maps, frames = _rows(images), images.shape[-1]
        of_weight, of_bias = pooled_gradient(_rows(gradient.contiguous()), maps, frames, *parameters, _rows(out))
        return out, torch.from_numpy(of_weight), torch.from_numpy(of_bias), None


def _rows(images: Tensor) -> Floats:
    """The maps of images as rows of one array, which shares their memory, ``[n * channels, bands * frames]``."""
    count, channels, bands, frames = images.shape
    return images.view(count * channels, bands * frames).numpy()


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
