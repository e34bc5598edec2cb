"""A waveform is played at another pitch and at another length, each without the other."""

import numpy as np
import pytest

from distrack.decompose.pursuit.waveform_kind import played
from tests.unit.decompose.pursuit.waveforms import peak, tone


def test_without_a_change_the_samples_are_the_waveform() -> None:
    assert np.array_equal(played(tone(0.05), ratio=1.0, longer=1.0, frequency=0.05), tone(0.05).astype(np.float64))


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.26, 2.0])
@pytest.mark.parametrize("longer", [0.5, 1.0, 2.0])
def test_pitch_and_length_change_independently(ratio: float, longer: float) -> None:
    sound = played(tone(0.05), ratio=ratio, longer=longer, frequency=0.05)
    assert len(sound) == round(800 * longer)
    assert peak(sound) == pytest.approx(0.05 * ratio, rel=0.02)
    # The envelope is stretched too: the power is about the same, and its middle is in the middle.
    assert np.square(sound).mean() == pytest.approx(np.square(tone(0.05)).mean(), rel=0.25)
    middle = (np.square(sound) * np.arange(len(sound))).sum() / np.square(sound).sum()
    assert middle == pytest.approx(len(sound) / 2, rel=0.1)


def test_partials_above_half_the_sample_rate_do_not_alias() -> None:
    sound = played(tone(0.2), ratio=1.8, longer=1.0, frequency=0.2)
    power = np.square(np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 8000)))
    # The second partial, at 0.72 cycles per sample, would alias to 0.28.
    assert power[round(0.28 * 8000) - 100 : round(0.28 * 8000) + 100].sum() < 1e-4 * power.sum()
