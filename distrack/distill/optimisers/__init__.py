"""Optimisers: how the gradient moves the parameters. One file each; the registry finds them here.

What an optimiser remembers is plain tensors that a checkpoint can hold. torch.optim gives the same numbers, but its
first use loads torch's compiler, which takes longer than the first steps of a small run; the first loss should show at
once.
"""

from distrack.distill.optimisers.contract import OPTIMISERS, Memory
from distrack.registry import discover

__all__ = ["OPTIMISERS", "Memory"]

discover(__name__, __path__)
