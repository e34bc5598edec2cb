"""What is done to a splat is heard: pitch, lasting, decay, colour, each without the others; boxes say where it is."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from distrack.decompose import KINDS, Events, render
from distrack.decompose.splat.parameters import PLACES
from tests.unit.decompose.splat.test_parameters import RATE, drawn, energy_around, pitch_of, splats

KIND = KINDS["splat"]
Floats = NDArray[np.float32]


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


ALL = np.ones(1, np.bool_)
NOTE = {"decay": 0.08, "damping": 1.0}


@pytest.mark.parametrize("semitones", [12.0, -12.0, 7.0])
def test_a_transposed_event_is_at_the_other_pitch_and_lasts_as_long(semitones: float) -> None:
    events = splats(NOTE, seconds=1.5)
    wave = changed(events, KIND.transposed(events, ALL, semitones))
    assert pitch_of(wave) / pitch_of(render(events)[0]) == pytest.approx(2 ** (semitones / 12), rel=2e-3)
    assert decay_time(wave) == pytest.approx(decay_time(render(events)[0]), rel=0.03)


def test_transposed_up_to_where_nothing_is_heard_an_event_is_silent() -> None:
    events = splats(NOTE)
    assert np.abs(changed(events, KIND.transposed(events, ALL, 60.0))).max() < 1e-6


def test_a_stretched_event_lasts_longer_at_the_same_pitch() -> None:
    events = splats({**NOTE, "attack": 0.03}, seconds=2.0)
    wave = changed(events, KIND.stretched(events, ALL, 2.0))
    assert pitch_of(wave) == pytest.approx(pitch_of(render(events)[0]), rel=2e-3)
    assert decay_time(wave) / decay_time(render(events)[0]) == pytest.approx(2, rel=0.05)
    # Harmonics die away beside the first as they did, in twice the time.
    damped = splats({**NOTE, "damping": 30.0, "sine 3": 1.0}, seconds=2.0)
    waves = render(damped)[0], changed(damped, KIND.stretched(damped, ALL, 2.0))
    powers = [np.square(np.abs(np.fft.rfft(one))) for one in waves]
    shares = [power[2_400:2_880].sum() / power[800:960].sum() for power in powers]
    assert shares[1] == pytest.approx(shares[0], rel=0.1)
    rise = [int(np.abs(one).argmax()) - 0.1 * RATE for one in (render(events)[0], wave)]
    assert rise[1] / rise[0] == pytest.approx(2, rel=0.1)


def test_an_event_that_decays_more_slowly_begins_as_it_did() -> None:
    events = splats(NOTE, seconds=2.0)
    before, after = render(events)[0], changed(events, KIND.decayed(events, ALL, 3.0))
    assert decay_time(after) / decay_time(before) == pytest.approx(3, rel=0.06)
    begun = round(0.1 * RATE)
    assert not np.abs(after[:begun]).any()
    assert np.linalg.norm((after - before)[begun : begun + 48]) < 0.1 * np.linalg.norm(before[begun : begun + 48])


@pytest.mark.parametrize("mix", [1.0, 0.0, 0.6])
def test_a_brighter_event_has_the_same_pitch_and_more_above(mix: float) -> None:
    events = splats({**NOTE, "mix": mix, "burst": 0.05})
    dark, plain, bright = (changed(events, KIND.coloured(events, ALL, octaves)) for octaves in (-1.0, 0.0, 1.0))
    assert centroid(dark) < 0.95 * centroid(plain) < 0.95**2 * centroid(bright)
    if mix == 1.0:
        assert energy_around(bright, 860, 900) > 2 * energy_around(plain, 860, 900)
        peaks = [np.square(np.abs(np.fft.rfft(one, 1 << 16)))[1_750:1_850].argmax() for one in (dark, plain, bright)]
        assert max(peaks) - min(peaks) <= 2


def test_only_those_asked_for_change_and_the_given_rows_stay() -> None:
    events = drawn(4, seconds=1.0)
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


def test_a_change_beyond_all_bounds_still_gives_events_that_can_be_rendered() -> None:
    events = drawn(4, seconds=0.3)
    which = np.ones(4, np.bool_)
    for rows in (
        KIND.stretched(events, which, 1e6),
        KIND.transposed(events, which, 500.0),
        KIND.transposed(events, which, -500.0),
        KIND.coloured(events, which, 30.0),
        KIND.decayed(events, which, 1e-6),
    ):
        assert np.isfinite(changed(events, rows)).all()


def test_between_two_events_lie_events_in_time_and_pitch() -> None:
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


def test_boxes_hold_the_energy_of_each_event_alone() -> None:
    events = drawn(24, seconds=1.0, channels=2)
    boxes = KIND.boxes(events)
    for row in range(len(events)):
        alone = KIND.synthesise(events, np.eye(len(events), dtype=np.float32)[row])
        whole = float(np.square(alone, dtype=np.float64).sum())
        # Of noise that lasts for milliseconds the energy is a matter of chance.
        tolerance = 0.15 if events.column("mix")[row] > 0.8 else 1.0
        assert boxes.energy[row] == pytest.approx(whole, rel=tolerance)
        first, last = (np.clip(round(float(t[row]) * RATE), 0, events.samples) for t in (boxes.start, boxes.end))
        assert np.square(alone[:, first:last]).sum() > 0.999 * whole
    assert np.array_equal(boxes.onset, events.column("time"))
    # Of a note that began before the clip, and of one that ends after it, only what the clip holds.
    for begun in (-0.1, 0.95):
        cut = splats({"time": begun, "decay": 0.1})
        whole = float(np.square(render(cut), dtype=np.float64).sum())
        assert KIND.boxes(cut).energy[0] == pytest.approx(whole, rel=0.05)


def test_boxes_tell_pitch_and_band() -> None:
    events = splats({"cosine 2": 1.0, "sine 3": 0.0}, {"mix": 0.0, "centre": 1_000.0, "width": 0.5})
    boxes = KIND.boxes(events)
    assert boxes.pitch.tolist() == [440.0, 0.0]
    assert 430 < boxes.low[0] < 440
    assert 880 < boxes.high[0] < 890
    assert (boxes.low[1], boxes.high[1]) == pytest.approx((1_000 / 2**0.5, 1_000 * 2**0.5), rel=1e-3)
    assert (boxes.high <= RATE / 2).all()
    # Nothing but the second and the fourth harmonic: their pitch is an octave above what is stored.
    even = KIND.boxes(splats({"cosine 2": 900.0, "cosine 4": 400.0, "sine 3": 0.0}))
    assert even.pitch.tolist() == [880.0]
    missing = KIND.boxes(splats({"cosine 2": 900.0, "cosine 3": 400.0, "sine 3": 0.0}))
    assert missing.pitch.tolist() == [440.0]
