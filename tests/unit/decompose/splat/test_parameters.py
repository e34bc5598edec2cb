"""Splats sound as their formulas say, with the right gradient, wherever they stand."""

import numpy as np
import pytest
import torch

from distrack.decompose import KINDS, render
from distrack.decompose.splat.parameters import PLACES, sounds_of_rows
from distrack.decompose.synthesis.clip import Clip
from distrack.decompose.synthesis.sounds import mixed
from tests.unit.decompose.splat.splats import (
    RATE,
    energy_between,
    pitch_of,
    random_splats,
    rendered_slowly,
    splats,
)


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (16_000, 2), (44_100, 1)])
def test_a_rendering_equals_the_formulas(rate: int, channels: int) -> None:
    events = random_splats(12, seconds=0.4, channels=channels, rate=rate)
    expected = rendered_slowly(events)
    # An event is cut 80 dB below its peak, and an angle in float32 has an error.
    assert np.abs(render(events) - expected).max() < 3e-4 * np.abs(expected).max()


def test_the_gradient_equals_that_of_small_differences() -> None:
    events = random_splats(3, seconds=0.1, channels=2)
    target = torch.from_numpy(np.random.default_rng(0).normal(size=(2, events.samples)).astype(np.float32))
    # A smooth weight, so that it does not matter whether an onset lies before or after a sample.
    target = torch.nn.functional.avg_pool1d(target, 9, 1, 4)

    def value(rows: torch.Tensor) -> torch.Tensor:
        sounds = sounds_of_rows(rows, sample_rate=RATE)
        wave = mixed(sounds, Clip(RATE, events.samples, 5, "gamma"))
        return (wave * target).double().sum()

    rows = torch.from_numpy(events.parameters).double().requires_grad_()
    (slopes,) = torch.autograd.grad(value(rows), rows)
    for column, place in PLACES.items():
        if column == "noise":
            continue
        size = {"time": 2e-6, "frequency": 1e-2, "centre": 1.0, "damping": 0.05}.get(column, 1e-3)
        size *= {"attack": 0.05, "decay": 0.2, "burst": 0.05}.get(column, 1.0)
        for row in range(3):
            more, less = rows.detach().clone(), rows.detach().clone()
            more[row, place] += size
            less[row, place] -= size
            measured = float(value(more) - value(less)) / (2 * size)
            scale = max(abs(measured), float(slopes[:, place].abs().max()) * 0.05, 1e-3)
            assert abs(measured - float(slopes[row, place])) < 0.05 * scale, (column, row)


def test_an_event_sounds_the_same_at_any_time_and_in_any_row() -> None:
    noisy = {"mix": 0.3, "time": 0.1}
    here = render(splats(noisy))[0]
    later = render(splats({**noisy, "time": 0.1 + 4_096 / RATE}))[0]
    assert np.abs(later[4_096:] - here[:-4_096]).max() < 2e-4 * np.abs(here).max()
    others = [{"noise": 1.0, "mix": 0.5}, {"noise": 2.0, "mix": 0.5, "time": 0.5}]
    together, without = render(splats(*others, noisy))[0], render(splats(*others))[0]
    assert np.abs(together - without - here).max() < 1e-6
    muted = KINDS["splat"].synthesise(splats(*others, noisy), np.array([0, 0, 1], np.float32))[0]
    assert np.abs(muted - here).max() < 1e-6


def test_an_onset_may_lie_between_two_samples() -> None:
    band = {"mix": 0.5, "centre": 1_000.0, "width": 0.3, "attack": 0.02, "burst": 0.05}
    here, between = (render(splats({**band, "time": 0.2 + shift / RATE}))[0] for shift in (0.0, 0.5))
    spectrum = np.fft.rfft(here)
    moved = np.fft.irfft(spectrum * np.exp(-1j * np.pi * np.arange(len(spectrum)) / len(here)), len(here))
    assert np.linalg.norm(between - moved) < 0.01 * np.linalg.norm(moved)


def test_harmonics_above_half_the_sample_rate_do_not_alias() -> None:
    tone = render(splats({"frequency": 3_000.0, "cosine 3": 1.0}))[0]
    # The third harmonic, at 9 kHz, would alias to 7 kHz.
    assert energy_between(tone, 6_900, 7_100) < 1e-6 * energy_between(tone, 2_900, 3_100)
    above = splats({"frequency": 9_000.0, "centre": 90_000.0, "width": 0.3, "mix": 0.5})
    assert np.abs(render(above)).max() < 1e-6


def test_damping_closes_a_low_pass() -> None:
    wave = render(splats({"cosine 4": 1.0, "damping": 8.0, "decay": 0.5, "time": 0.0}))[0]
    early, late = wave[:4_000], wave[6_000:10_000]
    share = [energy_between(part, 1_700, 1_820) / energy_between(part, 400, 480) for part in (early, late)]
    # 6,000 samples later, harmonic 4 has fallen by exp(-3 * 8 * 0.375) more than the first: 78 dB.
    assert 10 * np.log10(share[1] / share[0]) == pytest.approx(-20 * np.log10(np.e) * 3 * 8 * 0.375, abs=2)


@pytest.mark.parametrize("bend", [-0.08, 0.08])
def test_a_bent_event_has_its_pitch_at_its_peak(bend: float) -> None:
    wave = render(splats({"bend": bend, "attack": 0.4, "decay": 0.2, "time": 0.0, "cosine 2": 0.0, "sine 3": 0.0}))[0]
    at = round(0.4 * np.log1p(1.0) * RATE)
    assert pitch_of(wave[at - 800 : at + 800]) == pytest.approx(440, rel=0.005)
