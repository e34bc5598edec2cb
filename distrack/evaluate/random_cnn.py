"""The random-CNN evaluator: a randomly initialised CNN learns from a training set and is tested on real clips."""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from distrack.augmentation import augment, mixup
from distrack.datasets.contract import Progress
from distrack.distill.randomness import derived_seed, generator
from distrack.evaluate.config import EvaluationConfig
from distrack.evaluate.contract import EVALUATORS, Examined, TrainingSet
from distrack.networks import Network, build_network


@EVALUATORS.register("random-cnn")
def random_cnn(
    training: TrainingSet,
    test: Examined,
    config: EvaluationConfig,
    *,
    seed: int,
    device: torch.device,
    progress: Progress,
) -> Tensor:
    """Trains with AdamW on a one-cycle schedule, augmentation and mixup; the last network counts, none is picked.

    Source:
        the evaluation of Zhao and Bilen, "Dataset Condensation with Distribution Matching", WACV 2023, section 4.1,
        with mixup and shifts suited to spectrograms.
    """
    network = build_network(
        config.network, shape=test.shape, classes=training.classes, seed=derived_seed(seed, "evaluation network")
    ).to(device)
    draw = generator(seed, "evaluation batches")
    steps = max(config.steps, math.ceil(config.epochs * len(training) / config.batch_size))
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=steps)
    for step in range(steps):
        chosen = _positions(len(training), config, draw)
        images = training.images(chosen.numpy(), device)
        images = augment(images, config.augmentation, draw, shift_bands=test.shift_bands)
        targets = one_hot(training.labels[chosen], training.classes).float().to(device)
        if config.mixup:
            images, targets = mixup(images, targets, config.mixup, draw)
        optimiser.zero_grad()
        cross_entropy(network(images), targets).backward()
        optimiser.step()
        schedule.step()
        progress(step + 1, steps)
    return predict(network, test, device)


# The same the other way round (see `LISTENERS`): how many tracks a network recognises that learnt from real clips.
# It says whether a track still sounds like its class, not what can be learnt from it.
EVALUATORS.add("recognition", random_cnn)


def _positions(count: int, config: EvaluationConfig, draw: torch.Generator) -> Tensor:
    if count > config.batch_size:
        return torch.randint(count, (config.batch_size,), generator=draw)
    return torch.arange(count).repeat(math.ceil(config.smallest_batch / count))


def predict(network: Network, images: Examined, device: torch.device) -> Tensor:
    """The class that a network gives each of the examined, ``[n]`` int64."""
    with torch.no_grad():
        return torch.cat([network(batch).argmax(1).cpu() for batch, _ in images.batches(device)])
