"""The search for Gabor atoms: closed forms equal transforms, compiled loops equal NumPy, and all atoms are refined."""

import hashlib
import math
import sys
from typing import Any

import numpy as np
import pytest

from distrack.arrays import Complex, Floats
from distrack.decompose import pursuit as pursuit_package
from distrack.decompose import render, snr_db
from distrack.decompose.pursuit import compiled, kernels, layout, newton, plain
from distrack.decompose.pursuit.atom_search import AtomSearch
from distrack.decompose.pursuit.atoms import GABOR, Atom
from distrack.decompose.pursuit.cells import Cells
from distrack.decompose.pursuit.gabor_search import GaborSearch
from tests.unit.decompose.pursuit.clips import RATE, finished, music, pursuit

# Time and scale in samples, frequency in cycles per sample.
INNER = [(4000.3, 60.0, 0.11), (4000.7, 7.5, 0.3), (4100.0, 500.0, 0.02)]
NEAR_EDGES = [(4000.3, 60.0, 0.0006), (4000.0, 900.0, 0.0), (4000.2, 25.0, 0.4995), (4000.0, 300.0, 0.5 - 1e-6)]
CUT = [(10.0, 60.0, 0.11), (7990.0, 400.0, 0.05), (-20.0, 40.0, 0.2)]
AMPLITUDES = np.array([0.5 + 0.3j, -0.2 + 0.4j])


