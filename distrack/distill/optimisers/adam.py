"""Adam: steps in units of the gradient's running deviation."""

import torch
from torch import Tensor

from distrack.distill.optimisers.contract import OPTIMISERS, Memory

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


@OPTIMISERS.register("adam")
def adam(gradient: Tensor, memory: Memory) -> Tensor:
    """Adam with its published constants, as `torch.optim.Adam`.

    Source:
        Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
    """
    first, second = _BETAS
    mean = memory.setdefault("mean", torch.zeros_like(gradient))
    square = memory.setdefault("square", torch.zeros_like(gradient))
    step = memory.setdefault("step", torch.zeros((), device="cpu"))
    step += 1
    mean.lerp_(gradient, 1 - first)
    square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
    count = float(step)
    scale = (square.sqrt() / (1 - second**count) ** 0.5).add_(_EPSILON)
    step_size: Tensor = mean / scale.mul_(1 - first**count)
    return step_size
