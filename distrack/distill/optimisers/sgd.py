"""SGD: gradient descent with momentum."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from distrack.distill.optimisers.contract import OPTIMISERS, Memory
from distrack.registry import Choice
from distrack.validation import Option


class SgdConfig(Choice):
    """Settings of SGD."""

    momentum: Annotated[float, Field(ge=0, lt=1), Option("momentum")] = 0.5
    """Share of the last step that goes into the next one."""


@OPTIMISERS.register("sgd", config=SgdConfig)
def sgd(gradient: Tensor, memory: Memory, *, momentum: float) -> Tensor:
    """Gradient descent with heavy-ball momentum, as `torch.optim.SGD`.

    Source:
        Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning",
        ICML 2013.
    """
    velocity = memory.setdefault("velocity", torch.zeros_like(gradient))
    return velocity.mul_(momentum).add_(gradient)
