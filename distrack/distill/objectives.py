"""Matching objectives: how far apart two sets of embeddings are.

All are in the unit of a squared distance of embeddings, and all are the squared distance of the means in the limit of
sets that are narrow and near: one learning rate does for each.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from distrack.registry import Registry

# (real [classes, n, d], synthetic [classes, m, d], the step's random draws) -> [classes]
Objective = Callable[[Tensor, Tensor, torch.Generator], Tensor]


class Matching(NamedTuple):
    """A matching objective, and what it has to know of the real side.

    Attributes:
        distance: the objective.
        real: "mean" where the mean of the real embeddings, a single row, is as good as all of them; "sample" where it
            takes the embeddings themselves.
    """

    distance: Objective
    real: Literal["mean", "sample"]


OBJECTIVES: Registry[Matching] = Registry("objective")


def match_means(real: Tensor, synthetic: Tensor, draw: torch.Generator) -> Tensor:  # noqa: ARG001
    """Squared distance between the mean embeddings (distribution matching).

    Args:
        real: embeddings of real clips, class by class.
        synthetic: embeddings of synthetic tracks, class by class.
        draw: not used.

    Shape:
        - real: ``[classes, n, d]``; a single row may be the mean of many, computed before
        - synthetic: ``[classes, m, d]``
        - returns: ``[classes]``

    Source:
        Zhao and Bilen, "Dataset Condensation with Distribution Matching", WACV 2023, eq. 3.

    >>> match_means(torch.ones(1, 3, 2), torch.zeros(1, 5, 2), torch.Generator()).tolist()
    [2.0]
    """
    return (real.mean(1) - synthetic.mean(1)).square().sum(1)


def match_kernel_means(
    real: Tensor,
    synthetic: Tensor,
    draw: torch.Generator,  # noqa: ARG001
    *,
    bandwidths: Sequence[float] = (0.25, 1.0, 4.0),
) -> Tensor:
    """Squared maximum mean discrepancy with Gaussian kernels: all moments, the wide kernels for the low ones.

    The kernel is ``k(x, y) = exp(-|x - y|^2 / (2 s^2))``. Its ``s^2`` is the median squared distance between two real
    embeddings of the class, or the mean squared distance of the tracks from the real mean where that is more: tracks
    that start far away, or a class whose clips are all alike, would be left without a gradient. No gradient flows
    through ``s^2`` itself.

    Scale: ``k = 1 - |x - y|^2 / (2 s^2) + O(s^-4)``, and ``2 E|x - y|^2 - E|x - x'|^2 - E|y - y'|^2`` is twice the
    squared distance of the means. So ``s^2 MMD^2`` approaches that distance as ``s`` grows, and it is what a bandwidth
    contributes; the mean over the bandwidths is the result.

    Args:
        real: embeddings of real clips, class by class.
        synthetic: embeddings of synthetic tracks, class by class.
        draw: not used.
        bandwidths: of the kernels, multiples of ``s^2``.

    Shape:
        - real: ``[classes, n, d]``
        - synthetic: ``[classes, m, d]``
        - returns: ``[classes]``, at least 0 but for rounding (each embedding is paired with itself too)

    Source:
        Gretton et al., "A Kernel Two-Sample Test", JMLR 2012 (the biased statistic, the median heuristic); for
        distillation Zhang et al., "M3D: Dataset Condensation by Minimizing Maximum Mean Discrepancy", AAAI 2024.

    >>> spread, narrow = torch.tensor([[[-1.0], [1.0]]]), torch.tensor([[[-0.5], [0.5]]])
    >>> match_means(spread, narrow, torch.Generator()).item()
    0.0
    >>> match_kernel_means(spread, narrow, torch.Generator()).item() > 0.05
    True
    """
    # Distances do not depend on the origin; their rounding errors do.
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
    """Mean of ``s^2 (1 - k)``; without the 1, which cancels, nothing is lost to rounding in a wide kernel."""
    return -(squared_bandwidth * torch.expm1(distances / (-2 * squared_bandwidth))).mean((1, 2))


def match_characteristic_functions(
    real: Tensor,
    synthetic: Tensor,
    draw: torch.Generator,
    *,
    frequencies: int = 256,
    alpha: float = 0.5,
    bandwidths: Sequence[float] = (0.25, 1.0, 4.0),
) -> Tensor:
    """Difference of the empirical characteristic functions ``phi(t) = E exp(i t.x)`` at random frequencies.

    At a frequency, with amplitudes ``|phi|`` and the angle between the two phases,

    ``alpha (|phi_r| - |phi_s|)^2 + (1 - alpha) 2 |phi_r| |phi_s| (1 - cos angle)``.

    The amplitude tells how the set spreads, the phase where it lies. The second term is what the first one leaves of
    ``|phi_r - phi_s|^2``: it takes no angle. Where `alpha` is a half, only that square is left, and its expectation
    over the frequencies is the squared maximum mean discrepancy with Gaussian kernels.

    The frequencies are Gaussian of variance ``1 / s^2``, where ``s^2`` is the mean squared distance between two real
    embeddings of the class (so that the phases ``t.(x - mean)`` have variance 1/2), or the mean squared distance of
    the tracks from the real mean where that is more: the phases of tracks that start far away would wind around many
    times. They take turns among the multiples `bandwidths` of ``s^2``: with one alone, single tracks that are left
    behind feel nothing any more. In the paper the frequencies come from a network that is trained against the tracks,
    and each frequency's term is under a square root, which has no gradient at 0; neither is done here.

    Scale: in the limit of narrow sets the amplitudes are 1 and the angle is ``t.(difference of the means)``, whose
    square has the expectation ``|difference|^2 / s^2``. So the mean of ``s^2 / (1 - alpha)`` times the term of each
    frequency approaches the squared distance of the means, with a relative deviation of ``sqrt(2 / frequencies)``.

    Args:
        real: embeddings of real clips, class by class.
        synthetic: embeddings of synthetic tracks, class by class.
        draw: draws the frequencies; all classes share them, up to their scale.
        frequencies: how many.
        alpha: weight of the amplitudes, from 0 to less than 1.
        bandwidths: multiples of ``s^2``.

    Shape:
        - real: ``[classes, n, d]``
        - synthetic: ``[classes, m, d]``
        - returns: ``[classes]``, at least 0 but for rounding

    Source:
        Wang et al., "Dataset Distillation with Neural Characteristic Function: A Minmax Perspective", CVPR 2025.

    >>> spread, narrow = torch.tensor([[[-1.0], [1.0]]]), torch.tensor([[[-0.5], [0.5]]])
    >>> match_characteristic_functions(spread, narrow, torch.Generator()).item() > 0.05
    True
    """
    centre = real.mean(1, keepdim=True).detach()
    real, synthetic = real - centre, synthetic - centre
    typical = 2 * real.detach().square().sum(2).mean(1)
    typical = typical.maximum(synthetic.detach().square().sum(2).mean(1)).clamp_min(torch.finfo(typical.dtype).tiny)
    turns = torch.tensor(bandwidths).repeat(-(-frequencies // len(bandwidths)))[:frequencies].to(real)
    scale = turns * typical[:, None]
    directions = torch.randn(real.shape[2], frequencies, generator=draw).to(real)
    of_real, of_tracks = (_characteristic(side @ directions / scale.sqrt()[:, None]) for side in (real, synthetic))
    amplitude = (_amplitude(*of_real) - _amplitude(*of_tracks)).square()
    whole = (of_real[0] - of_tracks[0]).square() + (of_real[1] - of_tracks[1]).square()
    phase = whole - amplitude
    return (scale * (phase + alpha / (1 - alpha) * amplitude)).mean(1)


def _characteristic(phases: Tensor) -> tuple[Tensor, Tensor]:
    """Real and imaginary part of the characteristic function of every class, ``[classes, frequencies]`` each."""
    return phases.cos().mean(1), phases.sin().mean(1)


def _amplitude(real: Tensor, imaginary: Tensor) -> Tensor:
    """Absolute value, rounded off at 0 where it has no gradient.

    Two of them never differ by more than the complex numbers do, which keeps the phase's term positive.
    """
    return (real.square() + imaginary.square() + 1e-8).sqrt()


def squared_distances(one: Tensor, other: Tensor) -> Tensor:
    """Squared distances between all rows of two sets, class by class, without a difference for each pair.

    Shape:
        - one: ``[classes, n, d]``
        - other: ``[classes, m, d]``
        - returns: ``[classes, n, m]``

    >>> squared_distances(torch.tensor([[[0.0], [1.0]]]), torch.tensor([[[3.0]]])).tolist()
    [[[9.0], [4.0]]]
    """
    lengths = one.square().sum(2)[:, :, None] + other.square().sum(2)[:, None, :]
    return torch.baddbmm(lengths, one, other.transpose(1, 2), alpha=-2).clamp_min(0)


OBJECTIVES.add("mean", Matching(match_means, real="mean"))
OBJECTIVES.add("mmd", Matching(match_kernel_means, real="sample"))
OBJECTIVES.add("cf", Matching(match_characteristic_functions, real="sample"))
