"""Edits of splats change pitch, length, decay or brightness alone; impossible numbers are refused."""

import dataclasses

import numpy as np
import pytest

from distrack.arrays import Floats
from distrack.decompose import KINDS, Events, render
from distrack.decompose.splat.parameters import PLACES
from distrack.errors import EventsError
from tests.unit.decompose.splat.splats import RATE, energy_between, pitch_of, random_splats, splats

KIND = KINDS["splat"]
EVERY = np.ones(1, np.bool_)
NOTE = {"decay": 0.08, "damping": 1.0}


def changed(events: Events, parameters: Floats) -> Floats:
    wave: Floats = render(dataclasses.replace(events, parameters=parameters))[0]
    return wave


def decay_time(wave: Floats) -> float:
    """Seconds in which the level falls from 10 to 40 dB below its peak."""
    power = np.convolve(np.square(wave), np.ones(320) / 320, "same")
    level = 10 * np.log10(power / power.max() + 1e-12)
    at = int(level.argmax())
    first, last = (at + int((level[at:] < limit).argmax()) for limit in (-10, -40))
    return (last - first) / RATE


def centroid(wave: Floats) -> float:
    power = np.square(np.abs(np.fft.rfft(wave)))
    return float((power * np.fft.rfftfreq(len(wave), 1 / RATE)).sum() / power.sum())


@pytest.mark.parametrize("semitones", [12.0, -12.0, 7.0])
def test_transposing_changes_the_pitch_alone(semitones: float) -> None:
    events = splats(NOTE)
    wave = changed(events, KIND.transposed(events, EVERY, semitones))
    assert pitch_of(wave) / pitch_of(render(events)[0]) == pytest.approx(2 ** (semitones / 12), rel=2e-3)
    assert decay_time(wave) == pytest.approx(decay_time(render(events)[0]), rel=0.03)


def test_an_event_transposed_above_half_the_sample_rate_is_silent() -> None:
    events = splats(NOTE)
    assert np.abs(changed(events, KIND.transposed(events, EVERY, 60.0))).max() < 1e-6


def test_stretching_changes_the_length_alone() -> None:
    events = splats({**NOTE, "attack": 0.03}, seconds=1.5)
    wave = changed(events, KIND.stretched(events, EVERY, 2.0))
    assert pitch_of(wave) == pytest.approx(pitch_of(render(events)[0]), rel=2e-3)
    assert decay_time(wave) / decay_time(render(events)[0]) == pytest.approx(2, rel=0.05)
    rise = [int(np.abs(one).argmax()) - 0.1 * RATE for one in (render(events)[0], wave)]
    assert rise[1] / rise[0] == pytest.approx(2, rel=0.1)


def test_stretching_keeps_the_balance_of_harmonics() -> None:
    damped = splats({**NOTE, "damping": 30.0, "sine 3": 1.0}, seconds=2.0)
    waves = render(damped)[0], changed(damped, KIND.stretched(damped, EVERY, 2.0))
    powers = [np.square(np.abs(np.fft.rfft(one))) for one in waves]
    shares = [power[2_400:2_880].sum() / power[800:960].sum() for power in powers]
    assert shares[1] == pytest.approx(shares[0], rel=0.1)


def test_a_slower_decay_keeps_the_attack() -> None:
    events = splats(NOTE, seconds=1.5)
    before, after = render(events)[0], changed(events, KIND.decayed(events, EVERY, 3.0))
    assert decay_time(after) / decay_time(before) == pytest.approx(3, rel=0.06)
    onset = round(0.1 * RATE)
    assert not np.abs(after[:onset]).any()
    assert np.linalg.norm((after - before)[onset : onset + 48]) < 0.1 * np.linalg.norm(before[onset : onset + 48])


@pytest.mark.parametrize("mix", [1.0, 0.0, 0.6])
def test_a_brighter_event_keeps_its_pitch(mix: float) -> None:
    events = splats({**NOTE, "mix": mix, "burst": 0.05})
    dark, plain, bright = (changed(events, KIND.coloured(events, EVERY, octaves)) for octaves in (-1.0, 0.0, 1.0))
    assert centroid(dark) < 0.95 * centroid(plain) < 0.95**2 * centroid(bright)
    if mix == 1.0:
        assert energy_between(bright, 860, 900) > 2 * energy_between(plain, 860, 900)
        peaks = [np.square(np.abs(np.fft.rfft(one, 1 << 16)))[1_750:1_850].argmax() for one in (dark, plain, bright)]
        assert max(peaks) - min(peaks) <= 2


def test_changes_apply_to_the_selected_events_only() -> None:
    events = random_splats(4, seconds=0.5)
    before = events.parameters.copy()
    which = np.array([True, False, False, True])
    for rows in (
        KIND.stretched(events, which, 2.0),
        KIND.transposed(events, which, 3.0),
        KIND.decayed(events, which, 2.0),
        KIND.coloured(events, which, 1.0),
    ):
        assert np.array_equal(rows[1:3], before[1:3])
        assert (rows[[0, 3]] != before[[0, 3]]).any(1).all()
        dataclasses.replace(events, parameters=rows)
    assert np.array_equal(events.parameters, before)


def test_extreme_changes_can_still_be_rendered() -> None:
    events = random_splats(4, seconds=0.3)
    every = np.ones(4, np.bool_)
    for rows in (
        KIND.stretched(events, every, 1e6),
        KIND.transposed(events, every, 500.0),
        KIND.transposed(events, every, -500.0),
        KIND.coloured(events, every, 30.0),
        KIND.decayed(events, every, 1e-6),
    ):
        assert np.isfinite(changed(events, rows)).all()


def test_interpolation_is_geometric_in_pitch_and_takes_the_short_way_in_phase() -> None:
    one, other = splats({"time": 0.1, "frequency": 200.0}), splats({"time": 0.3, "frequency": 800.0, "noise": 3.0})
    rows = [KIND.interpolated(one.parameters, other.parameters, share) for share in (0.0, 0.5, 1.0)]
    assert np.array_equal(rows[0], one.parameters)
    assert np.array_equal(rows[2], other.parameters)
    middle = rows[1][0]
    assert middle[PLACES["time"]] == pytest.approx(0.2)
    assert middle[PLACES["frequency"]] == pytest.approx(400)
    turned = KIND.interpolated(splats({"phase": 3.0}).parameters, splats({"phase": -3.0}).parameters, 0.5)
    assert abs(turned[0, PLACES["phase"]]) == pytest.approx(np.pi, abs=1e-4)
    dataclasses.replace(one, parameters=rows[1])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frequency", 0.0),
        ("amplitude", -1.0),
        ("mix", 1.5),
        ("attack", 0.0),
        ("decay", -1.0),
        ("noise", 0.5),
        ("noise", -1.0),
        ("width", 0.0),
        ("bend", -1.0),
        ("pan", 2.0),
        ("cosine 2", 1e9),
    ],
)
def test_a_number_outside_its_range_is_named_in_the_error(name: str, value: float) -> None:
    with pytest.raises(EventsError, match=name):
        splats({"pan": 0.0, name: value})


def test_an_unknown_envelope_is_refused() -> None:
    with pytest.raises(EventsError, match="envelope"):
        splats({}, envelope="square")
