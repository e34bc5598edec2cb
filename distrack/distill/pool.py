"""The network pool: which network embeds both sides at a step, after which augmentation, and the real side in it."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from distrack.adam import adam_step
from distrack.augmentation import Draw, augment, draw
from distrack.distill.config import DistillConfig
from distrack.distill.objectives import OBJECTIVES
from distrack.distill.optimisers import Memory
from distrack.images import RealImages, class_means
from distrack.networks import Network, build_network
from distrack.randomness import derived_seed, generator

# Brief training: batches and their step size.
_BATCH = 64
_LEARNING_RATE = 3e-3
# Networks that may wait to be wanted, beside those of the pool.
_WAITING = 4
# Fresh networks that are made while a step goes on: each holds the maps of many clips meanwhile.
_SIDE_BY_SIDE = 2
# Steps that are looked ahead for networks to make.
_AHEAD = 40
# Fractions of the golden ratio spread evenly however many there are of them.
_GOLDEN = 0.6180339887498949


class Member(NamedTuple):
    """One network of a pool, frozen, and what belongs to it.

    Attributes:
        network: embeds both sides.
        augmentation: drawn once, applied to both sides alike.
        real: real embeddings in it, class by class, ``[classes, n, d]``; the mean of many may be a single row.
        spread: squared distances of the real class means from their common mean, summed.
        trained: whether its head has learnt to tell the classes apart.
    """

    network: Network
    augmentation: Draw
    real: Tensor
    spread: Tensor
    trained: bool


class NetworkSource(Protocol):
    """Gives every step its network, always the same one for the same step."""

    def at(self, step: int) -> Member:
        """The network of a step."""

    def foresee(self, step: int, pool: ThreadPoolExecutor) -> None:
        """Has made what soon will be wanted, while other work goes on."""


class FreshNetworks:
    """A new network at every step, and a new random batch of real clips of each class."""

    def __init__(self, config: DistillConfig, train: RealImages, device: torch.device) -> None:
        self.config, self.train, self.device = config, train, device
        self._coming: dict[int, Future[Member]] = {}

    def at(self, step: int) -> Member:
        """See `NetworkSource`."""
        coming = self._coming.pop(step, None)
        return coming.result() if coming else _member(self.config, self.train, step, self.device)

    def foresee(self, step: int, pool: ThreadPoolExecutor) -> None:
        """See `NetworkSource`: those of the next steps, side by side."""
        for later in range(step + 1, min(step + 1 + _SIDE_BY_SIDE, self.config.steps)):
            if later not in self._coming:
                self._coming[later] = pool.submit(_member, self.config, self.train, later, self.device)


class NetworkPool:
    """Networks shared by all steps, each with its real class statistics, computed once.

    A real embedding is constant while its network is, so its cost is paid once a network and not once a step; every
    network takes other random clips, so that the pool sees more of them than any of its members. The pool grows as the
    steps go, its members are replaced on a schedule, and a network is made when a step first draws it: nothing of it
    belongs in a checkpoint.
    """

    def __init__(self, config: DistillConfig, train: RealImages, device: torch.device) -> None:
        self.config, self.train, self.device = config, train, device
        self._members: dict[int, Member] = {}
        self._coming: dict[int, Future[Member]] = {}

    def number(self, step: int) -> int:
        """Which network a step draws."""
        pool = self.config.pool
        joined = min(pool.size, 1 + step // pool.grow_every)
        drawn = int(torch.randint(joined, (), generator=generator(self.config.seed, "draw", step)))
        return drawn + pool.size * (step // pool.refresh_every if pool.refresh_every else 0)

    def at(self, step: int) -> Member:
        """See `NetworkSource`."""
        number = self.number(step)
        if number not in self._members:
            while len(self._members) >= self.config.pool.size:
                self._members.pop(min(self._members))  # of the earliest pool
            coming = self._coming.pop(number, None)
            self._members[number] = coming.result() if coming else self._make(number)
        return self._members[number]

    def foresee(self, step: int, pool: ThreadPoolExecutor) -> None:
        """See `NetworkSource`; one at a time."""
        if any(not coming.done() for coming in self._coming.values()) or len(self._coming) >= _WAITING:
            return
        for number in map(self.number, range(step + 1, min(step + _AHEAD, self.config.steps))):
            if number not in self._members and number not in self._coming:
                self._coming[number] = pool.submit(self._make, number)
                return

    def _make(self, number: int) -> Member:
        return _member(self.config, self.train, number, self.device)


def network_source(config: DistillConfig, train: RealImages, device: torch.device) -> NetworkSource:
    """The pool that a config describes."""
    return (NetworkPool if config.pool.size else FreshNetworks)(config, train, device)


def training_steps(config: DistillConfig, number: int) -> int:
    """How long a network of a pool is trained: from not at all to `pool.training` steps, spread evenly."""
    return round(number * _GOLDEN % 1.0 * config.pool.training)


def _member(config: DistillConfig, train: RealImages, number: int, device: torch.device) -> Member:
    seed = derived_seed(config.seed, "network", number)
    network = build_network(config.network, shape=train.shape, classes=train.classes, seed=seed).to(device)
    steps = training_steps(config, number)
    _train(network, config, train, number, steps, device)
    network.requires_grad_(False)
    siamese = draw(
        config.augmentation,
        1,
        train.shape,
        generator(config.seed, "augmentation", number),
        shift_bands=train.shift_bands,
    ).to(device)
    clips = _some_of_each_class(train, config, number)
    with torch.no_grad():
        if OBJECTIVES[config.objective.name].real == "mean":
            embedded = ((network.embed(siamese.apply(batch)), labels) for batch, labels in clips.batches(device))
            real = class_means(embedded, clips.classes).unsqueeze(1)
        else:
            embeddings = [network.embed(siamese.apply(batch)) for batch, _ in clips.batches(device)]
            real = torch.cat(embeddings).reshape(clips.classes, config.pool.clips_per_class, -1)
    means = real.mean(1)
    spread = (means - means.mean(0)).square().sum()
    return Member(network, siamese, real, spread, trained=steps > 0)


def _train(
    network: Network, config: DistillConfig, train: RealImages, number: int, steps: int, device: torch.device
) -> None:
    """A few steps of classification on real training clips, augmented as they are for evaluation."""
    draws = generator(config.seed, "brief training", number)
    parameters = list(network.parameters())
    memories: list[Memory] = [{} for _ in parameters]
    for _ in range(steps):
        chosen = torch.randint(len(train), (_BATCH,), generator=draws)
        images = augment(train.batch(chosen, device), config.augmentation, draws, shift_bands=train.shift_bands)
        labels = torch.from_numpy(train.labels[chosen.numpy()]).to(device)
        gradients = torch.autograd.grad(cross_entropy(network(images), labels), parameters)
        with torch.no_grad():
            for parameter, gradient, memory in zip(parameters, gradients, memories, strict=True):
                parameter.sub_(adam_step(gradient, memory), alpha=_LEARNING_RATE)


def _some_of_each_class(train: RealImages, config: DistillConfig, number: int) -> RealImages:
    """Random clips for one network, as many of each class, class by class; drawn again where a class has too few."""
    chosen = []
    for label in range(train.classes):
        members = train.of_class(label)
        draws = generator(config.seed, "clips", number, label)
        wanted = config.pool.clips_per_class
        order = torch.cat([torch.randperm(len(members), generator=draws) for _ in range(-(-wanted // len(members)))])
        chosen.append(members[order[:wanted].numpy()])
    positions = np.concatenate(chosen)
    return replace(train, rows=train.rows[positions], labels=train.labels[positions])
