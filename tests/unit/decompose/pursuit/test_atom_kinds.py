"""Atoms sound as their formula says, lie where their boxes say, and change as the edits say."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from distrack.arrays import Floats, Mask
from distrack.decompose import Events, render
from distrack.decompose.pursuit.atoms import DAMPED, GABOR
from distrack.errors import EventsError
from tests.unit.decompose.listening import pitch
from tests.unit.decompose.pursuit.clips import RATE, finished

NOTE = [0.5, 0.03, 440.0, 0.5, 0.7]
all_kinds = pytest.mark.parametrize("kind", ["gabor", "damped", "atoms"])


def atoms(kind: str, rows: list[list[float]], *, samples: int = RATE, channels: int = 1) -> Events:
    """Events from rows of numbers; of the kind "atoms", every second one is a decay."""
    if kind == "atoms":
        rows = [[*row, number % 2] for number, row in enumerate(rows)]
    parameters = np.array(rows, np.float32).reshape(len(rows), -1)
    return Events.of(kind, parameters, sample_rate=RATE, samples=samples, channels=channels)


def changed(events: Events, change: str, *arguments: Any, which: Mask | None = None) -> Events:
    selected = np.ones(len(events), np.bool_) if which is None else which
    return replace(events, parameters=getattr(events.kind, change)(events, selected, *arguments))


def span(wave: Floats, share: float) -> tuple[float, float]:
    """The seconds between which a share of the energy lies, with equal rests before and after."""
    sums = np.cumsum(np.square(wave.astype(np.float64)).sum(axis=0))
    edges = np.searchsorted(sums / sums[-1], [(1 - share) / 2, (1 + share) / 2])
    return float(edges[0]) / RATE, float(edges[1]) / RATE


def test_a_gabor_atom_sounds_as_its_formula() -> None:
    now = np.arange(RATE) / RATE
    expected = 0.5 * np.exp(-0.5 * ((now - 0.5) / 0.03) ** 2) * np.cos(2 * np.pi * 440 * (now - 0.5) + 0.7)
    assert np.abs(render(atoms("gabor", [NOTE])) - expected).max() < 3e-6


def test_a_damped_sinusoid_sounds_as_its_formula_in_each_channel() -> None:
    since = np.arange(RATE) / RATE - 0.5
    events = atoms("damped", [[*NOTE, 0.2, -1.0]], channels=2)
    for channel, amplitude, phase in zip(render(events), (0.5, 0.2), (0.7, -1.0), strict=True):
        expected = amplitude * np.exp(-since / 0.03) * np.cos(2 * np.pi * 440 * since + phase) * (since >= 0)
        assert np.abs(channel - expected).max() < 5e-6


def test_a_long_atom_is_rendered_in_pieces_without_a_seam() -> None:
    now = np.arange(20 * RATE) / RATE
    expected = 0.5 * np.exp(-0.5 * ((now - 10) / 3) ** 2) * np.cos(2 * np.pi * 3210.75 * (now - 10) + 0.125)
    events = atoms("gabor", [[10, 3, 3210.75, 0.5, 0.125]], samples=20 * RATE)
    assert np.abs(render(events) - expected).max() < 1e-5


def test_the_ends_of_the_clip_cut_atoms() -> None:
    wide = render(atoms("gabor", [[0.5, 0.2, 440, 0.5, 0], [0.75, 0.1, 700, 0.5, 0]], samples=2 * RATE))
    # The same atoms half a second earlier, in a clip of half a second.
    cut = render(atoms("gabor", [[0.0, 0.2, 440, 0.5, 0], [0.25, 0.1, 700, 0.5, 0]], samples=RATE // 2))
    assert np.abs(cut - wide[:, RATE // 2 : RATE]).max() < 1e-5
    for kind in ("gabor", "damped"):
        assert not render(atoms(kind, [[-30, 0.1, 440, 1, 0], [31, 0.1, 440, 1, 0]])).any()


@all_kinds
def test_rendering_is_a_sum_and_gains_scale_its_parts(kind: str) -> None:
    draw = np.random.default_rng(0)
    events = atoms(kind, [[*draw.uniform([0, 0.01, 50, 0.1, -3], [1, 0.1, 7000, 1, 3])] for _ in range(8)])
    assert np.array_equal(render(events), render(events))
    gains = draw.uniform(0, 1, 8).astype(np.float32)
    alone = [events.kind.synthesise(events, one) for one in np.eye(8, dtype=np.float32)]
    parts = sum(gain * sound for gain, sound in zip(gains, alone, strict=True))
    assert np.abs(events.kind.synthesise(events, gains) - parts).max() < 1e-5
    assert not render(replace(events, muted=np.ones(8, np.bool_))).any()
    assert np.array_equal(render(events.rows(np.zeros(0, np.int64))), np.zeros((1, RATE), np.float32))


@all_kinds
def test_a_box_holds_the_energy_of_its_atom(kind: str) -> None:
    rows = [
        [0.5, 0.03, 440.0, 0.5, 0.7],
        [0.3, 0.02, 1500.0, 0.2, 2.0],
        [0.02, 0.05, 300.0, 0.5, 0.0],
        [0.97, 0.03, 900.0, 0.5, 1.0],
        [0.5, 0.002, 60.0, 0.5, 0.0],
        [0.5, 0.002, 60.0, 0.5, 1.5],
        [-0.05, 0.1, 500.0, 0.5, 0.4],
    ]
    events = atoms(kind, rows)
    box = events.kind.boxes(events)
    for row in range(len(rows)):
        alone = events.kind.synthesise(events, np.eye(len(rows), dtype=np.float32)[row])
        assert box.energy[row] == pytest.approx(np.square(alone.astype(np.float64)).sum(), rel=0.02)
        if row >= 2:
            continue
        start, end = span(alone, 0.9)
        assert box.start[row] <= start
        assert end <= box.end[row] < 0.5 + end
        power = np.square(np.abs(np.fft.rfft(alone[0])))
        band = slice(round(float(box.low[row])), round(float(box.high[row])) + 1)
        assert power[band].sum() > 0.78 * power.sum()
        assert box.pitch[row] == rows[row][2]
    # A click of a fraction of a period has no pitch.
    assert box.pitch[4] == 0


def test_the_onset_of_a_decay_is_its_time_that_of_a_gaussian_is_earlier() -> None:
    both = atoms("atoms", [NOTE, NOTE])
    assert both.kind.boxes(both).onset.tolist() == pytest.approx([0.5 - 0.06, 0.5])


@all_kinds
def test_transposing_changes_the_frequency_alone(kind: str) -> None:
    events = atoms(kind, [NOTE])
    up = changed(events, "transposed", 12.0)
    assert pitch(render(events)) == pytest.approx(440, abs=3)
    assert pitch(render(up)) == pytest.approx(880, abs=3)
    assert span(render(up), 0.8) == pytest.approx(span(render(events), 0.8), abs=0.002)
    assert events.parameters[0, 2] == 440


@all_kinds
def test_an_atom_above_half_the_sample_rate_is_silent_and_can_come_back(kind: str) -> None:
    events = atoms(kind, [[0.5, 0.03, 5000.0, 0.5, 0.7]])
    away = changed(events, "transposed", 12.0)
    assert not render(away).any()
    assert away.kind.boxes(away).energy[0] == 0
    assert pitch(render(changed(away, "transposed", -12.0))) == pytest.approx(5000, abs=3)


@all_kinds
def test_stretching_changes_the_length_alone(kind: str) -> None:
    events = atoms(kind, [NOTE])
    longer = changed(events, "stretched", 2.0)
    before, after = (np.diff(span(render(each), 0.8))[0] for each in (events, longer))
    assert after == pytest.approx(2 * before, rel=0.03)
    assert pitch(render(longer)) == pytest.approx(440, abs=3)
    assert longer.column("time")[0] == 0.5


@all_kinds
def test_a_slower_decay_keeps_the_onset(kind: str) -> None:
    events = atoms(kind, [NOTE])
    longer = changed(events, "decayed", 2.0)
    assert longer.kind.boxes(longer).onset[0] == pytest.approx(float(events.kind.boxes(events).onset[0]), abs=1e-4)
    begin, end = span(render(events), 0.99)
    later = span(render(longer), 0.99)
    assert abs(later[0] - begin) < 0.015
    assert later[1] > end + 0.04


@all_kinds
def test_colour_tilts_the_energies_and_keeps_their_sum(kind: str) -> None:
    events = atoms(kind, [[0.5, 0.03, 440 * 2**octave, 0.5, 0.7] for octave in range(4)])
    energy = events.kind.boxes(events).energy
    for octaves in (1.0, -1.0):
        other = changed(events, "coloured", octaves)
        after = other.kind.boxes(other).energy
        assert after.sum() == pytest.approx(float(energy.sum()), rel=1e-3)
        # 6 dB per octave.
        assert np.diff(10 * np.log10(after / energy)) == pytest.approx([6.02 * octaves] * 3, abs=0.05)
        assert np.array_equal(other.column("frequency"), events.column("frequency"))
        assert np.array_equal(other.column("phase"), events.column("phase"))


@all_kinds
def test_changes_apply_to_the_selected_events_only(kind: str) -> None:
    events = atoms(kind, [NOTE, [0.2, 0.01, 300, 0.1, 0], [0.7, 0.02, 900, 0.2, 0]])
    which = np.array([True, False, True])
    for change, value in (("stretched", 2.0), ("transposed", 5.0), ("decayed", 0.5), ("coloured", 1.0)):
        other = changed(events, change, value, which=which)
        assert np.array_equal(other.parameters[1], events.parameters[1])
        assert not np.array_equal(other.parameters[[0, 2]], events.parameters[[0, 2]])


def test_extreme_changes_can_still_be_rendered() -> None:
    events = atoms("atoms", [NOTE, NOTE], samples=RATE // 4)
    for change, value in (("stretched", 1e9), ("stretched", 1e-9), ("transposed", 240.0), ("transposed", -240.0)):
        assert np.isfinite(render(changed(events, change, value))).all()
    assert np.isfinite(render(changed(events, "decayed", 1e9))).all()
    assert np.isfinite(render(changed(events, "coloured", 50.0))).all()


@pytest.mark.parametrize("channels", [1, 2])
@all_kinds
def test_interpolation_is_geometric_in_pitch_and_takes_the_short_way_in_phase(kind: str, channels: int) -> None:
    more = [0.3, 3.0] if channels == 2 else []
    other = [0.1, -3.0] if channels == 2 else []
    one = atoms(kind, [[0.2, 0.01, 200, 0.4, 3.0, *more]], channels=channels)
    last = atoms(kind, [[0.6, 0.04, 800, 0.2, -3.0, *other]], channels=channels)
    assert np.array_equal(one.kind.interpolated(one.parameters, last.parameters, 0.0), one.parameters)
    assert np.array_equal(one.kind.interpolated(one.parameters, last.parameters, 1.0), last.parameters)
    middle = one.kind.interpolated(one.parameters, last.parameters, 0.5)[0]
    assert middle[:4].tolist() == pytest.approx([0.4, 0.02, 400, 0.3])
    for place in range(4, 4 + 2 * channels, 2):
        assert abs(float(middle[place])) == pytest.approx(np.pi, abs=1e-3)


@pytest.mark.parametrize(
    ("column", "value"),
    [("scale", 0.0), ("scale", -1.0), ("scale", 1e9), ("frequency", -5.0), ("amplitude", 1e9), ("shape", 0.5)],
)
def test_a_number_outside_its_range_is_named_in_the_error(column: str, value: float) -> None:
    events = atoms("atoms", [NOTE, NOTE])
    with pytest.raises(EventsError, match=f"event 0: its {column}"):
        events.with_column(column, np.array([value, 0.5 if column != "shape" else 0]))


def test_an_atom_has_five_floats_two_more_in_stereo_and_one_for_its_shape() -> None:
    assert atoms("gabor", [NOTE] * 64).floats == atoms("damped", [NOTE] * 64).floats == 320
    assert atoms("atoms", [NOTE] * 64).floats == 384
    assert atoms("gabor", [[*NOTE, 0.5, 0]] * 64, channels=2).floats == 448


def test_a_shape_can_belong_to_the_kind_or_to_each_row() -> None:
    mixed = atoms("atoms", [NOTE, NOTE])
    for shape, kind in ((GABOR, "gabor"), (DAMPED, "damped")):
        same = mixed.with_column("shape", np.array([shape, shape]))
        assert np.array_equal(render(same), render(atoms(kind, [NOTE, NOTE])))


def test_a_decomposed_note_is_an_octave_higher_if_all_its_atoms_are() -> None:
    now = np.arange(RATE // 2) / RATE
    note = sum(np.sin(2 * np.pi * 220 * k * now + k) / k for k in range(1, 6)) * np.exp(-3 * now)
    _, events = finished(np.asarray(note, np.float32)[None] * 0.3, events=20)
    for semitones, expected in ((0.0, 220), (12.0, 440), (-12.0, 110)):
        assert _fundamental(render(changed(events, "transposed", semitones))) == pytest.approx(expected, rel=0.01)


def _fundamental(wave: Floats) -> float:
    """Pitch by the first high peak of the autocorrelation, at lags of an eighth of a sample."""
    power = np.square(np.abs(np.fft.rfft(wave[0].astype(np.float64), 2 * RATE)))
    correlation = np.fft.irfft(power, 16 * RATE)[: 8 * RATE // 50]
    first = int((correlation < 0).argmax())
    near = first + int((correlation[first:] > 0.95 * correlation[first:].max()).argmax())
    return 8 * RATE / (near + int(correlation[near : near + 200].argmax()))
