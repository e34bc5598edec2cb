"""A map: real clips, tracks and class centres as points of a plane, the near ones near."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from distrack.distill.initialisation import embed
from distrack.images import RealImages
from distrack.networks import NetworkConfig, build_network
from distrack.randomness import derived_seed, generator

Method = Literal["pca", "t-sne"]
# Real clips on a map, at most: more hide each other.
_CLIPS = 600
# Components that t-SNE starts from.
_COMPONENTS = 30


class Point(BaseModel):
    """A point of a map.

    Attributes:
        kind: `clip` is a real training clip, `track` a rendered track, `centre` the mean of a class's clips on the map.
        number: which clip of the training side or which track; of a centre, its class.
        label: its class.
        pca, t_sne: where it is, one place for each way to draw the map.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["clip", "track", "centre"]
    number: int
    label: int
    pca: tuple[float, float]
    t_sne: tuple[float, float]


def embedding_map(
    tracks: Tensor, labels: Tensor, train: RealImages, *, network: NetworkConfig, seed: int
) -> tuple[Point, ...]:
    """Real clips, tracks and class centres in a random network's latent space, in the plane twice.

    The principal components are those of the real clips alone: the map shows where tracks lie among them.

    Args:
        tracks: rendered, normalised as the clips are.
        labels: theirs.
        train: the training side; at most 600 of its clips are drawn, as many of each class as there are.
        network: the random network that embeds.
        seed: of its weights and of all draws.

    Shape:
        - tracks: ``[n, 1, bands, frames]``
        - labels: ``[n]``

    Source:
        van der Maaten and Hinton, "Visualizing Data using t-SNE", Journal of Machine Learning Research 9, 2008.
    """
    # Imported here: they take longer to load than a small map to draw.
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    chosen = _drawn(train, seed)
    space = build_network(network, shape=train.shape, classes=train.classes, seed=derived_seed(seed, "map"))
    clips = embed(train, chosen, space).double().numpy()
    with torch.no_grad():
        made = space.embed(tracks).double().numpy()
    of_clips = train.labels[chosen]
    present = [label for label in range(train.classes) if (of_clips == label).any()]
    centres = np.stack([clips[of_clips == label].mean(0) for label in present])
    everything = np.concatenate([clips, made, centres])

    components = min(_COMPONENTS, *clips.shape)
    pca = PCA(components, random_state=0, svd_solver="full").fit(clips)
    placed = pca.transform(everything)
    perplexity = min(30.0, (len(everything) - 1) / 3)
    neighbours = TSNE(2, perplexity=perplexity, init="pca", random_state=derived_seed(seed, "t-sne") % 2**32)
    beside = neighbours.fit_transform(placed)
    kinds = [("clip", int(n), int(label)) for n, label in zip(chosen, of_clips, strict=True)]
    kinds += [("track", n, int(label)) for n, label in enumerate(labels.tolist())]
    kinds += [("centre", label, label) for label in present]
    if placed.shape[1] < 2:
        placed = np.pad(placed, ((0, 0), (0, 2 - placed.shape[1])))
    return tuple(
        Point(
            kind=kind,
            number=number,
            label=label,
            pca=(float(flat[0]), float(flat[1])),
            t_sne=(float(near[0]), float(near[1])),
        )
        for (kind, number, label), flat, near in zip(kinds, placed, beside, strict=True)
    )


def _drawn(train: RealImages, seed: int) -> NDArray[np.int64]:
    """Positions of the clips on the map, as many of each class as there are, in order."""
    each = max(2, _CLIPS // train.classes)
    drawn = []
    for label in range(train.classes):
        members = train.of_class(label)
        order = torch.randperm(len(members), generator=generator(seed, "map", label)).numpy()
        drawn.append(members[order[:each]])
    return np.sort(np.concatenate(drawn))
