"""A splatting lowers its loss, continues from a stored state, removes events, and decomposes any clip."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from distrack.arrays import Floats
from distrack.decompose import Events, Progress, render, snr_db, spectral_convergence, storage
from distrack.decompose.splat.decomposer import FAINT_EVERY, Splatter
from distrack.decompose.splat.variables import TONES
from distrack.perception import DISTANCES, distance
from tests.unit.decompose.splat.fits import RATE, notes, splatter


@pytest.fixture(scope="module")
def fit() -> tuple[Splatter, list[Progress]]:
    """A finished fit of three notes, and its progress."""
    made = splatter(notes(), iterations=30)
    return made, list(made)


def test_the_loss_falls_and_the_notes_are_found(fit: tuple[Splatter, list[Progress]]) -> None:
    made, progress = fit
    losses = [one.loss for one in progress if one.loss is not None]
    assert len(losses) == 30
    assert losses[-1] < 0.8 * losses[0]
    events, wave = made.events(), notes()
    assert len(events) == 6
    assert spectral_convergence(wave, render(events)) < 0.15
    assert snr_db(wave, render(events)) > 14
    # Among the strongest events is each note, at its onset and at its pitch or a pitch of which it is a harmonic.
    boxes = events.kind.boxes(events)
    assert (np.diff(boxes.energy) <= 0).all()
    for onset, pitch in ((0.05, 262.0), (0.3, 392.0), (0.55, 330.0)):
        ratio = pitch / boxes.pitch[:4]
        near = (np.abs(ratio / np.round(ratio) - 1) < 0.01) & (np.abs(boxes.onset[:4] - onset) < 0.02)
        assert near.any(), (onset, pitch)


def test_the_stored_events_sound_as_fitted(fit: tuple[Splatter, list[Progress]]) -> None:
    made, _ = fit
    with torch.no_grad():
        fitted = made._render(torch.from_numpy(made.variables)).numpy()
    # Stored numbers are float32, whose relative error is a ten-millionth.
    assert np.abs(render(made.events()) - fitted).max() < 2e-5


def test_an_octave_higher_the_notes_have_twice_the_pitch(fit: tuple[Splatter, list[Progress]]) -> None:
    events = fit[0].events()
    every = np.ones(len(events), np.bool_)
    higher = dataclasses.replace(events, parameters=events.kind.transposed(events, every, 12.0))

    def period(wave: Floats) -> float:
        """Samples after which the first note is most like itself, between 800 and 200 Hz."""
        note = wave[0, round(0.06 * RATE) : round(0.28 * RATE)]
        correlation = np.fft.irfft(np.square(np.abs(np.fft.rfft(note, 4 * RATE))))[: RATE // 200]
        at = RATE // 800 + int(correlation[RATE // 800 :].argmax())
        left, middle, right = correlation[at - 1 : at + 2]
        return float(at + 0.5 * (left - right) / (left - 2 * middle + right))

    assert RATE / period(render(events)) == pytest.approx(262, rel=0.01)
    assert RATE / period(render(higher)) == pytest.approx(524, rel=0.01)


@pytest.mark.parametrize("loss", list(DISTANCES))
def test_a_fit_by_a_perceptual_loss_lowers_its_distance(loss: str) -> None:
    wave = notes(seconds=0.5)
    made = splatter(wave, events=4, iterations=25, loss=loss, phases=0.0, bands=0.0)
    fit = iter(made)
    while made.done < 1:
        next(fit)
    before = distance(loss, wave, render(made.events()), RATE)
    losses = [progress.loss for progress in fit if progress.loss is not None]
    assert losses[-1] < 0.9 * losses[0]
    assert distance(loss, wave, render(made.events()), RATE) < 0.9 * before


@pytest.mark.parametrize(
    ("initialisation", "stop", "loss"),
    [("pursuit", 2, "spectral"), ("pursuit", 8, "scattering"), ("onsets", 5, "auditory")],
)
def test_a_stopped_fit_continues_bit_for_bit(initialisation: str, stop: int, loss: str) -> None:
    wave = notes(seconds=0.3)
    settings: dict[str, Any] = {"iterations": 6, "initialisation": initialisation, "sparsity": 0.01, "prune": 0.2}
    settings["loss"] = loss
    whole = splatter(wave, events=4, **settings)
    whole_progress = list(whole)
    first = splatter(wave, events=4, **settings)
    steps = iter(first)
    before = [next(steps) for _ in range(stop)]
    state = dict(first.state())
    next(steps)  # a state does not change when the fit goes on
    second = splatter(wave, events=4, **settings)
    second.restore(state)
    assert before + list(second) == whole_progress
    assert storage.to_bytes(second.events()) == storage.to_bytes(whole.events())


def test_events_exist_at_every_step() -> None:
    made = splatter(notes(seconds=0.3), events=3, iterations=2)
    assert len(made.events()) == 0
    for progress in made:
        events = made.events()
        assert len(events) == progress.events
        assert np.isfinite(render(events)).all()
        assert progress.steps == 5
    assert progress.step == 5


def test_events_begin_at_onsets_if_that_is_the_initialisation() -> None:
    made = splatter(notes(), initialisation="onsets", events=4, iterations=0)
    list(made)
    times = made.events().column("time")
    assert all(np.abs(times - onset).min() < 0.025 for onset in (0.05, 0.3, 0.55))


def test_onsets_after_silence_are_found() -> None:
    wave = np.concatenate([np.zeros((1, RATE // 4), np.float32), notes(seconds=0.3)], axis=1)
    made = splatter(wave, initialisation="onsets", events=3, iterations=2)
    list(made)
    assert len(made.events()) == 3
    assert made.events().column("time").min() > 0.2


def test_pruning_removes_its_share_of_the_events() -> None:
    made = splatter(notes(seconds=0.3), events=5, iterations=5, prune=0.4)
    assert [one.events for one in made] == [1, 2, 3, 4, 5, 5, 5, 3, 3, 3, 3]


def test_the_sparsity_penalty_weakens_faint_events() -> None:
    wave = notes(seconds=0.3)
    plain, sparse = (splatter(wave, iterations=20, events=6, sparsity=weight) for weight in (0.0, 1.0))
    energies = []
    for made in (plain, sparse):
        list(made)
        events = made.events()
        energies.append(np.sort(events.kind.boxes(events).energy)[: -len(events) // 2].sum())
    assert energies[1] < 0.85 * energies[0]


def test_the_sparsity_penalty_removes_vanished_events_every_few_steps() -> None:
    made = splatter(notes(seconds=0.3), events=3, iterations=1, sparsity=1.0)
    list(made)
    made.variables[0, TONES.start - 1 : TONES.stop] = 0.0
    made.done = FAINT_EVERY - 1
    made._remove()
    assert len(made.variables) == 3
    made.done = FAINT_EVERY
    made._remove()
    assert len(made.variables) == 2


def test_a_time_limit_ends_a_fit() -> None:
    made = splatter(notes(seconds=0.3), iterations=100_000, events=4, time_limit=0.2)
    progress = list(made)
    assert made.seconds_spent >= 0.2
    assert progress[-1].step < progress[-1].steps
    assert 0 < progress[-1].events <= 4


@pytest.mark.parametrize(
    ("samples", "rate", "events", "channels"),
    [
        (1, 44_100, 1, 1),
        (1, 22_050, 64, 2),
        (2, 8_000, 4, 1),
        (50, 8_000, 10_000, 1),
        (400, 8_000, 10_000, 1),
        (2_000, 192_000, 2, 1),
        (1_000, 44_100, 2, 2),
    ],
)
def test_any_clip_can_be_decomposed(samples: int, rate: int, events: int, channels: int) -> None:
    random = np.random.default_rng(0)
    wave = random.normal(0, 0.2, (channels, samples)).astype(np.float32)
    made = splatter(wave, rate=rate, events=events, iterations=2)
    list(made)
    found = made.events()
    assert 1 <= len(found) <= min(events, max(1, samples * channels // 19))
    sound = render(found)
    assert sound.shape == wave.shape
    assert np.isfinite(sound).all()
    # Two steps on a few samples of noise do not come near, but must not diverge.
    assert np.square(sound).sum() < 4 * np.square(wave).sum()


def test_events_of_a_stereo_clip_have_a_pan() -> None:
    made = splatter(notes(channels=2), events=3, iterations=0)
    list(made)
    events = made.events()
    pans = events.column("pan")[np.argsort(events.column("time"))]
    # The first note is on the left, the last one on the right.
    assert pans.tolist() == pytest.approx([-1, 0, 1], abs=0.15)


def test_without_energy_there_are_no_events() -> None:
    made = splatter(notes(seconds=0.1), iterations=3)
    made.initialiser.residual[:] = 0
    assert [one.events for one in made] == [0]
    events = made.events()
    assert render(events).shape == (1, 800)
    assert not render(events).any()
    assert all(len(entry) == 0 for entry in events.kind.boxes(events))


def test_a_quiet_clip_is_decomposed_like_a_loud_one() -> None:
    loud = notes(seconds=0.3)
    found: list[Events] = []
    for gain in (1.0, 1e-4):
        made = splatter((loud * gain).astype(np.float32), events=3, iterations=4)
        list(made)
        found.append(made.events())
    quiet = render(found[1]) * 1e4
    assert spectral_convergence(loud, quiet) == pytest.approx(spectral_convergence(loud, render(found[0])), abs=0.01)
