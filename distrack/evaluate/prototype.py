"""Prototype evaluators: in the latent space of a CNN, the nearest prototype names the class."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import normalize

from distrack.datasets.contract import Progress
from distrack.evaluate.config import EvaluationConfig
from distrack.evaluate.contract import (
    EVALUATORS,
    Evaluator,
    Examined,
    Predict,
    TrainingSet,
    class_means,
    the_network,
)
from distrack.evaluate.training import train
from distrack.networks import Network, build_network
from distrack.randomness import derived_seed, generator

# Networks whose embeddings stand side by side.
_ENSEMBLE = 5
# Training steps of a network that is trained briefly.
_BRIEFLY = 60


def prototype(
    training: TrainingSet,
    test: Examined,
    config: EvaluationConfig,
    *,
    clips: TrainingSet,
    seed: int,
    device: torch.device,
    progress: Progress,
    networks: int = 1,
    trained: int = 0,
) -> Tensor:
    """Every example is a prototype of its class, or centres of each class are where the training set says so.

    With the cosine, embeddings are taken around the mean of the prototypes, so that it compares what differs between
    them.

    Args:
        training, test, config, clips, seed, device, progress: see `Predict`.
        networks: how many stand side by side: an embedding is that of all of them.
        trained: steps that each is trained on real training clips; 0 leaves it random.

    Source:
        Snell, Swersky and Zemel, "Prototypical Networks for Few-shot Learning", NIPS 2017, whose network is trained for
        the task.
    """
    total = networks * trained + len(training)
    members = [
        build_network(
            config.network,
            shape=test.shape,
            classes=training.classes,
            seed=derived_seed(seed, "evaluation network", *([number] if number else [])),
        ).to(device)
        for number in range(networks)
    ]
    for number, network in enumerate(members if trained else ()):
        train(
            network,
            clips,
            config,
            generator(seed, "latent space", number),
            steps=trained,
            shift_bands=test.shift_bands,
            device=device,
            progress=lambda done, _, before=number * trained: progress(before + done, total),  # type: ignore[misc]
        )
    with torch.no_grad():
        prototypes, labels = _prototypes(members, training, seed, device)
        progress(total, total)
        nearest = [
            _nearest(_embed(members, batch), prototypes, config.metric).cpu() for batch, _ in test.batches(device)
        ]
    return labels[torch.cat(nearest)]


def _embed(networks: Sequence[Network], images: Tensor) -> Tensor:
    return torch.cat([network.embed(images) for network in networks], 1)


def _prototypes(
    networks: Sequence[Network], training: TrainingSet, seed: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Embeddings of the prototypes ``[p, d]`` and their labels ``[p]``."""
    embedded = ((_embed(networks, images), labels) for images, labels in training.batches(device))
    if training.centres == 1:
        return class_means(embedded, training.classes), torch.arange(training.classes)
    examples = torch.cat([embeddings for embeddings, _ in embedded])
    if not training.centres:
        return examples, training.labels
    centres = [
        _clustered(examples[training.labels == label], training.centres, seed) for label in range(training.classes)
    ]
    sizes = torch.tensor([len(found) for found in centres])
    return torch.cat(centres).to(device), torch.arange(training.classes).repeat_interleave(sizes)


def _clustered(embeddings: Tensor, count: int, seed: int) -> Tensor:
    """Centres of a k-means clustering ``[count, d]``; fewer where there are fewer examples."""
    # Imported here: it takes as long as all the rest of a prototype.
    from sklearn.cluster import KMeans

    count = min(count, len(embeddings))
    found = KMeans(count, n_init=3, random_state=derived_seed(seed, "centres") % 2**32).fit(embeddings.cpu().numpy())
    return torch.from_numpy(found.cluster_centers_).to(embeddings.dtype)


def _nearest(queries: Tensor, prototypes: Tensor, metric: str) -> Tensor:
    """Which prototype is the nearest to each query, ``[n]``."""
    if metric == "euclidean":
        return torch.cdist(queries, prototypes).argmin(1)
    centre = prototypes.mean(0)
    return (normalize(queries - centre, dim=1) @ normalize(prototypes - centre, dim=1).T).argmax(1)


def _register(name: str, predict: Predict, said: str, summary: str) -> None:
    def looks_with(config: EvaluationConfig) -> str:
        return f"{said}{the_network(config)}" + (", Euclidean" if config.metric == "euclidean" else "")

    EVALUATORS.add(name, Evaluator(predict, looks_with, summary))


_register("prototype", prototype, "", "the nearest class in a random CNN")
_register("prototype-ensemble", partial(prototype, networks=_ENSEMBLE), f"{_ENSEMBLE} of ", "in several of them")
_register(
    "prototype-trained",
    partial(prototype, trained=_BRIEFLY),
    "briefly trained ",
    "in one briefly trained on real clips",
)
