"""The curve of quality: what it measures step by step is what a rendering of the strongest events alone has."""

from dataclasses import replace

import numpy as np
import pytest

from distrack.arrays import Floats
from distrack.decompose import Events, render, rendering, snr_db, soloed, spectral_convergence, strongest
from distrack.decompose.curve import curve, numbers_of_events

RATE = 16_000


def clip(*, count: int, channels: int) -> tuple[Events, Floats]:
    """Random Gabor atoms, not in the order of their energy, and a clip that they nearly make up."""
    draw = np.random.default_rng(0)
    columns = [draw.uniform(0, 1, count), draw.uniform(0.002, 0.05, count), draw.uniform(50, 7_000, count)]
    for _ in range(channels):
        columns += [draw.exponential(0.1, count), draw.uniform(-3, 3, count)]
    rows = np.stack(columns, axis=1).astype(np.float32)
    events = Events.of("gabor", rows, sample_rate=RATE, samples=RATE, channels=channels)
    return events, render(events) + 0.01 * draw.normal(size=(channels, RATE)).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2])
def test_each_point_is_that_of_the_strongest_events_alone(channels: int) -> None:
    events, wave = clip(count=40, channels=channels)
    points = []
    for point in curve(events, wave):
        alone = render(soloed(events, strongest(events, point.events)))
        assert point.snr_db == pytest.approx(snr_db(wave, alone), abs=1e-3)
        assert point.spectral_convergence == pytest.approx(spectral_convergence(wave, alone), abs=1e-5)
        points.append(point.events)
    assert points == numbers_of_events(40, wave.size)
    assert points[-1] == 40


def test_each_event_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    events, wave = clip(count=30, channels=1)
    events = replace(events, muted=np.arange(30) % 2 == 0)
    rendered: list[float] = []
    render_part = rendering.render_part

    def counted(some: Events, first: int, last: int) -> Floats:
        rendered.extend(some.column("time")[~some.muted].tolist())
        return render_part(some, first, last)

    monkeypatch.setattr(rendering, "render_part", counted)
    curve(events, wave)
    assert sorted(rendered) == sorted(events.column("time").tolist())


def test_a_clip_of_many_blocks_is_measured_as_one_of_a_single_block(monkeypatch: pytest.MonkeyPatch) -> None:
    events, wave = clip(count=12, channels=2)
    whole = curve(events, wave)
    monkeypatch.setattr("distrack.decompose.quality.BLOCK", 3_072)
    steps: list[tuple[int, int]] = []
    for part, point in zip(curve(events, wave, progress=lambda *step: steps.append(step)), whole, strict=True):
        assert part.events == point.events
        assert part.snr_db == pytest.approx(point.snr_db, abs=1e-4)
        assert part.spectral_convergence == pytest.approx(point.spectral_convergence, abs=1e-6)
    assert steps == [(step, 6 * len(whole)) for step in range(6 * len(whole) + 1)]


def test_a_long_clip_has_fewer_points() -> None:
    short, long = (numbers_of_events(10_000, samples) for samples in (1 << 16, 1 << 24))
    assert len(short) == 2 * len(long)
    assert (short[0], short[-1]) == (long[0], long[-1]) == (1, 10_000)
