"""The prototype evaluator: a random CNN is the latent space, and the nearest prototype by cosine names the class."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from distrack.datasets.contract import Progress
from distrack.distill.randomness import derived_seed
from distrack.evaluate.config import EvaluationConfig
from distrack.evaluate.contract import EVALUATORS, Examined, TrainingSet
from distrack.networks import Network, build_network

_BATCH = 256


@EVALUATORS.register("prototype")
def prototype(
    training: TrainingSet,
    test: Examined,
    config: EvaluationConfig,
    *,
    seed: int,
    device: torch.device,
    progress: Progress,
) -> Tensor:
    """Every example is a prototype of its class, or the mean of a class where the training set says so.

    Embeddings are taken around the mean of the prototypes, so that the cosine compares what differs between them.

    Source:
        Snell, Swersky and Zemel, "Prototypical Networks for Few-shot Learning", NIPS 2017, with a network that is not
        trained and the cosine in place of the Euclidean distance.
    """
    network = build_network(
        config.network, shape=test.shape, classes=training.classes, seed=derived_seed(seed, "evaluation network")
    ).to(device)
    with torch.no_grad():
        prototypes, labels = _prototypes(network, training, device, progress)
        centre = prototypes.mean(0)
        directions = normalize(prototypes - centre, dim=1)
        nearest = [
            (normalize(network.embed(batch) - centre, dim=1) @ directions.T).argmax(1).cpu()
            for batch, _ in test.batches(device)
        ]
    return labels[torch.cat(nearest)]


def _prototypes(
    network: Network, training: TrainingSet, device: torch.device, progress: Progress
) -> tuple[Tensor, Tensor]:
    """Embeddings of the prototypes ``[p, d]`` and their labels ``[p]``, in memory that does not grow with the set."""
    count = len(training)
    embedded: list[Tensor] = []
    sums: Tensor | float = 0.0
    for start in range(0, count, _BATCH):
        positions = np.arange(start, min(start + _BATCH, count))
        embeddings = network.embed(training.images(positions, device))
        if training.averaged:
            membership = torch.nn.functional.one_hot(training.labels[positions], training.classes).T.float()
            sums = sums + membership.to(device) @ embeddings
        else:
            embedded.append(embeddings)
        progress(int(positions[-1]) + 1, count)
    if isinstance(sums, Tensor):
        sizes = torch.bincount(training.labels, minlength=training.classes).to(device)
        return sums / sizes[:, None], torch.arange(training.classes)
    return torch.cat(embedded), training.labels
