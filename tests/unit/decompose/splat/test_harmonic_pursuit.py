"""A harmonic group is found from any of its harmonics, and its parts are fitted to the samples."""

import numpy as np
import pytest

from distrack.decompose.splat.harmonic_pursuit import HARMONICS, HIGHEST, Group, atoms, group_near, sound_of
from distrack.decompose.splat.initialisation import Initialiser
from distrack.decompose.synthesis.envelope import SHAPES, envelope
from tests.unit.decompose.splat.fits import RATE, notes

SAMPLES = RATE
ATTACK, DECAY = SHAPES[2]


def struck(frequency: float = 261.6) -> Group:
    """A group of falling harmonics of any phase."""
    phase, level = np.arange(HARMONICS) + 0.3, 0.5 / np.arange(1, HARMONICS + 1)
    parts = level[:, None] * np.stack([np.cos(phase), np.sin(phase)], 1)
    return Group(0.3, frequency, ATTACK, DECAY, parts[None])


@pytest.mark.parametrize("frequency", [261.6, 1400.3])
def test_the_harmonics_of_a_group_are_cosines_and_sines_under_its_envelope(frequency: float) -> None:
    first, basis = atoms(struck(frequency), sample_rate=RATE, samples=SAMPLES)
    time = np.arange(first, first + basis.shape[1]) / RATE - 0.3
    for number in range(1, HARMONICS + 1):
        angle = 2 * np.pi * number * frequency * time
        wanted = np.stack([np.cos(angle), -np.sin(angle)]) * envelope(time, ATTACK, DECAY)
        audible = number * frequency < HIGHEST * RATE
        assert np.abs(basis[2 * number - 2 : 2 * number] - wanted * audible).max() < 1e-9


@pytest.mark.parametrize("harmonic", [1, 2, 3, 4])
def test_a_group_is_found_from_each_of_its_harmonics(harmonic: int) -> None:
    wanted, residual = struck(), np.zeros((1, SAMPLES))
    first, sound = sound_of(wanted, sample_rate=RATE, samples=SAMPLES)
    residual[:, first : first + sound.shape[1]] += sound
    found = group_near(residual, 0.32, harmonic * wanted.frequency, sample_rate=RATE)
    assert found.frequency == pytest.approx(wanted.frequency, rel=2e-3)
    assert found.onset == pytest.approx(wanted.onset, abs=0.005)
    assert (found.attack, found.decay) == (ATTACK, DECAY)


def test_groups_are_subtracted_from_the_residual_and_its_peaks_are_given_back() -> None:
    wave = notes()
    search = Initialiser(wave, RATE, events=5, method="pursuit")
    energies = [float(np.square(wave, dtype=np.float64).sum())]
    while search.find():
        energies.append(float(np.square(search.residual).sum()))
    assert len(search.groups) == 5
    assert (np.diff(energies) < 0).all()
    left = wave.astype(np.float64)
    for group in search.groups:
        first, sound = sound_of(group, sample_rate=RATE, samples=wave.shape[1])
        left[:, first : first + sound.shape[1]] -= sound
    assert np.abs(left - search.residual).max() < 1e-9
    assert search._peaks is None
