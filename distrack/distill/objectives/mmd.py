"""Maximum mean discrepancy: all moments of the embeddings, by Gaussian kernels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from distrack.distill.objectives.contract import OBJECTIVES, Bandwidths, Objective
from distrack.registry import Choice


class KernelConfig(Choice):
    """Settings of the maximum mean discrepancy."""

    bandwidths: Bandwidths = (0.25, 1.0, 4.0)


def match_kernel_means(
    real: Tensor,
    synthetic: Tensor,
    draw: torch.Generator,  # noqa: ARG001
    *,
    bandwidths: Sequence[float] = (0.25, 1.0, 4.0),
) -> Tensor:
    """Squared maximum mean discrepancy with Gaussian kernels: it compares all moments, the low ones by wide kernels.

    The kernel is ``k(x, y) = exp(-|x - y|^2 / (2 s^2))``. Its ``s^2`` is the median squared distance between two real
    embeddings of the class, or the mean squared distance of the tracks from the real mean if that is more. Otherwise
    tracks that start far away, and a class whose clips are all alike, would have no gradient. No gradient flows through
    ``s^2`` itself.

    Scale: ``k = 1 - |x - y|^2 / (2 s^2) + O(s^-4)``, and ``2 E|x - y|^2 - E|x - x'|^2 - E|y - y'|^2`` is twice the
    squared distance of the means. So ``s^2 MMD^2`` approaches that distance as ``s`` grows. It is the contribution of
    one bandwidth; the result is the mean over the bandwidths. Each embedding is paired with itself too.

    Args:
        real, synthetic, draw: see `Distance`; there are no draws.
        bandwidths: squared bandwidths of the kernels as multiples of ``s^2``.

    Source:
        Gretton et al., "A Kernel Two-Sample Test", JMLR 2012 (the biased statistic, the median heuristic); for
        distillation Zhang et al., "M3D: Dataset Condensation by Minimizing Maximum Mean Discrepancy", AAAI 2024.

    >>> from distrack.distill.objectives.mean import match_means
    >>> spread, narrow = torch.tensor([[[-1.0], [1.0]]]), torch.tensor([[[-0.5], [0.5]]])
    >>> match_means(spread, narrow, torch.Generator()).item()
    0.0
    >>> match_kernel_means(spread, narrow, torch.Generator()).item() > 0.05
    True
    """
    # Distances do not depend on the origin, but their rounding errors do.
    centre = real.mean(1, keepdim=True).detach()
    real, synthetic = real - centre, synthetic - centre
    within_real, across = squared_distances(real, real), squared_distances(real, synthetic)
    pairs = torch.triu_indices(real.shape[1], real.shape[1], 1, device=real.device)
    typical = synthetic.detach().square().sum(2).mean(1)
    if pairs.shape[1]:
        typical = typical.maximum(within_real[:, *pairs].detach().median(1).values)
    within_synthetic = squared_distances(synthetic, synthetic)
    scale = typical.clamp_min(torch.finfo(typical.dtype).tiny)[:, None, None]
    return torch.stack(
        [
            2 * _dissimilarity(across, width * scale)
            - _dissimilarity(within_real, width * scale)
            - _dissimilarity(within_synthetic, width * scale)
            for width in bandwidths
        ]
    ).mean(0)


def _dissimilarity(distances: Tensor, squared_bandwidth: Tensor) -> Tensor:
    """Mean of ``s^2 (1 - k)``; the 1 cancels in the discrepancy, and without it a wide kernel loses no precision."""
    return -(squared_bandwidth * torch.expm1(distances / (-2 * squared_bandwidth))).mean((1, 2))


def squared_distances(one: Tensor, other: Tensor) -> Tensor:
    """Squared distances between all rows of two sets, class by class, in memory of the size of the result.

    Shape:
        - one: ``[classes, n, d]``
        - other: ``[classes, m, d]``
        - returns: ``[classes, n, m]``

    >>> squared_distances(torch.tensor([[[0.0], [1.0]]]), torch.tensor([[[3.0]]])).tolist()
    [[[9.0], [4.0]]]
    """
    lengths = one.square().sum(2)[:, :, None] + other.square().sum(2)[:, None, :]
    return torch.baddbmm(lengths, one, other.transpose(1, 2), alpha=-2).clamp_min(0)


OBJECTIVES.add(
    "mmd", Objective(match_kernel_means, real="sample", summary="MMD (Gaussian kernels)"), config=KernelConfig
)
