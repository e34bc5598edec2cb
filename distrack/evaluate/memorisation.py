"""The memorisation check: a track that is very close to a real clip may be a copy of it."""

from collections.abc import Iterable
from functools import partial
from typing import Literal, get_args

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from distrack.arrays import Doubles, Integers
from distrack.images import RealImages
from distrack.networks import Network, NetworkConfig, build_network
from distrack.progress import Progress
from distrack.randomness import derived_seed, generator
from distrack.validation import Record

# What a reader of a result is told where `can_judge` is false.
CANNOT_JUDGE = (
    "This check cannot judge: real training and test clips are nearly copies of each other, so their distances do not "
    "say what is too near. Remove repeated recordings from the dataset."
)

Space = Literal["feature", "embedding"]
Side = Literal["train", "test"]

# Real clips, at most, whose distances are the reference for those of the tracks.
_REFERENCE = 1000
# Share of the reference below which a track's distance is flagged.
_RARE = 0.01
# The check cannot judge where that distance is below this share of the median: real clips then copy each other.
_ALIKE = 0.1
# Distance, relative to the size of the vectors, below which a track is a copy, whatever the threshold.
_EQUAL = 1e-4
_BATCH = 256
# Seed of the weights of the random network and of the selection of reference clips.
_SEED = 0


class NearestClips(Record):
    """The nearest real clip of every track, among the clips of one side, in one space.

    Attributes:
        space: `feature` compares normalised images pixel by pixel, `embedding` their embeddings in a random CNN.
        side: the side of the split whose clips are searched.
        distances: root mean squared difference between each track and its nearest clip.
        clips: position of that clip on its side.
        reference: the same distances for real clips of the other side, from which nothing was copied.
        threshold: first percentile of the reference.
        flagged: tracks whose distance is below the threshold, and tracks that equal a clip.
    """

    space: Space
    side: Side
    distances: tuple[float, ...]
    clips: tuple[int, ...]
    reference: tuple[float, ...]
    threshold: float
    flagged: tuple[int, ...]

    @property
    def can_judge(self) -> bool:
        """Whether the reference says what is too near.

        It does not where real clips of the two sides are nearly copies of each other: the threshold is then so low
        that a copy of a clip need not be below it.
        """
        return self.threshold > _ALIKE * float(np.median(self.reference))

    @property
    def expected(self) -> float:
        """Number of flagged tracks to expect by chance: one in a hundred, as of real clips."""
        return _RARE * len(self.distances)

    @property
    def suspicious(self) -> bool:
        """Whether more tracks are flagged than chance explains: more than twice the expected number and two."""
        return len(self.flagged) > 2 * self.expected + 2


class Memorisation(BaseModel):
    """Nearest clips of the tracks in both spaces, on the training and on the test side.

    A flagged track is closer to a real clip than real clips are to each other, so it gives that clip away, or nearly.
    No flags are not a privacy guarantee: distances show copies, not other traces of the clips. A guarantee needs a
    proof about the method, such as differential privacy.
    """

    model_config = ConfigDict(frozen=True, validate_by_name=True, serialize_by_alias=True)

    # `found` is its name in `inspection.json`.
    nearest: tuple[NearestClips, ...] = Field(alias="found")

    def of(self, space: Space, side: Side) -> NearestClips:
        """The nearest clips of one side in one space."""
        return next(each for each in self.nearest if (each.space, each.side) == (space, side))


def memorisation(
    tracks: Tensor,
    train: RealImages,
    test: RealImages,
    *,
    device: torch.device,
    progress: Progress,
) -> Memorisation:
    """Finds the nearest training clip and the nearest test clip of every track.

    The distance to training clips shows whether a track copies a clip that it was distilled from. The distance to test
    clips shows whether a test clip has leaked into the synthetic set. Both are compared with the distances of real
    clips from the other side.

    Args:
        tracks: the rendered tracks, normalised as the clips are.
        train: the real clips that the tracks were distilled from.
        test: real clips that distillation has not seen.

    Shape:
        - tracks: ``[n, 1, bands, frames]``
    """
    seed = derived_seed(_SEED, "memorisation")
    embedding = build_network(NetworkConfig(), shape=train.shape, classes=train.classes, seed=seed).to(device)
    done, total = 0, 2 * (len(train) + len(test))
    nearest = []
    sides: tuple[tuple[Side, RealImages, RealImages], ...] = (("train", train, test), ("test", test, train))
    for space in get_args(Space):
        vectors = partial(scaled_vectors, embedding if space == "embedding" else None)
        for side, searched, other in sides:
            order = torch.randperm(len(other), generator=generator(_SEED, "reference")).numpy()
            reference_clips = other.batch(np.sort(order[:_REFERENCE]), device)
            queries = torch.cat([vectors(tracks.to(device)), vectors(reference_clips)])
            distances, clips = nearest_vectors(queries, (vectors(images) for images, _ in searched.batches(device)))
            done += len(searched)
            progress(done, total)
            of_tracks, reference = distances[: len(tracks)], distances[len(tracks) :]
            threshold = float(np.quantile(reference, _RARE))
            flagged = of_tracks < max(threshold, _EQUAL * float(queries.norm(dim=1).mean()))
            nearest.append(
                NearestClips(
                    space=space,
                    side=side,
                    distances=tuple(of_tracks.tolist()),
                    clips=tuple(clips[: len(tracks)].tolist()),
                    reference=tuple(reference.tolist()),
                    threshold=threshold,
                    flagged=tuple(np.flatnonzero(flagged).tolist()),
                )
            )
    return Memorisation(nearest=tuple(nearest))


def scaled_vectors(network: Network | None, images: Tensor) -> Tensor:
    """Images or their embeddings, `[n, d]`, scaled so that a Euclidean distance is a root mean squared difference."""
    with torch.no_grad():
        vectors = torch.cat([network.embed(part) if network else part for part in images.split(_BATCH)]).flatten(1)
    scaled: Tensor = vectors * vectors.shape[1] ** -0.5
    return scaled


def nearest_vectors(queries: Tensor, batches: Iterable[Tensor]) -> tuple[Doubles, Integers]:
    """Distance to the nearest vector of all batches, and its position; memory does not grow with the batches.

    Shape:
        - queries: ``[n, d]``
        - batches: ``[m, d]``
        - returns: ``[n]`` and ``[n]``
    """
    smallest = torch.full((len(queries),), torch.inf, device=queries.device)
    positions = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
    offset = 0
    for batch in batches:
        candidates = torch.cdist(queries, batch).argmin(1)
        # `cdist` multiplies matrices, so the distance of a copy is its rounding error; the difference is exactly zero.
        distances = (queries - batch[candidates]).square().sum(1).sqrt()
        nearer = distances < smallest
        smallest = torch.where(nearer, distances, smallest)
        positions = torch.where(nearer, candidates + offset, positions)
        offset += len(batch)
    return smallest.double().cpu().numpy(), positions.cpu().numpy()
