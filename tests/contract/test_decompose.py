"""Every kind of event and every method of decomposition keeps its contract."""

import hashlib
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distrack.arrays import Floats
from distrack.decompose import DECOMPOSERS, KINDS, DecomposeConfig, Events, render, soloed, storage
from distrack.decompose.combining import morph
from distrack.decompose.transforms import gain, move, mute, stretch, transpose
from distrack.settings import PROJECT

RATE = 8_000
# A decomposition that gives events of each kind.
CONFIGS: dict[str, dict[str, Any]] = {
    "gabor": {"events": 6},
    "damped": {"events": 6, "method": {"atoms": "damped"}},
    "atoms": {"events": 6, "method": {"atoms": "both"}},
    "waveform": {"events": 6, "method": {"atoms": "learned", "waveforms": 2, "waveform_seconds": 0.2}},
    "splat": {"events": 3, "method": {"name": "splat", "iterations": 10}},
    "siam": {"events": 1, "method": {"name": "siam", "refine": 40}},
}
# A short run of each method.
METHODS: dict[str, dict[str, Any]] = {"splat": {"iterations": 4}, "siam": {"refine": 4}}


def struck(hertz: float = 440.0, at: float = 0.3, seconds: float = 1.0) -> Floats:
    """A decaying note, ``[1, samples]``."""
    time = np.arange(round(seconds * RATE)) / RATE - at
    wave = np.where(time >= 0, np.exp(-12 * np.maximum(time, 0)) * np.sin(2 * np.pi * hertz * time), 0)
    return np.asarray(0.5 * wave, np.float32)[None]


def pitch(wave: Floats) -> float:
    """Frequency of the strongest partial, in Hz."""
    return float(np.abs(np.fft.rfft(wave.mean(axis=0), 1 << 18)).argmax() * RATE / (1 << 18))


def middle(wave: Floats) -> float:
    """The time before which half of the energy lies, in seconds."""
    energy = np.cumsum(np.square(wave.astype(np.float64)).sum(axis=0))
    return float(np.searchsorted(energy, energy[-1] / 2) / RATE)


@pytest.fixture(scope="session")
def notes() -> dict[str, Events]:
    """A note decomposed into events of every kind."""
    decomposed = {}
    for kind in KINDS:
        decomposer = DecomposeConfig.model_validate(CONFIGS[kind]).decomposer(struck(), RATE)
        list(decomposer)
        decomposed[kind] = decomposer.events()
        assert decomposed[kind].kind_name == kind
    return decomposed


@pytest.fixture(params=list(KINDS))
def note(request: pytest.FixtureRequest, notes: dict[str, Events]) -> Events:
    return notes[request.param]


# Kinds of event


