"""A matching pursuit finds the atoms of a clip, tracks its residual exactly, and continues from a stored state."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray

from distrack.decompose import render, snr_db, storage
from distrack.decompose.pursuit.atoms import DAMPED, GABOR
from distrack.decompose.pursuit.gabor_search import GaborSearch
from tests.unit.decompose.pursuit.clips import ATOMS, RATE, atoms, finished, music, pursuit

all_atoms = pytest.mark.parametrize("atom_type", ATOMS)
# Pairs of values that can differ, instead of the whole grid.
variants = pytest.mark.parametrize(
    ("atom_type", "channels", "orthogonal"),
    [
        ("gabor", 1, False),
        ("gabor", 2, True),
        ("damped", 2, False),
        ("both", 1, True),
        ("learned", 1, False),
        ("learned", 2, True),
    ],
)


@pytest.mark.parametrize(("scale", "frequency"), [(0.003, 3333.3), (0.02, 430.0), (0.077, 3333.3)])
def test_a_gabor_atom_between_grid_points_is_found_as_one_atom(scale: float, frequency: float) -> None:
    hidden = atoms("gabor", [[0.4321, scale, frequency, 0.3, 1.1]])
    _, found = finished(render(hidden), events=1)
    time, width, pitch, amplitude, phase = found.parameters[0].tolist()
    assert abs(time - 0.4321) < 0.01 * scale
    assert width == pytest.approx(scale, rel=0.01)
    assert abs(pitch - frequency) < 0.005 / scale
    assert amplitude == pytest.approx(0.3, rel=0.01)
    # A phase is that at the atom's own time.
    turn = phase - 1.1 - 2 * np.pi * frequency * (time - 0.4321)
    assert abs(np.remainder(turn + np.pi, 2 * np.pi) - np.pi) < 0.1
    assert snr_db(render(hidden), render(found)) > 40


@pytest.mark.parametrize("atom_type", ["damped", "both"])
def test_a_decay_is_found_with_its_onset_to_the_sample(atom_type: str) -> None:
    hidden = atoms("damped", [[5001 / RATE, 0.06, 777.0, 0.4, -2.0]], samples=RATE // 2)
    _, found = finished(render(hidden), events=1, atoms=atom_type)
    assert round(float(found.column("time")[0]) * RATE) == 5001
    assert found.column("scale")[0] == pytest.approx(0.06, rel=0.01)
    assert found.column("frequency")[0] == pytest.approx(777, abs=0.3)
    assert snr_db(render(hidden), render(found)) > 40


def test_a_pursuit_with_both_shapes_finds_each_atom_with_its_shape() -> None:
    hidden = atoms("atoms", [[0.2, 0.02, 500, 0.5, 0, GABOR], [0.4, 0.03, 2000, 0.5, 0, DAMPED]], samples=RATE // 2)
    _, found = finished(render(hidden), events=2, atoms="both")
    shapes = dict(zip(found.column("frequency").round(-1).tolist(), found.column("shape").tolist(), strict=True))
    assert shapes == {500: GABOR, 2000: DAMPED}


def test_a_stereo_atom_has_a_level_and_a_phase_in_each_channel() -> None:
    hidden = atoms("gabor", [[0.25, 0.03, 600, 0.4, 0.5, 0.1, -1.5]], samples=RATE // 2, channels=2)
    _, found = finished(render(hidden), events=1)
    assert found.parameters.shape == (1, 7)
    assert found.floats == 7
    assert found.parameters[0, 3:].tolist() == pytest.approx([0.4, 0.5, 0.1, -1.5], rel=0.02, abs=0.02)


@all_atoms
def test_channels_of_opposite_phase_are_decomposed(atom_type: str) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(2000) / RATE).astype(np.float32)
    wave = np.stack([tone, -tone])
    _, found = finished(wave, events=8, atoms=atom_type, learning=3)
    assert snr_db(wave, render(found)) > 10


@variants
def test_the_residual_is_the_clip_minus_the_rendered_events(atom_type: str, channels: int, orthogonal: bool) -> None:
    wave = music(0.2, channels=channels)
    search = pursuit(wave, events=8, atoms=atom_type, orthogonal=orthogonal, learning=3)
    snr = [progress.snr_db for progress in search]
    found = search.events()
    assert len(found) == 8
    assert np.abs(wave - render(found) - search.search.residual).max() < 1e-5
    assert snr_db(wave, render(found)) == pytest.approx(snr[-1], abs=1e-3)
    assert np.all(np.diff(snr) >= 0)
    assert np.all(np.diff(found.kind.boxes(found).energy) <= 0)


@variants
def test_a_stopped_pursuit_continues_bit_for_bit(atom_type: str, channels: int, orthogonal: bool) -> None:
    wave = music(0.3, channels=channels)
    settings: dict[str, Any] = {"events": 5, "atoms": atom_type, "orthogonal": orthogonal, "learning": 4}
    whole, expected = finished(wave, **settings)
    # While the grid or the waveforms are prepared, and before the last atom, which does not update the whole grid.
    for stop in (2, whole.search.preparing[1] + 4):
        first = pursuit(wave, **settings)
        for _ in islice(first, stop):
            pass
        stored = safetensors.numpy.load(safetensors.numpy.save(dict(first.state())))
        second = pursuit(wave, **settings)
        second.restore(stored)
        assert second.search.count == first.search.count
        for _ in second:
            pass
        assert storage.to_bytes(second.events()) == storage.to_bytes(expected)
        assert _equal(second.state(), whole.state())


def _equal(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> bool:
    """Whether two states are equal in all but the time that was spent."""
    names = set(one) - {"pursuit.spent"}
    return set(one) == set(other) and all(np.array_equal(one[name], other[name]) for name in names)


@pytest.mark.parametrize("atom_type", ["gabor", "learned"])
def test_an_orthogonal_pursuit_is_nearer_with_the_same_number_of_atoms(atom_type: str) -> None:
    gains = []
    for seed in range(2):
        wave = music(0.3, seed=seed)
        plain, orthogonal = (
            finished(wave, events=20, atoms=atom_type, orthogonal=variant, learning=2)[1] for variant in (False, True)
        )
        assert len(plain) == len(orthogonal)
        gains.append(snr_db(wave, render(orthogonal)) - snr_db(wave, render(plain)))
    assert min(gains) > 0
    assert np.mean(gains) > 0.1


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("orthogonal", [False, True])
def test_atoms_in_few_bits_are_stored_as_they_were_subtracted(channels: int, orthogonal: bool) -> None:
    wave = music(0.3, channels=channels)
    search, found = finished(wave, events=24, orthogonal=orthogonal, bits=40)
    assert len(found) == 24
    codes = storage.coded(found)
    assert codes is not None
    assert 8 * len(codes) <= 24 * 40
    again = storage.from_bytes(storage.to_bytes(found))
    assert np.array_equal(render(again), render(found))
    assert np.abs(wave - render(again) - search.search.residual).max() < 1e-5
    assert snr_db(wave, render(again)) == pytest.approx(search.snr_db(), abs=1e-3)
    # A pursuit in few bits that is stopped continues to the same bits.
    first, second = (pursuit(wave, events=24, orthogonal=orthogonal, bits=40) for _ in range(2))
    for _ in islice(first, first.search.preparing[1] + 9):
        pass
    second.restore(dict(first.state()))
    for _ in second:
        pass
    assert storage.to_bytes(second.events()) == storage.to_bytes(found)


def test_forty_bits_an_atom_cost_a_fraction_of_a_decibel() -> None:
    losses, sizes = [], []
    for seed in range(4):
        wave = music(0.4, seed=seed)
        floats, bits = (finished(wave, events=150, orthogonal=False, **given)[1] for given in ({}, {"bits": 40}))
        losses.append(snr_db(wave, render(floats)) - snr_db(wave, render(bits)))
        sizes.append(8 * len(storage.coded(bits) or b"") / 150)
    assert np.mean(losses) < 0.3
    assert 30 < np.mean(sizes) < 40


def test_a_pursuit_ends_at_its_signal_to_noise_ratio() -> None:
    wave = music()
    _, found = finished(wave, events=2000, snr_db=12)
    assert 12 <= snr_db(wave, render(found)) < 13
    before, _ = finished(wave, events=len(found) - 1)
    assert before.snr_db() < 12


@pytest.mark.parametrize("atom_type", ["gabor", "learned"])
def test_a_pursuit_ends_at_its_time_limit_with_one_event_at_least(atom_type: str) -> None:
    wave = music(0.3)
    search, found = finished(wave, events=10_000, time_limit=1e-9, atoms=atom_type)
    assert len(found) == 1
    assert search.seconds_spent >= 1e-9
    later = pursuit(wave, events=10_000, time_limit=1e-9, atoms=atom_type)
    later.restore(search.state())
    assert list(later) == []


@all_atoms
@pytest.mark.parametrize("samples", [1, 2, 12])
def test_a_pursuit_of_a_few_samples_ends_when_nothing_is_left(samples: int, atom_type: str) -> None:
    wave = np.random.default_rng(samples).normal(size=(2, samples)).astype(np.float32)
    _, found = finished(wave, events=10_000, atoms=atom_type)
    assert 1 <= len(found) < 2000
    assert snr_db(wave, render(found)) > 100


@all_atoms
def test_a_pursuit_of_silence_ends_at_once(atom_type: str) -> None:
    _, found = finished(np.zeros((1, 1000), np.float32), atoms=atom_type, learning=2)
    assert len(found) == 0
    assert not render(found).any()


@pytest.mark.parametrize("name", ["constant", "half the sample rate", "click"])
@pytest.mark.parametrize("orthogonal", [False, True])
def test_a_constant_an_alternation_and_a_click_are_decomposed(name: str, orthogonal: bool) -> None:
    waves = {
        "constant": np.full(1000, 0.5),
        "half the sample rate": 0.5 * (-1.0) ** np.arange(1000),
        "click": np.eye(1, 1000, 300)[0],
    }
    wave = waves[name][None].astype(np.float32)
    search, found = finished(wave, events=30, orthogonal=orthogonal)
    assert snr_db(wave, render(found)) > 30
    assert np.abs(wave - render(found) - search.search.residual).max() < 1e-5


@pytest.mark.parametrize("rate", [8_000, 44_100, 192_000])
def test_soft_atoms_are_found_at_any_rate(rate: int) -> None:
    hidden = atoms("gabor", [[0.21, 0.03, 700, 3e-4, 0.3], [0.3, 0.004, 2500, 2e-4, 0]], samples=rate // 2, rate=rate)
    _, found = finished(render(hidden), rate, events=2)
    assert sorted(found.column("frequency").tolist()) == pytest.approx([700, 2500], rel=0.01)
    assert snr_db(render(hidden), render(found)) > 30


def test_a_pursuit_ends_when_no_atom_removes_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GaborSearch, "take", lambda _: 0.0)
    search = pursuit(music(0.1))
    steps = search.search.preparing[1]
    assert len(list(islice(search, 100))) == steps + 1
    later = pursuit(music(0.1))
    later.restore(search.state())
    assert list(islice(later, 100)) == []
