"""The plane shows a sound where it is, whatever its phases."""

import numpy as np
import pytest

from distrack.decompose.plane import plane


def tone(hertz: float, rate: int = 16_000) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(rate // 2) / rate)
    return wave.astype(np.float32)[None]


@pytest.mark.parametrize("hertz", [110.0, 440.0, 3_520.0])
def test_a_tone_is_a_line_at_its_pitch(hertz: float) -> None:
    shown = plane(tone(hertz), 16_000)
    bands = np.geomspace(shown.low, shown.high, len(shown.image))
    loudest = bands[shown.image[:, shown.image.shape[1] // 2].argmax()]
    assert loudest == pytest.approx(hertz, rel=0.04)
    assert (shown.image.max(), shown.image.min()) == pytest.approx((0, -70))
    assert shown.seconds == 0.5


def test_opposite_phases_do_not_cancel() -> None:
    wave = tone(440)
    both = plane(np.concatenate([wave, -wave]), 16_000)
    assert np.allclose(both.image, plane(wave, 16_000).image, atol=0.1)


@pytest.mark.parametrize("samples", [1, 50])
def test_a_very_short_clip_has_a_plane(samples: int) -> None:
    assert np.isfinite(plane(np.ones((1, samples), np.float32), 8_000).image).all()
