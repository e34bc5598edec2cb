"""Adam: steps in units of each number's typical gradient.

`torch.optim.Adam` gives the same numbers, but its first use loads torch's compiler, which takes longer than the first
steps of a small run.
"""

from typing import Literal

import torch
from torch import Tensor

Order = Literal["torch", "published"]


def adam_step(
    gradient: Tensor,
    memory: dict[str, Tensor],
    *,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    order: Order = "torch",
) -> Tensor:
    """One step at a learning rate of 1, to be subtracted from the parameters.

    Args:
        gradient: any shape and float type.
        memory: running means from step to step, which this function updates: "mean" and "square" of the gradient's
            shape, and the number "step" of steps taken. Empty before the first step.
        betas: decay rates of the mean of the gradient and of its square.
        epsilon: added to the root of the mean square.
        order: order of the operations, that of `torch.optim.Adam` or that of the publication. The results differ by
            rounding only, but over hundreds of steps that is visible in the last bits, so a caller stays with one.

    Shape:
        - returns: as the gradient

    Source:
        Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.

    >>> memory: dict[str, Tensor] = {}
    >>> [round(adam_step(torch.tensor(5.0), memory).item(), 4) for _ in range(2)]
    [1.0, 1.0]
    """
    first, second = betas
    mean = memory.setdefault("mean", torch.zeros_like(gradient))
    square = memory.setdefault("square", torch.zeros_like(gradient))
    step = memory.setdefault("step", torch.zeros((), device="cpu"))
    step += 1
    count = float(step)
    if order == "published":
        mean.mul_(first).add_((1 - first) * gradient)
        square.mul_(second).add_((1 - second) * gradient.square())
        root = (square / (1 - second**count)).sqrt()
        published: Tensor = mean / (1 - first**count) / (root + epsilon)
        return published
    mean.lerp_(gradient, 1 - first)
    square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
    scale = (square.sqrt() / (1 - second**count) ** 0.5).add_(epsilon)
    direction: Tensor = mean / scale.mul_(1 - first**count)
    return direction
