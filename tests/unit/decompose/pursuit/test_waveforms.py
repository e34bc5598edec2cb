"""Waveforms that are learnt: found again where they were hidden, and played at other pitches and lengths."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import OrthogonalMatchingPursuit

from distrack.decompose import DecomposeConfig, Events, render, snr_db
from distrack.decompose.pursuit.coding import Coding
from distrack.decompose.pursuit.playback import played
from distrack.decompose.pursuit.waveform_search import improved_waveforms
from distrack.errors import EventsError

RATE = 8_000
LENGTH = 200

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


def two_waveforms() -> Doubles:
    """A falling chirp and a burst of noise, of energy 1, that die away at both ends."""
    now = np.linspace(0, 1, LENGTH)
    window = np.sin(np.pi * now)
    found = np.stack([np.sin(2 * np.pi * (40 * now - 15 * now**2)), np.random.default_rng(5).normal(size=LENGTH)])
    found *= window
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float64)


def hidden(*, uses: int = 40, seconds: float = 1.5, channels: int = 1) -> Floats:
    """Both waveforms again and again, at random places and levels, in a little noise."""
    draw = np.random.default_rng(1)
    wave = 0.003 * draw.normal(size=(channels, round(seconds * RATE)))
    for use in range(uses):
        place = draw.integers(0, wave.shape[1] - LENGTH)
        levels = draw.uniform(0.5, 1.5, (channels, 1)) * draw.choice([-1, 1])
        wave[:, place : place + LENGTH] += levels * two_waveforms()[use % 2]
    return wave.astype(np.float32)


def finished(wave: Floats, *, events: int = 40, **how: Any) -> Events:
    settings = {"waveforms": 2, "waveform_seconds": LENGTH / RATE} | how
    decomposer = DecomposeConfig(events=events, method={"atoms": "learned"} | settings).decomposer(wave, RATE)
    for _ in decomposer:
        pass
    return decomposer.events()


def alike(one: Doubles, other: Doubles) -> float:
    """The largest correlation over all shifts; 1 for the same waveform."""
    return float(np.abs(np.correlate(one, other, "full")).max() / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.mark.parametrize("channels", [1, 2])
def test_hidden_waveforms_are_learnt(channels: int) -> None:
    wave = hidden(channels=channels)
    found = finished(wave, orthogonal=True)
    learnt = found.shared["waveforms"].astype(np.float64)
    assert learnt.shape == (2, LENGTH)
    for waveform in two_waveforms():
        assert max(alike(waveform, each) for each in learnt) > 0.99
    assert snr_db(wave, render(found)) > 20
    assert found.floats == 40 * (4 + channels) + 2 * LENGTH


def test_learning_comes_nearer_than_stretches_of_the_clip() -> None:
    wave = hidden()
    stretches, learnt = (finished(wave, learning=rounds) for rounds in (0, 10))
    assert snr_db(wave, render(learnt)) > snr_db(wave, render(stretches)) + 3


def test_an_update_is_the_least_squares_waveform_though_uses_overlap() -> None:
    wave, waveforms = hidden(uses=20, seconds=0.5), two_waveforms()[::-1][:1].copy()
    waveforms += 0.3 / LENGTH**0.5
    waveforms /= np.linalg.norm(waveforms)
    coding = Coding(wave, waveforms, RATE, orthogonal=False)
    for _ in range(14):
        coding.take()
    starts, levels = np.array(coding.start), np.array(coding.amplitude)[:, 0]
    assert (np.diff(np.sort(starts)) < LENGTH).sum() > 3
    columns = np.zeros((wave.shape[1], LENGTH))
    for start, level in zip(starts, levels, strict=True):
        columns[start : start + LENGTH] += level * np.eye(LENGTH)
    expected = np.linalg.lstsq(columns, wave[0].astype(np.float64), rcond=None)[0]
    before = float(np.square(coding.residual).sum())
    updated = improved_waveforms(coding)[0]
    assert alike(updated, expected) > 0.999
    assert np.square(coding.residual).sum() < before
    # What is left is still the clip without what the uses say.
    whole = np.zeros_like(coding.residual)
    for start, level in zip(coding.start, coding.amplitude, strict=True):
        whole[:, start : start + LENGTH] += np.outer(level, updated)
    assert np.abs(wave - whole - coding.residual).max() < 1e-6


def test_a_waveform_that_is_not_used_becomes_what_is_missing() -> None:
    wave = hidden()
    waveforms = np.stack([two_waveforms()[0], (-1.0) ** np.arange(LENGTH) / LENGTH**0.5])
    coding = Coding(wave, waveforms, RATE, orthogonal=False)
    for _ in range(10):
        coding.take()
    assert set(coding.number) == {0}
    assert alike(improved_waveforms(coding)[1], two_waveforms()[1]) > 0.5


@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_orthogonal_matching_pursuit_of_scikit_learn(seed: int) -> None:
    draw = np.random.default_rng(seed)
    waveforms = draw.normal(size=(3, 12)) * np.hanning(14)[1:-1]
    waveforms /= np.linalg.norm(waveforms, axis=1, keepdims=True)
    wave = draw.normal(size=(1, 100)).astype(np.float32)
    # Every waveform at every place, as one small dictionary.
    places = 100 - 12 + 1
    dictionary = np.zeros((100, 3 * places))
    for number in range(3):
        for place in range(places):
            dictionary[place : place + 12, number * places + place] = waveforms[number]
    theirs = OrthogonalMatchingPursuit(n_nonzero_coefs=15, fit_intercept=False)
    theirs.fit(dictionary, wave[0].astype(np.float64))
    ours = Coding(wave, waveforms, RATE, orthogonal=True)
    for _ in range(15):
        assert ours.take() > 0
    coefficients = np.zeros(3 * places)
    for number, start, amplitude in zip(ours.number, ours.start, ours.amplitude, strict=True):
        coefficients[number * places + start] += amplitude[0]
    assert set(np.flatnonzero(coefficients)) == set(np.flatnonzero(theirs.coef_))
    assert np.abs(coefficients - theirs.coef_).max() < 1e-5


def test_plain_and_orthogonal_differ_where_waveforms_overlap() -> None:
    wave = hidden(uses=60, seconds=1.0)
    plain, orthogonal = (Coding(wave, two_waveforms(), RATE, orthogonal=way) for way in (False, True))
    for _ in range(60):
        plain.take()
        orthogonal.take()
    assert np.square(orthogonal.residual).sum() < 0.8 * np.square(plain.residual).sum()


def tone(frequency: float, *, length: int = 800) -> Floats:
    now = np.arange(length)
    wave = np.sin(2 * np.pi * frequency * now) + 0.5 * np.sin(4 * np.pi * frequency * now + 1)
    return np.asarray(wave * np.hanning(length), np.float32)


def peak(wave: Doubles) -> float:
    return float(np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 1 << 17)).argmax()) / (1 << 17)


def test_played_as_it_is_it_is_what_it_was() -> None:
    assert np.array_equal(played(tone(0.05), ratio=1.0, longer=1.0, frequency=0.05), tone(0.05).astype(np.float64))


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.26, 2.0])
@pytest.mark.parametrize("longer", [0.5, 1.0, 2.0])
def test_played_at_another_pitch_and_length(ratio: float, longer: float) -> None:
    sound = played(tone(0.05), ratio=ratio, longer=longer, frequency=0.05)
    assert len(sound) == round(800 * longer)
    assert peak(sound) == pytest.approx(0.05 * ratio, rel=0.02)
    # The swell is stretched with it: its energy is about as long, and about in the middle.
    assert np.square(sound).mean() == pytest.approx(np.square(tone(0.05)).mean(), rel=0.25)
    middle = (np.square(sound) * np.arange(len(sound))).sum() / np.square(sound).sum()
    assert middle == pytest.approx(len(sound) / 2, rel=0.1)


def test_partials_beyond_half_of_the_rate_are_silent() -> None:
    sound = played(tone(0.2), ratio=1.8, longer=1.0, frequency=0.2)
    power = np.square(np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 8000)))
    # The octave would come back at 1 - 0.72.
    assert power[round(0.28 * 8000) - 100 : round(0.28 * 8000) + 100].sum() < 1e-4 * power.sum()


def events_of(waveform: Floats, rows: list[list[float]], *, samples: int = RATE) -> Events:
    shared = {"waveforms": waveform[None] / np.linalg.norm(waveform)}
    return Events.of("waveform", np.array(rows, np.float32), sample_rate=RATE, samples=samples, shared=shared)


def changed(events: Events, how: str, value: float) -> Events:
    return replace(events, parameters=getattr(events.kind, how)(events, np.ones(len(events), np.bool_), value))


def test_edits_of_waveforms_are_what_they_say() -> None:
    events = events_of(tone(0.05), [[0.2, 0.1, 400, 0.5, 0]])
    whole = render(events)
    assert peak(whole[0].astype(np.float64)) * RATE == pytest.approx(400, rel=0.01)
    assert np.flatnonzero(np.abs(whole[0]) > 1e-4)[0] == pytest.approx(0.2 * RATE, abs=20)
    up = changed(events, "transposed", 12.0)
    assert peak(render(up)[0].astype(np.float64)) * RATE == pytest.approx(800, rel=0.01)
    longer = changed(events, "stretched", 2.0)
    heard = np.flatnonzero(np.abs(render(longer)[0]) > 1e-3)
    assert (heard[-1] - heard[0]) / RATE == pytest.approx(0.2, rel=0.1)
    assert peak(render(longer)[0].astype(np.float64)) * RATE == pytest.approx(400, rel=0.01)
    away = changed(events, "transposed", 48.0)
    assert not render(away).any()
    assert away.kind.boxes(away).energy[0] == 0
    box = events.kind.boxes(events)
    assert box.energy[0] == pytest.approx(np.square(whole.astype(np.float64)).sum(), rel=0.01)
    assert box.low[0] < 400 < box.high[0]
    assert 0.2 < box.start[0] < box.end[0] < 0.3


def test_between_and_colour_of_waveforms() -> None:
    events = events_of(tone(0.05), [[0.2, 0.1, 400, 0.5, 0], [0.4, 0.4, 1600, 0.3, 0]])
    first, second = events.parameters[:1], events.parameters[1:]
    middle = events.kind.interpolated(first, second, 0.5)[0]
    assert middle.tolist() == pytest.approx([0.3, 0.2, 800, 0.4, 0])
    assert np.array_equal(events.kind.interpolated(first, second, 1.0), second)
    brighter = changed(events, "coloured", 1.0)
    before, after = events.column("amplitude"), brighter.column("amplitude")
    assert (after[1] / after[0]) / (before[1] / before[0]) == pytest.approx(4, rel=1e-3)
    energy = [float(each.kind.boxes(each).energy.sum()) for each in (events, brighter)]
    assert energy[0] == pytest.approx(energy[1], rel=1e-3)


def test_waveforms_that_are_not_there_are_refused() -> None:
    events = events_of(tone(0.05), [[0.2, 0.1, 400, 0.5, 0]])
    for column, value in (("waveform", 1.0), ("waveform", 0.5), ("scale", 0.0), ("frequency", 0.0)):
        with pytest.raises(EventsError, match=f"event 0: its {column}"):
            events.with_column(column, np.array([value]))
    with pytest.raises(EventsError, match="waveforms: the events share none"):
        replace(events, shared={})
