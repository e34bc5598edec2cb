"""The scattering transform agrees with another implementation on its filters, and hears noise as we do."""

import numpy as np
import pytest
import scipy.special
import torch
from torch import Tensor

from distrack.arrays import Floats, Integers
from distrack.perception import distance
from distrack.perception.scattering import Band, Bank, Scattering, morlet_bank

RATE = 22_050
HALF_AN_OCTAVE = 2**0.5


def tone(frequency: float, seconds: float = 1.0) -> Floats:
    time = np.arange(int(seconds * RATE)) / RATE
    return np.sin(2 * np.pi * frequency * time, dtype=np.float32)[None]


def noise(low: float, high: float, seed: int, seconds: float = 2.0) -> Floats:
    """Noise between two frequencies in Hz, with Gaussian samples."""
    drawn = np.random.default_rng(seed).normal(size=int(seconds * RATE))
    spectrum = np.fft.rfft(drawn)
    frequencies = np.fft.rfftfreq(len(drawn), 1 / RATE)
    spectrum[(frequencies < low) | (frequencies > high)] = 0
    return np.fft.irfft(spectrum, len(drawn)).astype(np.float32)[None]


@pytest.mark.filterwarnings("ignore")
def test_coefficients_agree_with_kymatio_on_its_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    # The library imports a function that SciPy has renamed, for its spherical transform alone.
    monkeypatch.setattr(scipy.special, "sph_harm", None, raising=False)
    from kymatio.torch import Scattering1D

    samples, octaves = 2**12, 6
    other = Scattering1D(J=octaves, shape=samples, Q=8, out_type="list")
    wave = torch.zeros(samples)
    wave[1024:3072] = torch.from_numpy(np.random.default_rng(0).normal(size=2048)).float()
    theirs = other(wave)
    size = len(other.phi_f["levels"][0])
    bins: Integers = np.arange(size) - size // 2

    def band(filter_: dict[str, list[Tensor]]) -> Band:
        return Band.of(bins, np.fft.fftshift(np.asarray(filter_["levels"][0], np.float64).ravel()))

    first, second = list(other.psi1_f), list(other.psi2_f)
    bank = Bank(
        size=size,
        hop=2**octaves,
        first=tuple(map(band, first)),
        second=tuple(map(band, second)),
        paths=tuple(tuple(n for n, two in enumerate(second) if two["j"] > one["j"]) for one in first),
        average=band(other.phi_f),
    )
    once, twice = Scattering(bank)(wave)
    # Theirs has the frames of the sound alone; ours those of the silence around it too.
    begin = (size - samples) // 2 // bank.hop
    frames = slice(begin, begin + samples // bank.hop)
    # Where the library works at a lower sample rate, it folds its filters to a lower gain. Ours are never folded.
    gains = [float(level.max()) for level in other.phi_f["levels"]]
    for order, ours in ((1, once), (2, twice)):
        expected = torch.stack(
            [one["coef"] / np.prod([gains[octave] for octave in one["j"]]) for one in theirs if len(one["j"]) == order]
        )
        assert ours[:, frames].shape == expected.shape
        assert float((ours[:, frames] - expected).norm() / expected.norm()) < 1e-3


def test_two_draws_of_a_noise_are_ten_times_nearer_than_noise_half_an_octave_up() -> None:
    for low in (400.0, 1500.0):
        same = distance("scattering", noise(low, 2 * low, 0), noise(low, 2 * low, 1), RATE)
        higher = noise(HALF_AN_OCTAVE * low, HALF_AN_OCTAVE * 2 * low, 2)
        assert distance("scattering", noise(low, 2 * low, 0), higher, RATE) > 10 * same


@pytest.mark.parametrize("frequency", [110.0, 440.0, 1760.0])
def test_the_distance_of_tones_grows_up_to_a_fifth(frequency: float) -> None:
    clip = tone(frequency)
    distances = [distance("scattering", clip, tone(frequency * 2 ** (step / 12)), RATE) for step in range(8)]
    assert distances == sorted(distances)
    assert distances[0] < 1e-6 < distances[1]


def test_a_tone_is_loudest_in_its_band_and_a_tremolo_at_its_rate() -> None:
    samples = 2 * RATE
    bank = morlet_bank(samples, RATE)
    time = np.arange(samples) / RATE
    wave = (1 + np.sin(2 * np.pi * 8 * time)) * np.sin(2 * np.pi * 1000 * time)
    first, second = Scattering(bank)(torch.from_numpy(wave).float())
    centres = [_peak(band) * RATE / bank.size for band in bank.first]
    loudest = int(first.sum(-1).argmax())
    assert centres[loudest] == pytest.approx(1000, rel=0.05)
    paths = [(band, rate) for band, rates in enumerate(bank.paths) for rate in rates]
    of_band = [n for n, (band, _) in enumerate(paths) if band == loudest]
    fastest = max(of_band, key=lambda n: float(second[n].sum()))
    assert _peak(bank.second[paths[fastest][1]]) * RATE / bank.size == pytest.approx(8, rel=0.5)


def _peak(band: Band) -> int:
    return band.first + int(band.response.argmax())


def test_a_later_sound_has_nearly_the_same_coefficients() -> None:
    wave = np.zeros((1, RATE), np.float32)
    wave[:, 8000:12000] = noise(200, 3000, 0)[:, :4000]
    later = np.roll(wave, 200, axis=1)
    assert distance("scattering", wave, later, RATE) < 0.05
    assert distance("scattering", wave, 0 * wave, RATE) == pytest.approx(1)


@pytest.mark.parametrize(("samples", "rate"), [(1, 1000), (5, 192_000), (3000, 44_100)])
def test_short_sounds_have_finite_coefficients(samples: int, rate: int) -> None:
    wave = torch.ones(2, samples)
    first, second = Scattering(morlet_bank(samples, rate))(wave)
    assert first.shape[:2] == (2, len(morlet_bank(samples, rate).first))
    assert first.isfinite().all()
    assert second.isfinite().all()
