"""The modified discrete cosine transform (MDCT), as an orthonormal matrix product between blocks and cells."""

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad


def mdct(waves: Tensor, bins: int) -> Tensor:
    """Cells of sounds, orthonormal: their squares add up to the energy of the sound.

    The frames are `2 * bins` samples long, start every `bins` samples and have a sine window. The transform is computed
    as a rotation of every pair of samples that mirror each other at the edge of two blocks, and a DST-IV of each block.
    Nothing overlaps the two ends, so that there are as many cells as samples, filled up to whole blocks. Some cells
    have the other sign than by the usual formula.

    Shape:
        - waves: ``[n, samples]``
        - returns: ``[n, frames, bins]``, with ``frames = ceil(samples / bins)``

    Source:
        Princen, Johnson and Bradley, "Subband/Transform Coding Using Filter Bank Designs Based on Time Domain Aliasing
        Cancellation", ICASSP 1987; as a rotation and a block transform in Malvar, "Lapped Transforms for Efficient
        Transform/Subband Coding", IEEE Transactions on Acoustics, Speech, and Signal Processing 38(6), 1990.

    >>> mdct(torch.randn(2, 1000), 256).shape
    torch.Size([2, 4, 256])
    """
    blocks = pad(waves, (0, -waves.shape[1] % bins)).unflatten(1, (-1, bins))
    return _rotated(blocks, 1) @ _dst4(bins, waves.device)


def inverse_mdct(cells: Tensor, samples: int) -> Tensor:
    """Sounds of these cells; the inverse of `mdct`.

    Shape:
        - cells: ``[n, frames, bins]``
        - returns: ``[n, samples]``
    """
    blocks = _rotated(cells @ _dst4(cells.shape[2], cells.device), -1)
    return blocks.flatten(1)[:, :samples]


def _rotated(blocks: Tensor, direction: int) -> Tensor:
    """Blocks with each pair of samples that mirror each other at an inner edge rotated by the angle of the window."""
    half = blocks.shape[2] // 2
    angles = (torch.arange(half, device=blocks.device) + 0.5) * math.pi / (4 * half)
    inside, outside = (math.pi / 4 + angles).sin(), direction * (math.pi / 4 + angles).cos()
    before, after = blocks[:, :-1, half:].flip(2), blocks[:, 1:, :half]
    first = torch.cat([blocks[:, :1, :half], inside * after - outside * before], 1)
    last = torch.cat([(inside * before + outside * after).flip(2), blocks[:, -1:, half:]], 1)
    return torch.cat([first, last], 2)


@lru_cache(maxsize=16)
def _dst4(size: int, device: torch.device) -> Tensor:
    """The orthonormal DST-IV, which is symmetric and its own inverse, ``[size, size]``."""
    place = torch.arange(size, dtype=torch.float64) + 0.5
    basis = math.sqrt(2 / size) * (math.pi / size * place[:, None] * place).sin()
    return basis.float().to(device)
