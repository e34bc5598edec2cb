"""The inspection of a synthetic set: the memorisation check, and a map of tracks and real clips."""

import torch

from distrack.distill import SyntheticSet
from distrack.evaluate.maps import Point, embedding_map
from distrack.evaluate.memorisation import Memorisation, memorisation
from distrack.images import RealImages
from distrack.networks import NetworkConfig
from distrack.progress import Progress
from distrack.validation import Record


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
        synthetic: the synthetic set.
        train: the real clips that it was distilled from.
        test: real clips that distillation has not seen.
        device: where to compute.
        progress: called with the number of compared clips and of all clips.
    """
    tracks, network = synthetic.tracks(), NetworkConfig()
    nearest = memorisation(tracks, train, test, network=network, seed=0, device=device, progress=progress)
    return Inspection(
        tracks=synthetic.fingerprint,
        names=tuple(synthetic.track_names()),
        memorisation=nearest,
        map=embedding_map(tracks, synthetic.labels, train, network=network, seed=0),
    )
