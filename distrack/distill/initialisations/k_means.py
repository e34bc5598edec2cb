"""k-means: tracks start from the middle clips of clusters."""

import math

import torch
from torch import Tensor

from distrack.arrays import Integers
from distrack.distill.initialisations.contract import INITIALISATIONS
from distrack.distill.initialisations.selection import selected
from distrack.images import RealImages
from distrack.randomness import generator

# Runs of k-means, of which the best is taken, and rounds of each at most.
_STARTS = 3
_ROUNDS = 50


def central(train: RealImages, count: int, seed: int) -> Integers:
    """The middle clips of clusters, of which each class has as many as tracks; see `Initialisation`.

    Distances are taken between the embeddings in one random network, as in the matching itself. The seed gives the
    network, the clusters and, in a class of more than 2,000 clips, the candidates.

    Source:
        Arthur and Vassilvitskii, "k-means++: The Advantages of Careful Seeding", SODA 2007.
    """

    def choose(embeddings: Tensor, clusters: int, label: int) -> list[int]:
        return medoids(embeddings, clusters, generator(seed, "k-means", label))

    return selected(train, count, seed, choose)


def medoids(embeddings: Tensor, count: int, draw: torch.Generator) -> list[int]:
    """Different rows that are nearest to the centres of a k-means clustering.

    scikit-learn would take seconds to load before the first step, and it warns if there are fewer different rows than
    clusters.

    Shape:
        - embeddings: ``[n, d]``, with n at least `count`
        - returns: `count` rows, one for each cluster

    >>> sorted(medoids(torch.tensor([[0.0], [1.0], [2.0], [50.0], [51.0], [52.0]]), 2, torch.Generator()))
    [1, 4]
    """
    rows = embeddings - embeddings.mean(0)
    lengths = rows.square().sum(1, keepdim=True)
    starts = (_clustered(rows, lengths, count, draw) for _ in range(_STARTS))
    distances = min(starts, key=lambda each: float(each.min(1).values.sum()))
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
        # A cluster without rows stays where it was.
        centres = torch.where(sizes > 0, sums / sizes.clamp_min(1), centres)
    return distances


def _seeds(rows: Tensor, lengths: Tensor, count: int, draw: torch.Generator) -> Tensor:
    """First centres: rows drawn by their squared distance from the nearest centre so far, each the best of a few draws.

    This is k-means++ as in scikit-learn.
    """
    chosen = [int(torch.randint(len(rows), (), generator=draw))]
    nearest = _distances(rows, lengths, rows[chosen])[:, 0]
    tries = 2 + int(math.log(count))
    while len(chosen) < count:
        # If all other rows are copies of chosen ones, all are equally likely.
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


INITIALISATIONS.add("k-means", central, title="K-means (one clip per cluster)")
