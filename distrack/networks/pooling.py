"""Pooling of maps of any size: halved where there is enough left, and averaged down to a grid."""

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d


class AveragePool(nn.Module):
    """2 x 2 average pooling, an odd last band or frame left out.

    On a CPU two additions of slices take a third of the time of torch's own kernel; elsewhere that one is faster.

    Args:
        keep: an axis that would be left with fewer bins than this stays as it is.

    Shape:
        - images: ``[n, channels, bands, frames]``
        - returns: half as many bands and frames
    """

    def __init__(self, *, keep: int = 1) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, images: Tensor) -> Tensor:
        """Half as many bands and frames."""
        bands, frames = (size // 2 if size // 2 >= self.keep else None for size in images.shape[-2:])
        if images.device.type != "cpu":
            return avg_pool2d(images, (2 if bands else 1, 2 if frames else 1))
        if bands:
            images = images[..., 0 : 2 * bands : 2, :] + images[..., 1 : 2 * bands : 2, :]
        if frames:
            images = images[..., 0 : 2 * frames : 2] + images[..., 1 : 2 * frames : 2]
        return images * (0.25 if bands and frames else 0.5) if bands or frames else images


class GridAverage(nn.Module):
    """Averages over equal windows, which overlap where the map is no multiple of the grid.

    Torch's adaptive pooling has windows of unequal size instead; it has no kernel for those on Apple's devices, and
    none that gives the same gradient twice on CUDA.

    Args:
        size: bands and frames that are left; an axis that has fewer stays as it is.

    Shape:
        - images: ``[n, channels, bands, frames]``
        - returns: ``[n, channels, min(size, bands), min(size, frames)]``
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        """Means over the windows."""
        sizes = images.shape[-2:]
        steps = [max(1, size // self.size) for size in sizes]
        windows = [size - (min(size, self.size) - 1) * step for size, step in zip(sizes, steps, strict=True)]
        return avg_pool2d(images, windows, steps)
