"""Correlations that are kept equal those of the residual, whoever computes them, and take a bounded memory."""

import sys

import numpy as np
import pytest

from distrack.arrays import Doubles, Floats
from distrack.decompose import pursuit as pursuit_package
from distrack.decompose.pursuit import compiled_correlations, correlations, plain_correlations
from distrack.decompose.pursuit.correlations import BLOCK, Correlations, Kernels, kernels_for

both = pytest.mark.parametrize("kernels", [plain_correlations, compiled_correlations])
WAVEFORMS, LENGTH = 3, 50


def clip(channels: int, samples: int = 2000) -> tuple[Floats, Doubles]:
    draw = np.random.default_rng(channels)
    waveforms = draw.normal(size=(WAVEFORMS, LENGTH))
    wave = draw.normal(size=(channels, samples)).astype(np.float32)
    return wave, waveforms / np.linalg.norm(waveforms, axis=1, keepdims=True)


def pursued(kept: Correlations, uses: int) -> list[tuple[int, int]]:
    """The best uses one after another, each subtracted."""
    found = []
    for _ in range(uses):
        number, place = kept.best()
        kept.subtract(number, place, kept.residual[:, place : place + kept.length] @ kept.waveforms[number])
        found.append((number, place))
    return found


def exact(kept: Correlations) -> Doubles:
    """Correlations of the residual, from its samples: ``[channels, waveforms, places]``."""
    pieces = np.lib.stride_tricks.sliding_window_view(kept.residual, kept.length, axis=1)
    return np.asarray(np.swapaxes(pieces @ kept.waveforms.T, 1, 2), np.float64)


@both
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("most", [0, correlations.MOST_BYTES])
def test_after_many_uses_the_peaks_are_those_of_the_residual(
    kernels: Kernels, channels: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correlations, "MOST_BYTES", most)
    kept = Correlations(*clip(channels), kernels)
    pursued(kept, 40)
    # Uses at both ends of the clip, too.
    for place in (0, kept.places - 1):
        kept.subtract(1, place, np.full(channels, 2.0))
    energies = np.square(exact(kept)).sum(axis=0).max(axis=0)
    wanted = [energies[begin : begin + BLOCK].max() for begin in range(0, kept.places, BLOCK)]
    np.testing.assert_allclose(kept.peaks, wanted, rtol=1e-5)


@pytest.mark.parametrize("channels", [1, 2])
def test_compiled_loops_and_numpy_agree(channels: int) -> None:
    wave, waveforms = clip(channels)
    one, other = (Correlations(wave, waveforms, kernels) for kernels in (compiled_correlations, plain_correlations))
    assert pursued(one, 40) == pursued(other, 40)
    np.testing.assert_allclose(one.peaks, other.peaks, rtol=1e-6)
    assert np.abs(one.residual - other.residual).max() < 1e-6


@pytest.mark.parametrize("channels", [1, 2])
def test_the_same_uses_are_found_where_the_correlations_would_be_too_many_to_be_kept(
    channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Correlations(*clip(channels), plain_correlations)
    blocks = -(-kept.places // BLOCK)
    size = 4 * (channels * WAVEFORMS * blocks * BLOCK + WAVEFORMS**2 * (2 * LENGTH - 1))
    monkeypatch.setattr(correlations, "MOST_BYTES", size)
    assert Correlations(*clip(channels), plain_correlations).keeps
    monkeypatch.setattr(correlations, "MOST_BYTES", size - 1)
    computed = Correlations(*clip(channels), plain_correlations)
    assert not computed.keeps
    assert pursued(kept, 40) == pursued(computed, 40)
    for place in (3, 700, kept.places - 4):
        level = np.full(channels, 0.5)
        assert kept.best_near(1, place, level, 10) == computed.best_near(1, place, level, 10)


@pytest.mark.parametrize("channels", [1, 2])
def test_the_best_use_near_another_is_that_of_the_residual_without_it(channels: int) -> None:
    wave, waveforms = clip(channels)
    for place in (0, 5, 900, 2000 - LENGTH):
        kept = Correlations(wave, waveforms, plain_correlations)
        kept.subtract(2, place, np.full(channels, 3.0))
        found = kept.best_near(2, place, np.full(channels, 3.0), 8)
        first, last = max(place - 8, 0), min(place + 9, kept.places)
        near = np.square(exact(Correlations(wave, waveforms, plain_correlations))[:, :, first:last]).sum(axis=0)
        number, at = divmod(int(near.argmax()), last - first)
        assert found == (number, first + at)


def test_correlations_of_float32_are_computed_anew_once_they_fell_far() -> None:
    wave, waveforms = clip(1, samples=LENGTH + 3)
    kept = Correlations(wave, waveforms, plain_correlations)
    begun = float(kept.peaks.max())
    pursued(kept, 500)
    assert kept.peaks.max() < 1e-20 * begun


def test_a_long_search_is_compiled_and_a_short_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernels_for(100, channels=1, waveforms=8, length=1000) is plain_correlations
    assert kernels_for(100_000, channels=1, waveforms=8, length=1000) is compiled_correlations
    monkeypatch.setitem(sys.modules, compiled_correlations.__name__, None)
    monkeypatch.delattr(pursuit_package, "compiled_correlations")
    assert kernels_for(100_000, channels=1, waveforms=8, length=1000) is plain_correlations
