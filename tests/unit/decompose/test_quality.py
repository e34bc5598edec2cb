"""Quality figures are those of their definition, computed here from the formula alone."""

import tracemalloc

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from distrack.decompose import snr_db, spectral_convergence

Floats = NDArray[np.float32]


def noise(seed: int, *, channels: int = 1, samples: int = 20_000) -> Floats:
    return np.random.default_rng(seed).normal(size=(channels, samples)).astype(np.float32)


def by_definition(wave: Floats, other: Floats) -> float:
    found = []
    for size in (512, 1024, 2048, 4096):
        one, two = (
            torch.stft(
                torch.from_numpy(w).double(),
                size,
                size // 4,
                window=torch.hann_window(size, dtype=torch.float64),
                pad_mode="constant",
                return_complex=True,
            )
            .abs()
            .numpy()
            for w in (wave, other)
        )
        gain = np.vdot(two, one) / np.vdot(two, two)
        # The best gain is where no other is better.
        distances = [np.linalg.norm(one - g * two) for g in (gain, gain * 1.001, gain * 0.999)]
        assert distances[0] == min(distances)
        found.append(distances[0] / np.linalg.norm(one))
    return float(np.mean(found))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("samples", [20_000, 300, 40_000])
def test_spectral_convergence_is_that_of_its_definition(channels: int, samples: int) -> None:
    wave = noise(0, channels=channels, samples=samples)
    other = 0.7 * wave + 0.4 * noise(1, channels=channels, samples=samples)
    # The last frames differ in how many of them still touch the clip.
    assert spectral_convergence(wave, other) == pytest.approx(by_definition(wave, other), rel=0.02)


def test_spectral_convergence_does_not_depend_on_gain() -> None:
    wave, other = noise(0), noise(1)
    assert spectral_convergence(wave, 9 * other) == pytest.approx(spectral_convergence(wave, other), rel=1e-5)
    assert spectral_convergence(wave, -0.1 * wave) < 1e-6
    assert spectral_convergence(0 * wave, wave) == 0


def test_one_sample_and_none_have_figures_too() -> None:
    assert spectral_convergence(noise(0, samples=1), noise(0, samples=1)) < 1e-6
    assert spectral_convergence(noise(0, samples=0), noise(0, samples=0)) == 0


def test_a_long_clip_is_looked_at_in_parts() -> None:
    wave = noise(0, samples=2_000_000)
    tracemalloc.start()
    try:
        found = spectral_convergence(wave, noise(1, samples=2_000_000))
        assert tracemalloc.get_traced_memory()[1] < 120 << 20
    finally:
        tracemalloc.stop()
    assert found == pytest.approx(spectral_convergence(wave[:, :200_000], noise(1, samples=200_000)), abs=0.01)


@pytest.mark.parametrize("decibels", [0, 20, 60])
def test_snr_is_energy_over_energy_of_what_is_missing(decibels: float) -> None:
    wave = noise(0, channels=2)
    error = noise(1, channels=2)
    error *= np.linalg.norm(wave) / np.linalg.norm(error) * 10 ** (-decibels / 20)
    assert snr_db(wave, wave + error) == pytest.approx(decibels, abs=0.01)


def test_snr_has_ends() -> None:
    assert snr_db(noise(0), noise(0)) == 200
    assert snr_db(0 * noise(0), noise(1)) == 0


def test_clips_of_other_shapes_are_not_compared() -> None:
    for measure in (snr_db, spectral_convergence):
        with pytest.raises(ValueError, match="cannot be compared"):
            measure(noise(0, channels=2), noise(0))
