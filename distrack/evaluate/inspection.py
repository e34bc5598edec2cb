"""An inspection: how near tracks come to real clips, and where they lie among them."""

import torch
from pydantic import BaseModel, ConfigDict

from distrack.datasets.contract import Progress
from distrack.distill import SyntheticSet
from distrack.evaluate.maps import Point, embedding_map
from distrack.evaluate.memorisation import Memorisation, memorisation
from distrack.images import RealImages
from distrack.networks import NetworkConfig


class Inspection(BaseModel):
    """`inspection.json` of a run.

    Attributes:
        tracks: fingerprint of the synthetic set that was inspected.
        names: of the tracks, in order.
    """

    model_config = ConfigDict(frozen=True)

    tracks: str
    names: tuple[str, ...]
    memorisation: Memorisation
    map: tuple[Point, ...]


def inspect(
    synthetic: SyntheticSet, train: RealImages, test: RealImages, *, device: torch.device, progress: Progress
) -> Inspection:
    """Looks for the nearest real clip of every track, and draws the map.

    Args:
        synthetic: whose tracks.
        train: what they were distilled from.
        test: real clips that had no part in it.
        device: where to compute.
        progress: told how much is done.
    """
    tracks, network = synthetic.tracks(), NetworkConfig()
    found = memorisation(tracks, train, test, network=network, seed=0, device=device, progress=progress)
    return Inspection(
        tracks=synthetic.fingerprint,
        names=tuple(synthetic.track_names()),
        memorisation=found,
        map=embedding_map(tracks, synthetic.labels, train, network=network, seed=0),
    )
