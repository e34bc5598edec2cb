"""The inspection of a synthetic set: the memorisation check, and a map of real clips, tracks and class means."""

from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from distrack.arrays import Integers
from distrack.distill import SyntheticSet
from distrack.distill.initialisations.selection import embed
from distrack.evaluate.memorisation import Memorisation, memorisation
from distrack.images import RealImages
from distrack.networks import NetworkConfig, build_network
from distrack.progress import Progress
from distrack.randomness import derived_seed, generator
from distrack.validation import Record

Method = Literal["pca", "t-sne"]
# Real clips on a map, at most; more would hide each other.
_CLIPS = 600
# Principal components that t-SNE is computed from.
_COMPONENTS = 30
# Seed of the weights of the random network and of all random draws.
_SEED = 0


class Point(Record):
    """A point of the map.

    Attributes:
        kind: `clip` is a real training clip, `track` a rendered track, `centre` the mean of a class's clips on the map.
        number: position of the clip on the training side, number of the track, or class of the centre.
        pca, t_sne: its place in each projection.
    """

    kind: Literal["clip", "track", "centre"]
    number: int
    label: int
    pca: tuple[float, float]
    t_sne: tuple[float, float]


class Inspection(Record):
    """The content of `inspection.json`.

    Attributes:
        tracks: fingerprint of the inspected synthetic set.
        names: names of its tracks, in order.
    """

    tracks: str
    names: tuple[str, ...]
    memorisation: Memorisation
    map: tuple[Point, ...]


def inspect(
    synthetic: SyntheticSet, train: RealImages, test: RealImages, *, device: torch.device, progress: Progress
) -> Inspection:
    """Finds the nearest real clips of every track and places both on a map.

    Args:
        train: the real clips that it was distilled from.
        test: real clips that distillation has not seen.
    """
    tracks = synthetic.tracks()
    # The map computes with one thread most of the time.
    with ThreadPoolExecutor(1) as beside:
        drawn = beside.submit(embedding_map, tracks, synthetic.labels, train)
        return Inspection(
            tracks=synthetic.fingerprint,
            names=tuple(synthetic.track_names()),
            memorisation=memorisation(tracks, train, test, device=device, progress=progress),
            map=drawn.result(),
        )


def embedding_map(tracks: Tensor, labels: Tensor, train: RealImages) -> tuple[Point, ...]:
    """Projects real clips, tracks and class means from a random network's latent space to the plane.

    The principal components are those of the real clips alone, so that the map shows where the tracks lie among them.

    Args:
        tracks: the rendered tracks, normalised as the clips are.
        train: the real training clips; at most 600 of them are on the map, equally many of each class if possible.

    Shape:
        - tracks: ``[n, 1, bands, frames]``
        - labels: ``[n]``

    Source:
        van der Maaten and Hinton, "Visualizing Data using t-SNE", Journal of Machine Learning Research 9, 2008.
    """
    # Imported here because loading scikit-learn takes longer than a small map.
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    positions = _positions_on_map(train)
    network_seed = derived_seed(_SEED, "map")
    space = build_network(NetworkConfig(), shape=train.shape, classes=train.classes, seed=network_seed)
    clips = embed(train, positions, space).double().numpy()
    with torch.no_grad():
        embedded_tracks = space.embed(tracks).double().numpy()
    clip_labels = train.labels[positions]
    present = [label for label in range(train.classes) if (clip_labels == label).any()]
    centres = np.stack([clips[clip_labels == label].mean(0) for label in present])
    embeddings = np.concatenate([clips, embedded_tracks, centres])

    components = min(_COMPONENTS, *clips.shape)
    with np.errstate(invalid="ignore"):  # clips that are all alike have no variance to explain
        pca = PCA(components, random_state=0, svd_solver="full").fit(clips).transform(embeddings)
    perplexity = min(30.0, (len(embeddings) - 1) / 3)
    # From the principal components on, half of the usual steps come within 4 % of the same divergence.
    seed = derived_seed(_SEED, "t-sne") % 2**32
    projection = TSNE(2, perplexity=perplexity, init="pca", max_iter=500, random_state=seed)
    t_sne = projection.fit_transform(pca)
    kinds = [("clip", number, label) for number, label in zip(positions.tolist(), clip_labels.tolist(), strict=True)]
    kinds += [("track", number, label) for number, label in enumerate(labels.tolist())]
    kinds += [("centre", label, label) for label in present]
    # Real clips with a single component lie on a line.
    on_plane = np.pad(pca, ((0, 0), (0, 1)))[:, :2].tolist()
    return tuple(
        Point(kind=kind, number=number, label=label, pca=by_pca, t_sne=by_t_sne)
        for (kind, number, label), by_pca, by_t_sne in zip(kinds, on_plane, t_sne.tolist(), strict=True)
    )


def _positions_on_map(train: RealImages) -> Integers:
    """Positions of the clips on the map, in order: equally many of each class, or all of a small class."""
    per_class = max(2, _CLIPS // train.classes)
    chosen = [train.shuffled(label, generator(_SEED, "map", label))[:per_class] for label in range(train.classes)]
    return np.sort(np.concatenate(chosen))
