"""Edits that draw at random are pure functions of their seed."""

import numpy as np

from distrack.decompose import Events
from distrack.decompose.chance import random_events, random_times
from tests.tones import NAME, RATE


def tones() -> Events:
    rows = np.array([[0.1, 300, 0.5, 0.1, 0], [0.4, 500, 0.2, 0.3, 1], [0.7, 900, 0.1, 0.2, 0.5]], np.float32)
    return Events.of(NAME, rows, sample_rate=RATE, samples=RATE)


def test_random_times_keep_the_events_and_lie_in_the_clip() -> None:
    given = tones()
    drawn = random_times(given, seed=3)
    assert np.array_equal(drawn.parameters[:, 1:], given.parameters[:, 1:])
    assert not np.array_equal(drawn.column("time"), given.column("time"))
    assert (drawn.column("time") >= 0).all()
    assert (drawn.column("time") <= given.seconds).all()
    assert np.array_equal(random_times(given, seed=3).parameters, drawn.parameters)
    assert not np.array_equal(random_times(given, seed=4).parameters, drawn.parameters)
    assert np.array_equal(random_times(given, [0], seed=3).column("time")[1:], given.column("time")[1:])


def test_random_events_keep_the_times_and_lie_between_those_that_there_are() -> None:
    given = tones()
    drawn = random_events(given, seed=3)
    assert np.array_equal(drawn.column("time"), given.column("time"))
    for name in ("frequency", "amplitude", "decay"):
        assert (drawn.column(name) >= given.column(name).min()).all()
        assert (drawn.column(name) <= given.column(name).max()).all()
    assert not np.array_equal(drawn.parameters, given.parameters)
    assert np.array_equal(random_events(given, seed=3).parameters, drawn.parameters)
    assert np.array_equal(random_events(given, [1], seed=3).parameters[[0, 2]], given.parameters[[0, 2]])
    nothing = given.rows(np.zeros(0, np.int64))
    assert len(random_events(nothing)) == len(random_times(nothing)) == 0
