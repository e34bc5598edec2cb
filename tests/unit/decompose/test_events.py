"""Events: every field keeps its limits, and a column or a row is what it says."""

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from distrack.decompose import Events
from distrack.decompose.events import LONGEST, LONGEST_ROOM, MOST_EVENTS
from distrack.errors import EventsError
from tests.tones import NAME, RATE, many, tones


def test_atoms_last_for_hours_and_other_events_for_minutes() -> None:
    atom = np.array([[1.0, 0.1, 440.0, 0.5, 0.0]], np.float32)
    hours = round(LONGEST) * RATE
    assert Events.of("gabor", atom, sample_rate=RATE, samples=hours).seconds == LONGEST
    with pytest.raises(EventsError, match="14401 s long: gabor events last at most 14400 s"):
        Events.of("gabor", atom, sample_rate=RATE, samples=hours + RATE)
    with pytest.raises(EventsError, match=f"14400 s long: {NAME} events last at most 600 s"):
        replace(tones(), samples=hours)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("sample_rate", 0, "sample_rate 0"),
        ("sample_rate", 16_000.0, "sample_rate"),
        ("samples", 0, "samples 0"),
        ("samples", True, "samples"),
        ("samples", 600 * RATE + RATE, "601 s long"),
        ("channels", 3, "channels 3"),
        ("seed", -1, "seed"),
        ("seed", 10**5000 if sys.get_int_max_str_digits() == 0 else 2**70, "seed"),
        ("parameters", np.float32(1), "axes"),
        ("parameters", np.ones(5, np.float32), "axes"),
        ("parameters", np.ones((4, 3), np.float32), "parameters"),
        ("parameters", np.ones((4, 5)), "float64"),
        ("parameters", np.full((4, 5), np.nan, np.float32), "not numbers"),
        ("muted", np.zeros(2, np.bool_), "muted"),
        ("muted", np.zeros(4, np.float32), "muted"),
        ("wet", np.full(4, 1.5, np.float32), "shares"),
        ("wet", np.zeros(3, np.float32), "wet"),
        ("room", np.float32(1), "room"),
        ("room", np.zeros(5, np.float32), "room"),
        ("room", np.zeros((2, 5), np.float32), "room"),
        ("room", np.zeros((1, 0), np.float32), "room"),
        ("room", np.full((1, 3), np.inf, np.float32), "room"),
        ("room", np.ones((1, round(LONGEST_ROOM * RATE) + 1), np.float32), "60 s"),
        ("shared", {"d": np.array([np.nan], np.float32)}, "shared array d"),
        ("shared", {"d": np.broadcast_to(np.float32(0), (1 << 13, 1 << 11))}, "share"),
        ("shared", [], "shared"),
        ("settings", None, "settings"),
    ],
)
def test_an_impossible_field_is_named_in_the_error(field: str, value: Any, message: str) -> None:
    with pytest.raises(EventsError, match=message):
        replace(many(4), **{field: value})


def test_there_is_one_limit_of_events() -> None:
    rows = np.ones((MOST_EVENTS + 1, 5), np.float32)
    assert len(Events.of(NAME, rows[1:], sample_rate=RATE, samples=RATE)) == MOST_EVENTS
    with pytest.raises(EventsError, match=f"{MOST_EVENTS + 1} events: at most {MOST_EVENTS}"):
        Events.of(NAME, rows, sample_rate=RATE, samples=RATE)


def test_the_storage_budget_counts_every_stored_number() -> None:
    events = many(20, channels=2)
    assert events.floats == 20 * 6
    shared = replace(events, shared={"dictionary": np.ones((4, 50), np.float32)})
    assert shared.floats == 20 * 6 + 4 * 50
    assert replace(shared, room=np.ones((2, 300), np.float32)).floats == 20 * 6 + 4 * 50 + 20


def test_a_column_is_read_and_replaced_by_name() -> None:
    events = tones((0.1, 220, 0.3, 0.2), (0.3, 330, 0.2, 0.1))
    assert events.column("frequency").tolist() == [220, 330]
    changed = events.with_column("frequency", np.array([440.0, 660.0]))
    assert changed.column("frequency").tolist() == [440, 660]
    assert events.column("frequency").tolist() == [220, 330]
    with pytest.raises(KeyError, match="test-tone events have no colour: they have time, frequency"):
        events.column("colour")


def test_rows_are_selected_with_all_that_belongs_to_them() -> None:
    events = many(10)
    order = np.array([7, 2])
    chosen = events.rows(order)
    for name in ("parameters", "muted", "wet"):
        assert np.array_equal(getattr(chosen, name), getattr(events, name)[order])
    energy = events.by_energy().kind.boxes(events.by_energy()).energy
    assert (np.diff(energy) <= 0).all()


def test_an_event_without_a_pitch_is_centred_on_its_band() -> None:
    box = (events := tones((0, 440, 1, 0.1), (0, 10, 1, 0.1))).kind.boxes(events)
    assert box.centre.tolist() == pytest.approx([440, np.sqrt(10 * 20)])
