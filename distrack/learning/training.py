"""Training of a network on a training set: Muon or AdamW, augmentation, mixup and hard labels."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from distrack.adam import adam_step
from distrack.augmentation import augment, mixup
from distrack.learning.muon import muon_step
from distrack.learning.recipe import Recipe
from distrack.learning.training_set import TrainingSet
from distrack.networks import Network, build_network
from distrack.progress import Progress
from distrack.randomness import derived_seed, generator

# A network has converged when the mean loss of so many steps is below this.
_STEPS, _CONVERGED = 20, 0.01
# The learning rate rises over the first tenth of the steps and falls over the last seven tenths.
_RISE, _FALL = 0.1, 0.7
# With Muon, what is not the weight of a hidden layer learns by Adam at this share of the rate.
_SHARE_OF_ADAM = 0.2


def trained_network(
    training: TrainingSet, recipe: Recipe, seed: int, device: torch.device, progress: Progress
) -> Network:
    """A randomly initialised network that was trained on a training set by a recipe."""
    weights = derived_seed(seed, "evaluation network")
    network = build_network(recipe.network, shape=training.shape, classes=training.classes, seed=weights).to(device)
    batches, steps = generator(seed, "evaluation batches"), recipe.steps_for(len(training))
    train(network, training, recipe, batches, steps=steps, device=device, progress=progress)
    return network


def train(
    network: Network,
    training: TrainingSet,
    recipe: Recipe,
    random: torch.Generator,
    *,
    steps: int,
    device: torch.device,
    progress: Progress,
) -> None:
    """Trains a network in place, for so many steps or until it has converged.

    It has converged when the mean loss of 20 steps is below 0.01: nothing is left to learn then. With mixup the targets
    are blends, so that the loss stays above that and all steps are taken.

    Args:
        random: draws examples, augmentation and mixup.

    Source:
        The evaluation of Zhao and Bilen, "Dataset Condensation with Distribution Matching", WACV 2023, section 4.1,
        with mixup, shifts suited to spectrograms, and another optimiser.
    """
    groups = _groups(network, recipe)
    recent = torch.zeros((), device=device)
    for step in range(steps):
        positions = _positions(len(training), recipe, random)
        images = training.images(positions.numpy(), device)
        images = augment(images, recipe.augmentation, random, shift_bands=training.shift_bands)
        targets = one_hot(training.labels[positions], training.classes).float().to(device)
        if recipe.mixup:
            images, targets = mixup(images, targets, recipe.mixup, random)
        loss = cross_entropy(network(images), targets)
        _step(groups, loss, recipe.learning_rate * _schedule(step, steps), recipe.weight_decay)
        progress(step + 1, steps)
        recent += loss.detach()
        if (step + 1) % _STEPS == 0:
            if float(recent) < _STEPS * _CONVERGED:
                break
            recent.zero_()
    progress(steps, steps)


def _positions(count: int, recipe: Recipe, random: torch.Generator) -> Tensor:
    """Examples of one step: a random batch of a large training set, all of a small one as often as needed."""
    if count > recipe.batch_size:
        return torch.randint(count, (recipe.batch_size,), generator=random)
    return torch.arange(count).repeat(math.ceil(recipe.smallest_batch / count))


class _Group(NamedTuple):
    """Numbers that learn as one, and what the optimiser remembers of them.

    Attributes:
        parameters: views of `numbers`, or the one tensor that it is.
        share: of the learning rate.
    """

    parameters: Sequence[Tensor]
    numbers: Tensor
    memory: dict[str, Tensor]
    direction: Callable[[Tensor, dict[str, Tensor]], Tensor]
    share: float = 1.0


def _groups(network: Network, recipe: Recipe) -> list[_Group]:
    """The parameters of a network by how they learn."""
    if recipe.optimiser == "adamw":
        return [_together(list(network.parameters()), adam_step)]
    hidden = [parameter for parameter in network.body.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.body.parameters() if parameter.ndim < 2]
    groups = [_Group([weight], weight.data, {}, muon_step) for weight in hidden]
    quick = partial(adam_step, betas=(0.9, 0.95))
    return [*groups, _together([*others, *network.head.parameters()], quick, _SHARE_OF_ADAM)]


def _together(parameters: Sequence[Tensor], direction: Callable[..., Tensor], share: float = 1.0) -> _Group:
    """Parameters whose numbers learn each by itself: they become views of one tensor, which takes one step."""
    numbers = torch.cat([parameter.data.flatten() for parameter in parameters])
    for parameter, part in zip(parameters, numbers.split([len(each.flatten()) for each in parameters]), strict=True):
        parameter.data = part.view_as(parameter)
    return _Group(parameters, numbers, {}, direction, share)


def _step(groups: Sequence[_Group], loss: Tensor, rate: float, weight_decay: float) -> None:
    """One step of all parameters, with decoupled weight decay."""
    gradients = iter(torch.autograd.grad(loss, [each for group in groups for each in group.parameters]))
    with torch.no_grad():
        for group in groups:
            own = [next(gradients) for _ in group.parameters]
            gradient = own[0] if len(own) == 1 else torch.cat([each.flatten() for each in own])
            direction = group.direction(gradient, group.memory)
            group.numbers.mul_(1 - rate * group.share * weight_decay).sub_(direction, alpha=rate * group.share)


def _schedule(step: int, steps: int) -> float:
    """The learning rate of a step as a share of its peak."""
    return min(1.0, (step + 1) / (_RISE * steps), (1 - step / steps) / _FALL)
