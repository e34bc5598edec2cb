"""A score of a synthetic set while it forms: cheap enough for every snapshot."""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch

from distrack.distill import SyntheticSet
from distrack.evaluate.evaluators.prototype import nearest
from distrack.images import RealImages
from distrack.learning import Recipe
from distrack.networks import build_network
from distrack.randomness import derived_seed


def snapshot_score(test: RealImages, recipe: Recipe, device: torch.device) -> Callable[[SyntheticSet], float]:
    """Accuracy on test clips whose class is that of the nearest track in the latent space of one random CNN.

    This is the evaluator "prototype" with one seed and at most 1,000 test clips. Nothing in a run depends on it. Images
    are not made audible for it.
    """
    some = test.at(np.arange(0, len(test), -(-len(test) // 1000)))
    seed = derived_seed(0, "evaluation network")
    network = build_network(recipe.network, shape=test.shape, classes=test.classes, seed=seed).to(device)

    @cache
    def clips() -> torch.Tensor:
        return torch.cat([network.embed(images) for images, _ in some.batches(device)])

    @torch.no_grad()
    def score(synthetic: SyntheticSet) -> float:
        tracks = network.embed(synthetic.drawn().to(device))
        predicted = synthetic.labels[nearest(clips(), tracks, recipe.metric).cpu()]
        return float((predicted.numpy() == some.labels).mean())

    return score
