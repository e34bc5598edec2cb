"""Matching pursuit: what is there is found, what is left is right, and it stops, goes on and ends as it should."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray

from distrack.decompose import DECOMPOSERS, DecomposeConfig, Events, render, snr_db, storage
from distrack.decompose.pursuit.atom_search import AtomSearch
from distrack.decompose.pursuit.atoms import DAMPED, GABOR, Atom, fitted
from distrack.decompose.pursuit.decomposer import MatchingPursuit
from distrack.decompose.pursuit.grid import Grid, Scale

RATE = 16_000
ATOMS = ["gabor", "damped", "both", "learned"]

Floats = NDArray[np.float32]


def pursuit(wave: Floats, rate: int = RATE, *, events: int = 12, time_limit: float | None = None, **how: Any) -> Any:
    config = DecomposeConfig(events=events, time_limit=time_limit, method={"name": "mp", **how})
    return config.decomposer(wave, rate)


def finished(wave: Floats, rate: int = RATE, **how: Any) -> tuple[Any, Events]:
    found = pursuit(wave, rate, **how)
    for _ in found:
        pass
    return found, found.events()


def music(seconds: float = 0.3, *, rate: int = RATE, channels: int = 1, seed: int = 0) -> Floats:
    """Struck notes of close partials, bowed ones, and a little noise."""
    draw = np.random.default_rng(seed)
    now = np.arange(round(seconds * rate)) / rate
    wave = 0.01 * draw.normal(size=(channels, len(now)))
    for _ in range(round(24 * seconds)):
        start, pitch = draw.uniform(-0.05, seconds), 2 ** draw.uniform(7, 10)
        since = now - start
        struck = np.exp(-np.maximum(since, 0) / draw.uniform(0.02, 0.2)) * (since > 0)
        swell = np.exp(-0.5 * (since / draw.uniform(0.01, 0.1)) ** 2)
        for partial in (1, 2.01, 3.03):
            tone = np.sin(2 * np.pi * partial * pitch * since) / partial
            wave += draw.uniform(0.05, 0.3, (channels, 1)) * tone * (struck if draw.random() < 0.5 else swell)
    return wave.astype(np.float32)


def one(shape: str, rows: list[list[float]], *, samples: int = RATE, channels: int = 1, rate: int = RATE) -> Events:
    return Events.of(shape, np.array(rows, np.float32), sample_rate=rate, samples=samples, channels=channels)


@pytest.mark.parametrize("scale", [0.003, 0.02, 0.077])
@pytest.mark.parametrize("frequency", [430.0, 3333.3])
def test_a_gabor_atom_off_the_grid_is_found_as_one(scale: float, frequency: float) -> None:
    there = one("gabor", [[0.4321, scale, frequency, 0.3, 1.1]])
    _, found = finished(render(there), events=1)
    time, width, pitch, amplitude, phase = found.parameters[0].tolist()
    assert abs(time - 0.4321) < 0.01 * scale
    assert width == pytest.approx(scale, rel=0.01)
    assert abs(pitch - frequency) < 0.005 / scale
    assert amplitude == pytest.approx(0.3, rel=0.01)
    # The phase is said at the atom's own time.
    turn = phase - 1.1 - 2 * np.pi * frequency * (time - 0.4321)
    assert abs(np.remainder(turn + np.pi, 2 * np.pi) - np.pi) < 0.1
    assert snr_db(render(there), render(found)) > 40


def test_a_decay_is_found_with_its_onset_to_the_sample() -> None:
    there = one("damped", [[5001 / RATE, 0.06, 777.0, 0.4, -2.0]])
    for atoms in ("damped", "both"):
        _, found = finished(render(there), events=1, atoms=atoms)
        assert round(float(found.column("time")[0]) * RATE) == 5001
        assert found.column("scale")[0] == pytest.approx(0.06, rel=0.01)
        assert found.column("frequency")[0] == pytest.approx(777, abs=0.3)
        assert snr_db(render(there), render(found)) > 40


def test_both_says_which_atom_is_which() -> None:
    there = one("atoms", [[0.2, 0.02, 500, 0.5, 0, GABOR], [0.5, 0.05, 2000, 0.5, 0, DAMPED]])
    _, found = finished(render(there), events=2, atoms="both")
    shapes = dict(zip(found.column("frequency").round(-1).tolist(), found.column("shape").tolist(), strict=True))
    assert shapes == {500: GABOR, 2000: DAMPED}


def test_channels_share_an_atom_with_a_level_and_a_phase_of_their_own() -> None:
    there = one("gabor", [[0.5, 0.03, 600, 0.4, 0.5, 0.1, -1.5]], channels=2)
    _, found = finished(render(there), events=1)
    assert found.parameters.shape == (1, 7)
    assert found.floats == 7
    assert found.parameters[0, 3:].tolist() == pytest.approx([0.4, 0.5, 0.1, -1.5], rel=0.02, abs=0.02)


def test_one_channel_that_cancels_the_other_is_taken_apart_too() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(4000) / RATE).astype(np.float32)
    wave = np.stack([tone, -tone])
    for atoms in ATOMS:
        _, found = finished(wave, events=10, atoms=atoms)
        assert snr_db(wave, render(found)) > 10, atoms


@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("atoms", ATOMS)
def test_what_is_left_is_the_clip_without_what_is_rendered(atoms: str, channels: int, orthogonal: bool) -> None:
    wave = music(channels=channels)
    search = pursuit(wave, atoms=atoms, orthogonal=orthogonal)
    heard = [progress.snr_db for progress in search]
    found = search.events()
    assert len(found) == 12
    assert np.abs(wave - render(found) - search.search.residual).max() < 1e-5
    assert snr_db(wave, render(found)) == pytest.approx(heard[-1], abs=1e-3)
    assert np.all(np.diff(heard) >= 0)
    energy = found.kind.boxes(found).energy
    assert np.all(np.diff(energy) <= 0)


@pytest.mark.parametrize("atoms", ["gabor", "learned"])
def test_orthogonal_is_nearer_with_as_many_atoms(atoms: str) -> None:
    gains = []
    for seed in range(3):
        wave = music(0.4, seed=seed)
        plain, orthogonal = (
            finished(wave, events=30, atoms=atoms, orthogonal=way, learning=3)[1] for way in (False, True)
        )
        assert len(plain) == len(orthogonal)
        gains.append(snr_db(wave, render(orthogonal)) - snr_db(wave, render(plain)))
    assert min(gains) > 0
    assert np.mean(gains) > 0.1


def test_orthogonal_amplitudes_are_nearly_those_of_least_squares_over_all_atoms() -> None:
    wave = music()
    search, found = finished(wave, events=40, orthogonal=True)
    atoms = [Atom(int(row[0]), *row[1:].tolist()) for row in search.search.table[:40]]
    columns = np.zeros((80, wave.shape[1]))
    for number, atom in enumerate(atoms):
        where = atom.support(RATE, wave.shape[1])
        waveform = atom.waveform(where, RATE)
        columns[2 * number, where], columns[2 * number + 1, where] = waveform.real, waveform.imag
    best = np.linalg.lstsq(columns.T, wave[0].astype(np.float64), rcond=None)[0] @ columns
    assert snr_db(wave, best[None].astype(np.float32)) - snr_db(wave, render(found)) < 0.1


@pytest.mark.parametrize("atoms", ATOMS)
@pytest.mark.parametrize("orthogonal", [False, True])
def test_one_that_was_stopped_goes_on_bit_for_bit(atoms: str, orthogonal: bool) -> None:
    wave = music(channels=2)
    whole, expected = finished(wave, atoms=atoms, orthogonal=orthogonal)
    for stop in (2, 11):
        begun = pursuit(wave, atoms=atoms, orthogonal=orthogonal)
        for step, _ in enumerate(begun):
            if step == stop:
                break
        kept = safetensors.numpy.load(safetensors.numpy.save(dict(begun.state())))
        rest = pursuit(wave, atoms=atoms, orthogonal=orthogonal)
        rest.restore(kept)
        assert rest.search.count == begun.search.count
        for _ in rest:
            pass
        assert storage.to_bytes(rest.events()) == storage.to_bytes(expected)
        assert _same(rest.state(), whole.state())


def _same(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> bool:
    # Seconds spent are no part of what was found.
    names = set(one) - {"pursuit.spent"}
    return set(one) == set(other) and all(np.array_equal(one[name], other[name]) for name in names)


def test_it_ends_when_near_enough() -> None:
    wave = music()
    _, found = finished(wave, events=2000, snr_db=12)
    assert 12 <= snr_db(wave, render(found)) < 13
    before, _ = finished(wave, events=len(found) - 1)
    assert before.snr_db() < 12


@pytest.mark.parametrize("atoms", ["gabor", "learned"])
def test_it_ends_when_its_time_is_over_with_something_found(atoms: str) -> None:
    wave = music(2.0)
    search, found = finished(wave, events=10_000, time_limit=0.2, atoms=atoms)
    assert 1 <= len(found) < 3000
    assert 0.2 <= search.seconds_spent < 2
    rest = pursuit(wave, events=10_000, time_limit=0.2, atoms=atoms)
    rest.restore(search.state())
    assert list(rest) == []


@pytest.mark.parametrize("atoms", ATOMS)
@pytest.mark.parametrize("samples", [1, 2, 40])
def test_a_short_clip_ends_when_nothing_is_left(samples: int, atoms: str) -> None:
    wave = np.random.default_rng(samples).normal(size=(2, samples)).astype(np.float32)
    _, found = finished(wave, events=10_000, atoms=atoms)
    assert 1 <= len(found) < 2000
    assert snr_db(wave, render(found)) > 100


@pytest.mark.parametrize("atoms", ATOMS)
def test_silence_ends_at_once(atoms: str) -> None:
    _, found = finished(np.zeros((1, 3000), np.float32), atoms=atoms)
    assert len(found) == 0
    assert not render(found).any()


@pytest.mark.parametrize("name", ["constant", "half of the rate", "click"])
def test_the_edges_of_the_spectrum_are_atoms_too(name: str) -> None:
    waves = {
        "constant": np.full(3000, 0.5),
        "half of the rate": 0.5 * (-1.0) ** np.arange(3000),
        "click": np.eye(1, 3000, 1000)[0],
    }
    wave = waves[name][None].astype(np.float32)
    for orthogonal in (False, True):
        search, found = finished(wave, events=30, orthogonal=orthogonal)
        assert snr_db(wave, render(found)) > 30
        assert np.abs(wave - render(found) - search.search.residual).max() < 1e-5


@pytest.mark.parametrize("rate", [8_000, 44_100, 192_000])
def test_any_rate_and_level(rate: int) -> None:
    there = one("gabor", [[0.21, 0.03, 700, 3e-4, 0.3], [0.3, 0.004, 2500, 2e-4, 0]], samples=rate // 2, rate=rate)
    _, found = finished(render(there), rate, events=2)
    assert sorted(found.column("frequency").tolist()) == pytest.approx([700, 2500], rel=0.01)
    assert snr_db(render(there), render(found)) > 30


def test_a_grid_knows_what_its_atoms_take() -> None:
    wave = music()
    for shape in (GABOR, DAMPED):
        grid = Grid(wave, RATE, (shape,))
        for number, scale in enumerate(grid.scales):
            grid.fill(number)
            # From before the clip's beginning to its middle; the lowest and the highest frequencies among them.
            for frame in range(0, scale.count // 2, max(scale.count // 12, 1)):
                atom = scale.atom(frame, RATE)
                where = atom.support(RATE, wave.shape[1])
                waveform = atom.waveform(where, RATE)
                before = wave[:, where].astype(np.float64)
                left = before - (fitted(before, waveform)[:, None] * waveform).real
                taken = np.square(before).sum() - np.square(left).sum()
                start = frame * scale.hop - scale.lead
                inside = start >= 0 and start + scale.length <= wave.shape[1]
                # At the clip's edges it is an estimate.
                most = 0.02 * taken + 1e-3 * float(scale.energy.max()) if inside else 0.4 * taken + 0.1
                if scale.weight_inside[frame]:
                    assert abs(scale.energy[frame] - taken) < most, (shape, scale.length, frame)


def test_only_what_an_atom_changed_is_correlated_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    look = Scale.update

    def counted(scale: Scale, padded: Floats, offset: int, begin: int, end: int) -> None:
        looked.append(max(end - begin, 0) * scale.length)
        look(scale, padded, offset, begin, end)

    there = one("gabor", [[0.5, 0.01, 700, 0.5, 0.3]], samples=RATE)
    short = render(there) + 0.001 * music(1.0)
    quiet = 1e-4 * np.random.default_rng(1).normal(size=(1, 15 * RATE)).astype(np.float32)
    long = np.concatenate([short, quiet], axis=1)
    costs = []
    for wave in (short, long):
        search = AtomSearch(wave, RATE, atoms="gabor", orthogonal=False)
        while search.preparing[0] < search.preparing[1]:
            search.prepare(hurried=False)
        monkeypatch.setattr(Scale, "update", counted)
        looked.clear()
        search.take()
        costs.append(sum(looked))
        monkeypatch.undo()
    assert costs[1] == pytest.approx(costs[0], rel=0.35)


@pytest.mark.parametrize("orthogonal", [False, True])
def test_after_many_atoms_the_grid_is_what_a_new_one_would_be(orthogonal: bool) -> None:
    search = AtomSearch(music(), RATE, atoms="both", orthogonal=orthogonal)
    while search.preparing[0] < search.preparing[1]:
        search.prepare(hurried=False)
    for _ in range(30):
        assert search.take() > 0
    new = Grid(search.residual, RATE, (GABOR, DAMPED))
    for number, scale in enumerate(search.grid.scales):
        new.fill(number)
        assert np.abs(scale.energy - new.scales[number].energy).max() < 1e-3 * new.scales[number].energy.max()


def test_the_method_has_its_names() -> None:
    assert DECOMPOSERS.name("MP") == DECOMPOSERS.name("matching_pursuit") == "matching-pursuit"
    assert DECOMPOSERS["mp"] is MatchingPursuit


def test_a_grid_does_not_believe_what_a_frame_was_said_to_hold() -> None:
    grid = Grid(music(), RATE, (GABOR,))
    for number in range(len(grid.scales)):
        grid.fill(number)
    expected = grid.best(GABOR)
    for scale in grid.scales:
        scale.energy[3], scale.highest[0] = 1e6, 1e6
    assert grid.best(GABOR) == expected


def test_an_atom_at_half_of_the_rate_is_fitted_where_it_is_heard() -> None:
    for rate in (8_000, 22_050, 192_000):
        grid = Grid(np.ones((1, 5000), np.float32), rate, (GABOR, DAMPED))
        for scale in grid.scales:
            scale.bin[:] = scale.length // 2
            there = scale.atom(scale.count // 2, rate).stored()
            assert rate / 2 - 1 < there.frequency < rate / 2


def test_it_ends_when_no_atom_takes_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AtomSearch, "take", lambda _: 0.0)
    search = pursuit(music())
    steps = search.search.preparing[1]
    assert len(list(islice(search, 100))) == steps + 1
    rest = pursuit(music())
    rest.restore(search.state())
    assert list(islice(rest, 100)) == []
