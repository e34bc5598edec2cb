"""Optimisers: how the gradient moves the parameters; what one remembers is plain tensors that a checkpoint can hold.

torch's own give the same numbers, but their first use loads its compiler, which takes longer than the first steps of a
small run; here the first loss is to be seen at once.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from distrack.registry import Registry

Memory = dict[str, Tensor]
# (gradient, memory, momentum) -> the step to take at a learning rate of one, against the gradient's sign.
Optimiser = Callable[[Tensor, Memory, float], Tensor]
OPTIMISERS: Registry[Optimiser] = Registry("optimiser")

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


@OPTIMISERS.register("sgd")
def sgd(gradient: Tensor, memory: Memory, momentum: float) -> Tensor:
    """Gradient descent with heavy-ball momentum, as `torch.optim.SGD`.

    Source:
        Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning",
        ICML 2013.
    """
    velocity = memory.setdefault("velocity", torch.zeros_like(gradient))
    return velocity.mul_(momentum).add_(gradient)


@OPTIMISERS.register("adam")
def adam(gradient: Tensor, memory: Memory, momentum: float) -> Tensor:  # noqa: ARG001
    """Adam with its published constants, as `torch.optim.Adam`; `momentum` is not its own and left aside.

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
