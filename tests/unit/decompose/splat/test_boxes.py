"""Boxes of splats hold the energy of each event alone, and name its pitch and its band."""

import numpy as np
import pytest

from distrack.decompose import KINDS, render
from tests.unit.decompose.splat.splats import RATE, random_splats, splats

KIND = KINDS["splat"]


def test_a_box_holds_the_energy_of_its_event() -> None:
    events = random_splats(16, seconds=0.8, channels=2)
    boxes = KIND.boxes(events)
    for row in range(len(events)):
        alone = KIND.synthesise(events, np.eye(len(events), dtype=np.float32)[row])
        energy = float(np.square(alone, dtype=np.float64).sum())
        # The energy of a few milliseconds of noise is random.
        tolerance = 0.15 if events.column("mix")[row] > 0.8 else 1.0
        assert boxes.energy[row] == pytest.approx(energy, rel=tolerance)
        first, last = (np.clip(round(float(t[row]) * RATE), 0, events.samples) for t in (boxes.start, boxes.end))
        assert np.square(alone[:, first:last]).sum() > 0.999 * energy
    assert np.array_equal(boxes.onset, events.column("time"))


@pytest.mark.parametrize("time", [-0.1, 0.95])
def test_the_energy_is_that_within_the_clip(time: float) -> None:
    cut = splats({"time": time, "decay": 0.1})
    energy = float(np.square(render(cut), dtype=np.float64).sum())
    assert KIND.boxes(cut).energy[0] == pytest.approx(energy, rel=0.05)


def test_a_box_has_the_pitch_and_the_band_of_its_event() -> None:
    events = splats({"cosine 2": 1.0, "sine 3": 0.0}, {"mix": 0.0, "centre": 1_000.0, "width": 0.5})
    boxes = KIND.boxes(events)
    assert boxes.pitch.tolist() == [440.0, 0.0]
    assert 430 < boxes.low[0] < 440
    assert 880 < boxes.high[0] < 890
    assert (boxes.low[1], boxes.high[1]) == pytest.approx((1_000 / 2**0.5, 1_000 * 2**0.5), rel=1e-3)
    assert (boxes.high <= RATE / 2).all()


def test_the_pitch_of_even_harmonics_is_an_octave_higher() -> None:
    even = KIND.boxes(splats({"cosine 2": 900.0, "cosine 4": 400.0, "sine 3": 0.0}))
    assert even.pitch.tolist() == [880.0]
    mixed = KIND.boxes(splats({"cosine 2": 900.0, "cosine 3": 400.0, "sine 3": 0.0}))
    assert mixed.pitch.tolist() == [440.0]
