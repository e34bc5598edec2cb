"""The memorisation check flags copies and nothing else; the map keeps neighbours together."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from distrack.datasets.clips import Split
from distrack.evaluate.inspection import Point, embedding_map
from distrack.evaluate.memorisation import Memorisation, Side, Space, memorisation
from distrack.images import RealImages
from distrack.randomness import generator

Images = Mapping[Split, RealImages]
SPACES: tuple[Space, ...] = ("feature", "embedding")
SIDES: tuple[Side, ...] = ("train", "test")


def nearest_clips(tracks: Tensor, images: Images) -> Memorisation:
    """The nearest clips of tracks in the tiny dataset."""
    return memorisation(
        tracks,
        images["train"],
        images["test"],
        device=torch.device("cpu"),
        progress=lambda _done, _total: None,
    )


def clips(images: Images, side: Split, positions: list[int]) -> Tensor:
    """Images of the clips at these positions."""
    return images[side].batch(np.array(positions), torch.device("cpu"))


@pytest.mark.parametrize("side", SIDES)
def test_copied_clips_are_flagged_and_named(tiny_images: Images, side: Side) -> None:
    positions = [3, 11, 20, 1]
    checked = nearest_clips(clips(tiny_images, side, positions), tiny_images)
    for space in SPACES:
        near = checked.of(space, side)
        assert near.clips == tuple(positions)
        # Embeddings of one clip in batches of different sizes differ by rounding.
        assert near.distances == pytest.approx((0, 0, 0, 0), abs=1e-5)
        assert near.flagged == (0, 1, 2, 3)
        assert near.suspicious


def test_a_distance_is_a_root_mean_squared_difference(tiny_images: Images) -> None:
    louder = clips(tiny_images, "train", [0]) + 0.25
    near = nearest_clips(louder, tiny_images).of("feature", "train")
    assert near.distances[0] <= 0.25 + 1e-6
    images = tiny_images["train"].batch(np.arange(len(tiny_images["train"])), torch.device("cpu"))
    expected = (images - louder).square().flatten(1).mean(1).sqrt()
    assert near.distances[0] == pytest.approx(float(expected.min()), rel=1e-5)
    assert near.clips[0] == int(expected.argmin())


def test_a_noisy_track_is_not_flagged(tiny_images: Images) -> None:
    test = clips(tiny_images, "test", [0, 9, 17])
    noisy = test + torch.randn(test.shape, generator=generator(0, "noise"))
    checked = nearest_clips(noisy, tiny_images)
    assert all(not checked.of(space, side).flagged for space in SPACES for side in SIDES)


def test_other_real_clips_are_flagged_no_more_often_than_chance_explains(tiny_images: Images) -> None:
    checked = nearest_clips(clips(tiny_images, "test", list(range(24))), tiny_images)
    for space in SPACES:
        assert checked.of(space, "train").expected == pytest.approx(0.24)
        assert not checked.of(space, "train").suspicious
        assert checked.of(space, "test").suspicious


def test_the_reference_is_the_distance_of_the_other_side_s_clips(tiny_images: Images) -> None:
    checked = nearest_clips(clips(tiny_images, "train", [0]), tiny_images)
    near = checked.of("feature", "train")
    assert len(near.reference) == len(tiny_images["test"])
    others = nearest_clips(clips(tiny_images, "test", list(range(len(tiny_images["test"])))), tiny_images)
    assert others.of("feature", "train").distances == pytest.approx(near.reference, rel=1e-6)
    assert near.threshold == pytest.approx(np.quantile(near.reference, 0.01))
    text = checked.model_dump_json()
    assert text.startswith('{"found":'), "the name that earlier versions wrote and read"
    assert Memorisation.model_validate_json(text) == checked


# The map


@pytest.fixture(scope="module")
def points(tiny_images: Images) -> tuple[Point, ...]:
    """A map with three tracks, copies of the first clips."""
    return mapped(tiny_images)


def mapped(images: Images) -> tuple[Point, ...]:
    """The map of three copies of the first clips."""
    labels = torch.from_numpy(images["train"].labels[:3])
    return embedding_map(clips(images, "train", [0, 1, 2]), labels, images["train"])


def test_a_map_is_the_same_every_time(tiny_images: Images, points: tuple[Point, ...]) -> None:
    assert mapped(tiny_images) == points


def test_a_map_has_every_track_a_selection_of_clips_and_a_centre_for_each_class(
    tiny_images: Images, points: tuple[Point, ...]
) -> None:
    train = tiny_images["train"]
    kinds = [point.kind for point in points]
    assert (kinds.count("clip"), kinds.count("track"), kinds.count("centre")) == (len(train), 3, 3)
    of_clips = {point.number: point for point in points if point.kind == "clip"}
    assert all(point.label == train.labels[number] for number, point in of_clips.items())
    for point in points:
        if point.kind == "track":
            # It is a copy of the clip of that number, so both have the same place.
            assert point.pca == pytest.approx(of_clips[point.number].pca, abs=1e-5)
        if point.kind == "centre":
            members = [other.pca for other in of_clips.values() if other.label == point.label]
            assert point.pca == pytest.approx(np.mean(members, axis=0), abs=1e-5)
    assert np.isfinite([(*point.pca, *point.t_sne) for point in points]).all()


def test_the_nearest_neighbour_of_a_clip_on_the_map_is_of_its_class(points: tuple[Point, ...]) -> None:
    real = [point for point in points if point.kind == "clip"]
    places, labels = np.array([point.t_sne for point in real]), np.array([point.label for point in real])
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (labels[distances.argmin(1)] == labels).mean() > 0.9


def test_the_check_says_that_it_cannot_judge_where_real_clips_copy_each_other(tiny_images: Images) -> None:
    """Every test clip is also a training clip: real clips of the two sides are as near to each other as copies."""
    everything = on_both_sides(tiny_images)
    checked = nearest_clips(clips(everything, "train", [3, 11]), everything)
    for space in SPACES:
        near = checked.of(space, "train")
        assert not near.can_judge
        assert near.flagged == (0, 1)
    honest = nearest_clips(clips(tiny_images, "train", [3, 11]), tiny_images)
    assert all(honest.of(space, side).can_judge for space in SPACES for side in SIDES)


def on_both_sides(images: Images) -> Images:
    """The clips of both sides, on both sides."""
    rows = np.concatenate([images[side].rows for side in SIDES])
    labels = np.concatenate([images[side].labels for side in SIDES])
    return {side: dataclasses.replace(images[side], rows=rows, labels=labels) for side in SIDES}
