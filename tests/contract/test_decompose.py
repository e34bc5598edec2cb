"""Decomposition as a whole: every kind of event keeps its contract, and the command does what it says."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from distrack import jobs
from distrack.decompose import (
    KINDS,
    DecomposeConfig,
    Events,
    gain,
    morph,
    move,
    mute,
    render,
    soloed,
    storage,
    stretch,
    transpose,
)
from distrack.decompose.plane import plane
from distrack.decompose.splat.config import SplatConfig
from distrack.errors import ConfigError, EventsError
from distrack.jobs.decomposition import DecomposeJob, events_file
from distrack.runs import Run, Stopped, find
from distrack.settings import PROJECT

Typed = Callable[..., tuple[int | str | None, str, str]]

_RATE = 16_000
# How to find events of every kind that there is.
_ASKED: dict[str, dict[str, Any]] = {
    "gabor": {"events": 6},
    "damped": {"events": 6, "method": {"atoms": "damped"}},
    "atoms": {"events": 6, "method": {"atoms": "both"}},
    "waveform": {"events": 6, "method": {"atoms": "learned", "waveforms": 2, "waveform_seconds": 0.2}},
    "splat": {"events": 3, "method": {"name": "splat", "iterations": 15}},
}


def struck(hertz: float = 440.0, at: float = 0.3, seconds: float = 1.0) -> NDArray[np.float32]:
    """A note that dies away, ``[1, samples]``."""
    time = np.arange(round(seconds * _RATE)) / _RATE - at
    wave = np.where(time >= 0, np.exp(-12 * np.maximum(time, 0)) * np.sin(2 * np.pi * hertz * time), 0)
    return (0.5 * wave).astype(np.float32)[None]


def pitch(wave: NDArray[np.float32]) -> float:
    """Of the loudest partial, in Hz."""
    return float(np.abs(np.fft.rfft(wave.mean(axis=0), 1 << 18)).argmax() * _RATE / (1 << 18))


def middle(wave: NDArray[np.float32]) -> float:
    """The time by which half of the energy was heard, in seconds."""
    energy = np.cumsum(np.square(wave.astype(np.float64)).sum(axis=0))
    return float(np.searchsorted(energy, energy[-1] / 2) / _RATE)


@pytest.fixture(scope="module", params=list(KINDS))
def note(request: pytest.FixtureRequest) -> Events:
    """A note taken apart into events of each kind."""
    config = DecomposeConfig(**_ASKED[request.param])
    found = config.decomposer(struck(), _RATE)
    list(found)
    events = found.events()
    assert events.kind_name == request.param
    return events


def test_a_file_renders_the_same_here_again_and_in_another_process(note: Events, tmp_path: Path) -> None:
    path = tmp_path / "events.safetensors"
    path.write_bytes(storage.to_bytes(note))
    loaded = storage.load(path)
    assert np.array_equal(render(loaded), render(note))
    script = (
        "import sys, pathlib; from distrack.decompose import render, storage; "
        f"sys.stdout.buffer.write(render(storage.load(pathlib.Path({str(path)!r}))).tobytes())"
    )
    said = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, check=True, timeout=120)
    assert said.stdout == render(note).tobytes()


def test_the_note_is_near_what_was_taken_apart(note: Events) -> None:
    assert pitch(render(note)) == pytest.approx(440, rel=0.01)
    assert note.parameters.shape[1] <= 20
    assert [column.name for column in note.kind.columns(1)][:1] == ["time"]
    for name in ("time", "frequency", "amplitude"):
        assert np.isfinite(note.column(name)).all()


def test_onsets_are_found_after_silence() -> None:
    """A clip that begins with silence has nothing at its own beginning."""
    asked = {"iterations": 5, "initialisation": "onsets"}
    fit = DecomposeConfig(method={"name": "splat", **asked}, events=3).decomposer(struck(), _RATE)
    list(fit)
    assert len(fit.events()) == 3
    assert pitch(render(fit.events())) == pytest.approx(440, rel=0.02)


def test_an_octave_doubles_the_pitch(note: Events) -> None:
    assert pitch(render(transpose(note, semitones=12))) == pytest.approx(2 * pitch(render(note)), rel=0.01)


def test_moving_moves_the_sound(note: Events) -> None:
    moved = render(move(note, seconds=0.25))
    assert middle(moved) - middle(render(note)) == pytest.approx(0.25, abs=0.005)


def test_muting_all_is_silence_and_a_gain_is_a_gain(note: Events) -> None:
    assert not render(mute(note)).any()
    assert np.allclose(render(gain(note, db=20 * np.log10(2))), 2 * render(note), atol=1e-5)


def test_stretching_keeps_the_pitch(note: Events) -> None:
    long = render(stretch(note, factor=2.0, anchor=0.0))
    assert pitch(long) == pytest.approx(pitch(render(note)), rel=0.01)
    # An onset at 0.3 s stands at 0.6 s, and what was heard by then lasts twice as long.
    assert middle(long) == pytest.approx(2 * middle(render(note)), abs=0.05)


def test_boxes_hold_what_is_heard(note: Events) -> None:
    box = note.kind.boxes(note)
    assert (box.start <= box.onset).all()
    assert (box.onset <= box.end).all()
    assert (box.low <= box.high).all()
    for number in range(len(note)):
        alone = render(soloed(note, [number])).astype(np.float64)
        inside = box.start[number] >= 0 and box.end[number] <= note.seconds
        if inside and box.energy[number] > 0.05 * box.energy.max():
            assert float(np.square(alone).sum()) == pytest.approx(float(box.energy[number]), rel=0.15)


def test_what_passes_half_of_the_rate_is_silent(note: Events) -> None:
    high = render(transpose(note, semitones=72))
    assert float(np.square(high).sum()) < 0.02 * float(np.square(render(note)).sum())


def test_a_morph_begins_and_ends_at_its_ends(note: Events) -> None:
    other = move(note, seconds=0.1)
    assert np.allclose(render(morph(note, other, share=0.0)), render(note), atol=1e-6)
    assert np.allclose(render(morph(note, other, share=1.0)), render(other), atol=1e-6)


# The command


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "struck note.wav"
    soundfile.write(path, struck()[0], _RATE, subtype="FLOAT")
    return path


def test_a_clip_is_taken_apart_and_rendered_from_a_shell(recording: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "distrack"]
    asked = ["decompose", str(recording), "--events", "5", "--runs-path", str(tmp_path), "--name", "note", "--json"]
    said = subprocess.run([*command, *asked], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=240)
    assert said.returncode == 0, said.stderr
    report = json.loads(said.stdout)
    run = find(tmp_path, "note")
    assert report == json.loads((run.path / "report.json").read_text())
    assert report["method"] == "matching-pursuit"
    assert (report["events"], report["floats"]) == (5, 25)
    assert report["seconds"] > 0
    assert report["snr_db"] > 12
    assert 0 < report["spectral_convergence"] < 0.3
    assert run.status().state == "done"
    events = storage.load(run.path / "events.safetensors")
    assert np.array_equal(storage.from_json((run.path / "events.json").read_text()).parameters, events.parameters)
    sound = tmp_path / "note.flac"
    words = ["render", str(run.path / "events.safetensors"), "--to", str(sound)]
    said = subprocess.run([*command, *words], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120)
    assert (said.returncode, said.stderr) == (0, "")
    wave, rate = soundfile.read(sound, always_2d=True)
    assert rate == _RATE
    assert np.abs(wave.T - render(events)).max() < 1e-6


@pytest.mark.parametrize("asked", [{}, {"method": {"name": "splat", "iterations": 12}}])
def test_one_that_was_stopped_goes_on_to_the_same_end(recording: Path, tmp_path: Path, asked: dict[str, Any]) -> None:
    job = DecomposeJob(file=recording, events=8, **asked)
    whole = job.create(tmp_path, "whole")
    jobs.work(whole)
    cut = job.create(tmp_path, "cut")
    said: list[object] = []

    def watch(*progress: object) -> None:
        said.append(progress)
        if len(said) == 6:
            raise Stopped

    with pytest.raises(Stopped):
        jobs.work(cut, watch=watch)
    assert cut.status().state == "stopped"
    jobs.work(cut)
    assert events_file(cut).read_bytes() == events_file(whole).read_bytes()


@pytest.mark.parametrize(
    "asked",
    [
        {"start": 0.1, "seconds": 0.5, "mono": True, "method": {"orthogonal": True, "atoms": "both", "snr_db": 5.0}},
        {"method": {"atoms": "learned", "waveforms": 2, "waveform_seconds": 0.1}, "sample_rate": 8_000, "seed": 3},
        {"preset": "paper", "method": {"iterations": 2}},
        {
            "method": {
                "name": "splat",
                "iterations": 3,
                "envelope": "gaussian",
                "initialisation": "onsets",
                "sparsity": 0.1,
                "prune": 0.2,
            },
            "time_limit": 60.0,
        },
    ],
)
def test_its_command_says_the_same_again(recording: Path, typed: Typed, tmp_path: Path, asked: dict[str, Any]) -> None:
    job = DecomposeJob(file=recording, events=4, **asked)
    words = shlex.split(job.command())
    code, _, _ = typed(*words[3:], "--runs-path", str(tmp_path), "--name", "again", "--json", "--quiet")
    assert code == 0
    assert jobs.job_of(Run(tmp_path / "again")) == job


def test_a_time_limit_leaves_one_event_at_least(tmp_path: Path) -> None:
    path = tmp_path / "noise.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(_RATE), _RATE)
    for name, asked in (("gabor", {}), ("learned", {"method": {"atoms": "learned"}}), ("splat", {"method": "splat"})):
        run = DecomposeJob(file=path, time_limit=0.001, **asked).create(tmp_path, name)
        assert 1 <= jobs.work(run).events < 64


def test_waveforms_that_cannot_be_played_or_kept_are_refused(tmp_path: Path) -> None:
    for shape in ((3_000, 4), (1, 10 * _RATE)):
        with pytest.raises(EventsError, match="can be played"):
            Events.of(
                "waveform",
                np.array([[0, 0.05, 100, 1, 0]], np.float32),
                sample_rate=_RATE,
                samples=_RATE,
                shared={"waveforms": np.ones(shape, np.float32)},
            )
    loud = tmp_path / "fast.wav"
    soundfile.write(loud, struck()[0], 96_000)
    job = DecomposeJob(file=loud, method={"atoms": "learned", "waveforms": 256, "waveform_seconds": 1.0})
    with pytest.raises(ConfigError, match="learn fewer or shorter"):
        job.open(tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_opposite_phases_are_seen() -> None:
    wave = struck()
    both = plane(np.concatenate([wave, -wave]), _RATE)
    assert np.allclose(both.image, plane(wave, _RATE).image, atol=0.1)


def test_the_published_setting_is_a_preset() -> None:
    paper = DecomposeConfig(preset="paper")
    assert (paper.method, paper.events) == (SplatConfig(iterations=3_000), 64)
    asked = DecomposeConfig(preset="paper", events=8, method={"envelope": "gaussian"})
    assert (asked.events, asked.method) == (8, SplatConfig(iterations=3_000, envelope="gaussian"))


def test_other_commands_know_it_for_what_it_is(recording: Path, typed: Typed, tmp_path: Path) -> None:
    run = DecomposeJob(file=recording, events=3).create(tmp_path, "apart")
    jobs.work(run)
    common = ("--runs-path", str(tmp_path))
    code, out, _ = typed("runs", *common, "--json")
    assert code == 0
    assert [(row["id"], row["state"], row["accuracy"]) for row in json.loads(out)] == [("apart", "done", None)]
    for words in (
        ["evaluate", "apart"],
        ["inspect", "apart"],
        ["listen", "apart"],
        ["export", "apart", "--to", "x.zip"],
    ):
        code, _, err = typed(*words, *common)
        assert (code, err.count("\n")) == (2, 1), err
    code, out, _ = typed("resume", "apart", *common, "--quiet", "--json")
    assert code == 0
    assert json.loads(out)["events"] == 3


def test_rooms_notes_and_text_are_written(recording: Path, typed: Typed, tmp_path: Path) -> None:
    run = DecomposeJob(file=recording, events=3).create(tmp_path, "apart")
    jobs.work(run)
    events = str(events_file(run))
    room = np.zeros(_RATE // 2, np.float32)
    room[[0, 4000]] = 1.0, 0.5
    soundfile.write(tmp_path / "two.wav", room, _RATE, subtype="FLOAT")
    code, out, _ = typed(
        *(
            "render",
            events,
            "--to",
            str(tmp_path / "x.wav"),
            "--room",
            str(tmp_path / "two.wav"),
            "--wet",
            "1",
            "--tail",
        )
    )
    assert code == 0
    wave, _ = soundfile.read(tmp_path / "x.wav")
    dry = render(storage.load(Path(events)))[0]
    expected = np.convolve(dry, room)
    scale = 1.0 if "scaled" not in out else np.abs(wave).max() / np.abs(expected).max()
    assert np.abs(wave - scale * expected).max() < 1e-4
    for ending in (".mid", ".json", ".safetensors", ".flac"):
        target = tmp_path / f"taken{ending}"
        code, out, _ = typed("render", events, "--to", str(target))
        assert code == 0
        assert str(target) in out
        assert target.stat().st_size > 40


@pytest.mark.parametrize(
    ("content", "words", "says"),
    [
        ("silence", [], "silent"),
        ("nan", [], "not numbers"),
        ("empty", [], "Cannot be read"),
        ("nothing", [], "Cannot be read"),
        ("note", ["--events", "0"], "events"),
        ("note", ["--events", "100000"], "events"),
        ("note", ["--start", "99"], "the file ends at"),
        ("note", ["--seconds", "0"], "seconds"),
        ("note", ["--method", "matching-persuit"], "matching-pursuit"),
        ("note", ["--atoms", "square"], "atoms"),
        ("note", ["--snr", "0"], "snr"),
        ("note", ["--sample-rate", "10"], "sample_rate"),
    ],
)
def test_what_cannot_be_taken_apart_is_refused_in_one_line(
    recording: Path, typed: Typed, tmp_path: Path, content: str, words: list[str], says: str
) -> None:
    path = recording if content == "note" else tmp_path / f"{content}.wav"
    sounds = {"silence": np.zeros(8000, np.float32), "nan": np.full(8000, np.nan, np.float32)}
    if content in sounds:
        soundfile.write(path, sounds[content], _RATE, subtype="FLOAT")
    elif content == "empty":
        path.write_bytes(b"")
    code, _, err = typed("decompose", str(path), *words, "--runs-path", str(tmp_path / "runs"), "--quiet")
    assert code == 2
    assert err.count("\n") == 1, err
    assert says in err
    assert not (tmp_path / "runs").exists() or not any((tmp_path / "runs").iterdir())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["{events}", "--to", "{folder}/x.doc"], "not as .doc"),
        (["{events}", "--to", "{folder}/no/x.flac"], "cannot be written"),
        (["{events}", "--to", "{folder}/x.flac", "--room", "cathedral"], "IMPULSE_RESPONSE_PATH"),
        (["{events}", "--to", "{folder}/x.flac", "--wet", "0.5"], "--room"),
        (["{folder}/gone.safetensors", "--to", "{folder}/x.flac"], "gone.safetensors"),
        (["{broken}", "--to", "{folder}/x.flac"], "broken.safetensors"),
    ],
)
def test_what_cannot_be_rendered_is_refused_in_one_line(
    recording: Path, typed: Typed, tmp_path: Path, words: list[str], says: str
) -> None:
    run = DecomposeJob(file=recording, events=2).create(tmp_path, "apart")
    jobs.work(run)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(events_file(run).read_bytes()[:-3])
    places = {"events": events_file(run), "folder": tmp_path, "broken": broken}
    code, _, err = typed("render", *(word.format(**places) for word in words))
    assert (code, err.count("\n")) == (2, 1), err
    assert says in err
    assert not (tmp_path / "x.flac").exists()
