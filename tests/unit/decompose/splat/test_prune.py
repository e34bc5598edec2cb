"""The least important events are those without which the reconstruction stays nearest."""

import dataclasses

import numpy as np

from distrack.decompose import render, spectral_convergence
from distrack.decompose.losses.spectral import least_important
from distrack.decompose.transforms import remove
from tests.unit.decompose.splat.fits import notes, splatter
from tests.unit.decompose.splat.splats import splats


def test_the_least_important_event_is_missed_the_least() -> None:
    wave = notes(seconds=0.3)
    made = splatter(wave, events=5, iterations=3)
    list(made)
    events = made.events()
    fewer = remove(events, least_important(events, wave, 1))
    assert len(fewer) == 4
    distances = [
        spectral_convergence(wave, render(dataclasses.replace(events, muted=np.arange(len(events)) == row)))
        for row in range(len(events))
    ]
    assert spectral_convergence(wave, render(fewer)) <= np.sort(distances)[1]


def test_of_two_events_that_stand_for_one_sound_only_one_is_selected() -> None:
    half = {"frequency": 300.0, "amplitude": 0.25}
    events = splats(half, half, {"frequency": 1_000.0, "amplitude": 0.35})
    selected = set(least_important(events, render(events), 2).tolist())
    assert 2 in selected
    assert len(selected & {0, 1}) == 1


def test_of_many_events_energy_decides() -> None:
    events = splats({"amplitude": 0.5}, {"amplitude": 0.01}, {"amplitude": 0.1})
    assert least_important(events, np.zeros((1, 1 << 23), np.float32), 2).tolist() == [1, 2]
