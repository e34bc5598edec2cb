"""Matching pursuit: atoms are found where they were put, everything adds up, and what it costs does not grow."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from distrack.audio import read_segment
from distrack.decompose import DECOMPOSERS, DecomposeConfig, Events, render, snr_db
from distrack.decompose.pursuit.atoms import DAMPED, GABOR, Atom
from distrack.decompose.pursuit.pursuit import MatchingPursuit
from distrack.decompose.pursuit.scales import Scales

_RATE = 16_000
Wave = NDArray[np.float32]


def planted(kind: str, rows: list[list[float]], *, samples: int = _RATE, channels: int = 1) -> Wave:
    parameters = np.array(rows, np.float32)
    return render(Events.of(kind, parameters, sample_rate=_RATE, samples=samples, channels=channels))


def pursued(wave: Wave, events: int, *, rate: int = _RATE, **asked: Any) -> MatchingPursuit:
    config = DecomposeConfig(events=events, pursuit=asked)
    found = DECOMPOSERS["matching-pursuit"](wave, rate, config)
    assert isinstance(found, MatchingPursuit)
    return found


def noise(seconds: float, rate: int = _RATE, channels: int = 1) -> Wave:
    draw = np.random.default_rng(0)
    return (0.1 * draw.standard_normal((channels, round(seconds * rate)))).astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("gabor", [[0.25, 0.02, 440, 0.5, 0.3], [0.7, 0.005, 3000, 0.3, -1.0], [0.5, 0.08, 1200, 0.2, 2.0]]),
        ("damped", [[0.1, 0.05, 440, 0.5, 0.3], [0.6, 0.02, 3000, 0.3, -1.0], [0.4, 0.1, 1200, 0.2, 2.0]]),
    ],
)
def test_atoms_are_found_where_they_were_put(kind: str, rows: list[list[float]]) -> None:
    wave = planted(kind, rows)
    fit = pursued(wave, 12, atoms=kind)
    list(fit)
    found = fit.events().parameters[:3]
    assert snr_db(wave, render(fit.events())) > 30
    for row in rows:
        nearest = found[np.abs(found[:, 2] - row[2]).argmin()]
        assert nearest[0] == pytest.approx(row[0], abs=0.1 * row[1])
        assert nearest[1] == pytest.approx(row[1], rel=0.1)
        assert nearest[2] == pytest.approx(row[2], abs=0.1 / row[1])
        assert nearest[3] == pytest.approx(row[3], rel=0.1)


@pytest.mark.parametrize("asked", [{}, {"orthogonal": True}, {"atoms": "both"}, {"atoms": "damped"}])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_found_and_what_is_left_add_up(asked: dict[str, Any], channels: int) -> None:
    wave = noise(0.3, channels=channels)
    fit = pursued(wave, 20, **asked)
    gained = [progress.snr_db for progress in fit]
    assert np.diff(np.array(gained, float)).min() >= 0
    assert np.abs(wave - render(fit.events()) - fit.state()["residual"]).max() < 1e-5
    assert snr_db(wave, render(fit.events())) == pytest.approx(gained[-1], abs=0.01)


@pytest.mark.parametrize("asked", [{}, {"orthogonal": True}, {"atoms": "both"}, {"atoms": "learned", "waveforms": 3}])
def test_one_that_was_cut_off_goes_on_bit_for_bit(asked: dict[str, Any]) -> None:
    wave = noise(0.3, channels=2)
    config = DecomposeConfig(events=14, pursuit=asked)
    whole = DECOMPOSERS["mp"](wave, _RATE, config)
    list(whole)
    first = DECOMPOSERS["mp"](wave, _RATE, config)
    for progress in first:
        if progress.events == 6:
            break
    state = {name: np.array(value) for name, value in first.state().items()}
    second = DECOMPOSERS["mp"](wave, _RATE, config)
    second.restore(state)
    list(second)
    assert second.events().to_bytes() == whole.events().to_bytes()
    assert len(whole.events()) == 14


def test_both_channels_share_an_atom() -> None:
    wave = planted("gabor", [[0.5, 0.05, 500, 0.6, 0.4, 0.2, -0.7]], channels=2)
    fit = pursued(wave, 1)
    list(fit)
    events = fit.events()
    assert events.column("amplitude")[0] == pytest.approx(0.6, rel=0.01)
    assert events.column("amplitude right")[0] == pytest.approx(0.2, rel=0.01)
    assert events.column("phase right")[0] == pytest.approx(-0.7, abs=0.02)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["solo_trumpet", "vibe_ace"])
def test_orthogonal_is_never_worse(real_data: Path, name: str) -> None:
    clip = read_segment(real_data / "music" / f"{name}.ogg", start=1, seconds=1, sample_rate=_RATE, mono=True)
    found = []
    for orthogonal in (False, True):
        fit = pursued(clip.wave, 40, orthogonal=orthogonal)
        list(fit)
        found.append(snr_db(clip.wave, render(fit.events())))
    assert found[1] >= found[0]
    assert found[0] > 6


def test_it_stops_when_it_is_near_enough() -> None:
    wave = noise(0.5)
    fit = pursued(wave, 5000, snr_db=3.0)
    *_, before, last = fit
    assert before.snr_db is not None
    assert last.snr_db is not None
    assert before.snr_db < 3.0 <= last.snr_db


@pytest.mark.parametrize("shapes", [(GABOR,), (DAMPED,), (GABOR, DAMPED)])
def test_correlations_kept_up_to_date_are_those_computed_anew(shapes: tuple[int, ...]) -> None:
    residual = noise(0.4, channels=2).astype(np.float64)
    kept = Scales(residual, _RATE, shapes)
    list(kept.fill())
    draw = np.random.default_rng(1)
    for _ in range(5):
        first = int(draw.integers(0, residual.shape[1] - 400))
        residual[:, first : first + 400] += draw.standard_normal((2, 400))
        kept.changed(residual, first, first + 400)
    anew = Scales(residual, _RATE, shapes)
    list(anew.fill())
    for one, other in zip(kept.all, anew.all, strict=True):
        assert np.allclose(one.energy, other.energy, rtol=1e-3, atol=1e-4)
        assert np.allclose(one.highest, other.highest, rtol=1e-3, atol=1e-4)


def test_what_an_atom_changes_does_not_grow_with_the_clip() -> None:
    counts = []
    for seconds in (2, 20):
        scales = Scales(np.zeros((1, seconds * _RATE)), _RATE, (GABOR,))
        touched = [scale.touched(_RATE, _RATE + 2000) for scale in scales.all]
        counts.append([end - begin for begin, end in touched])
    assert counts[0] == counts[1]


def test_a_long_clip_takes_little_memory() -> None:
    wave = noise(60)
    tracemalloc.start()
    fit = pursued(wave, 3)
    list(fit)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400e6, f"{peak / 1e6:.0f} MB for {wave.nbytes / 1e6:.0f} MB of sound"


@pytest.mark.parametrize(
    ("wave", "rate"),
    [
        (np.full((1, 1), 0.5, np.float32), 16_000),
        (np.array([[0.0, 1.0, -0.5]], np.float32), 16_000),
        (np.full((1, 3000), 0.3, np.float32), 16_000),
        (np.eye(1, 4000, 700, dtype=np.float32), 16_000),
        (np.cos(np.pi * 0.98 * np.arange(4000, dtype=np.float32))[None], 16_000),
        (0.1 * np.ones((2, 1), np.float32) * np.sin(np.arange(9000, dtype=np.float32)), 192_000),
    ],
    ids=["one sample", "three samples", "constant", "click", "near half of the rate", "192 kHz"],
)
@pytest.mark.parametrize("atoms", ["gabor", "damped", "both", "learned"])
def test_odd_clips_end_well(wave: Wave, rate: int, atoms: str) -> None:
    config = DecomposeConfig(events=30, pursuit={"atoms": atoms, "waveforms": 2})
    fit = DECOMPOSERS["mp"](wave, rate, config)
    list(fit)
    events = fit.events()
    assert len(events) <= 30
    sound = render(events)
    assert np.isfinite(sound).all()
    assert float(np.square(wave - sound).sum()) <= float(np.square(wave).sum()) * (1 + 1e-6)


def test_it_ends_when_nothing_is_left() -> None:
    wave = planted("gabor", [[0.05, 0.01, 1000, 0.5, 0.0]], samples=1600)
    fit = pursued(wave, 10_000)
    steps = list(fit)
    assert len(steps) < 2_000
    assert snr_db(wave, render(fit.events())) > 60


def test_an_atom_is_heard_within_its_support_and_nowhere_else() -> None:
    for shape in (GABOR, DAMPED):
        atom = Atom(shape, 0.5, 0.01, 700.0)
        whole = atom.waveform(slice(0, _RATE), _RATE) if shape == GABOR else None
        where = atom.support(_RATE, _RATE)
        inside = atom.waveform(where, _RATE)
        energy = float(np.square(np.abs(inside)).sum())
        assert energy == pytest.approx(atom.energy(_RATE), rel=0.01)
        if whole is not None:
            assert np.abs(whole[: where.start]).max() < 1e-5
            assert np.allclose(whole[where], inside, atol=1e-12)
