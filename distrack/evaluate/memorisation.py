"""Memorisation: whether tracks are copies of real clips, by their distance to the nearest one."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from distrack.datasets.contract import Progress
from distrack.images import RealImages
from distrack.networks import Network, NetworkConfig, build_network
from distrack.randomness import derived_seed, generator

Space = Literal["feature", "embedding"]
Side = Literal["train", "test"]

# Real clips whose own nearest neighbours are what the tracks' are compared with, at most.
_REFERENCE = 1000
# Of real clips, so many are nearer to a clip of the other side than a track that is flagged is to its own.
_RARE = 0.01
_BATCH = 256


class Nearest(BaseModel):
    """How near the tracks come to the real clips of one side, in one space.

    Attributes:
        space: `feature` compares normalised images pixel by pixel, `embedding` what a random CNN makes of them.
        side: the real clips that are looked through.
        distances: root mean squared difference of each track from its nearest clip.
        clips: which that is, as a position on its side.
        reference: the same distance for real clips of the other side.
        threshold: the first percentile of the reference.
        flagged: tracks nearer than that.
    """

    model_config = ConfigDict(frozen=True)

    space: Space
    side: Side
    distances: tuple[float, ...]
    clips: tuple[int, ...]
    reference: tuple[float, ...]
    threshold: float
    flagged: tuple[int, ...]

    @property
    def suspicious(self) -> bool:
        """Whether more tracks are flagged than of as many real clips would be, by more than chance allows.

        Of n real clips about n / 100 are that near; twice that and two more is taken for too many.
        """
        return len(self.flagged) > 2 * _RARE * len(self.distances) + 2


class Memorisation(BaseModel):
    """What `memorisation` finds: for the training and the test side, in both spaces.

    What it shows: a track that is flagged is nearer to a real clip than real clips are to each other, so it gives that
    clip away, or nearly. What it does not show: that a track which is not flagged tells nothing about the clips it came
    from. Distances see copies, not traces; a promise about privacy needs a proof about the method, such as differential
    privacy, not a measurement of its result.
    """

    model_config = ConfigDict(frozen=True)

    found: tuple[Nearest, ...]

    def of(self, space: Space, side: Side) -> Nearest:
        """One of the four."""
        return next(each for each in self.found if (each.space, each.side) == (space, side))


def memorisation(
    tracks: Tensor,
    train: RealImages,
    test: RealImages,
    *,
    network: NetworkConfig,
    seed: int,
    device: torch.device,
    progress: Progress,
) -> Memorisation:
    """Looks for the nearest training clip and the nearest test clip of every track.

    The nearest training clip says what a track has kept of the clips it was distilled from; the nearest test clip, that
    none of them has slipped into the set. A track's distance is compared with that of real clips of the other side,
    which nothing was copied from.

    Args:
        tracks: rendered, normalised as the clips are.
        train: what they were distilled from.
        test: real clips that had no part in it.
        network: the random network of the embedding.
        seed: of its weights, and of which real clips are compared with.
        device: where to compute.
        progress: told how much is done.

    Shape:
        - tracks: ``[n, 1, bands, frames]``
    """
    embed = build_network(
        network, shape=train.shape, classes=train.classes, seed=derived_seed(seed, "memorisation")
    ).to(device)
    total = 2 * (len(train) + len(test))
    done = 0
    found = []
    spaces: tuple[Space, ...] = ("feature", "embedding")
    sides: tuple[tuple[Side, RealImages, RealImages], ...] = (("train", train, test), ("test", test, train))
    for space in spaces:
        for side, here, elsewhere in sides:
            few = _some(len(elsewhere), seed)
            queries = torch.cat(
                [_seen(tracks.to(device), space, embed), _seen(elsewhere.batch(few, device), space, embed)]
            )
            distances, clips = _nearest(queries, _clips(here, space, embed, device))
            done += len(here)
            progress(done, total)
            mine, reference = distances[: len(tracks)], distances[len(tracks) :]
            threshold = float(np.quantile(reference, _RARE))
            found.append(
                Nearest(
                    space=space,
                    side=side,
                    distances=tuple(mine.tolist()),
                    clips=tuple(clips[: len(tracks)].tolist()),
                    reference=tuple(reference.tolist()),
                    threshold=threshold,
                    flagged=tuple(np.flatnonzero(mine < threshold).tolist()),
                )
            )
    return Memorisation(found=tuple(found))


def _some(count: int, seed: int) -> NDArray[np.int64]:
    order: NDArray[np.int64] = torch.randperm(count, generator=generator(seed, "reference")).numpy()
    return np.sort(order[:_REFERENCE])


def _seen(images: Tensor, space: str, network: Network) -> Tensor:
    """What is compared, scaled so that a Euclidean distance is a root mean square, ``[n, d]``."""
    parts = [images]
    if space == "embedding":
        with torch.no_grad():
            parts = [network.embed(part) for part in images.split(_BATCH)]
    values = torch.cat(parts).flatten(1)
    scaled: Tensor = values * values.shape[1] ** -0.5
    return scaled


def _clips(clips: RealImages, space: str, network: Network, device: torch.device) -> Iterator[Tensor]:
    for images, _ in clips.batches(device, _BATCH):
        yield _seen(images, space, network)


def _nearest(queries: Tensor, batches: Iterator[Tensor]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distance to the nearest of all and which it is, in memory that does not grow with how many there are.

    Shape:
        - queries: ``[n, d]``
        - returns: ``[n]`` and ``[n]``
    """
    least = torch.full((len(queries),), torch.inf, device=queries.device)
    which = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
    before = 0
    for batch in batches:
        here = torch.cdist(queries, batch).argmin(1)
        # Taken again without products: a copy is at no distance at all, not at one of rounding.
        distances = (queries - batch[here]).square().sum(1).sqrt()
        nearer = distances < least
        least, which = torch.where(nearer, distances, least), torch.where(nearer, here + before, which)
        before += len(batch)
    return least.double().cpu().numpy(), which.cpu().numpy()
