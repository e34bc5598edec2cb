"""Other codecs of a clip: a lossless one is exact, and a lossy one keeps about the bit rate that it is given."""

import numpy as np
import pytest

from distrack.arrays import Floats
from distrack.decompose.codecs import flac, opus
from tests.unit.decompose.pursuit.clips import music


def test_flac_is_smaller_than_the_samples_and_exact_to_16_bits() -> None:
    wave = music(1.0, channels=2)
    file = flac(wave, 16_000)
    assert 1000 < file.size < 2 * wave.size
    assert file.snr_db > 60
    assert file.name.startswith("FLAC, 16 bits, libsndfile")


@pytest.mark.parametrize(("rate", "channels"), [(22_050, 1), (16_000, 2), (96_000, 1)])
def test_opus_has_about_the_bit_rate_that_is_asked_for(rate: int, channels: int) -> None:
    wave = music(2.0, rate=rate, channels=channels)
    files = [opus(wave, rate, bits_per_second=bits * channels) for bits in (1, 24_000, 96_000)]
    sizes = [8 * file.size / 2 / channels for file in files]
    assert sizes[0] < 14_000
    assert sizes[1] == pytest.approx(24_000, rel=0.4)
    assert sizes[2] == pytest.approx(96_000, rel=0.4)
    assert [file.snr_db for file in files] == sorted(file.snr_db for file in files)
    assert files[2].snr_db > 10


@pytest.mark.parametrize("wave", [np.zeros((1, 1), np.float32), np.full((1, 30), 3.0, np.float32)])
def test_the_shortest_and_the_loudest_clips_are_written(wave: Floats) -> None:
    assert flac(wave, 44_100).size > 0
    assert opus(wave, 44_100, bits_per_second=20_000).size > 0
