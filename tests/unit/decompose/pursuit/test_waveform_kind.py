"""Events of learned waveforms change as the edits say, and cannot be played without their waveforms."""

from dataclasses import replace

import numpy as np
import pytest

from distrack.arrays import Floats
from distrack.decompose import Events, render
from distrack.errors import EventsError
from tests.unit.decompose.pursuit.waveforms import RATE, peak, tone


def events_of(waveform: Floats, rows: list[list[float]]) -> Events:
    shared = {"waveforms": waveform[None] / np.linalg.norm(waveform)}
    return Events.of("waveform", np.array(rows, np.float32), sample_rate=RATE, samples=RATE, shared=shared)


def changed(events: Events, change: str, value: float) -> Events:
    every = np.ones(len(events), np.bool_)
    return replace(events, parameters=getattr(events.kind, change)(events, every, value))


def pitch(events: Events) -> float:
    return peak(render(events)[0].astype(np.float64)) * RATE


def test_an_edited_waveform_has_the_pitch_the_length_and_the_box_that_it_should() -> None:
    events = events_of(tone(0.05), [[0.2, 0.1, 400, 0.5, 0]])
    sound = render(events)
    assert pitch(events) == pytest.approx(400, rel=0.01)
    assert np.flatnonzero(np.abs(sound[0]) > 1e-4)[0] == pytest.approx(0.2 * RATE, abs=20)
    assert pitch(changed(events, "transposed", 12.0)) == pytest.approx(800, rel=0.01)
    longer = changed(events, "stretched", 2.0)
    audible = np.flatnonzero(np.abs(render(longer)[0]) > 1e-3)
    assert (audible[-1] - audible[0]) / RATE == pytest.approx(0.2, rel=0.1)
    assert pitch(longer) == pytest.approx(400, rel=0.01)
    away = changed(events, "transposed", 48.0)
    assert not render(away).any()
    assert away.kind.boxes(away).energy[0] == 0
    box = events.kind.boxes(events)
    assert box.energy[0] == pytest.approx(np.square(sound.astype(np.float64)).sum(), rel=0.01)
    assert box.low[0] < 400 < box.high[0]
    assert 0.2 < box.start[0] < box.end[0] < 0.3


def test_interpolation_is_geometric_in_pitch_and_length() -> None:
    events = events_of(tone(0.05), [[0.2, 0.1, 400, 0.5, 0], [0.4, 0.4, 1600, 0.3, 0]])
    first, second = events.parameters[:1], events.parameters[1:]
    middle = events.kind.interpolated(first, second, 0.5)[0]
    assert middle.tolist() == pytest.approx([0.3, 0.2, 800, 0.4, 0])
    assert np.array_equal(events.kind.interpolated(first, second, 1.0), second)


def test_colour_tilts_the_energies_and_keeps_their_sum() -> None:
    events = events_of(tone(0.05), [[0.2, 0.1, 400, 0.5, 0], [0.4, 0.4, 1600, 0.3, 0]])
    brighter = changed(events, "coloured", 1.0)
    before, after = events.column("amplitude"), brighter.column("amplitude")
    assert (after[1] / after[0]) / (before[1] / before[0]) == pytest.approx(4, rel=1e-3)
    energy = [float(each.kind.boxes(each).energy.sum()) for each in (events, brighter)]
    assert energy[0] == pytest.approx(energy[1], rel=1e-3)


@pytest.mark.parametrize(("column", "value"), [("waveform", 1.0), ("waveform", 0.5), ("scale", 0.0), ("frequency", 0)])
def test_a_number_outside_its_range_is_named_in_the_error(column: str, value: float) -> None:
    events = events_of(tone(0.05), [[0.2, 0.1, 400, 0.5, 0]])
    with pytest.raises(EventsError, match=f"event 0: its {column}"):
        events.with_column(column, np.array([value]))


def test_events_without_their_waveforms_are_refused() -> None:
    with pytest.raises(EventsError, match="the events share none"):
        replace(events_of(tone(0.05), [[0.2, 0.1, 400, 0.5, 0]]), shared={})


@pytest.mark.parametrize("shape", [(3_000, 4), (1, 10 * RATE)])
def test_too_many_or_too_long_waveforms_are_refused(shape: tuple[int, int]) -> None:
    events = events_of(tone(0.05), [[0.2, 0.1, 400, 0.5, 0]])
    with pytest.raises(EventsError, match="can be played"):
        replace(events, shared={"waveforms": np.ones(shape, np.float32)})
