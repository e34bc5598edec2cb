"""Events and clips that sound alike."""

import numpy as np
import pytest

from distrack.decompose import Events
from distrack.decompose.similar import clip_distances, nearest, projections
from distrack.errors import EventsError
from tests.tones import NAME, RATE


def tones(*pitches: float, seed: int = 0) -> Events:
    draw = np.random.default_rng(seed)
    rows = [[draw.uniform(0, 0.5), pitch, draw.uniform(0.1, 1), 0.1, 0] for pitch in pitches]
    return Events.of(NAME, np.array(rows, np.float32).reshape(-1, 5), sample_rate=RATE, samples=RATE)


def test_the_nearest_event_is_the_one_that_sounds_alike() -> None:
    clips = {"here": tones(300, 900), "there": tones(310, 2_000, seed=1)}
    found = nearest(clips, "here", 0)
    assert (found[0].clip, found[0].number) == ("there", 0)
    assert [one.distance for one in found] == sorted(one.distance for one in found)
    assert len(found) == 3
    assert len(nearest(clips, "here", 0, most=1)) == 1
    assert all(one.clip == "there" for one in nearest(clips, "here", 0, own=False))
    with pytest.raises(EventsError, match="no event 2"):
        nearest(clips, "here", 2)


def test_clips_with_the_same_events_are_nearest() -> None:
    clips = {"a": tones(300, 900), "far": tones(4_000), "same": tones(300, 900, seed=5), "none": tones()}
    distances = clip_distances(clips, "a")
    assert list(distances) == ["same", "far"]
    assert distances["same"] == pytest.approx(0, abs=1e-6)
    assert clip_distances(clips, "none") == {}


def test_events_are_placed_by_how_they_sound() -> None:
    both = [tones(*(300 + np.arange(20))), tones(*(4_000 + 10 * np.arange(20)), seed=1)]
    for place in projections([events.kind.vectors(events) for events in both]):
        assert place.shape == (40, 2)
        first, second = place[:20], place[20:]
        apart = np.linalg.norm(first.mean(0) - second.mean(0))
        assert apart > 2 * max(first.std(), second.std()) * 0.5
    few = projections([both[0].kind.vectors(both[0])[:2]])
    assert few[0].shape == few[1].shape == (2, 2)
