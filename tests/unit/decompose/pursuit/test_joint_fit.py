"""The amplitudes of overlapping uses are those of least squares."""

import numpy as np
import pytest

from distrack.decompose.pursuit import joint_fit
from distrack.decompose.pursuit.joint_fit import fitted_change, overlapping


@pytest.mark.parametrize("channels", [1, 2])
def test_the_change_of_all_amplitudes_solves_the_normal_equations(channels: int) -> None:
    draw = np.random.default_rng(channels)
    places, length = draw.integers(0, 150, 20), 30
    waveforms = draw.normal(size=(20, length))
    columns = np.zeros((180, 20))
    for use, place in enumerate(places):
        columns[place : place + length, use] = waveforms[use]
    gram, residual = columns.T @ columns, draw.normal(size=(180, channels))
    pairs = overlapping(places, length)
    assert pairs is not None
    assert len(set(zip(*pairs, strict=True))) == len(pairs[0]) == (np.abs(places[:, None] - places) < length).sum()
    change = fitted_change(pairs, gram[pairs].astype(np.float32), columns.T @ residual)
    wanted = np.linalg.lstsq(columns, residual, rcond=None)[0]
    left, least = (np.square(residual - columns @ each).sum() for each in (change, wanted))
    assert left < 1.0001 * least


def test_too_many_pairs_are_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joint_fit, "MOST_PAIRS", 24)
    assert overlapping(np.zeros(5, np.int64), 10) is None
    assert overlapping(np.arange(0, 50, 10), 10) is not None


def test_a_residual_without_any_of_the_waveforms_changes_nothing() -> None:
    pairs = np.arange(3), np.arange(3)
    assert not fitted_change(pairs, np.ones(3, np.float32), np.zeros((3, 1))).any()
