"""The contract of optimisers, and their registry."""

from collections.abc import Callable

from torch import Tensor

from distrack.registry import Registry

# What an optimiser remembers from step to step, by name; empty before the first step.
Memory = dict[str, Tensor]
# (gradient, memory, the settings by name) -> the step at a learning rate of one; it is subtracted from the parameters.
Optimiser = Callable[..., Tensor]
OPTIMISERS: Registry[Optimiser] = Registry("optimiser")