def test_another_process_with_other_threads_reads_and_renders_the_same_bytes(
    notes: dict[str, Events], tmp_path: Path
) -> None:
    for kind, events in notes.items():
        (tmp_path / kind).write_bytes(storage.to_bytes(events))
    script = (
        "import hashlib, pathlib, sys, torch; torch.set_num_threads(1)\n"
        "from distrack.decompose import render, storage\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    events = storage.load(path)\n"
        "    content = storage.to_bytes(events) + render(events).tobytes()\n"
        "    print(path.name, hashlib.sha256(content).hexdigest())"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    output = subprocess.run(command, cwd=PROJECT, capture_output=True, check=True, timeout=120, text=True).stdout
    assert dict(line.split() for line in output.splitlines()) == {
        kind: hashlib.sha256(storage.to_bytes(events) + render(events).tobytes()).hexdigest()
        for kind, events in notes.items()
    }


def test_the_events_sound_like_the_note_and_have_the_common_columns(note: Events) -> None:
    assert pitch(render(note)) == pytest.approx(440, rel=0.01)
    assert note.parameters.shape[1] <= 20
    assert [column.name for column in note.kind.columns(1)][:1] == ["time"]
    for name in ("time", "frequency", "amplitude"):
        assert np.isfinite(note.column(name)).all()
    assert np.array_equal(render(note), render(note))


def test_an_octave_doubles_the_pitch(note: Events) -> None:
    assert pitch(render(transpose(note, semitones=12))) == pytest.approx(2 * pitch(render(note)), rel=0.01)


def test_moving_moves_the_sound(note: Events) -> None:
    moved = render(move(note, seconds=0.25))
    assert middle(moved) - middle(render(note)) == pytest.approx(0.25, abs=0.005)


def test_muting_is_silence_and_a_gain_scales_the_sound(note: Events) -> None:
    assert not render(mute(note)).any()
    assert np.allclose(render(gain(note, db=20 * np.log10(2))), 2 * render(note), atol=1e-5)


def test_stretching_keeps_the_pitch(note: Events) -> None:
    long = render(stretch(note, factor=2.0, anchor=0.0))
    assert pitch(long) == pytest.approx(pitch(render(note)), rel=0.01)
    # The onset moves from 0.3 to 0.6 s, and the part before it becomes twice as long.
    assert middle(long) == pytest.approx(2 * middle(render(note)), abs=0.05)


def test_boxes_hold_the_energy_of_their_events(note: Events) -> None:
    box = note.kind.boxes(note)
    assert (box.start <= box.onset).all()
    assert (box.onset <= box.end).all()
    assert (box.low <= box.high).all()
    for number in range(len(note)):
        alone = render(soloed(note, [number])).astype(np.float64)
        inside = box.start[number] >= 0 and box.end[number] <= note.seconds
        if inside and box.energy[number] > 0.05 * box.energy.max():
            assert float(np.square(alone).sum()) == pytest.approx(float(box.energy[number]), rel=0.15)


def test_events_above_half_the_sample_rate_are_silent(note: Events) -> None:
    high = render(transpose(note, semitones=72))
    assert float(np.square(high).sum()) < 0.02 * float(np.square(render(note)).sum())


def test_a_morph_begins_and_ends_with_its_clips(note: Events) -> None:
    other = move(note, seconds=0.1)
    assert np.allclose(render(morph(note, other, share=0.0)), render(note), atol=1e-6)
    assert np.allclose(render(morph(note, other, share=1.0)), render(other), atol=1e-6)


# Methods


@pytest.mark.parametrize("method", list(DECOMPOSERS))
def test_a_method_keeps_its_budget_and_continues_bit_for_bit(method: str) -> None:
    config = DecomposeConfig.model_validate({"method": {"name": method, **METHODS.get(method, {})}, "events": 4})
    wave = struck(at=0.05, seconds=0.3)
    whole = config.decomposer(wave, RATE)
    progress = list(whole)
    assert 1 <= len(whole.events()) <= config.events
    assert progress[-1].events == len(whole.events())
    assert all(one.step <= one.steps for one in progress)
    assert [one.step for one in progress] == sorted(one.step for one in progress)
    energy = whole.events().kind.boxes(whole.events()).energy
    assert (np.diff(energy) <= 0).all()
    first, second = config.decomposer(wave, RATE), config.decomposer(wave, RATE)
    for _ in islice(first, len(progress) // 2):
        pass
    second.restore(dict(first.state()))
    assert list(second) == progress[len(progress) // 2 :]
    assert storage.to_bytes(second.events()) == storage.to_bytes(whole.events())


@pytest.mark.parametrize("method", list(DECOMPOSERS))
def test_however_short_the_time_limit_there_is_an_event(method: str) -> None:
    noise = np.asarray(0.1 * np.random.default_rng(0).standard_normal((1, RATE)), np.float32)
    decomposer = DecomposeConfig.model_validate({"method": method, "time_limit": 1e-6}).decomposer(noise, RATE)
    list(decomposer)
    assert 1 <= len(decomposer.events()) < 64
