"""Noise has the band, the level and the envelope that its numbers say."""

import numpy as np
import pytest

from distrack.decompose import render
from distrack.decompose.synthesis.burst import white
from tests.unit.decompose.splat.splats import RATE, splats


def test_noise_has_its_band_and_its_level() -> None:
    hiss = {"mix": 0.0, "burst": 0.2, "centre": 2_000.0, "width": 0.25, "time": 0.0, "amplitude": 0.5}
    waves = np.stack([render(splats({**hiss, "noise": float(k)}, seconds=2.0))[0] for k in range(16)])
    # The gamma envelope has its peak one time constant after the onset.
    loudest = waves[:, round(0.17 * RATE) : round(0.23 * RATE)]
    assert np.sqrt(np.square(loudest).mean()) == pytest.approx(0.5, rel=0.08)
    power = np.square(np.abs(np.fft.rfft(waves))).mean(0)
    octave = np.log2(np.maximum(np.fft.rfftfreq(waves.shape[1], 1 / RATE), 1) / 2_000)
    weight = power / np.maximum(2**octave, 1e-3)
    middle = (octave * weight).sum() / weight.sum()
    # Power is the square of the band, so its deviation is smaller by the square root of 2.
    spread = np.sqrt((np.square(octave - middle) * weight).sum() / weight.sum())
    assert middle == pytest.approx(0, abs=0.05)
    assert spread == pytest.approx(0.25 / np.sqrt(2), rel=0.1)


def test_noise_is_white_and_depends_on_its_number_and_the_seed() -> None:
    one, other, seeded = (white(n, seed=s, length=1 << 15) for n, s in ((1, 0), (2, 0), (1, 9)))
    assert one.var() == pytest.approx(1, abs=0.02)
    assert abs(np.corrcoef(one[:-1], one[1:])[0, 1]) < 0.02
    assert max(abs(np.corrcoef(one, two)[0, 1]) for two in (other, seeded)) < 0.02
    assert np.array_equal(one[:100], white(1, seed=0, length=100))


def test_the_envelopes_have_their_peaks_after_one_and_after_four_time_constants() -> None:
    noisy = {"mix": 0.0, "burst": 0.05}
    peaks = [np.abs(render(splats(noisy, envelope=shape))[0]).argmax() for shape in ("gamma", "gaussian")]
    assert peaks[0] < (0.1 + 0.15) * RATE < peaks[1] < (0.1 + 0.4) * RATE
