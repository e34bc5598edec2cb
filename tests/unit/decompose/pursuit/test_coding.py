"""Sparse coding with waveforms comes as near as orthogonal matching pursuit, and continues from a stored state."""

import numpy as np
import pytest
from sklearn.linear_model import OrthogonalMatchingPursuit

from distrack.decompose.pursuit import correlations, plain_correlations
from distrack.decompose.pursuit.coding import Coding, rounds
from tests.unit.decompose.pursuit.waveforms import LENGTH, RATE, hidden, two_waveforms


def coded(coding: Coding, uses: int) -> Coding:
    """The same coding with so many uses, all of them refined as often as it asks for."""
    while len(coding) < uses or coding.refining:
        refining = coding.refining
        assert coding.take() > 0 or refining
    return coding


@pytest.mark.parametrize("seed", range(6))
def test_it_comes_as_near_as_orthogonal_matching_pursuit_of_scikit_learn(seed: int) -> None:
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
    wanted = np.square(wave[0] - dictionary @ reference.coef_).sum()
    coding = coded(Coding(wave, waveforms, RATE, plain_correlations, refined_at=rounds(15)), 15)
    assert np.square(coding.residual).sum() < 1.001 * wanted


@pytest.mark.parametrize("channels", [1, 2])
def test_a_pursuit_finds_the_best_use_of_all_again_and_again(channels: int) -> None:
    wave, waveforms = hidden(seconds=0.4, channels=channels), two_waveforms()
    coding, residual = Coding(wave, waveforms, RATE, plain_correlations), wave.astype(np.float64)
    for use in range(20):
        coding.take()
        pieces = np.lib.stride_tricks.sliding_window_view(residual, LENGTH, axis=1)
        products = pieces @ waveforms.T
        place, number = divmod(int(np.square(products).sum(axis=0).argmax()), 2)
        assert (coding.number[use], coding.start[use]) == (number, place)
        assert coding.amplitude[use] == pytest.approx(products[:, place, number], rel=1e-6)
        residual[:, place : place + LENGTH] -= np.outer(products[:, place, number], waveforms[number])
    assert np.abs(coding.residual - residual).max() < 1e-5


def test_refined_uses_are_nearer_if_waveforms_overlap() -> None:
    wave = hidden(uses=60, seconds=1.0)
    plain, refined = (
        coded(Coding(wave, two_waveforms(), RATE, plain_correlations, refined_at=refined_at), 60)
        for refined_at in ([], rounds(60))
    )
    assert refined.refined == sum(rounds(60))
    assert np.square(refined.residual).sum() < 0.8 * np.square(plain.residual).sum()


@pytest.mark.parametrize("channels", [1, 2])
def test_at_the_end_of_a_round_the_amplitudes_are_the_least_squares_fit(channels: int) -> None:
    wave = hidden(uses=30, seconds=0.3, channels=channels)
    coding = coded(Coding(wave, two_waveforms(), RATE, plain_correlations, refined_at=[30]), 30)
    columns = np.zeros((wave.shape[1], 30))
    for use, (number, start) in enumerate(zip(coding.number, coding.start, strict=True)):
        columns[start : start + LENGTH, use] = two_waveforms()[number]
    wanted = np.linalg.lstsq(columns, wave.T.astype(np.float64), rcond=None)[0]
    left = np.square(wave - (columns @ wanted).T).sum()
    assert np.square(coding.residual).sum() < 1.001 * left
    assert np.abs(wave - (columns @ np.array(coding.amplitude)).T - coding.residual).max() < 1e-6


def test_uses_are_refined_where_the_correlations_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = hidden(uses=60, seconds=1.0)
    left = []
    for refined_at, most in (([], 0), (rounds(60), 0), (rounds(60), correlations.MOST_BYTES)):
        monkeypatch.setattr(correlations, "MOST_BYTES", most)
        coding = coded(Coding(wave, two_waveforms(), RATE, plain_correlations, refined_at=refined_at), 60)
        left.append(float(np.square(coding.residual).sum()))
    assert left[2] <= left[1] < 0.8 * left[0]


def test_a_use_is_found_again_at_a_place_and_with_a_waveform_that_are_nearer() -> None:
    wave = np.zeros((1, 1000), np.float32)
    wave[0, 300 : 300 + LENGTH] = two_waveforms()[1]
    coding = Coding(wave, two_waveforms(), RATE, plain_correlations, refined_at=[1])
    coding.take()
    # As if another use had been in the way when this one was found.
    state = coding.state()
    state |= {"number": np.array([0]), "start": np.array([304]), "amplitude": np.array([[0.5]])}
    state |= {"changed.number": np.array([0]), "changed.place": np.array([304]), "changed.amplitude": np.array([[0.5]])}
    coding.restore(state)
    assert coding.refining
    coding.take()
    assert (coding.number, coding.start) == ([1], [300])
    assert coding.amplitude[0] == pytest.approx([1.0], abs=1e-6)


def test_a_coding_continues_bit_for_bit_from_every_place() -> None:
    wave = hidden(seconds=0.5, channels=2)

    def begun() -> Coding:
        return Coding(wave, two_waveforms(), RATE, plain_correlations, refined_at=rounds(100))

    whole, states = begun(), []
    while len(whole) < 100 or whole.refining:
        states.append(whole.state())
        whole.take()
    for state in states[::9]:
        later = begun()
        later.restore(state)
        coded(later, 100)
        for name, array in whole.state().items():
            assert np.array_equal(array, later.state()[name]), name
        assert np.array_equal(later.residual, whole.residual)


@pytest.mark.parametrize("name", ["residual", "number", "start", "amplitude", "rounds", "changed.place"])
def test_a_state_of_another_clip_is_refused_before_anything_changes(name: str) -> None:
    coding = coded(Coding(hidden(), two_waveforms(), RATE, plain_correlations), 5)
    state = coding.state()
    state[name] = np.concatenate([state[name].ravel(), [10**6]]).astype(state[name].dtype)
    later = Coding(hidden(), two_waveforms(), RATE, plain_correlations)
    with pytest.raises((ValueError, LookupError, TypeError)):
        later.restore(state)
    assert len(later) == 0
    assert np.array_equal(later.residual, hidden())
