"""Random draws by name: each depends on a seed and a purpose alone, such as a step.

A resumed run draws the same numbers as an uninterrupted one, without a generator's state in its checkpoint.
"""

import hashlib

import torch


def derived_seed(seed: int, *purpose: str | int) -> int:
    """A seed for one purpose, derived from another seed.

    >>> derived_seed(0, "network", 1) != derived_seed(0, "network", 2)
    True
    """
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A generator for one purpose; it is on the CPU, so that every device gets the same numbers."""
    return torch.Generator().manual_seed(derived_seed(seed, *purpose))
