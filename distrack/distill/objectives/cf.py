"""Characteristic functions of the embeddings, compared at random frequencies."""

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from distrack.distill.objectives.contract import OBJECTIVES, Bandwidths, Objective
from distrack.registry import Choice


class CharacteristicFunctionConfig(Choice):
    """Settings of the difference of characteristic functions."""

    frequencies: Annotated[int, Field(ge=1, le=100_000)] = 256
    """Number of random frequencies at a step."""
    alpha: Annotated[float, Field(ge=0, lt=1, title="Weight of the amplitudes")] = 0.5
    """Weight of the amplitudes' difference; the phases have the rest."""
    bandwidths: Bandwidths = (0.25, 1.0, 4.0)


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

    The amplitude describes the spread of the set, the phase its location. The second term is the rest of
    ``|phi_r - phi_s|^2`` after the first, and is computed so, without an angle. With `alpha` 1/2 the sum is half that
    square, whose expectation over the frequencies is the squared maximum mean discrepancy with Gaussian kernels.

    The frequencies are Gaussian of variance ``1 / s^2``, where ``s^2`` is the mean squared distance between two real
    embeddings of the class (so that the phases ``t.(x - mean)`` have variance 1/2), or the mean squared distance of
    the tracks from the real mean if that is more: the phases of tracks that start far away would otherwise wind around
    many times. The frequencies take the multiples `bandwidths` of ``s^2`` in turn: with a single one, a track that lags
    behind the others would have no gradient. In the paper the frequencies come from a network that is trained against
    the tracks, and each frequency's term is under a square root, which has no gradient at 0; neither is done here.

    Scale: in the limit of narrow sets the amplitudes are 1 and the angle is ``t.(difference of the means)``, whose
    square has the expectation ``|difference|^2 / s^2``. So the mean of ``s^2 / (1 - alpha)`` times the term of each
    frequency approaches the squared distance of the means, with a relative deviation of ``sqrt(2 / frequencies)``.

    Args:
        real, synthetic, draw: see `Distance`; all classes have the same frequencies, up to their scale.
        bandwidths: multiples of ``s^2``.

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
    phases = [side @ directions / scale.sqrt()[:, None] for side in (real, synthetic)]
    # Real and imaginary part of the characteristic function of every class, `[classes, frequencies]` each.
    of_real, of_tracks = ((side.cos().mean(1), side.sin().mean(1)) for side in phases)
    amplitude = (_amplitude(*of_real) - _amplitude(*of_tracks)).square()
    whole = (of_real[0] - of_tracks[0]).square() + (of_real[1] - of_tracks[1]).square()
    return (scale * (whole - amplitude + alpha / (1 - alpha) * amplitude)).mean(1)


def _amplitude(real: Tensor, imaginary: Tensor) -> Tensor:
    """Absolute value, smoothed at 0 where it has no gradient.

    Two amplitudes never differ by more than the complex numbers do, so that the term of the phase is positive.
    """
    return (real.square() + imaginary.square() + 1e-8).sqrt()


OBJECTIVES.add(
    "cf",
    Objective(match_characteristic_functions, real="sample", summary="CF (characteristic functions)"),
    config=CharacteristicFunctionConfig,
)
