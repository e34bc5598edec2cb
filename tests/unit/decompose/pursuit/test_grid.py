"""The grid knows the energy of its atoms, and updates only the frames that an atom changes."""

import numpy as np
import pytest

from distrack.arrays import Floats
from distrack.decompose import render
from distrack.decompose.pursuit.atom_search import AtomSearch
from distrack.decompose.pursuit.atoms import DAMPED, GABOR, fitted
from distrack.decompose.pursuit.grid import Grid, Scale
from tests.unit.decompose.pursuit.clips import RATE, atoms, music


def prepared(wave: Floats, atom_type: str, *, orthogonal: bool = False) -> AtomSearch:
    search = AtomSearch(wave, RATE, atoms=atom_type, orthogonal=orthogonal)
    while search.preparing[0] < search.preparing[1]:
        search.prepare(hurried=False)
    return search


@pytest.mark.parametrize("shape", [GABOR, DAMPED])
def test_the_energy_of_an_atom_is_what_subtracting_it_removes(shape: int) -> None:
    wave = music()
    grid = Grid(wave, RATE, (shape,))
    for number, scale in enumerate(grid.scales):
        grid.fill(number)
        # From before the beginning of the clip to its middle.
        for frame in range(0, scale.count // 2, max(scale.count // 8, 1)):
            atom = scale.atom(frame, int(scale.bin[frame]), RATE)
            where = atom.support(RATE, wave.shape[1])
            waveform = atom.waveform(where, RATE)
            before = wave[:, where].astype(np.float64)
            after = before - (fitted(before, waveform)[:, None] * waveform).real
            removed = np.square(before).sum() - np.square(after).sum()
            start = frame * scale.hop - scale.lead
            inside = start >= 0 and start + scale.length <= wave.shape[1]
            # For an atom that an end of the clip cuts, the energy is an estimate.
            tolerance = 0.02 * removed + 1e-3 * float(scale.energy.max()) if inside else 0.4 * removed + 0.1
            if scale.weight_inside[frame]:
                assert abs(scale.energy[frame] - removed) < tolerance, (scale.length, frame)


def test_the_cost_of_an_atom_does_not_depend_on_the_length_of_the_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    samples: list[int] = []
    update = Scale.update

    def counted(scale: Scale, padded: Floats, offset: int, begin: int, end: int) -> None:
        samples.append(max(end - begin, 0) * scale.length)
        update(scale, padded, offset, begin, end)

    short = render(atoms("gabor", [[0.5, 0.01, 700, 0.5, 0.3]])) + 0.001 * music(1.0)
    quiet = 1e-4 * np.random.default_rng(1).normal(size=(1, 7 * RATE)).astype(np.float32)
    costs = []
    for wave in (short, np.concatenate([short, quiet], axis=1)):
        search = prepared(wave, "gabor")
        monkeypatch.setattr(Scale, "update", counted)
        samples.clear()
        search.take()
        costs.append(sum(samples))
        monkeypatch.undo()
    assert costs[1] == pytest.approx(costs[0], rel=0.35)


@pytest.mark.parametrize("orthogonal", [False, True])
def test_after_many_atoms_the_grid_equals_a_new_grid_of_the_residual(orthogonal: bool) -> None:
    search = prepared(music(0.2), "both", orthogonal=orthogonal)
    for _ in range(20):
        assert search.take() > 0
    new = Grid(search.residual, RATE, (GABOR, DAMPED))
    for number, scale in enumerate(search.grid.scales):
        new.fill(number)
        difference = float(np.abs(scale.energy - new.scales[number].energy).max())
        assert difference < 5e-3 * float(new.scales[number].energy.max())


def test_the_best_atom_is_measured_again_before_it_is_selected() -> None:
    grid = Grid(music(), RATE, (GABOR,))
    for number in range(len(grid.scales)):
        grid.fill(number)
    expected = grid.best(GABOR)
    for scale in grid.scales:
        scale.energy[3] = 1e6
    assert grid.best(GABOR) == expected


def test_an_atom_at_half_the_sample_rate_is_fitted_just_below_it() -> None:
    for rate in (8_000, 22_050, 192_000):
        grid = Grid(np.ones((1, 5000), np.float32), rate, (GABOR, DAMPED))
        for scale in grid.scales:
            atom = scale.atom(scale.count // 2, scale.length // 2, rate).stored()
            assert rate / 2 - 1 < atom.frequency < rate / 2
