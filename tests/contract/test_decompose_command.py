"""The commands that decompose a recording and render events: their results, and their errors in one line."""

import errno
import json
import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distrack import jobs
from distrack.arrays import Floats
from distrack.decompose import render, storage
from distrack.errors import AudioError, ConfigError, RunError
from distrack.jobs import decomposition
from distrack.jobs.decomposition import DecomposeJob, events_file
from distrack.runs import Run, Stopped, find
from distrack.stored_sound import StoredSound
from tests.contract.test_decompose import RATE, struck

Typed = Callable[..., tuple[int | str | None, str, str]]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "struck note.wav"
    soundfile.write(path, struck(at=0.1, seconds=0.5)[0], RATE, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def decomposed(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished decomposition into three events, in a runs path of its own."""
    run = DecomposeJob(file=recording, events=3).create(tmp_path_factory.mktemp("runs"), "decomposed")
    jobs.work(run)
    return run


def test_a_recording_is_decomposed(recording: Path, typed: Typed, tmp_path: Path) -> None:
    words = ("decompose", str(recording), "--events", "5", "--runs-path", str(tmp_path), "--name", "note")
    code, out, _ = typed(*words, "--json", "--quiet")
    assert code == 0
    report = json.loads(out)
    run = find(tmp_path, "note")
    assert report == json.loads((run.path / "report.json").read_text())
    assert report["method"] == "matching-pursuit"
    assert (report["events"], report["floats"]) == (5, 25)
    assert report["snr_db"] > 12
    assert 0 < report["spectral_convergence"] < 0.3
    assert run.status().state == "done"
    events = storage.load(events_file(run))
    assert np.array_equal(storage.from_json((run.path / "events.json").read_text()).parameters, events.parameters)


def test_events_in_few_bits_are_reported_beside_other_codecs(recording: Path, typed: Typed, tmp_path: Path) -> None:
    words = ("decompose", str(recording), "--events", "20", "--bits", "40", "--runs-path", str(tmp_path))
    code, out, _ = typed(*words, "--name", "bits", "--quiet")
    assert code == 0
    assert "bits an event" in " ".join(out.split())
    run = find(tmp_path, "bits")
    stored = json.loads((run.path / "report.json").read_text())["stored"]
    events = storage.load(events_file(run))
    assert stored["size"] == len(storage.coded(events) or b"")
    assert 8 * stored["size"] <= 40 * len(events)
    assert stored["file_size"] == events_file(run).stat().st_size < 20 * 40
    assert [one["name"].split()[0] for one in stored["others"]] == ["FLAC,", "Opus"]
    # The rounded numbers are readable beside the codes.
    plain = storage.from_json((run.path / "events.json").read_text())
    assert plain.parameters.tobytes() == events.parameters.tobytes()
    # A copy that is rendered, and not edited, has the same bits.
    code, _, _ = typed("render", str(events_file(run)), "--to", str(tmp_path / "copy.safetensors"))
    assert code == 0
    assert (tmp_path / "copy.safetensors").read_bytes() == events_file(run).read_bytes()


@pytest.mark.parametrize(
    "method", ["matching-pursuit", {"bits": 24}, {"name": "splat", "iterations": 8}, {"name": "siam", "refine": 8}]
)
def test_a_stopped_decomposition_continues_to_the_same_events(recording: Path, tmp_path: Path, method: Any) -> None:
    job = DecomposeJob.model_validate({"file": recording, "events": 6, "method": method})
    whole = job.create(tmp_path, "whole")
    jobs.work(whole)
    cut = job.create(tmp_path, "cut")
    steps: list[object] = []

    def watch(*progress: object) -> None:
        steps.append(progress)
        if len(steps) == 6:
            raise Stopped

    with pytest.raises(Stopped):
        jobs.work(cut, watch=watch)
    assert cut.status().state == "stopped"
    jobs.work(cut)
    assert events_file(cut).read_bytes() == events_file(whole).read_bytes()


@pytest.mark.parametrize(
    "config",
    [
        {"start": 0.1, "seconds": 0.3, "mono": True, "method": {"orthogonal": True, "atoms": "both", "snr_db": 5.0}},
        {"method": {"orthogonal": True, "bits": 30}},
        {"method": {"atoms": "learned", "waveforms": 2, "waveform_seconds": 0.1, "learning": 2}, "seed": 3},
        {"preset": "paper", "method": {"iterations": 2}, "sample_rate": 4_000},
        {
            "method": {
                "name": "splat",
                "iterations": 2,
                "envelope": "gaussian",
                "initialisation": "onsets",
                "learning_rate": 2.0,
                "phases": 0.2,
                "bands": 0.3,
                "sparsity": 0.1,
                "prune": 0.2,
            },
            "time_limit": 60.0,
        },
    ],
)
def test_the_printed_command_makes_the_same_job(
    recording: Path, typed: Typed, tmp_path: Path, config: dict[str, Any]
) -> None:
    job = DecomposeJob.model_validate({"file": recording, "events": 3, **config})
    words = shlex.split(job.command())
    code, _, _ = typed(*words[3:], "--runs-path", str(tmp_path), "--name", "again", "--json", "--quiet")
    assert code == 0
    assert jobs.job_of(Run(tmp_path / "again")) == job


def test_other_commands_list_resume_or_refuse_a_decomposition(decomposed: Run, typed: Typed) -> None:
    common = ("--runs-path", str(decomposed.path.parent))
    code, out, _ = typed("runs", *common, "--json")
    assert code == 0
    assert [(row["id"], row["state"], row["accuracy"]) for row in json.loads(out)] == [("decomposed", "done", None)]
    for words in (["evaluate"], ["inspect"], ["listen"], ["export", "--to", "x.zip"]):
        code, _, err = typed(words[0], "decomposed", *words[1:], *common)
        assert (code, err.count("\n")) == (2, 1), err
    code, out, _ = typed("resume", "decomposed", *common, "--quiet", "--json")
    assert code == 0
    assert json.loads(out)["events"] == 3


@pytest.mark.parametrize("ending", [".mid", ".json", ".safetensors", ".flac"])
def test_events_are_rendered_to_every_format(decomposed: Run, typed: Typed, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"events{ending}"
    code, out, _ = typed("render", str(events_file(decomposed)), "--to", str(target))
    assert code == 0
    assert str(target) in out
    assert target.stat().st_size > 40
    if ending == ".flac":
        wave, rate = soundfile.read(target, always_2d=True)
        assert rate == RATE
        assert np.abs(wave.T - render(storage.load(events_file(decomposed)))).max() < 1e-6


@pytest.mark.parametrize(("words_of_level", "gain"), [(("--room-level", "as-is"), 1.0), ((), (1.0 + 0.25) ** -0.5)])
def test_events_are_rendered_in_a_room(
    decomposed: Run, typed: Typed, tmp_path: Path, words_of_level: tuple[str, ...], gain: float
) -> None:
    """At the level of the file, or with energy 1, which is usual."""
    room = np.zeros(RATE // 2, np.float32)
    room[[0, 2000]] = 1.0, 0.5
    soundfile.write(tmp_path / "two.wav", room, RATE, subtype="FLOAT")
    target = tmp_path / "x.wav"
    words = ("--to", str(target), "--room", str(tmp_path / "two.wav"), "--wet", "1", "--tail", *words_of_level)
    code, out, _ = typed("render", str(events_file(decomposed)), *words)
    assert code == 0
    wave, _ = soundfile.read(target)
    expected = gain * np.convolve(render(storage.load(events_file(decomposed)))[0], room)
    scale = 1.0 if "scaled" not in out else np.abs(wave).max() / np.abs(expected).max()
    assert np.abs(wave - scale * expected).max() < 1e-4


@pytest.mark.parametrize(
    ("content", "words", "message"),
    [
        ("silence", [], "silent"),
        ("nan", [], "not numbers"),
        ("empty", [], "read"),
        ("nothing", [], "read"),
        ("note", ["--events", "0"], "events"),
        ("note", ["--events", "1000001"], "events"),
        ("note", ["--start", "99"], "99"),
        ("note", ["--seconds", "0"], "seconds"),
        ("note", ["--seconds", "20000"], "at most 14400 s"),
        ("note", ["--seconds", "700", "--method", "splat"], "at most 600 s"),
        ("note", ["--seconds", "700", "--atoms", "damped"], "at most 600 s"),
        ("note", ["--method", "matching-persuit"], "matching-pursuit"),
        ("note", ["--atoms", "square"], "atoms"),
        ("note", ["--atoms", "both", "--iterations", "3"], "no setting 'iterations'"),
        ("note", ["--snr", "0"], "snr"),
        ("note", ["--bits", "5"], "bits"),
        ("note", ["--bits", "30", "--atoms", "damped"], "only gabor atoms are stored in few bits"),
        ("note", ["--bits", "30", "--method", "splat"], "no setting 'bits'"),
        ("note", ["--sample-rate", "10"], "sample_rate"),
    ],
)
def test_a_recording_that_cannot_be_decomposed_is_refused_in_one_line(
    recording: Path, typed: Typed, tmp_path: Path, content: str, words: list[str], message: str
) -> None:
    path = recording if content == "note" else tmp_path / f"{content}.wav"
    sounds = {"silence": np.zeros(4000, np.float32), "nan": np.full(4000, np.nan, np.float32)}
    if content in sounds:
        soundfile.write(path, sounds[content], RATE, subtype="FLOAT")
    elif content == "empty":
        path.write_bytes(b"")
    code, _, err = typed("decompose", str(path), *words, "--runs-path", str(tmp_path / "runs"), "--quiet")
    assert code == 2
    assert err.count("\n") == 1, err
    assert message in err.lower()
    assert not (tmp_path / "runs").exists() or not any((tmp_path / "runs").iterdir())


def test_a_long_recording_is_measured_from_its_file_as_a_short_one_is(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = DecomposeJob.model_validate({"file": recording, "events": 3, "method": {"bits": 40}})
    of_short = jobs.work(whole := job.create(tmp_path, "short"))
    read: list[tuple[Any, ...]] = []
    monkeypatch.setattr("distrack.recording.BLOCK", 1_000)
    run = job.create(tmp_path, "long", watch=lambda *step: read.append(step))
    assert {step[0] for step in read} == {"read"}
    shutil.copy(events_file(whole), events_file(run))
    parts: list[StoredSound] = []

    class Counted(StoredSound):
        def __getitem__(self, place: tuple[slice, slice]) -> Floats:
            parts.append(self)
            assert place[1] != slice(None)
            return super().__getitem__(place)

    monkeypatch.setattr(decomposition, "LONG", 0.1)
    monkeypatch.setattr(decomposition, "StoredSound", Counted)
    of_long = jobs.work(run)
    assert parts
    same = {"curve", "stored", "snr_db", "spectral_convergence", "clip_seconds", "sample_rate", "stereo"}
    assert of_long.model_dump(include=same) == of_short.model_dump(include=same)


def test_perceptual_distances_of_a_long_recording_are_refused(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decomposition, "LONG", 0.1)
    with pytest.raises(ConfigError, match="perceptual: distances are measured of at most"):
        DecomposeJob(file=recording, perceptual=True).create(tmp_path / "runs", "long")
    monkeypatch.setattr(decomposition, "MOST_SAMPLES", 100)
    with pytest.raises(AudioError, match="at most 100 can be decomposed"):
        DecomposeJob(file=recording).create(tmp_path / "runs", "long")
    assert not (tmp_path / "runs").exists()


def test_a_recording_that_cannot_be_stored_leaves_no_run(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(decomposition, "write_blocks", full)
    with pytest.raises(RunError, match=r"cannot be written: .*No space.* Free some space"):
        DecomposeJob(file=recording).create(tmp_path / "runs", "half")
    assert not any((tmp_path / "runs").iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{events}", "--to", "{folder}/x.doc"], "not as .doc"),
        (["{events}", "--to", "{folder}/no/x.flac"], "cannot be written"),
        (["{events}", "--to", "{folder}/x.flac", "--room", "cathedral"], "Known: hall, room"),
        (["{events}", "--to", "{folder}/x.flac", "--wet", "0.5"], "--room"),
        (["{folder}/gone.safetensors", "--to", "{folder}/x.flac"], "gone.safetensors"),
        (["{broken}", "--to", "{folder}/x.flac"], "broken.safetensors"),
    ],
)
def test_events_that_cannot_be_rendered_are_refused_in_one_line(
    decomposed: Run, typed: Typed, tmp_path: Path, words: list[str], message: str
) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(events_file(decomposed).read_bytes()[:-3])
    places = {"events": events_file(decomposed), "folder": tmp_path, "broken": broken}
    code, _, err = typed("render", *(word.format(**places) for word in words))
    assert (code, err.count("\n")) == (2, 1), err
    assert message in err
    assert not (tmp_path / "x.flac").exists()


def test_clips_and_events_that_sound_alike_are_listed(decomposed: Run, recording: Path, typed: Typed) -> None:
    other = DecomposeJob(file=recording, events=2).create(decomposed.path.parent, "other")
    jobs.work(other)
    code, out, _ = typed("similar", decomposed.id, "--event", "0", "--most", "3", "--runs-path", str(other.path.parent))
    assert code == 0
    words = " ".join(out.split())
    assert "Clips that sound most like decomposed" in words
    assert "other" in words
    assert "Events that sound most like event 0" in words
    code, _, error = typed("similar", decomposed.id, "--event", "7", "--runs-path", str(other.path.parent))
    assert code == 2
    assert "decomposed has no event 7" in error


def test_a_recording_whose_channels_cancel_each_other_is_decomposed_and_that_is_said(
    typed: Typed, tmp_path: Path
) -> None:
    wave = struck(at=0.1, seconds=0.5)[0]
    path = tmp_path / "opposite.wav"
    soundfile.write(path, np.stack([wave, -wave], axis=1), RATE, subtype="FLOAT")
    words = ("decompose", str(path), "--events", "2", "--mono", "--runs-path", str(tmp_path), "--quiet")
    code, out, _ = typed(*words, "--name", "one")
    assert code == 0
    assert "channel 1 alone was decomposed" in " ".join(out.split())
    assert json.loads((tmp_path / "one" / "report.json").read_text())["channel"] == 1
    code, out, _ = typed(*words[:4], *words[5:], "--method", "siam", "--refine", "0", "--name", "both")
    assert code == 0
    assert "alone" not in out
    assert json.loads((tmp_path / "both" / "report.json").read_text())["stereo"]


def test_many_events_are_not_stored_as_text_too_but_can_be_written_so(
    recording: Path, tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "MOST_AS_TEXT", 3)
    run = DecomposeJob(file=recording, events=4).create(tmp_path, "many")
    jobs.work(run)
    assert not (run.path / "events.json").exists()
    assert "events.json is left out above 3 events" in (run.path / "log.txt").read_text()
    code, _, _ = typed("render", str(events_file(run)), "--to", str(tmp_path / "events.json"))
    assert code == 0
    text = (tmp_path / "events.json").read_text()
    assert np.array_equal(storage.from_json(text).parameters, storage.load(events_file(run)).parameters)


def test_a_pipe_gets_a_line_per_tenth_however_the_number_of_events_counts_on(
    recording: Path, tmp_path: Path, typed: Typed
) -> None:
    words = ("decompose", str(recording), "--events", "60", "--runs-path", str(tmp_path))
    code, _, err = typed(*words)
    assert code == 0
    assert 1 <= len([line for line in err.splitlines() if line.startswith("decompose ")]) <= 11
