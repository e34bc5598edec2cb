"""Sparse coding with waveforms agrees with another implementation of orthogonal matching pursuit."""

import numpy as np
import pytest
from sklearn.linear_model import OrthogonalMatchingPursuit

from distrack.decompose.pursuit.coding import Coding
from tests.unit.decompose.pursuit.waveforms import RATE, hidden, two_waveforms


@pytest.mark.parametrize("seed", range(2))
def test_it_agrees_with_orthogonal_matching_pursuit_of_scikit_learn(seed: int) -> None:
    draw = np.random.default_rng(seed)
    waveforms = draw.normal(size=(3, 12)) * np.hanning(14)[1:-1]
    waveforms /= np.linalg.norm(waveforms, axis=1, keepdims=True)
    wave = draw.normal(size=(1, 100)).astype(np.float32)
    # A dictionary of every waveform at every place.
    places = 100 - 12 + 1
    dictionary = np.zeros((100, 3 * places))
    for number in range(3):
        for place in range(places):
            dictionary[place : place + 12, number * places + place] = waveforms[number]
    reference = OrthogonalMatchingPursuit(n_nonzero_coefs=15, fit_intercept=False)
    reference.fit(dictionary, wave[0].astype(np.float64))
    coding = Coding(wave, waveforms, RATE, orthogonal=True)
    for _ in range(15):
        assert coding.take() > 0
    coefficients = np.zeros(3 * places)
    for number, start, amplitude in zip(coding.number, coding.start, coding.amplitude, strict=True):
        coefficients[number * places + start] += amplitude[0]
    assert set(np.flatnonzero(coefficients)) == set(np.flatnonzero(reference.coef_))
    assert np.abs(coefficients - reference.coef_).max() < 1e-5


def test_an_orthogonal_coding_is_nearer_if_waveforms_overlap() -> None:
    wave = hidden(uses=60, seconds=1.0)
    plain, orthogonal = (Coding(wave, two_waveforms(), RATE, orthogonal=variant) for variant in (False, True))
    for _ in range(60):
        plain.take()
        orthogonal.take()
    assert np.square(orthogonal.residual).sum() < 0.8 * np.square(plain.residual).sum()


@pytest.mark.parametrize("orthogonal", [False, True])
def test_after_many_uses_the_stored_energies_equal_those_of_a_new_coding_of_the_residual(orthogonal: bool) -> None:
    coding = Coding(hidden(seconds=1.0), two_waveforms(), RATE, orthogonal=orthogonal)
    assert len(coding.strength) > 10
    for _ in range(30):
        assert coding.take() > 0
    new = Coding(coding.residual.astype(np.float32), two_waveforms(), RATE, orthogonal=orthogonal)
    assert np.abs(coding.strength - new.strength).max() < 1e-5 * new.strength.max()
