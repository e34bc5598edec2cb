"""Waveforms that are hidden in a clip are learned from it."""

from typing import Any

import numpy as np
import pytest

from distrack.arrays import Floats
from distrack.decompose import DecomposeConfig, Events, render, snr_db
from distrack.decompose.pursuit import plain_correlations
from distrack.decompose.pursuit.coding import Coding
from distrack.decompose.pursuit.waveform_search import improved_waveforms
from tests.unit.decompose.pursuit.waveforms import LENGTH, RATE, hidden, similarity, two_waveforms


def learned(wave: Floats, *, events: int = 40, **settings: Any) -> Events:
    method = {"atoms": "learned", "waveforms": 2, "waveform_seconds": LENGTH / RATE} | settings
    decomposer = DecomposeConfig.model_validate({"events": events, "method": method}).decomposer(wave, RATE)
    for _ in decomposer:
        pass
    return decomposer.events()


@pytest.mark.parametrize("channels", [1, 2])
def test_hidden_waveforms_are_learned(channels: int) -> None:
    wave = hidden(channels=channels)
    events = learned(wave, orthogonal=True)
    waveforms = events.shared["waveforms"].astype(np.float64)
    assert waveforms.shape == (2, LENGTH)
    for waveform in two_waveforms():
        assert max(similarity(waveform, each) for each in waveforms) > 0.99
    assert snr_db(wave, render(events)) > 20
    assert events.floats == 40 * (4 + channels) + 2 * LENGTH


def test_learned_waveforms_are_nearer_than_pieces_of_the_clip() -> None:
    wave = hidden()
    pieces, waveforms = (learned(wave, learning=rounds) for rounds in (0, 10))
    assert snr_db(wave, render(waveforms)) > snr_db(wave, render(pieces)) + 3


def test_an_update_is_the_least_squares_waveform_even_if_uses_overlap() -> None:
    wave, waveforms = hidden(uses=20, seconds=0.5), two_waveforms()[::-1][:1].copy()
    waveforms += 0.3 / LENGTH**0.5
    waveforms /= np.linalg.norm(waveforms)
    coding = Coding(wave, waveforms, RATE, plain_correlations)
    for _ in range(14):
        coding.take()
    starts, levels = np.array(coding.start), np.array(coding.amplitude)[:, 0]
    assert (np.diff(np.sort(starts)) < LENGTH).sum() > 3
    columns = np.zeros((wave.shape[1], LENGTH))
    for start, level in zip(starts, levels, strict=True):
        columns[start : start + LENGTH] += level * np.eye(LENGTH)
    expected = np.linalg.lstsq(columns, wave[0].astype(np.float64), rcond=None)[0]
    before = float(np.square(coding.residual).sum())
    updated = improved_waveforms(coding)[0]
    assert similarity(updated, expected) > 0.999
    assert np.square(coding.residual).sum() < before
    # The residual is still the clip minus all uses.
    uses = np.zeros_like(coding.residual)
    for start, level in zip(coding.start, coding.amplitude, strict=True):
        uses[:, start : start + LENGTH] += np.outer(level, updated)
    assert np.abs(wave - uses - coding.residual).max() < 1e-6


def test_a_waveform_without_a_use_becomes_the_loudest_piece_of_the_residual() -> None:
    waveforms = np.stack([two_waveforms()[0], (-1.0) ** np.arange(LENGTH) / LENGTH**0.5])
    coding = Coding(hidden(), waveforms, RATE, plain_correlations)
    for _ in range(10):
        coding.take()
    assert set(coding.number) == {0}
    assert similarity(improved_waveforms(coding)[1], two_waveforms()[1]) > 0.5
