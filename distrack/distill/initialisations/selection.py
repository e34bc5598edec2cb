"""Selection of training clips: in random order, or by their embeddings in one random network."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from distrack.arrays import Integers
from distrack.errors import ConfigError
from distrack.images import RealImages
from distrack.networks import Network, NetworkConfig, build_network
from distrack.randomness import derived_seed, generator

# Clips of a class that are embedded, at least: embedding all of them would delay the first step.
_CANDIDATES = 2000
# Pixels in the network at once: what fits a processor's cache is the fastest, whatever the size of an image.
_PIXELS = 2**16


def shuffled(train: RealImages, label: int, seed: int) -> Integers:
    """Positions of the clips of a class in random order.

    Raises:
        ConfigError: the class has no clips.
    """
    members = train.shuffled(label, generator(seed, "selection", label))
    if not len(members):
        raise ConfigError(f"class number {label} has no training clips: leave it out, or take another split")
    return members


def embed(train: RealImages, positions: Integers, network: Network) -> Tensor:
    """Embeddings of the clips at these positions, ``[n, d]``, a few images at a time."""
    cpu, size = torch.device("cpu"), max(1, _PIXELS // (train.shape[0] * train.shape[1]))
    parts = (positions[start : start + size] for start in range(0, len(positions), size))
    with torch.no_grad():
        return torch.cat([network.embed(train.batch(part, cpu)) for part in parts])


def selection_network(shape: tuple[int, int], classes: int, seed: int) -> Network:
    """The random network in which clips are compared; it is shallower for images of a few bands or frames."""
    config = NetworkConfig(depth=min(NetworkConfig().depth, min(shape).bit_length() - 1))
    return build_network(config, shape=shape, classes=classes, seed=derived_seed(seed, "selection network"))


def selected(train: RealImages, count: int, seed: int, choose: Callable[[Tensor, int, int], list[int]]) -> Integers:
    """Positions of the clips that `choose` selects by their embeddings; one class is in memory at a time."""
    network, chosen = selection_network(train.shape, train.classes, seed), []
    for label in range(train.classes):
        candidates = np.sort(shuffled(train, label, seed)[: max(_CANDIDATES, count)])
        picked = choose(embed(train, candidates, network), min(count, len(candidates)), label)
        chosen.append(np.resize(candidates[picked], count))
    return np.concatenate(chosen)
