"""Atoms as events: they sound as their numbers say, lie where their boxes say, and change as edits say."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from distrack.decompose import DecomposeConfig, Events, render
from distrack.decompose.pursuit.atoms import DAMPED, GABOR
from distrack.errors import EventsError

RATE = 16_000
NOTE = [0.5, 0.03, 440.0, 0.5, 0.7]
KINDS = ["gabor", "damped", "atoms"]

Floats = NDArray[np.float32]


def some(kind: str, rows: list[list[float]], *, samples: int = RATE, channels: int = 1) -> Events:
    if kind == "atoms":
        rows = [[*row, number % 2] for number, row in enumerate(rows)]
    parameters = np.array(rows, np.float32).reshape(len(rows), -1)
    return Events.of(kind, parameters, sample_rate=RATE, samples=samples, channels=channels)


def changed(events: Events, how: str, *arguments: Any, which: NDArray[np.bool_] | None = None) -> Events:
    chosen = np.ones(len(events), np.bool_) if which is None else which
    return replace(events, parameters=getattr(events.kind, how)(events, chosen, *arguments))


def pitch(wave: Floats) -> float:
    """The frequency of the strongest partial, in Hz."""
    size = np.abs(np.fft.rfft(wave[0] * np.hanning(wave.shape[1]), 16 * RATE))
    return float(size.argmax()) / 16


def span(wave: Floats, share: float) -> tuple[float, float]:
    """Between which seconds a share of the energy lies, and as much of the rest before as after."""
    sums = np.cumsum(np.square(wave.astype(np.float64)).sum(axis=0))
    edges = np.searchsorted(sums / sums[-1], [(1 - share) / 2, (1 + share) / 2])
    return float(edges[0]) / RATE, float(edges[1]) / RATE


def test_a_gabor_atom_sounds_as_its_formula() -> None:
    now = np.arange(RATE) / RATE
    expected = 0.5 * np.exp(-0.5 * ((now - 0.5) / 0.03) ** 2) * np.cos(2 * np.pi * 440 * (now - 0.5) + 0.7)
    assert np.abs(render(some("gabor", [NOTE])) - expected).max() < 3e-6


def test_a_damped_sinusoid_sounds_as_its_formula_with_channels_of_their_own() -> None:
    since = np.arange(RATE) / RATE - 0.5
    events = some("damped", [[*NOTE, 0.2, -1.0]], channels=2)
    for channel, amplitude, phase in zip(render(events), (0.5, 0.2), (0.7, -1.0), strict=True):
        expected = amplitude * np.exp(-since / 0.03) * np.cos(2 * np.pi * 440 * since + phase) * (since >= 0)
        assert np.abs(channel - expected).max() < 5e-6


def test_long_atoms_are_rendered_in_pieces_without_a_seam() -> None:
    now = np.arange(40 * RATE) / RATE
    expected = 0.5 * np.exp(-0.5 * ((now - 20) / 6) ** 2) * np.cos(2 * np.pi * 3210.75 * (now - 20) + 0.125)
    events = some("gabor", [[20, 6, 3210.75, 0.5, 0.125]], samples=40 * RATE)
    assert np.abs(render(events) - expected).max() < 1e-5


def test_atoms_beyond_the_clip_are_cut_at_its_ends() -> None:
    wide = render(some("gabor", [[0.5, 0.2, 440, 0.5, 0], [0.75, 0.1, 700, 0.5, 0]], samples=2 * RATE))
    # The same half a second earlier, and the clip as short.
    cut = render(some("gabor", [[0.0, 0.2, 440, 0.5, 0], [0.25, 0.1, 700, 0.5, 0]], samples=RATE // 2))
    assert np.abs(cut - wide[:, RATE // 2 : RATE]).max() < 1e-5
    for kind in ("gabor", "damped"):
        outside = some(kind, [[-30, 0.1, 440, 1, 0], [31, 0.1, 440, 1, 0]])
        assert not render(outside).any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_events_give_the_same_samples_and_gains_scale_them(kind: str) -> None:
    draw = np.random.default_rng(0)
    rows = [[*draw.uniform([0, 0.01, 50, 0.1, -3], [1, 0.1, 7000, 1, 3])] for _ in range(40)]
    events = some(kind, rows)
    assert np.array_equal(render(events), render(events))
    gains = draw.uniform(0, 1, 40).astype(np.float32)
    parts = sum(
        gain * events.kind.synthesise(events, np.eye(40, dtype=np.float32)[row]) for row, gain in enumerate(gains)
    )
    assert np.abs(events.kind.synthesise(events, gains) - parts).max() < 1e-5
    assert not render(replace(events, muted=np.ones(40, np.bool_))).any()
    nothing = replace(events, parameters=events.parameters[:0], muted=events.muted[:0], wet=events.wet[:0])
    assert np.array_equal(render(nothing), np.zeros((1, RATE), np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_boxes_hold_the_energy_and_say_how_much_there_is(kind: str) -> None:
    rows = [
        [0.5, 0.03, 440.0, 0.5, 0.7],
        [0.3, 0.02, 1500.0, 0.2, 2.0],
        [0.02, 0.05, 300.0, 0.5, 0.0],
        [0.97, 0.03, 900.0, 0.5, 1.0],
        [0.5, 0.002, 60.0, 0.5, 0.0],
        [0.5, 0.002, 60.0, 0.5, 1.5],
        [-0.05, 0.1, 500.0, 0.5, 0.4],
    ]
    events = some(kind, rows)
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


def test_a_decays_box_begins_with_its_onset_a_gaussians_before_its_centre() -> None:
    both = some("atoms", [NOTE, NOTE])
    onset = both.kind.boxes(both).onset
    assert onset.tolist() == pytest.approx([0.5 - 0.06, 0.5])


@pytest.mark.parametrize("kind", KINDS)
def test_an_octave_up_doubles_the_frequency_and_nothing_else(kind: str) -> None:
    events = some(kind, [NOTE])
    up = changed(events, "transposed", 12.0)
    assert pitch(render(events)) == pytest.approx(440, abs=3)
    assert pitch(render(up)) == pytest.approx(880, abs=3)
    assert span(render(up), 0.8) == pytest.approx(span(render(events), 0.8), abs=0.002)
    assert events.parameters[0, 2] == 440


@pytest.mark.parametrize("kind", KINDS)
def test_what_passes_half_of_the_rate_is_silent_and_comes_back(kind: str) -> None:
    events = some(kind, [[0.5, 0.03, 5000.0, 0.5, 0.7]])
    away = changed(events, "transposed", 12.0)
    assert not render(away).any()
    assert away.kind.boxes(away).energy[0] == 0
    assert pitch(render(changed(away, "transposed", -12.0))) == pytest.approx(5000, abs=3)


@pytest.mark.parametrize("kind", KINDS)
def test_stretched_is_longer_at_the_same_pitch(kind: str) -> None:
    events = some(kind, [NOTE])
    longer = changed(events, "stretched", 2.0)
    before, after = (np.diff(span(render(each), 0.8))[0] for each in (events, longer))
    assert after == pytest.approx(2 * before, rel=0.03)
    assert pitch(render(longer)) == pytest.approx(440, abs=3)
    assert longer.column("time")[0] == 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_decayed_dies_later_and_begins_when_it_did(kind: str) -> None:
    events = some(kind, [NOTE])
    longer = changed(events, "decayed", 2.0)
    assert longer.kind.boxes(longer).onset[0] == pytest.approx(float(events.kind.boxes(events).onset[0]), abs=1e-4)
    begun, ended = span(render(events), 0.99)
    later = span(render(longer), 0.99)
    assert abs(later[0] - begun) < 0.015
    assert later[1] > ended + 0.04


@pytest.mark.parametrize("kind", KINDS)
def test_coloured_moves_energy_between_atoms_and_keeps_its_sum(kind: str) -> None:
    events = some(kind, [[0.5, 0.03, 440 * 2**octave, 0.5, 0.7] for octave in range(4)])
    energy = events.kind.boxes(events).energy
    for octaves in (1.0, -1.0):
        other = changed(events, "coloured", octaves)
        after = other.kind.boxes(other).energy
        assert after.sum() == pytest.approx(float(energy.sum()), rel=1e-3)
        # 6 dB for every octave.
        assert np.diff(10 * np.log10(after / energy)) == pytest.approx([6.02 * octaves] * 3, abs=0.05)
        assert np.array_equal(other.column("frequency"), events.column("frequency"))
        assert np.array_equal(other.column("phase"), events.column("phase"))


@pytest.mark.parametrize("kind", KINDS)
def test_changes_leave_the_others_alone(kind: str) -> None:
    events = some(kind, [NOTE, [0.2, 0.01, 300, 0.1, 0], [0.7, 0.02, 900, 0.2, 0]])
    which = np.array([True, False, True])
    for how, value in (("stretched", 2.0), ("transposed", 5.0), ("decayed", 0.5), ("coloured", 1.0)):
        other = changed(events, how, value, which=which)
        assert np.array_equal(other.parameters[1], events.parameters[1])
        assert not np.array_equal(other.parameters[[0, 2]], events.parameters[[0, 2]])


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_changes_stay_within_what_can_be_rendered(kind: str) -> None:
    events = some(kind, [NOTE, NOTE])
    for how, value in (("stretched", 1e9), ("stretched", 1e-9), ("transposed", 240.0), ("transposed", -240.0)):
        assert np.isfinite(render(changed(events, how, value))).all()
    assert np.isfinite(render(changed(events, "decayed", 1e9))).all()
    assert np.isfinite(render(changed(events, "coloured", 50.0))).all()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_between_goes_by_ratio_in_pitch_and_the_short_way_in_phase(kind: str, channels: int) -> None:
    more = [0.3, 3.0] if channels == 2 else []
    other = [0.1, -3.0] if channels == 2 else []
    one = some(kind, [[0.2, 0.01, 200, 0.4, 3.0, *more]], channels=channels)
    last = some(kind, [[0.6, 0.04, 800, 0.2, -3.0, *other]], channels=channels)
    atoms = one.kind
    assert np.array_equal(atoms.interpolated(one.parameters, last.parameters, 0.0), one.parameters)
    assert np.array_equal(atoms.interpolated(one.parameters, last.parameters, 1.0), last.parameters)
    middle = atoms.interpolated(one.parameters, last.parameters, 0.5)[0]
    assert middle[:4].tolist() == pytest.approx([0.4, 0.02, 400, 0.3])
    for place in range(4, 4 + 2 * channels, 2):
        assert abs(float(middle[place])) == pytest.approx(np.pi, abs=1e-3)


@pytest.mark.parametrize(
    ("column", "value"),
    [("scale", 0.0), ("scale", -1.0), ("scale", 1e9), ("frequency", -5.0), ("amplitude", 1e9), ("shape", 0.5)],
)
def test_numbers_out_of_range_are_refused_by_name(column: str, value: float) -> None:
    events = some("atoms", [NOTE, NOTE])
    with pytest.raises(EventsError, match=f"event 0: its {column}"):
        events.with_column(column, np.array([value, 0.5 if column != "shape" else 0]))


def test_five_floats_an_atom() -> None:
    assert some("gabor", [NOTE] * 64).floats == some("damped", [NOTE] * 64).floats == 320
    assert some("atoms", [NOTE] * 64).floats == 384
    assert some("gabor", [[*NOTE, 0.5, 0]] * 64, channels=2).floats == 448


def test_a_note_taken_apart_is_an_octave_higher_when_all_its_atoms_are() -> None:
    now = np.arange(RATE) / RATE
    note = sum(np.sin(2 * np.pi * 220 * k * now + k) / k for k in range(1, 6)) * np.exp(-3 * now)
    wave = np.asarray(note, np.float32)[None] * 0.3
    decomposer = DecomposeConfig(events=30).decomposer(wave, RATE)
    for _ in decomposer:
        pass
    events = decomposer.events()
    assert _fundamental(render(events)) == pytest.approx(220, rel=0.01)
    assert _fundamental(render(changed(events, "transposed", 12.0))) == pytest.approx(440, rel=0.01)
    assert _fundamental(render(changed(events, "transposed", -12.0))) == pytest.approx(110, rel=0.01)


def _fundamental(wave: Floats) -> float:
    """By the highest peak of the autocorrelation, as soon as it is nearly the highest."""
    power = np.square(np.abs(np.fft.rfft(wave[0].astype(np.float64), 4 * RATE)))
    # At lags of an eighth of a sample.
    own = np.fft.irfft(power, 32 * RATE)[: 8 * RATE // 50]
    first = int((own < 0).argmax())
    near = first + int((own[first:] > 0.95 * own[first:].max()).argmax())
    return 8 * RATE / (near + int(own[near : near + 200].argmax()))


def test_shapes_are_said_by_the_kind_or_by_each() -> None:
    same = some("atoms", [NOTE, NOTE])
    assert np.array_equal(
        render(same.with_column("shape", np.array([GABOR, GABOR]))), render(some("gabor", [NOTE, NOTE]))
    )
    assert np.array_equal(
        render(same.with_column("shape", np.array([DAMPED, DAMPED]))), render(some("damped", [NOTE, NOTE]))
    )
