"""Prototype evaluators: a clip has the class of the nearest prototype in the latent space of a CNN."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import normalize

from distrack.evaluate.contract import EVALUATORS, Evaluator, Trial
from distrack.images import class_means
from distrack.learning import Recipe, TrainingSet, train
from distrack.networks import Network, build_network
from distrack.randomness import derived_seed, generator

_ENSEMBLE_SIZE = 5
# Training steps of a network that is trained briefly.
_BRIEF_STEPS = 60


def prototype(trial: Trial, *, networks: int = 1, steps: int = 0) -> Tensor:
    """Assigns to every test image the class of its nearest prototype.

    Prototypes are the embeddings of all examples, or centres of each class if the training set asks for them. Cosine
    distances are taken around the mean of the prototypes, so that they compare what differs between classes.

    Args:
        networks: number of random networks whose embeddings are concatenated.
        steps: training steps of each network on the real training clips; 0 leaves it random.

    Source:
        Snell, Swersky and Zemel, "Prototypical Networks for Few-shot Learning", NIPS 2017. Their network is trained for
        the task; here it is random, or trained briefly.
    """
    training, recipe, device = trial.training, trial.recipe, trial.device
    total = networks * steps + len(training)
    members = []
    for number in range(networks):
        seed = derived_seed(trial.seed, "evaluation network", *([number] if number else []))
        network = build_network(recipe.network, shape=training.shape, classes=training.classes, seed=seed)
        members.append(network.to(device))
    for number, network in enumerate(members if steps else ()):
        train(
            network,
            trial.clips,
            recipe,
            generator(trial.seed, "latent space", number),
            steps=steps,
            device=device,
            progress=lambda done, _, before=number * steps: trial.progress(before + done, total),  # type: ignore[misc]
        )
    with torch.no_grad():
        prototypes, labels = _prototypes(members, training, trial.seed, device)
    trial.progress(total, total)
    return labels[trial.predicted(lambda images: nearest(_embed(members, images), prototypes, recipe.metric))]


def _embed(networks: Sequence[Network], images: Tensor) -> Tensor:
    return torch.cat([network.embed(images) for network in networks], 1)


def _prototypes(
    networks: Sequence[Network], training: TrainingSet, seed: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Embeddings of the prototypes `[p, d]` and their labels `[p]`."""
    embedded = ((_embed(networks, images), labels) for images, labels in training.batches(device))
    if training.centres == 1:
        return class_means(embedded, training.classes), torch.arange(training.classes)
    examples = torch.cat([embeddings for embeddings, _ in embedded])
    if not training.centres:
        return examples, training.labels
    centres = [
        _cluster_centres(examples[training.labels == label], training.centres, seed)
        for label in range(training.classes)
    ]
    sizes = torch.tensor([len(of_class) for of_class in centres])
    return torch.cat(centres).to(device), torch.arange(training.classes).repeat_interleave(sizes)


def _cluster_centres(embeddings: Tensor, count: int, seed: int) -> Tensor:
    """Centres of a k-means clustering, `[count, d]`; one per example if there are fewer examples."""
    # Imported here because loading scikit-learn takes as long as the rest of the evaluator.
    from sklearn.cluster import KMeans

    count = min(count, len(embeddings))
    clustering = KMeans(count, n_init=3, random_state=derived_seed(seed, "centres") % 2**32)
    clustering.fit(embeddings.cpu().numpy())
    return torch.from_numpy(clustering.cluster_centers_).to(embeddings.dtype)


def nearest(queries: Tensor, prototypes: Tensor, metric: str) -> Tensor:
    """Position of the nearest prototype of each query, `[n]`."""
    if metric == "euclidean":
        return torch.cdist(queries, prototypes).argmin(1)
    centre = prototypes.mean(0)
    return (normalize(queries - centre, dim=1) @ normalize(prototypes - centre, dim=1).T).argmax(1)


def _register(name: str, predict: Callable[[Trial], Tensor], prefix: str, summary: str) -> None:
    def network_name(recipe: Recipe) -> str:
        return f"{prefix}{recipe.network_name}" + (", Euclidean" if recipe.metric == "euclidean" else "")

    EVALUATORS.add(name, Evaluator(predict, network_name, summary, has_latent_space=True))


_register("prototype", prototype, "", "Nearest prototype in a random CNN")
_register(
    "prototype-ensemble",
    partial(prototype, networks=_ENSEMBLE_SIZE),
    f"{_ENSEMBLE_SIZE} of ",
    f"Nearest prototype in {_ENSEMBLE_SIZE} random CNNs",
)
_register(
    "prototype-trained",
    partial(prototype, steps=_BRIEF_STEPS),
    "briefly trained ",
    "Nearest prototype in a CNN that is trained briefly on real clips",
)
