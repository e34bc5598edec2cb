"""Muon: steps whose matrices have singular values near one, so that all directions of a layer learn alike.

`torch.optim.Muon` takes matrices only, not the kernels of convolutions, and computes in bfloat16, which few CPUs have.
"""

import torch
from torch import Tensor

# Coefficients of the iteration's odd polynomial, which brings singular values near one within five rounds.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5


def muon_step(gradient: Tensor, memory: dict[str, Tensor], *, momentum: float = 0.9) -> Tensor:
    """One step at a learning rate of 1, to be subtracted from a layer's weights.

    Args:
        gradient: ``[outputs, ...]``, two axes or more; all but the first are flattened.
        memory: running mean from step to step, which this function updates: "mean" of the gradient's shape. Empty
            before the first step.
        momentum: decay rate of the mean; the step looks ahead by Nesterov's rule.

    Shape:
        - returns: as the gradient

    Source:
        Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the orthogonalisation is a
        Newton-Schulz iteration. A layer with more outputs than inputs steps further, by the root of their ratio.

    >>> step = muon_step(torch.tensor([[3.0, 0.0], [0.0, 0.001]]), {})
    >>> [round(value) for value in torch.linalg.svdvals(step).tolist()]
    [1, 0]
    """
    mean = memory.setdefault("mean", torch.zeros_like(gradient))
    mean.lerp_(gradient, 1 - momentum)
    matrix = gradient.lerp(mean, momentum).flatten(1)
    outputs, inputs = matrix.shape
    step: Tensor = orthogonalised(matrix) * max(1.0, outputs / inputs) ** 0.5
    return step.view_as(gradient)


def orthogonalised(matrix: Tensor) -> Tensor:
    """A matrix with the same singular vectors, whose larger singular values are between 0.7 and 1.2."""
    first, third, fifth = _COEFFICIENTS
    wide: Tensor = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(_ROUNDS):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=third, alpha=fifth), wide, beta=first)
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T
