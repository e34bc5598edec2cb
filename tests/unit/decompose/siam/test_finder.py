"""The shipped model finds notes: how many, when, how high, in clips of any length."""

import numpy as np
import pytest

from distrack.arrays import Doubles, Floats
from distrack.decompose.siam.finder import Finder, only_multiples
from distrack.decompose.siam.measuring import held_out_scenes, scenes_found
from distrack.decompose.siam.model import Model, load
from distrack.decompose.siam.model_files import DEFAULT, model_file
from distrack.decompose.siam.rows import COLUMNS, PLACES
from distrack.decompose.siam.scenes import RATE


@pytest.fixture(scope="module")
def model() -> Model:
    return load(model_file(DEFAULT))


def notes(given: list[tuple[float, float]], seconds: float) -> Floats:
    """Decaying notes with six harmonics, each at its time and pitch."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = np.zeros_like(time)
    for onset, frequency in given:
        past = np.maximum(time - onset, 0)
        tone = sum(np.sin(2 * np.pi * k * frequency * past) / k for k in range(1, 7))
        wave += 0.2 * tone * np.exp(-past / 0.3) * (1 - np.exp(-past / 0.004)) * (time > onset)
    return wave.astype(np.float32)


def found(wave: Floats, model: Model, events: int) -> Doubles:
    """Onsets and pitches of the events that were found, by time: ``[events, 2]``."""
    finder = Finder(wave, model, events=events)
    while not finder.over:
        finder.find()
    rows = np.array(finder.found, np.float64).reshape(-1, len(COLUMNS))[:, [PLACES["time"], PLACES["frequency"]]]
    return rows[np.argsort(rows[:, 0])]


@pytest.mark.parametrize("seconds", [1.5, 6.0, 21.0])
def test_two_notes_are_found_where_they_are(model: Model, seconds: float) -> None:
    given = [(0.2 * seconds, 220.0), (0.7 * seconds, 523.3)]
    rows = found(notes(given, seconds), model, 2)
    for (time, pitch), (onset, frequency) in zip(rows, given, strict=True):
        assert time == pytest.approx(onset, abs=0.05)
        assert abs(1200 * np.log2(pitch / frequency)) < 50


def test_one_pass_removes_most_of_the_energy_of_notes(model: Model) -> None:
    wave = notes([(0.1, 196.0), (0.5, 440.0), (0.9, 329.6)], 1.5)
    finder = Finder(wave, model, events=6)
    energies = [float(np.square(finder.residual).sum())]
    while not finder.over:
        finder.find()
        energies.append(float(np.square(finder.residual).sum()))
    assert energies == sorted(energies, reverse=True)
    assert energies[-1] < 0.2 * energies[0]
    assert len(finder.found) <= 6


def test_silence_and_a_clip_of_a_few_samples_have_no_events(model: Model) -> None:
    assert len(found(np.zeros(RATE, np.float32), model, 4)) == 0
    assert len(found(np.full(20, 0.1, np.float32), model, 4)) == 0


def test_events_of_held_out_scenes_are_found(model: Model) -> None:
    result = scenes_found(model, held_out_scenes(11, 12))
    assert result.reported <= result.real
    assert result.f_score > 0.6


@pytest.mark.parametrize(
    ("harmonics", "multiple"), [([1, 1, 1], 1), ([0, 1, 0, 1], 2), ([0, 0, 1, 0, 0, 2], 3), ([0], 1), ([1, 0, 0, 3], 1)]
)
def test_the_pitch_is_that_which_all_strong_harmonics_share(harmonics: list[float], multiple: int) -> None:
    assert only_multiples(np.array(harmonics, np.complex128)) == multiple
