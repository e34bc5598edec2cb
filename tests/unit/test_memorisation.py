"""Memorisation: copies are found and told from tracks that are none; a map keeps neighbours together."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from distrack.datasets.clips import Split
from distrack.evaluate.maps import embedding_map
from distrack.evaluate.memorisation import Memorisation, Side, Space, memorisation
from distrack.images import RealImages
from distrack.networks import NetworkConfig
from distrack.randomness import generator

Images = Mapping[Split, RealImages]
NETWORK = NetworkConfig(width=4, depth=2)
SPACES: tuple[Space, ...] = ("feature", "embedding")


def looked_through(tracks: Tensor, images: Images) -> Memorisation:
    return memorisation(
        tracks,
        images["train"],
        images["test"],
        network=NETWORK,
        seed=0,
        device=torch.device("cpu"),
        progress=lambda _done, _total: None,
    )


def clips(images: Images, side: Split, positions: list[int]) -> Tensor:
    return images[side].batch(np.array(positions), torch.device("cpu"))


@pytest.mark.parametrize("side", ["train", "test"])
def test_copied_clips_are_found_flagged_and_named(tiny_images: Images, side: Side) -> None:
    positions = [3, 11, 20, 1]
    found = looked_through(clips(tiny_images, side, positions), tiny_images)
    for space in SPACES:
        near = found.of(space, side)
        assert near.clips == tuple(positions)
        assert near.distances == pytest.approx((0, 0, 0, 0), abs=1e-6)
        assert near.flagged == (0, 1, 2, 3)
        assert near.suspicious


def test_a_distance_is_a_root_mean_square(tiny_images: Images) -> None:
    louder = clips(tiny_images, "train", [0]) + 0.25
    near = looked_through(louder, tiny_images).of("feature", "train")
    assert near.distances[0] <= 0.25 + 1e-6
    everything = tiny_images["train"].batch(np.arange(len(tiny_images["train"])), torch.device("cpu"))
    expected = (everything - louder).square().flatten(1).mean(1).sqrt()
    assert near.distances[0] == pytest.approx(float(expected.min()), rel=1e-5)
    assert near.clips[0] == int(expected.argmin())


def test_what_is_no_copy_is_not_flagged(tiny_images: Images) -> None:
    test = clips(tiny_images, "test", [0, 9, 17])
    noisy = test + torch.randn(test.shape, generator=generator(0, "noise"))
    found = looked_through(noisy, tiny_images)
    assert all(not found.of(space, side).flagged for space in SPACES for side in ("train", "test"))


def test_as_many_real_clips_as_are_rare_are_not_suspicious(tiny_images: Images) -> None:
    """A set of other real clips is flagged about as often as real clips are: once in a hundred."""
    found = looked_through(clips(tiny_images, "test", list(range(24))), tiny_images)
    for space in SPACES:
        assert not found.of(space, "train").suspicious
        assert found.of(space, "test").suspicious


def test_the_reference_is_the_other_side_s_own_distance(tiny_images: Images) -> None:
    found = looked_through(clips(tiny_images, "train", [0]), tiny_images)
    near = found.of("feature", "train")
    assert len(near.reference) == len(tiny_images["test"])
    again = looked_through(clips(tiny_images, "test", list(range(len(tiny_images["test"])))), tiny_images)
    assert again.of("feature", "train").distances == pytest.approx(near.reference, rel=1e-6)
    assert near.threshold == pytest.approx(np.quantile(near.reference, 0.01))
    assert Memorisation.model_validate_json(found.model_dump_json()) == found


# The map


def test_a_map_has_every_track_some_clips_and_a_centre_for_each_class(tiny_images: Images) -> None:
    train = tiny_images["train"]
    tracks, labels = clips(tiny_images, "train", [0, 1, 2]), torch.from_numpy(train.labels[:3])
    points = embedding_map(tracks, labels, train, network=NETWORK, seed=0)
    assert points == embedding_map(tracks, labels, train, network=NETWORK, seed=0)
    kinds = [point.kind for point in points]
    assert (kinds.count("clip"), kinds.count("track"), kinds.count("centre")) == (len(train), 3, 3)
    of_clips = {point.number: point for point in points if point.kind == "clip"}
    assert all(point.label == train.labels[number] for number, point in of_clips.items())
    for point in points:
        if point.kind == "track":
            # It is a copy of the clip of that number: both stand at the same place.
            assert point.pca == pytest.approx(of_clips[point.number].pca, abs=1e-6)
        if point.kind == "centre":
            mine = [other.pca for other in of_clips.values() if other.label == point.label]
            assert point.pca == pytest.approx(np.mean(mine, axis=0), abs=1e-6)
    assert np.isfinite([(*point.pca, *point.t_sne) for point in points]).all()


def test_classes_that_are_far_apart_are_so_on_the_map(tiny_images: Images) -> None:
    train = tiny_images["train"]
    points = embedding_map(clips(tiny_images, "train", [0]), torch.zeros(1).long(), train, network=NETWORK, seed=0)
    real = [point for point in points if point.kind == "clip"]
    places, labels = np.array([point.t_sne for point in real]), np.array([point.label for point in real])
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (labels[distances.argmin(1)] == labels).mean() > 0.9
