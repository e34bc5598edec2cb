"""The network pool: the network of each step, its augmentation, and its embeddings of real clips."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from distrack.adam import adam_step
from distrack.augmentation import Draw, augment, draw
from distrack.distill.config import DistillConfig
from distrack.distill.objectives import OBJECTIVES
from distrack.images import RealImages, class_means
from distrack.networks import Network, build_network
from distrack.randomness import derived_seed, generator

# Batch size and learning rate of the brief training.
_BATCH = 64
_LEARNING_RATE = 3e-3
# Networks that are made ahead of their steps, at most, beside those of the pool.
_MADE_AHEAD = 4
# Steps ahead for which networks are made.
_STEPS_AHEAD = 40
# New networks that are made during one step: each holds the maps of many clips meanwhile.
_SIDE_BY_SIDE = 2
# What applies a function to each item: `map`, or that of an executor.
Each = Callable[..., Iterable[tuple[Tensor, Tensor]]]
# Multiples of the golden ratio, without their whole part, are spread evenly however many there are.
_GOLDEN_RATIO = 0.6180339887498949


class Member(NamedTuple):
    """One frozen network of a pool and what belongs to it.

    Attributes:
        augmentation: drawn once; applied to real clips and tracks alike.
        real: embeddings of real clips, ``[classes, n, d]``; n is 1 where their mean is all that is
            needed.
        spread: sum of the squared distances of the real class means from their common mean, a scalar.
        trained: whether the network was trained to classify real clips.
    """

    network: Network
    augmentation: Draw
    real: Tensor
    spread: Tensor
    trained: bool


class NetworkPool:
    """Networks that all steps share, each with the embeddings of its own random real clips.

    The real embeddings of a network are constant, so that they are computed once for each network and not once for each
    step. The pool grows with the steps and its networks are replaced on a schedule; if its size is 0, every step has a
    new network. A network depends on the config and its number alone, so that a checkpoint need not contain it.
    """

    def __init__(self, config: DistillConfig, train: RealImages, device: torch.device) -> None:
        self.config, self.train, self.device = config, train, device
        self._members: dict[int, Member] = {}
        self._in_progress: dict[int, Future[Member]] = {}

    def number(self, step: int) -> int:
        """The number of the network that a step draws."""
        pool = self.config.pool
        if not pool.size:
            return step
        joined = min(pool.size, 1 + step // pool.grow_every)
        drawn = int(torch.randint(joined, (), generator=generator(self.config.seed, "draw", step)))
        return drawn + pool.size * (step // pool.refresh_every if pool.refresh_every else 0)

    def at(self, step: int, each: Each = map) -> Member:
        """The network of a step, which is made now unless it was made ahead; the same step has always the same one."""
        number = self.number(step)
        if number not in self._members:
            while len(self._members) >= max(1, self.config.pool.size):
                self._members.pop(min(self._members))  # the lowest number belongs to the earliest pool
            future = self._in_progress.pop(number, None)
            self._members[number] = future.result() if future else self._make(number, each)
        return self._members[number]

    def close(self) -> None:
        """Gives back the memory of all networks; no step needs them any more."""
        self._members.clear()
        self._in_progress.clear()

    def make_ahead(self, step: int, workers: ThreadPoolExecutor) -> None:
        """Starts to make networks of the steps after this one while other work is done.

        A pool makes one network at a time; without a pool the networks of the next steps are made side by side.
        """
        steps_ahead, side_by_side = (_STEPS_AHEAD, 1) if self.config.pool.size else (_SIDE_BY_SIDE + 1, _MADE_AHEAD)
        last = min(step + steps_ahead, self.config.timetable.takes_over)
        for number in map(self.number, range(step + 1, last)):
            unfinished = sum(not future.done() for future in self._in_progress.values())
            if unfinished >= side_by_side or len(self._in_progress) >= _MADE_AHEAD:
                return
            if number not in self._members and number not in self._in_progress:
                self._in_progress[number] = workers.submit(self._make, number)

    def _make(self, number: int, each: Each = map) -> Member:
        """A random or briefly trained network and what belongs to it."""
        config, train = self.config, self.train
        seed = derived_seed(config.seed, "network", number)
        kind = config.networks[number % len(config.networks)]
        network = build_network(kind, shape=train.shape, classes=train.classes, seed=seed).to(self.device)
        steps = training_steps(config, number)
        _train(network, config, train, number, steps, self.device)
        return member_of(network, config, train, self.device, draws=(number,), trained=steps > 0, each=each)


def member_of(
    network: Network,
    config: DistillConfig,
    train: RealImages,
    device: torch.device,
    *,
    draws: tuple[str | int, ...],
    trained: bool = False,
    each: Each = map,
) -> Member:
    """A network, frozen, and what belongs to it.

    Args:
        draws: names the random draws of its augmentation and its real clips.
        trained: whether it was trained to classify real clips.
        each: embeds the batches of its real clips, as `map` does.
    """
    network.requires_grad_(False)
    random = generator(config.seed, "augmentation", *draws)
    siamese = draw(config.augmentation, 1, train.shape, random, shift_bands=train.shift_bands).to(device)
    clips = _random_clips_of_each_class(train, config, draws)

    def embed(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            return network.embed(siamese.apply(batch[0])), batch[1]

    embedded = each(embed, clips.batches(device))
    if OBJECTIVES[config.objective.name].real == "mean" and not config.regression:
        real = class_means(embedded, clips.classes).unsqueeze(1)
    else:
        real = torch.cat([embeddings for embeddings, _ in embedded])
        real = real.reshape(clips.classes, config.pool.clips_per_class, -1)
    means = real.mean(1)
    spread = (means - means.mean(0)).square().sum()
    return Member(network, siamese, real, spread, trained=trained)


def training_steps(config: DistillConfig, number: int) -> int:
    """Training steps of a network of a pool, from 0 to `pool.training` and spread evenly over the numbers."""
    return round(number * _GOLDEN_RATIO % 1.0 * config.pool.training)


def _train(
    network: Network, config: DistillConfig, train: RealImages, number: int, steps: int, device: torch.device
) -> None:
    """A few steps of classification on real training clips, augmented as in the distillation."""
    draws = generator(config.seed, "brief training", number)
    parameters = list(network.parameters())
    memories: list[dict[str, Tensor]] = [{} for _ in parameters]
    for _ in range(steps):
        chosen = torch.randint(len(train), (_BATCH,), generator=draws)
        images = augment(train.batch(chosen, device), config.augmentation, draws, shift_bands=train.shift_bands)
        labels = torch.from_numpy(train.labels[chosen.numpy()]).to(device)
        gradients = torch.autograd.grad(cross_entropy(network(images), labels), parameters)
        with torch.no_grad():
            for parameter, gradient, memory in zip(parameters, gradients, memories, strict=True):
                parameter.sub_(adam_step(gradient, memory), alpha=_LEARNING_RATE)


def _random_clips_of_each_class(train: RealImages, config: DistillConfig, draws: tuple[str | int, ...]) -> RealImages:
    """The random real clips of one network, class by class; clips of a class with too few of them are repeated."""
    count, chosen = config.pool.clips_per_class, []
    for label in range(train.classes):
        random = generator(config.seed, "clips", *draws, label)
        rounds = -(-count // len(train.of_class(label)))
        chosen.append(np.concatenate([train.shuffled(label, random) for _ in range(rounds)])[:count])
    return train.at(np.concatenate(chosen))
