"""Events are selected by number, by truth value, by box, by pitch and by energy."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

from distrack.decompose import in_box, in_pitch, mask, strongest
from distrack.decompose.transforms import mute
from distrack.errors import EventsError
from tests.tones import tones

ROWS = [(0.1, 220.0, 0.3, 0.1), (0.3, 330.0, 0.1, 0.1), (0.8, 10.0, 0.2, 0.1), (0.9, 550.0, 0.3, 0.1)]


def test_numbers_and_truth_values_select_events() -> None:
    events = tones(*ROWS[:3])
    assert mask(events, None).tolist() == [True, True, True]
    assert mask(events, [2, 0, 0]).tolist() == [True, False, True]
    assert mask(events, np.array([True, False, False])).tolist() == [True, False, False]
    assert mask(events, []).tolist() == [False, False, False]


def test_a_box_selects_the_events_that_touch_it() -> None:
    events = tones(*ROWS)
    # An event lasts three decays, and its octave belongs to its band.
    assert in_box(events, start=0.45, end=0.5).tolist() == [False, True, False, False]
    assert in_box(events, low=450, high=500).tolist() == [False, True, False, False]
    assert in_box(events, start=0.85, end=0.85).tolist() == [False, False, True, False]
    assert in_box(events).all()


def test_a_range_of_pitches_leaves_out_events_without_a_pitch() -> None:
    events = tones(*ROWS)
    assert in_pitch(events).tolist() == [True, True, False, True]
    assert in_pitch(events, low=330, high=550).tolist() == [False, True, False, True]


def test_the_strongest_events_have_the_most_energy() -> None:
    events = tones(*ROWS)
    assert strongest(events, 2).tolist() == [True, False, False, True]
    assert strongest(events, 0).sum() == 0
    assert strongest(events, 9).all()
    # Of equal events, the earlier rows.
    assert strongest(tones(*[ROWS[0]] * 20), 3).tolist() == [True] * 3 + [False] * 17


def test_a_clip_without_events_has_nothing_to_select() -> None:
    for selected in (in_box(tones()), in_pitch(tones()), strongest(tones(), 3)):
        assert selected.shape == (0,)


@pytest.mark.parametrize(
    ("select", "message"),
    [
        (lambda e: mute(e, [3]), "no event 3: the 3 events"),
        (lambda e: mute(e, [-1]), "no event -1"),
        (lambda e: mute(e, cast("list[int]", [0.5])), "whole numbers"),
        (lambda e: mute(e, np.array([[0]])), "whole numbers"),
        (lambda e: mute(e, [True, False]), "truth values of shape"),
        (lambda e: in_box(e, start=2, end=1), "ends before it begins"),
        (lambda e: in_pitch(e, low=float("nan")), "ends before it begins"),
        (lambda e: strongest(e, -1), "0 or more"),
    ],
)
def test_an_impossible_selection_is_refused(select: Callable[[Any], object], message: str) -> None:
    with pytest.raises(EventsError, match=message):
        select(tones(*ROWS[:3]))
