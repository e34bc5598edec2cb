"""A score of a synthetic set while it forms: cheap enough for every snapshot."""

import numpy as np
import torch

from distrack.distill import SyntheticSet
from distrack.evaluate.evaluators.prototype import nearest
from distrack.evaluate.recipe import Recipe
from distrack.images import RealImages
from distrack.networks import build_network
from distrack.randomness import derived_seed, generator

# The most test clips that are classified.
MOST_CLIPS = 1000


class SnapshotScore:
    """Accuracy on test clips whose class is that of the nearest track in the latent space of one random CNN.

    This is the evaluator "prototype" with one seed and at most `MOST_CLIPS` test clips, which are embedded once. It is
    shown while a run works; nothing in the run depends on it.
    """

    def __init__(self, test: RealImages, recipe: Recipe, device: torch.device) -> None:
        order = torch.randperm(len(test), generator=generator(0, "snapshot score"))[:MOST_CLIPS]
        self._test = test.at(np.sort(order.numpy()))
        self._recipe, self._device = recipe, device
        seed = derived_seed(0, "evaluation network")
        shape = (test.images.shape[2], test.images.shape[3])
        self._network = build_network(recipe.network, shape=shape, classes=test.classes, seed=seed).to(device)
        self._embedded: torch.Tensor | None = None

    @torch.no_grad()
    def __call__(self, synthetic: SyntheticSet) -> float:
        """The share of correct classes, from 0 to 1."""
        if self._embedded is None:
            batches = self._test.batches(self._device)
            self._embedded = torch.cat([self._network.embed(images) for images, _ in batches])
        tracks = self._network.embed(synthetic.tracks().to(self._device))
        predicted = synthetic.labels[nearest(self._embedded, tracks, self._recipe.metric).cpu()]
        return float((predicted.numpy() == self._test.labels).mean())
