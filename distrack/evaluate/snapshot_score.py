"""A score of a synthetic set while it forms: cheap enough for every snapshot."""

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from distrack.distill import SyntheticSet
from distrack.evaluate.evaluators.prototype import nearest
from distrack.evaluate.recipe import Recipe
from distrack.images import RealImages
from distrack.networks import build_network
from distrack.randomness import derived_seed

_MOST_CLIPS = 1000


class SnapshotScore:
    """Accuracy on test clips whose class is that of the nearest track in the latent space of one random CNN.

    This is the evaluator "prototype" with one seed and at most 1,000 test clips. Nothing in a run depends on it.
    """

    def __init__(self, test: RealImages, recipe: Recipe, device: torch.device) -> None:
        self._test = test.at(np.arange(0, len(test), -(-len(test) // _MOST_CLIPS)))
        self._metric, self._device = recipe.metric, device
        seed = derived_seed(0, "evaluation network")
        network = build_network(recipe.network, shape=test.shape, classes=test.classes, seed=seed)
        self._network = network.to(device)

    @torch.no_grad()
    def __call__(self, synthetic: SyntheticSet) -> float:
        """The share of correct classes, from 0 to 1."""
        tracks = self._network.embed(synthetic.tracks().to(self._device))
        predicted = synthetic.labels[nearest(self._clips, tracks, self._metric).cpu()]
        return float((predicted.numpy() == self._test.labels).mean())

    @cached_property
    def _clips(self) -> Tensor:
        return torch.cat([self._network.embed(images) for images, _ in self._test.batches(self._device)])
