"""Randomness by name: every draw belongs to a seed, a purpose and a step, so that nothing has to be carried along.

A run that is resumed draws what it would have drawn, without any generator's state in its checkpoint.
"""

import hashlib

import torch


def derived_seed(seed: int, *purpose: str | int) -> int:
    """A seed that depends on a seed and on what it is for.

    >>> derived_seed(0, "network", 1) != derived_seed(0, "network", 2)
    True
    """
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A CPU generator for one purpose: the same numbers on every device."""
    return torch.Generator().manual_seed(derived_seed(seed, *purpose))
