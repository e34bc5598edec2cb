"""Events that sound alike, in one clip or across several, and clips whose events do."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy

from distrack.arrays import Doubles, Floats
from distrack.decompose.events import Events
from distrack.errors import EventsError

# Most events of all clips together that are compared or drawn.
MOST = 2_000
_COMPONENTS = 20


class Near(NamedTuple):
    """An event near another one: the name of its clip, its number there, and the distance of their vectors."""

    clip: str
    number: int
    distance: float


def nearest(clips: Mapping[str, Events], clip: str, number: int, *, most: int = 8, own: bool = True) -> list[Near]:
    """The events that sound most like one event, the nearest first; it is not among them.

    Args:
        clips: events of the same kind, by the names of their clips.
        clip, number: the event that others are compared with.
        own: whether events of its own clip count.

    Raises:
        EventsError: there is no such event, or clips have events of different kinds.
    """
    _check(clips)
    if not 0 <= number < len(clips[clip]):
        raise EventsError(f"{clip} has no event {number}: its {len(clips[clip])} events are counted from 0")
    here = clips[clip].kind.vectors(clips[clip])[number]
    found = []
    for name, events in clips.items():
        if not len(events) or (name == clip and not own):
            continue
        distances = np.sqrt(np.square(events.kind.vectors(events) - here).sum(axis=1))
        found += [
            Near(name, other, float(distances[other]))
            for other in np.argsort(distances, kind="stable")[: most + 1].tolist()
            if (name, other) != (clip, number)
        ]
    return sorted(found, key=lambda one: one.distance)[:most]


def clip_distances(clips: Mapping[str, Events], clip: str) -> dict[str, float]:
    """How far the events of each other clip are from those of one, the nearest first.

    The mean distance from each event to the nearest event of the other clip, weighted by energy, in both directions.

    Raises:
        EventsError: clips have events of different kinds.
    """
    _check(clips)
    sets = {name: (_weights(events), events.kind.vectors(events)) for name, events in clips.items() if len(events)}
    if clip not in sets:
        return {}
    distances = {}
    # Trees find the nearest of many events without a table of all distances.
    here = scipy.spatial.KDTree(sets[clip][1])
    for name, (weights, vectors) in sets.items():
        if name != clip:
            there, _ = scipy.spatial.KDTree(vectors).query(sets[clip][1])
            back, _ = here.query(vectors)
            distances[name] = float(sets[clip][0] @ there + weights @ back) / 2
    return dict(sorted(distances.items(), key=lambda pair: pair[1]))


def _weights(events: Events) -> Doubles:
    energy = events.kind.boxes(events).energy.astype(np.float64)
    root = np.sqrt(np.maximum(energy, 1e-20))
    weights: Doubles = root / root.sum()
    return weights


def _check(clips: Mapping[str, Events]) -> None:
    kinds = {events.kind_name for events in clips.values()}
    if len(kinds) > 1:
        raise EventsError(f"events of different kinds cannot be compared: {', '.join(sorted(kinds))}")


def projections(vectors: Sequence[Doubles]) -> tuple[Floats, Floats]:
    """Places of all events on a plane by PCA and by t-SNE, ``[events, 2]`` each.

    Args:
        vectors: those of each clip, ``[events, numbers]``.

    Source:
        van der Maaten and Hinton, "Visualizing Data using t-SNE", Journal of Machine Learning Research 9, 2008.
    """
    # Imported here because loading scikit-learn takes longer than a small map.
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    whole = np.concatenate(list(vectors))
    if len(whole) < 3:
        line = np.stack([np.arange(len(whole)), np.zeros(len(whole))], axis=1).astype(np.float32)
        return line, line
    with np.errstate(invalid="ignore"):  # events that are all alike have no variance to explain
        pca = PCA(min(_COMPONENTS, *whole.shape), random_state=0, svd_solver="full").fit_transform(whole)
    t_sne = TSNE(2, perplexity=min(30.0, (len(whole) - 1) / 3), init="pca", random_state=0).fit_transform(pca)
    return np.pad(pca, ((0, 0), (0, 1)))[:, :2].astype(np.float32), t_sne.astype(np.float32)
