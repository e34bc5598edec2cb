"""Initialisation: which real clips the tracks are before the first step."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distrack.errors import ConfigError
from distrack.images import RealImages
from distrack.networks import Network, NetworkConfig, build_network
from distrack.randomness import derived_seed, generator
from distrack.registry import Registry

# (training clips, tracks per class, seed) -> positions of training clips, class by class; None for noise.
Initialisation = Callable[[RealImages, int, int], NDArray[np.int64] | None]
INITIALISATIONS: Registry[Initialisation] = Registry("initialisation")

# Clips of a class that are looked at, at least: all of them would have to be embedded before the first step.
_CANDIDATES = 2000
# Pixels in the network at once: what fits a processor's cache is the fastest, whatever the size of an image.
_PIXELS = 2**16
# Of k-means: runs, of which the best is taken, and rounds of each at most.
_STARTS = 3
_ROUNDS = 50


@INITIALISATIONS.register("noise")
def from_noise(train: RealImages, count: int, seed: int) -> None:
    """No clips: standard normal noise in the normalised image, which the distiller draws."""


@INITIALISATIONS.register("real")
def random_real(train: RealImages, count: int, seed: int) -> NDArray[np.int64]:
    """Random real clips of each class, none twice while there are others.

    Args:
        train: the training clips.
        count: how many of each class.
        seed: of the draws.

    Shape:
        - returns: ``[classes * count]``, class by class; where a class has fewer clips, all of them and then the same
          again

    Raises:
        ConfigError: a class has no training clips at all.
    """
    chosen = [np.resize(_shuffled(train, label, seed), count) for label in range(train.classes)]
    return np.concatenate(chosen)


@INITIALISATIONS.register("herding")
def herd(train: RealImages, count: int, seed: int) -> NDArray[np.int64]:
    """Clips whose mean comes as near to that of their class as it can, one clip after the other.

    Distances are those of the embeddings in one random network, as in the matching itself.

    Args:
        train: the training clips.
        count: how many of each class.
        seed: of the network, and of which clips are looked at in a class of more than 2,000.

    Shape:
        - returns: ``[classes * count]``, class by class, the first clips of each the best; where a class has fewer
          clips, all of them and then the same again

    Raises:
        ConfigError: a class has no training clips at all.

    Source:
        Welling, "Herding Dynamical Weights to Learn", ICML 2009; in this form, with the mean of the chosen in the
        place of weights, Chen, Welling and Smola, "Super-Samples from Kernel Herding", UAI 2010; theirs may repeat.
    """
    return _selected(train, count, seed, lambda embeddings, wanted, _label: herded(embeddings, wanted))


@INITIALISATIONS.register("k-means")
def central(train: RealImages, count: int, seed: int) -> NDArray[np.int64]:
    """The clip in the middle of each cluster, as many clusters of each class as it has tracks.

    Distances are those of the embeddings in one random network, as in the matching itself.

    Args:
        train: the training clips.
        count: how many of each class.
        seed: of the network and the clusters, and of which clips are looked at in a class of more than 2,000.

    Shape:
        - returns: ``[classes * count]``, class by class; where a class has fewer clips, all of them and then the same
          again

    Raises:
        ConfigError: a class has no training clips at all.

    Source:
        Arthur and Vassilvitskii, "k-means++: The Advantages of Careful Seeding", SODA 2007.
    """
    return _selected(
        train,
        count,
        seed,
        lambda embeddings, wanted, label: medoids(embeddings, wanted, generator(seed, "k-means", label)),
    )


def random_selection(train: RealImages, ipc: int, seed: int) -> NDArray[np.int64]:
    """Positions of `ipc` random training clips of each class, class by class.

    Raises:
        ConfigError: a class has fewer clips than that.
    """
    for label in range(train.classes):
        clips = len(train.of_class(label))
        if clips < ipc:
            raise ConfigError(
                f"ipc {ipc}: class number {label} has only {clips} training clips; ask for at most that many tracks"
            )
    return np.concatenate([_shuffled(train, label, seed)[:ipc] for label in range(train.classes)])


def herded(embeddings: Tensor, count: int) -> list[int]:
    """Rows whose running mean is the nearest to the mean of all, none twice.

    Shape:
        - embeddings: ``[n, d]``, with n at least `count`
        - returns: `count` rows in the order in which they were chosen

    >>> herded(torch.tensor([[-3.0], [0.5], [-1.0], [5.0]]), 3)
    [1, 2, 3]
    """
    centred = embeddings - embeddings.mean(0)
    lengths = centred.square().sum(1)
    total, chosen = torch.zeros_like(centred[0]), list[int]()
    for _ in range(count):
        # The squared length of (total + row), but for what is the same for all rows.
        lengths_with = lengths + 2 * (centred @ total)
        lengths_with[chosen] = torch.inf
        chosen.append(int(lengths_with.argmin()))
        total += centred[chosen[-1]]
    return chosen


def medoids(embeddings: Tensor, count: int, draw: torch.Generator) -> list[int]:
    """Rows nearest to the centres of a k-means clustering, none twice.

    It is written out here because scikit-learn takes seconds to load before the first step, and warns where there are
    fewer different rows than clusters.

    Args:
        embeddings: what to cluster.
        count: how many clusters.
        draw: draws the first centres.

    Shape:
        - embeddings: ``[n, d]``, with n at least `count`
        - returns: `count` rows, one for each cluster

    >>> sorted(medoids(torch.tensor([[0.0], [1.0], [2.0], [50.0], [51.0], [52.0]]), 2, torch.Generator()))
    [1, 4]
    """
    rows = embeddings - embeddings.mean(0)
    lengths = rows.square().sum(1, keepdim=True)
    distances = min((_clustered(rows, lengths, count, draw) for _ in range(_STARTS)), key=_unexplained)
    chosen = list[int]()
    for centre in range(count):
        chosen.append(int(distances[:, centre].argmin()))
        distances[chosen[-1]] = torch.inf
    return chosen


def _clustered(rows: Tensor, lengths: Tensor, count: int, draw: torch.Generator) -> Tensor:
    """Squared distances of all rows from the centres of their clusters, ``[n, count]``."""
    centres, labels = _seeds(rows, lengths, count, draw), torch.full((len(rows),), -1)
    for _ in range(_ROUNDS):
        distances = _distances(rows, lengths, centres)
        before, labels = labels, distances.argmin(1)
        if torch.equal(labels, before):
            break
        sums = torch.zeros_like(centres).index_add_(0, labels, rows)
        sizes = labels.bincount(minlength=count)[:, None]
        # A cluster that has lost its rows stays where it was.
        centres = torch.where(sizes > 0, sums / sizes.clamp_min(1), centres)
    return distances


def _unexplained(distances: Tensor) -> float:
    return float(distances.min(1).values.sum())


def _seeds(rows: Tensor, lengths: Tensor, count: int, draw: torch.Generator) -> Tensor:
    """First centres: rows drawn by their squared distance from the nearest centre before, the best of a few each time.

    This is k-means++ as scikit-learn has it.
    """
    chosen = [int(torch.randint(len(rows), (), generator=draw))]
    nearest = _distances(rows, lengths, rows[chosen])[:, 0]
    tries = 2 + int(math.log(count))
    while len(chosen) < count:
        # Where there is no other row than copies of the chosen, any of them.
        weights = nearest if nearest.any() else torch.ones_like(nearest)
        drawn = torch.multinomial(weights, tries, replacement=True, generator=draw)
        left = _distances(rows, lengths, rows[drawn]).minimum(nearest[:, None])
        best = int(left.sum(0).argmin())
        chosen.append(int(drawn[best]))
        nearest = left[:, best].clone()
    return rows[chosen]


def _distances(rows: Tensor, lengths: Tensor, centres: Tensor) -> Tensor:
    """Squared distances ``[n, centres]``; `lengths` are those of the rows, squared, ``[n, 1]``."""
    return torch.addmm(lengths + centres.square().sum(1), rows, centres.T, alpha=-2).clamp_min_(0)


def embed(train: RealImages, positions: NDArray[np.int64], network: Network) -> Tensor:
    """Embeddings of the clips at these positions, ``[n, d]``, a few images at a time."""
    cpu, size = torch.device("cpu"), max(1, _PIXELS // (train.shape[0] * train.shape[1]))
    parts = (positions[start : start + size] for start in range(0, len(positions), size))
    with torch.no_grad():
        return torch.cat([network.embed(train.batch(part, cpu)) for part in parts])


def selection_network(shape: tuple[int, int], classes: int, seed: int) -> Network:
    """The random network whose embeddings a selection goes by; of images of a few bands or frames, a shallower one."""
    depth = min(NetworkConfig().depth, min(shape).bit_length() - 1)
    config = NetworkConfig(depth=depth)
    return build_network(config, shape=shape, classes=classes, seed=derived_seed(seed, "selection network"))


def _selected(
    train: RealImages, count: int, seed: int, choose: Callable[[Tensor, int, int], list[int]]
) -> NDArray[np.int64]:
    """What `choose` takes of the embeddings of each class; only those of one class are held at a time."""
    network, chosen = selection_network(train.shape, train.classes, seed), []
    for label in range(train.classes):
        candidates = np.sort(_shuffled(train, label, seed)[: max(_CANDIDATES, count)])
        picked = choose(embed(train, candidates, network), min(count, len(candidates)), label)
        chosen.append(np.resize(candidates[picked], count))
    return np.concatenate(chosen)


def _shuffled(train: RealImages, label: int, seed: int) -> NDArray[np.int64]:
    """Positions of the clips of a class in random order.

    Raises:
        ConfigError: there are none.
    """
    members = train.of_class(label)
    if not len(members):
        raise ConfigError(f"class number {label} has no training clips: leave it out, or take another split")
    order: NDArray[np.int64] = torch.randperm(len(members), generator=generator(seed, "selection", label)).numpy()
    return members[order]
