"""Onsets are the times at which notes begin."""

import numpy as np
import pytest

from distrack.decompose.splat.initialisation import group_at, onsets
from tests.unit.decompose.splat.fits import RATE, notes


def test_the_clearest_onsets_are_those_of_the_notes() -> None:
    times = onsets(notes().astype(np.float64), sample_rate=RATE)
    assert times[0] == 0
    assert sorted(times[1:4]) == pytest.approx([0.05, 0.3, 0.55], abs=0.025)


def test_the_group_at_an_onset_has_the_pitch_of_the_note() -> None:
    group = group_at(0.3, notes().astype(np.float64), sample_rate=RATE)
    assert group is not None
    assert group.frequency == pytest.approx(392, rel=0.02)
    assert group_at(0.3, np.zeros((1, RATE)), sample_rate=RATE) is None
