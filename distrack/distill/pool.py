"""The network pool: which network embeds both sides at a step, and the real side's embeddings in it."""

from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from distrack.distill.config import DistillConfig
from distrack.distill.images import RealImages
from distrack.distill.randomness import derived_seed, generator
from distrack.networks import Network, build_network


class NetworkSource(Protocol):
    """Gives every step its network and the real embeddings, always the same ones for the same step."""

    def at(self, step: int) -> tuple[Network, Tensor]:
        """Network of a step, frozen, and real embeddings in it, class by class: ``[classes, n, d]``."""


class FreshNetworks:
    """A new random network at every step, and a new random batch of real clips of each class."""

    def __init__(self, config: DistillConfig, train: RealImages, device: torch.device) -> None:
        self.config, self.train, self.device = config, train, device

    def at(self, step: int) -> tuple[Network, Tensor]:
        """See `NetworkSource`."""
        network = _frozen_network(self.config, self.train, step, self.device)
        clips = _some_of_each_class(self.train, self.config, step)
        with torch.no_grad():
            embeddings = torch.cat([network.embed(batch) for batch, _ in clips.batches(self.device)])
        return network, embeddings.reshape(clips.classes, self.config.pool.clips_per_class, -1)


class NetworkPool:
    """Random networks shared by all steps, each with its real class means, computed once.

    A real embedding is constant while its network is, so its cost is paid once a network and not once a step; every
    network takes other random clips, so that the pool sees more of them than any of its members. The pool grows as the
    steps go, and a network is made when a step first draws it: nothing of it belongs in a checkpoint.
    """

    def __init__(self, config: DistillConfig, train: RealImages, device: torch.device) -> None:
        self.config, self.train, self.device = config, train, device
        self._members: dict[int, tuple[Network, Tensor]] = {}

    def at(self, step: int) -> tuple[Network, Tensor]:
        """See `NetworkSource`."""
        pool = self.config.pool
        joined = min(pool.size, 1 + step // pool.grow_every)
        drawn = int(torch.randint(joined, (), generator=generator(self.config.seed, "draw", step)))
        if drawn not in self._members:
            network = _frozen_network(self.config, self.train, drawn, self.device)
            clips = _some_of_each_class(self.train, self.config, drawn)
            self._members[drawn] = network, class_means(network, clips, self.device).unsqueeze(1)
        return self._members[drawn]


def network_source(config: DistillConfig, train: RealImages, device: torch.device) -> NetworkSource:
    """The pool that a config describes."""
    return (NetworkPool if config.pool.size else FreshNetworks)(config, train, device)


def class_means(network: Network, images: RealImages, device: torch.device) -> Tensor:
    """Mean embedding of every class, ``[classes, d]``, in one pass over the images and flat memory."""
    sums: Tensor | None = None
    counts = torch.zeros(images.classes, 1, device=device)
    with torch.no_grad():
        for batch, labels in images.batches(device):
            membership = torch.nn.functional.one_hot(labels, images.classes).T.float()
            part = membership @ network.embed(batch)
            sums = part if sums is None else sums + part
            counts += membership.sum(1, keepdim=True)
    if sums is None:
        raise ValueError("no images to take the mean of")
    return sums / counts


def _some_of_each_class(train: RealImages, config: DistillConfig, number: int) -> RealImages:
    """Random clips for one network, as many of each class, class by class; drawn again where a class has too few."""
    chosen = []
    for label in range(train.classes):
        members = train.of_class(label)
        draw = generator(config.seed, "clips", number, label)
        wanted = config.pool.clips_per_class
        order = torch.cat([torch.randperm(len(members), generator=draw) for _ in range(-(-wanted // len(members)))])
        chosen.append(members[order[:wanted].numpy()])
    positions = np.concatenate(chosen)
    return replace(train, rows=train.rows[positions], labels=train.labels[positions])


def _frozen_network(config: DistillConfig, train: RealImages, number: int, device: torch.device) -> Network:
    seed = derived_seed(config.seed, "network", number)
    network = build_network(config.network, shape=train.shape, classes=train.classes, seed=seed)
    return network.requires_grad_(False).to(device)
