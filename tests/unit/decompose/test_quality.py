"""Quality measures equal their definitions, which are computed here in another way."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from distrack.arrays import Floats
from distrack.decompose import snr_db, spectral_convergence
from distrack.decompose.quality import qualities, snr_db_of_parts
from distrack.stored_sound import StoredSound, blocks, write_blocks


def noise(seed: int, *, channels: int = 1, samples: int = 20_000) -> Floats:
    return np.random.default_rng(seed).normal(size=(channels, samples)).astype(np.float32)


def by_definition(wave: Floats, other: Floats) -> float:
    distances = []
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
        # At the best gain, the distance is smaller than at any gain near it.
        nearby = [np.linalg.norm(one - g * two) for g in (gain, gain * 1.001, gain * 0.999)]
        assert nearby[0] == min(nearby)
        distances.append(nearby[0] / np.linalg.norm(one))
    return float(np.mean(distances))


@pytest.mark.parametrize(("channels", "samples"), [(1, 20_000), (2, 300), (2, 20_000)])
def test_spectral_convergence_equals_its_definition(channels: int, samples: int) -> None:
    wave = noise(0, channels=channels, samples=samples)
    other = 0.7 * wave + 0.4 * noise(1, channels=channels, samples=samples)
    # The two differ in the number of frames at the end of the clip.
    assert spectral_convergence(wave, other) == pytest.approx(by_definition(wave, other), rel=0.02)


def test_spectral_convergence_does_not_depend_on_gain() -> None:
    wave, other = noise(0), noise(1)
    assert spectral_convergence(wave, 9 * other) == pytest.approx(spectral_convergence(wave, other), rel=1e-5)
    assert spectral_convergence(wave, -0.1 * wave) < 1e-6
    assert spectral_convergence(0 * wave, wave) == 0


def test_a_clip_of_one_sample_or_none_has_a_value() -> None:
    assert spectral_convergence(noise(0, samples=1), noise(0, samples=1)) < 1e-6
    assert spectral_convergence(noise(0, samples=0), noise(0, samples=0)) == 0


def test_a_sound_in_layers_has_the_quality_of_its_sums(tmp_path: Path) -> None:
    wave, first, second = (noise(seed, channels=2, samples=20_000) for seed in range(3))
    write_blocks(tmp_path / "a.wav", blocks(wave), shape=(2, 20_000), sample_rate=8_000)
    for clip in (wave, StoredSound(tmp_path / "a.wav")):
        # The second layer is silent at first.
        found = qualities(clip, [first, second * (np.arange(20_000) > 12_000)])
        assert [each.snr_db for each in found] == pytest.approx(
            [snr_db(wave, first), snr_db(wave, first + second * (np.arange(20_000) > 12_000))], abs=1e-5
        )
        assert found[0].spectral_convergence == pytest.approx(spectral_convergence(wave, first), abs=1e-6)


def test_a_reconstruction_in_parts_is_cut_or_goes_on_with_silence() -> None:
    wave, other = noise(0, samples=1_000), noise(1, samples=1_200)
    parts = [other[:, :300], other[:, 300:301], other[:, 301:]]
    assert snr_db_of_parts(wave, parts) == pytest.approx(snr_db(wave, other[:, :1_000]))
    padded = np.pad(other[:, :301], ((0, 0), (0, 699)))
    assert snr_db_of_parts(wave, parts[:2]) == pytest.approx(snr_db(wave, padded))


def test_the_memory_does_not_grow_with_the_length_of_the_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    wave, other = noise(0, samples=200_000), noise(1, samples=200_000)
    expected = spectral_convergence(wave, other)
    monkeypatch.setattr("distrack.decompose.quality.BLOCK", 1 << 13)
    tracemalloc.start()
    try:
        assert spectral_convergence(wave, other) == pytest.approx(expected, rel=1e-9)
        # All frames of one window length would need 16 MB as samples alone.
        assert tracemalloc.get_traced_memory()[1] < 6 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("decibels", [0, 20, 60])
def test_snr_compares_the_energies_of_clip_and_error(decibels: float) -> None:
    wave = noise(0, channels=2)
    error = noise(1, channels=2)
    error *= np.linalg.norm(wave) / np.linalg.norm(error) * 10 ** (-decibels / 20)
    assert snr_db(wave, wave + error) == pytest.approx(decibels, abs=0.01)


def test_snr_is_limited() -> None:
    assert snr_db(noise(0), noise(0)) == 200
    assert snr_db(0 * noise(0), noise(1)) == 0


def test_clips_of_different_shapes_are_refused() -> None:
    for measure in (snr_db, spectral_convergence):
        with pytest.raises(ValueError, match="cannot be compared"):
            measure(noise(0, channels=2), noise(0))
