"""The amplitudes of an orthogonal pursuit are nearly those of one large least-squares fit."""

import numpy as np

from distrack.decompose import render, snr_db
from distrack.decompose.pursuit.atoms import GABOR, Atom
from tests.unit.decompose.pursuit.clips import RATE, finished, music


def test_orthogonal_amplitudes_are_nearly_those_of_least_squares_over_all_atoms() -> None:
    wave = music()
    search, found = finished(wave, events=30, orthogonal=True)
    atoms = [Atom(GABOR, *row[:3].tolist()) for row in search.search.rows()]
    columns = np.zeros((60, wave.shape[1]))
    for number, atom in enumerate(atoms):
        where = atom.support(RATE, wave.shape[1])
        waveform = atom.waveform(where, RATE)
        columns[2 * number, where], columns[2 * number + 1, where] = waveform.real, waveform.imag
    best = np.linalg.lstsq(columns.T, wave[0].astype(np.float64), rcond=None)[0] @ columns
    assert snr_db(wave, best[None].astype(np.float32)) - snr_db(wave, render(found)) < 0.1
