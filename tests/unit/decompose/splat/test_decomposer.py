"""A fit of splats: it lowers its loss, goes on where another stopped, prunes, and takes any clip."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from distrack.decompose import (
    KINDS,
    DecomposeConfig,
    Events,
    Progress,
    remove,
    render,
    snr_db,
    spectral_convergence,
    storage,
)
from distrack.decompose.splat.config import SplatConfig
from distrack.decompose.splat.decomposer import Splatter
from distrack.decompose.splat.loss import SpectralLoss
from distrack.decompose.splat.onsets import onsets
from distrack.decompose.splat.prune import least_important
from tests.unit.decompose.splat.test_parameters import splats

Floats = NDArray[np.float32]
RATE = 16_000


def notes(*, rate: int = RATE, seconds: float = 0.8, channels: int = 1) -> Floats:
    """Three struck notes of four harmonics over a little noise: nothing that a splat is made of itself."""
    random = np.random.default_rng(1)
    time = np.arange(round(seconds * rate)) / rate
    wave = 0.003 * random.normal(size=(channels, len(time)))
    for onset, pitch, left in ((0.05, 262.0, 1.0), (0.3, 392.0, 0.5), (0.55, 330.0, 0.0)):
        past = np.maximum(time - onset * seconds / 0.8, 0)
        body = np.minimum(past / 0.008, 1) * np.exp(-past / 0.12)
        parts = [np.sin(2 * np.pi * k * pitch * past + k) / k**1.5 for k in range(1, 5) if k * pitch < rate / 2]
        note = 0.3 * body * np.sum(parts, axis=0)
        wave += np.outer([left, 1 - left], note) * 1.4 if channels == 2 else note
    return wave.astype(np.float32)


def splatter(wave: Floats, *, rate: int = RATE, events: int = 6, limit: float | None = None, **splat: Any) -> Splatter:
    config = DecomposeConfig(method=SplatConfig(**splat), events=events, time_limit=limit)
    made = config.decomposer(wave, rate)
    assert isinstance(made, Splatter)
    return made


def run(made: Splatter) -> list[Progress]:
    return list(made)


def test_the_loss_falls_and_notes_are_found() -> None:
    wave = notes()
    made = splatter(wave, iterations=40)
    progress = run(made)
    losses = [one.loss for one in progress if one.loss is not None]
    assert len(losses) == 40
    assert losses[-1] < 0.8 * losses[0]
    events = made.events()
    assert len(events) == 6
    assert spectral_convergence(wave, render(events)) < 0.12
    assert snr_db(wave, render(events)) > 15
    # The three strongest are the notes, at their pitches and onsets, or at a pitch of which they are harmonics.
    boxes = events.kind.boxes(events)
    assert (np.diff(boxes.energy) <= 0).all()
    for onset, pitch in ((0.05, 262.0), (0.3, 392.0), (0.55, 330.0)):
        ratio = pitch / boxes.pitch[:4]
        near = (np.abs(ratio / np.round(ratio) - 1) < 0.01) & (np.abs(boxes.onset[:4] - onset) < 0.02)
        assert near.any(), (onset, pitch)


def test_what_is_rendered_of_the_file_is_what_was_fitted(tmp_path: Path) -> None:
    wave = notes(channels=2)
    made = splatter(wave, iterations=8)
    run(made)
    with torch.no_grad():
        fitted = made._render(torch.from_numpy(made.variables)).numpy()
    # The fit's numbers are stored as float32: a frequency to a ten-millionth.
    assert np.abs(render(made.events()) - fitted).max() < 2e-5
    path = tmp_path / "events.safetensors"
    path.write_bytes(storage.to_bytes(made.events()))
    assert np.array_equal(render(storage.load(path)), render(made.events()))


@pytest.mark.parametrize("stop", [3, 9])
@pytest.mark.parametrize("initialisation", ["pursuit", "onsets"])
def test_a_fit_that_was_stopped_goes_on_bit_for_bit(stop: int, initialisation: str) -> None:
    wave = notes(seconds=0.4)
    given: dict[str, Any] = {"iterations": 8, "initialisation": initialisation, "sparsity": 0.01, "prune": 0.2}
    whole = splatter(wave, **given)
    whole_progress = run(whole)
    first = splatter(wave, **given)
    steps = iter(first)
    before = [next(steps) for _ in range(stop)]
    state = {name: array.copy() for name, array in first.state().items()}
    for _ in range(2):
        next(steps)
    second = splatter(wave, **given)
    second.restore(state)
    assert before + run(second) == whole_progress
    assert storage.to_bytes(second.events()) == storage.to_bytes(whole.events())


def test_events_can_be_asked_for_at_any_step() -> None:
    wave = notes(seconds=0.4)
    made = splatter(wave, events=3, iterations=2)
    assert len(made.events()) == 0
    for progress in made:
        events = made.events()
        assert len(events) == progress.events
        assert np.isfinite(render(events)).all()
        assert progress.steps == 5
    assert progress.step == 5


def test_at_onsets_events_begin_where_notes_do() -> None:
    wave = notes()
    found = sorted(onsets(wave.astype(np.float64), sample_rate=RATE)[1:4])
    assert found == pytest.approx([0.05, 0.3, 0.55], abs=0.025)
    made = splatter(wave, initialisation="onsets", events=4, iterations=0)
    run(made)
    times = made.events().column("time")
    assert all(np.abs(times - onset).min() < 0.025 for onset in (0.05, 0.3, 0.55))


def test_pruned_events_are_those_that_are_missed_the_least() -> None:
    wave = notes(seconds=0.4)
    made = splatter(wave, events=5, iterations=4)
    run(made)
    events = made.events()
    fewer = remove(events, least_important(events, wave, 1))
    assert len(fewer) == 4
    others = []
    for row in range(len(events)):
        muted = np.arange(len(events)) == row
        others.append(spectral_convergence(wave, render(dataclasses.replace(events, muted=muted))))
    assert spectral_convergence(wave, render(fewer)) <= np.sort(others)[1]


def test_of_two_events_that_stand_for_one_sound_only_one_is_pruned() -> None:
    half = {"frequency": 300.0, "amplitude": 0.25}
    events = splats(half, half, {"frequency": 1_000.0, "amplitude": 0.35})
    gone = set(least_important(events, render(events), 2).tolist())
    assert 2 in gone
    assert len(gone & {0, 1}) == 1


def test_a_fit_that_prunes_ends_with_fewer_events() -> None:
    wave = notes(seconds=0.4)
    made = splatter(wave, events=5, iterations=5, prune=0.4)
    assert [one.events for one in run(made)] == [1, 2, 3, 4, 5, 5, 5, 3, 3, 3, 3]


def test_sparsity_weakens_faint_events_and_those_that_are_gone_are_removed() -> None:
    wave = notes(seconds=0.4)
    plain, sparse = (splatter(wave, iterations=30, events=6, sparsity=weight) for weight in (0.0, 1.0))
    run(plain)
    run(sparse)
    energies = [
        np.sort(one.events().kind.boxes(one.events()).energy)[: -len(one.variables) // 2] for one in (plain, sparse)
    ]
    assert energies[1].sum() < 0.75 * energies[0].sum()
    sparse.variables[0, 9:] = 0.0
    sparse.done = 49
    sparse._remove()
    assert len(sparse.variables) == len(plain.variables)
    sparse.done = 100
    sparse._remove()
    assert len(sparse.variables) < len(plain.variables)


def test_a_limit_of_time_ends_a_fit_that_would_go_on() -> None:
    made = splatter(notes(seconds=0.3), iterations=100_000, events=4, limit=1.0)
    progress = run(made)
    assert 1.0 <= made.seconds_spent < 3.0
    assert 0 < progress[-1].events <= 4


def test_a_note_that_was_taken_apart_is_heard_an_octave_higher() -> None:
    time = np.arange(RATE) / RATE
    body = np.minimum(time / 0.02, 1) * np.exp(-time / 0.4)
    note = body * sum(np.sin(2 * np.pi * 196 * k * time + k * k) / k for k in range(1, 9))
    made = splatter(note[None].astype(np.float32), events=8, iterations=20)
    run(made)
    events = made.events()
    higher = dataclasses.replace(
        events, parameters=events.kind.transposed(events, np.ones(len(events), np.bool_), 12.0)
    )

    def period(wave: Floats) -> float:
        """Samples after which the wave is most like itself, between 600 and 100 Hz."""
        spectrum = np.fft.rfft(wave[0], 4 * RATE)
        alike = np.fft.irfft(np.square(np.abs(spectrum)))[: RATE // 100]
        at = RATE // 600 + int(alike[RATE // 600 :].argmax())
        left, middle, right = alike[at - 1 : at + 2]
        return float(at + 0.5 * (left - right) / (left - 2 * middle + right))

    assert RATE / period(render(events)) == pytest.approx(196, rel=5e-3)
    assert RATE / period(render(higher)) == pytest.approx(392, rel=5e-3)


def test_the_loss_of_the_clip_itself_is_nothing_and_that_of_silence_is_all() -> None:
    clip = torch.from_numpy(notes())
    distance = SpectralLoss(clip, phases=0.0, bands=0.0)
    assert float(distance(clip)) < 1e-6
    assert float(distance(torch.zeros_like(clip))) == pytest.approx(1, abs=1e-5)
    turned = -clip
    assert float(distance(turned)) < 1e-6
    assert float(SpectralLoss(clip, phases=0.5, bands=0.0)(turned)) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("samples", "rate", "events", "channels"),
    [
        (1, 44_100, 1, 1),
        (1, 22_050, 64, 2),
        (2, 8_000, 4, 1),
        (50, 8_000, 10_000, 1),
        (900, 8_000, 10_000, 1),
        (3_000, 192_000, 3, 1),
        (4_000, 8_000, 1, 1),
        (2_000, 44_100, 2, 2),
    ],
)
def test_any_clip_can_be_taken_apart(samples: int, rate: int, events: int, channels: int) -> None:
    random = np.random.default_rng(0)
    wave = random.normal(0, 0.2, (channels, samples)).astype(np.float32)
    made = splatter(wave, rate=rate, events=events, iterations=3)
    run(made)
    found = made.events()
    assert 1 <= len(found) <= min(events, max(1, samples * channels // 19))
    again = render(found)
    assert again.shape == wave.shape
    assert np.isfinite(again).all()
    # A few steps of a few samples of noise end anywhere, but not far away.
    assert np.square(again).sum() < 4 * np.square(wave).sum()


def test_a_stereo_clip_gives_events_their_places() -> None:
    made = splatter(notes(channels=2), events=3, iterations=0)
    run(made)
    events = made.events()
    places = dict(zip(np.round(events.column("time"), 1).tolist(), events.column("pan").tolist(), strict=True))
    assert sorted(places.values()) == pytest.approx([-1, 0, 1], abs=0.15)
    # The first note is on the left, the last one on the right.
    order = np.argsort(events.column("time"))
    assert np.argsort(-events.column("pan")[order]).tolist() == [2, 1, 0]


def test_where_nothing_is_left_to_find_there_are_no_events_and_silence() -> None:
    made = splatter(notes(seconds=0.1), iterations=3)
    made.initialiser.residual[:] = 0
    assert [one.events for one in run(made)] == [0]
    events = made.events()
    assert render(events).shape == (1, 1_600)
    assert not render(events).any()
    assert all(len(entry) == 0 for entry in events.kind.boxes(events))


def test_a_quiet_clip_is_taken_apart_as_a_loud_one_is() -> None:
    loud = notes(seconds=0.4)
    found: list[Events] = []
    for gain in (1.0, 1e-4):
        made = splatter((loud * gain).astype(np.float32), events=3, iterations=5)
        run(made)
        found.append(made.events())
    quiet = render(found[1]) * 1e4
    assert spectral_convergence(loud, quiet) == pytest.approx(spectral_convergence(loud, render(found[0])), abs=0.01)


def test_all_that_a_kind_must_do_is_registered() -> None:
    columns = [column.name for column in KINDS["splat"].columns(2)]
    assert {"time", "frequency", "amplitude", "pan"} <= set(columns)
    assert len(columns) <= 20
