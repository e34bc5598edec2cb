"""Waveforms learnt from a clip: those that were put in come out; the fit agrees with scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import OrthogonalMatchingPursuit

from distrack.decompose import DECOMPOSERS, DecomposeConfig, render, snr_db, stretch, transpose
from distrack.decompose.pursuit.learned import Encoding
from distrack.errors import EventsError

_RATE = 8_000


def waveforms(count: int, length: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    draw = np.random.default_rng(3)
    found = draw.standard_normal((count, length)) * np.hanning(length)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def test_orthogonal_fits_agree_with_scikit_learn() -> None:
    length, samples, count = 24, 40, 3  # so that all overlap
    atoms = waveforms(count, length)
    places = samples - length + 1
    dictionary = np.zeros((samples, count * places))
    for number in range(count):
        for place in range(places):
            dictionary[place : place + length, number * places + place] = atoms[number]
    sound = np.random.default_rng(5).standard_normal(samples)
    for steps in (1, 3, 6):
        reference = OrthogonalMatchingPursuit(n_nonzero_coefs=steps, fit_intercept=False).fit(dictionary, sound)
        encoding = Encoding(sound[None], atoms, orthogonal=True)
        for _ in range(steps):
            _, waveform, place = encoding.best()
            encoding.take(waveform, place)
        mine = np.zeros(count * places)
        for use in encoding.uses:
            mine[use.waveform * places + use.place] += use.amplitude[0]
        # Amplitudes are rounded to what is stored.
        assert np.allclose(mine, reference.coef_, atol=1e-5)
        assert np.array_equal(np.flatnonzero(mine), np.flatnonzero(reference.coef_))


def test_waveforms_that_were_put_in_are_learnt() -> None:
    length = 80
    atoms = waveforms(2, length)
    draw = np.random.default_rng(7)
    sound = np.zeros(2 * _RATE)
    for number in range(60):
        place = 250 * number + int(draw.integers(0, 100))
        sound[place : place + length] += draw.uniform(0.4, 1.0) * atoms[number % 2]
    wave = (0.5 * sound / np.abs(sound).max()).astype(np.float32)[None]
    asked = {"atoms": "learned", "waveforms": 4, "waveform_seconds": 1.5 * length / _RATE}
    fit = DECOMPOSERS["mp"](wave, _RATE, DecomposeConfig(events=60, pursuit=asked))
    list(fit)
    events = fit.events()
    learnt = events.kept["waveforms"]
    for atom in atoms:
        likeness = max(float(np.abs(np.correlate(one, atom, "full")).max()) for one in learnt)
        assert likeness > 0.9
    assert snr_db(wave, render(events)) > 12
    assert events.floats == events.parameters.size + learnt.size


def test_a_learnt_waveform_is_transposed_but_not_stretched() -> None:
    time = np.arange(_RATE) / _RATE
    wave = (0.5 * np.sin(2 * np.pi * 500 * time) * np.exp(-8 * time)).astype(np.float32)[None]
    asked = {"atoms": "learned", "waveforms": 2, "waveform_seconds": 0.1}
    fit = DECOMPOSERS["mp"](wave, _RATE, DecomposeConfig(events=6, pursuit=asked))
    list(fit)
    higher = render(transpose(fit.events(), semitones=12))[0]
    spectrum = np.abs(np.fft.rfft(higher, 1 << 16))
    assert spectrum.argmax() * _RATE / (1 << 16) == pytest.approx(1000, rel=0.02)
    with pytest.raises(EventsError, match="keep their length"):
        stretch(fit.events(), factor=2.0)