@pytest.fixture(autouse=True)
def compiled_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few atoms would be found by NumPy."""
    monkeypatch.setattr(kernels, "COMPILED_FROM", 1)


def test_a_change_of_a_constant_changes_the_compiled_file() -> None:
    taken = (GABOR, newton.CONVERGED, newton.FINE, newton.STEPS, newton.SUMMED, newton.WIDEST)
    places = {name: value for name, value in vars(layout).items() if name.isupper()}
    digest = hashlib.sha256(repr((taken, sorted(places.items()))).encode()).hexdigest()[:16]
    assert digest == compiled.CONSTANTS, "numba would go on with what it compiled before: write the new digest there"


def filled(wave: Floats, rate: int = RATE) -> Cells:
    made = Cells(wave, rate, compiled)
    for layer in range(len(made.scales)):
        made.fill(layer)
    return made


def transform_stale(cells: Cells) -> None:
    for layer, frame in sorted(cells.stale):
        cells.transform(layer, frame, frame + 1)


def without(wave: Floats, atom: tuple[float, float, float], amplitudes: Complex) -> tuple[Cells, Cells]:
    """Cells of a clip from which an atom was taken by the closed form, and those of what was left of the clip."""
    changed = filled(wave)
    where = Atom(GABOR, *atom).support(1, wave.shape[1])
    compiled.subtract(changed.residual, where.start, where.stop, *atom, amplitudes, False)
    changed.lessen(*atom, amplitudes, 1e-6)
    transform_stale(changed)
    return changed, filled(changed.residual)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("atom", [*INNER, *NEAR_EDGES, *CUT])
def test_the_closed_form_changes_cells_as_a_transform_of_the_samples_does(
    atom: tuple[float, float, float], channels: int
) -> None:
    wave = np.random.default_rng(0).normal(size=(channels, 8000)).astype(np.float32)
    changed, new = without(wave, atom, AMPLITUDES[:channels])
    for name in ("cells", "peaks", "frames", "groups"):
        found, wanted = getattr(changed.store, name), getattr(new.store, name)
        # A window is cut at -70 dB of its peak, and an atom at -108 dB.
        assert np.abs(found - wanted).max() < 1e-3 * np.abs(wanted).max(), name


@pytest.mark.parametrize("rate", [1_000, 8_000, 44_100])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("atom", [*INNER, *NEAR_EDGES, *CUT])
def test_compiled_loops_and_numpy_agree(atom: tuple[float, float, float], channels: int, rate: int) -> None:
    wave = np.random.default_rng(1).normal(size=(channels, 8000)).astype(np.float32)
    where = Atom(GABOR, *atom).support(1, 8000)
    amplitudes = AMPLITUDES[:channels]
    one, other = (kernel.fitted(wave, where.start, where.stop, *atom) for kernel in (compiled, plain))
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6 * np.abs(other).max())
    residuals = wave.copy(), wave.copy()
    removed = [
        kernel.subtract(residual, where.start, where.stop, *atom, amplitudes, False)
        for kernel, residual in zip((compiled, plain), residuals, strict=True)
    ]
    assert removed[0] == pytest.approx(removed[1], rel=1e-6)
    np.testing.assert_allclose(*residuals, atol=1e-6)
    np.testing.assert_allclose(
        compiled.refined(wave, *atom, 0.5), plain.refined(wave, *atom, 0.5), rtol=1e-6, atol=1e-9
    )
    stores = filled(wave, rate).store, filled(wave, rate).store
    for kernel, store in zip((compiled, plain), stores, strict=True):
        kernel.lessen(store, *atom, amplitudes, 1e-3)
        for layer, sizes in enumerate(store.sizes):
            kernel.measure(store, layer, 0, int(sizes[4]))
    for name in ("cells", "peaks", "frames", "groups"):
        found, wanted = (getattr(store, name) for store in stores)
        np.testing.assert_allclose(found, wanted, atol=2e-6 * np.abs(wanted).max(), err_msg=name)
    assert compiled.best(stores[0])[1:] == plain.best(stores[1])[1:]
    assert compiled.best(stores[0])[0] == pytest.approx(plain.best(stores[1])[0], rel=1e-5)


def test_without_numba_the_same_atoms_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = music()
    _, wanted = finished(wave, events=20, orthogonal=False)
    monkeypatch.setitem(sys.modules, compiled.__name__, None)
    monkeypatch.delattr(pursuit_package, "compiled")
    assert kernels.kernels_for(20) is plain
    _, found = finished(wave, events=20, orthogonal=False)
    np.testing.assert_allclose(found.parameters[:, :3], wanted.parameters[:, :3], rtol=1e-5)
    assert snr_db(wave, render(found)) == pytest.approx(snr_db(wave, render(wanted)), abs=1e-4)


def test_the_result_is_that_of_transforming_the_residual_after_every_atom() -> None:
    levels = []
    for seed in range(10):
        wave = music(0.2, seed=seed)
        former = AtomSearch(wave, RATE, atoms="gabor", orthogonal=False)
        while former.preparing[0] < former.preparing[1]:
            former.prepare(hurried=False)
        for _ in range(20):
            former.take()
        search = finished(wave, events=20, orthogonal=False)[0].search
        # Later on, two atoms of nearly the same energy may change places.
        np.testing.assert_allclose(search.rows()[:4, :3], former.rows()[:4, :3], rtol=1e-3)
        left = [float(np.square(each.residual, dtype=np.float64).sum()) for each in (former, search)]
        levels.append(10 * math.log10(left[0] / left[1]))
    assert abs(np.mean(levels)) < 0.05


def test_after_many_atoms_the_cells_are_those_of_the_residual() -> None:
    search = pursuit(music(), events=60, orthogonal=False)
    for _ in search:
        pass
    transform_stale(search.search.cells)
    new = filled(search.search.residual)
    difference = np.abs(search.search.cells.store.cells - new.store.cells).max()
    assert difference < 0.02 * np.abs(filled(music()).store.cells).max()


def test_only_atoms_at_the_ends_of_a_clip_need_a_transform(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = 1e-4 * np.random.default_rng(1).normal(size=(1, 8 * RATE)).astype(np.float32)
    quiet[:, 3 * RATE : 3 * RATE + RATE // 2] += music(0.5)
    search = GaborSearch(quiet, RATE, events=20, orthogonal=False)
    while search.preparing[0] < search.preparing[1]:
        search.prepare(hurried=False)
    transformed: list[Any] = []
    monkeypatch.setattr(Cells, "transform", lambda *given: transformed.append(given))
    for _ in range(20):
        assert search.take() > 0
    assert not transformed


@pytest.mark.parametrize("channels", [1, 2])
def test_refining_all_atoms_removes_more_and_loses_nothing(channels: int) -> None:
    wave = music(channels=channels)
    search = pursuit(wave, events=64)
    energies, refined = [search.residual_energy], 0
    for _ in search:
        energies.append(search.residual_energy)
        refined += search.search.refining
    assert refined >= 3
    assert (np.diff(energies) <= 1e-9).all()
    left = float(np.square(search.search.residual, dtype=np.float64).sum())
    assert left == pytest.approx(search.residual_energy, rel=1e-4)
    assert np.abs(wave - render(search.events()) - search.search.residual).max() < 1e-5


def test_a_search_continues_bit_for_bit_from_every_place() -> None:
    wave = music(0.2)
    whole, found = finished(wave, events=40)
    steps = sum(1 for _ in pursuit(wave, events=40))
    for stop in range(0, steps, 3):
        begun = pursuit(wave, events=40)
        for _, _ in zip(range(stop), begun, strict=False):
            pass
        later = pursuit(wave, events=40)
        later.restore(begun.state())
        for _ in later:
            pass
        assert np.array_equal(later.events().parameters, found.parameters), stop
        assert np.array_equal(later.search.residual, whole.search.residual), stop


@pytest.mark.parametrize("name", ["numbers", "table", "pairs", "start", "residual", "tolerances", "repairs"])
def test_a_state_that_does_not_fit_is_refused_before_anything_changes(name: str) -> None:
    wave = music(0.1)
    begun = pursuit(wave, events=20)
    for _, _ in zip(range(15), begun, strict=False):
        pass
    state = dict(begun.search.state())
    state[name] = np.concatenate([state[name].ravel(), [10**6]]).astype(state[name].dtype)[None]
    later = GaborSearch(wave, RATE, events=20, orthogonal=True)
    with pytest.raises((ValueError, LookupError, TypeError)):
        later.restore(state)
    assert later.count == later.filled == 0


def test_a_rounded_atom_that_removes_nothing_is_not_counted() -> None:
    click = np.eye(1, 4000, 3999, dtype=np.float32)
    search, found = finished(click, events=20, bits=22)
    left = float(np.square(click - render(found), dtype=np.float64).sum())
    assert search.residual_energy == pytest.approx(left, rel=1e-2)


def test_an_atom_near_the_end_of_a_short_clip_is_taken_out_of_frames_that_hang_over_both_ends() -> None:
    atom = (2980.0, 100.0, 0.1)
    wave = np.zeros((1, 3000), np.float32)
    where = Atom(GABOR, *atom).support(1, 3000)
    compiled.subtract(wave, where.start, where.stop, *atom, -AMPLITUDES[:1], False)
    changed, _ = without(wave, atom, AMPLITUDES[:1])
    assert changed.store.frames.max() < 1e-3 * filled(wave).store.frames.max()
