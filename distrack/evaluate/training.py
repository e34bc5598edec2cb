"""How every network of an evaluation is trained: one recipe for tracks and baselines, hard labels."""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from distrack.augmentation import augment, mixup
from distrack.datasets.contract import Progress
from distrack.evaluate.config import EvaluationConfig
from distrack.evaluate.contract import Examined, TrainingSet
from distrack.networks import Network


def steps_for(examples: int, config: EvaluationConfig) -> int:
    """Training steps of a set of so many examples."""
    return max(config.steps, math.ceil(config.epochs * examples / config.batch_size))


def train(
    network: Network,
    training: TrainingSet,
    config: EvaluationConfig,
    draw: torch.Generator,
    *,
    steps: int,
    shift_bands: bool,
    device: torch.device,
    progress: Progress,
) -> None:
    """Trains a network in place with AdamW on a one-cycle schedule, augmentation and mixup.

    Args:
        network: on the device.
        training: what it learns from.
        config: the recipe.
        draw: draws examples, augmentation and mixup.
        steps: how many.
        shift_bands: see `distrack.augmentation.draw`.
        device: where to compute.
        progress: told the steps that are done.

    Source:
        the evaluation of Zhao and Bilen, "Dataset Condensation with Distribution Matching", WACV 2023, section 4.1,
        with mixup and shifts suited to spectrograms.
    """
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=steps)
    for step in range(steps):
        chosen = _positions(len(training), config, draw)
        images = training.images(chosen.numpy(), device)
        images = augment(images, config.augmentation, draw, shift_bands=shift_bands)
        targets = one_hot(training.labels[chosen], training.classes).float().to(device)
        if config.mixup:
            images, targets = mixup(images, targets, config.mixup, draw)
        optimiser.zero_grad()
        cross_entropy(network(images), targets).backward()
        optimiser.step()
        schedule.step()
        progress(step + 1, steps)


def _positions(count: int, config: EvaluationConfig, draw: torch.Generator) -> Tensor:
    if count > config.batch_size:
        return torch.randint(count, (config.batch_size,), generator=draw)
    return torch.arange(count).repeat(math.ceil(config.smallest_batch / count))


def predict(network: Network, images: Examined, device: torch.device) -> Tensor:
    """The class that a network gives each of the examined, ``[n]`` int64."""
    with torch.no_grad():
        return torch.cat([network(batch).argmax(1).cpu() for batch, _ in images.batches(device)])
