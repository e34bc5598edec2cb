"""The strongest peak is found between the points of the grid, in its band, and after the residual changed."""

import numpy as np
import pytest

from distrack.arrays import Doubles
from distrack.decompose.splat.peaks import Peaks
from tests.unit.decompose.splat.fits import RATE, notes


def peaks(residual: Doubles, *, events: int = 16) -> Peaks:
    return Peaks(residual, RATE, events=events, lowest=25.0, highest=0.475 * RATE)


def tone(frequency: float, *, middle: float, scale: float, level: float = 1.0) -> Doubles:
    """A tone under a Gaussian, a second long."""
    away = np.arange(RATE) / RATE - middle
    return np.asarray(level * np.sin(2 * np.pi * frequency * away) * np.exp(-0.5 * (away / scale) ** 2), np.float64)


@pytest.mark.parametrize(("frequency", "scale"), [(437.3, 0.02), (91.7, 0.1), (3301.9, 0.005)])
def test_a_tone_is_found_between_the_points_of_the_grid(frequency: float, scale: float) -> None:
    time, found = peaks(tone(frequency, middle=0.4321, scale=scale)[None]).strongest()
    assert time == pytest.approx(0.4321, abs=0.05 * scale)
    assert found == pytest.approx(frequency, abs=0.01 / scale)


def test_louder_sounds_outside_of_the_band_are_no_peaks() -> None:
    loud = tone(40.0, middle=0.5, scale=0.1, level=2.0) + tone(3700.0, middle=0.5, scale=0.1, level=1.5)
    residual = (loud + tone(1200.0, middle=0.3, scale=0.03))[None]
    for lowest, highest, wanted in ((600.0, 2000.0, 1200.0), (25.0, 2000.0, 40.0), (600.0, 3800.0, 3700.0)):
        found = Peaks(residual, RATE, events=16, lowest=lowest, highest=highest).strongest()[1]
        assert found == pytest.approx(wanted, abs=1.0)


def test_channels_of_opposite_phase_have_a_peak_and_silence_has_none() -> None:
    wave = tone(500.0, middle=0.3, scale=0.03)
    assert peaks(np.stack([wave, -wave])).strongest()[1] == pytest.approx(500.0, abs=1.0)
    assert peaks(np.zeros((1, RATE))).strongest() == (0.0, 0.0)


@pytest.mark.parametrize("events", [16, 200])
def test_after_a_change_the_peaks_are_those_of_the_new_residual_bit_for_bit(events: int) -> None:
    residual = notes().astype(np.float64)
    changed = peaks(residual, events=events)
    strongest = changed.strongest()
    for first, last in ((0, 700), (2345, 5000), (6000, residual.shape[1])):
        residual[:, first:last] *= 0.1
        changed.update(residual, first, last)
    new = peaks(residual, events=events)
    assert changed.strongest() == new.strongest() != strongest
    for name in ("cells", "peaks", "frames", "groups"):
        assert np.array_equal(getattr(changed._cells.store, name), getattr(new._cells.store, name)), name
