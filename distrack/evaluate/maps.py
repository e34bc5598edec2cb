"""The embedding map: real clips, tracks and class means as points of a plane, by two projections."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from distrack.arrays import Integers
from distrack.distill.initialisations.selection import embed
from distrack.images import RealImages
from distrack.networks import NetworkConfig, build_network
from distrack.randomness import derived_seed, generator
from distrack.validation import Record

Method = Literal["pca", "t-sne"]
# Real clips on a map, at most; more would hide each other.
_CLIPS = 600
# Principal components that t-SNE is computed from.
_COMPONENTS = 30


class Point(Record):
    """A point of the map.

    Attributes:
        kind: `clip` is a real training clip, `track` a rendered track, `centre` the mean of a class's clips on the map.
        number: position of the clip on the training side, number of the track, or class of the centre.
        label: its class.
        pca, t_sne: its place in each projection.
    """

    kind: Literal["clip", "track", "centre"]
    number: int
    label: int
    pca: tuple[float, float]
    t_sne: tuple[float, float]


def embedding_map(
    tracks: Tensor, labels: Tensor, train: RealImages, *, network: NetworkConfig, seed: int
) -> tuple[Point, ...]:
    """Projects real clips, tracks and class means from a random network's latent space to the plane.

    The principal components are those of the real clips alone, so that the map shows where the tracks lie among them.

    Args:
        tracks: the rendered tracks, normalised as the clips are.
        labels: their classes.
        train: the real training clips; at most 600 of them are on the map, equally many of each class if possible.
        network: the random network that embeds them.
        seed: seed of its weights and of all random draws.

    Shape:
        - tracks: ``[n, 1, bands, frames]``
        - labels: ``[n]``

    Source:
        van der Maaten and Hinton, "Visualizing Data using t-SNE", Journal of Machine Learning Research 9, 2008.
    """
    # Imported here because loading scikit-learn takes longer than a small map.
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    positions = _positions_on_map(train, seed)
    space = build_network(network, shape=train.shape, classes=train.classes, seed=derived_seed(seed, "map"))
    clips = embed(train, positions, space).double().numpy()
    with torch.no_grad():
        embedded_tracks = space.embed(tracks).double().numpy()
    clip_labels = train.labels[positions]
    present = [label for label in range(train.classes) if (clip_labels == label).any()]
    centres = np.stack([clips[clip_labels == label].mean(0) for label in present])
    embeddings = np.concatenate([clips, embedded_tracks, centres])

    components = min(_COMPONENTS, *clips.shape)
    pca = PCA(components, random_state=0, svd_solver="full").fit(clips).transform(embeddings)
    perplexity = min(30.0, (len(embeddings) - 1) / 3)
    projection = TSNE(2, perplexity=perplexity, init="pca", random_state=derived_seed(seed, "t-sne") % 2**32)
    t_sne = projection.fit_transform(pca)
    kinds = [("clip", int(n), int(label)) for n, label in zip(positions, clip_labels, strict=True)]
    kinds += [("track", n, int(label)) for n, label in enumerate(labels.tolist())]
    kinds += [("centre", label, label) for label in present]
    if pca.shape[1] < 2:
        pca = np.pad(pca, ((0, 0), (0, 2 - pca.shape[1])))
    return tuple(
        Point(
            kind=kind,
            number=number,
            label=label,
            pca=(float(by_pca[0]), float(by_pca[1])),
            t_sne=(float(by_t_sne[0]), float(by_t_sne[1])),
        )
        for (kind, number, label), by_pca, by_t_sne in zip(kinds, pca, t_sne, strict=True)
    )


def _positions_on_map(train: RealImages, seed: int) -> Integers:
    """Positions of the clips on the map, in order: equally many of each class, or all of a small class."""
    per_class = max(2, _CLIPS // train.classes)
    chosen = [train.shuffled(label, generator(seed, "map", label))[:per_class] for label in range(train.classes)]
    return np.sort(np.concatenate(chosen))
