"""Training of an evaluation's networks: AdamW, a one-cycle schedule, augmentation, mixup and hard labels."""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from distrack.augmentation import augment, mixup
from distrack.evaluate.recipe import Recipe
from distrack.evaluate.training_set import TrainingSet
from distrack.networks import Network, build_network
from distrack.progress import Progress
from distrack.randomness import derived_seed, generator

# A network has converged when the mean loss of so many steps is below this.
_STEPS, _CONVERGED = 20, 0.01


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
        with mixup and shifts suited to spectrograms.
    """
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps)
    recent = torch.zeros((), device=device)
    for step in range(steps):
        positions = _positions(len(training), recipe, random)
        images = training.images(positions.numpy(), device)
        images = augment(images, recipe.augmentation, random, shift_bands=training.shift_bands)
        targets = one_hot(training.labels[positions], training.classes).float().to(device)
        if recipe.mixup:
            images, targets = mixup(images, targets, recipe.mixup, random)
        optimiser.zero_grad()
        loss = cross_entropy(network(images), targets)
        loss.backward()
        optimiser.step()
        schedule.step()
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
