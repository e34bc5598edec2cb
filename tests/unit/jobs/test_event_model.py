"""The training of a model of events as a job: what it writes, how it continues, and decompositions by its model."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from distrack import audio, jobs, runs
from distrack.decompose import storage
from distrack.decompose.siam import training
from distrack.errors import ConfigError, DatasetError
from distrack.jobs import event_model
from distrack.jobs.decomposition import DecomposeJob
from distrack.jobs.event_model import EventModelJob, EventModelReport

SHORT = {"timbre_steps": 4, "scene_steps": 3, "recording_steps": 2, "recordings": 2}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DESCRIPTIONS": 64,
        "BATCH": 16,
        "NOTES": 6,
        "NOTE_SECONDS": 0.5,
        "SCENES": 2,
        "EVENTS": 2,
    }.items():
        monkeypatch.setattr(training, name, value)
    monkeypatch.setattr(event_model, "_SCENES", 1)
    monkeypatch.setattr(event_model, "_EVENTS", 2)


def trained(runs_path: Path, name: str, **given: object) -> tuple[runs.Run, EventModelReport]:
    job = EventModelJob.validated({**SHORT, **given})
    run = job.open(runs_path, name)
    report: EventModelReport = jobs.work(run, job)
    return run, report


def test_a_training_leaves_a_model_sounds_and_a_report(sounds: Path, tmp_path: Path) -> None:
    run, report = trained(tmp_path, "mine", data_path=sounds)
    assert report.recordings == 2
    assert report.dataset == "FOLDER"
    assert 0 <= report.scenes_f <= 1
    assert set(report.loss) <= {"timbres", "scenes", "recordings"}
    assert 0 < report.decoder_floats < report.floats
    for name in ("heard", "random"):
        assert storage.load(run.path / f"{name}.safetensors").kind_name == "siam"
    assert soundfile.info(str(run.path / "original.wav")).samplerate == 16_000
    assert json.loads((run.path / "config.json").read_text())["kind"] == "event-model"
    assert run.status().state == "done"
    assert EventModelJob.key_figures(run) == {"Scenes F": report.scenes_f}
    assert EventModelJob.tables(report, run.id)[0].notes == ["Decompose with it: --method siam --model mine"]


@pytest.mark.parametrize("at", [("timbres", 2), ("scenes", 2), ("hear", 1), ("recordings", 1)])
def test_a_training_that_was_stopped_gives_the_same_model(sounds: Path, tmp_path: Path, at: tuple[str, int]) -> None:
    whole, _ = trained(tmp_path, "whole", data_path=sounds)

    def stop(phase: str, step: int, *_: object) -> None:
        if (phase, step) == at:
            signal.raise_signal(signal.SIGTERM)

    job = EventModelJob.validated({**SHORT, "data_path": sounds})
    run = job.open(tmp_path, "halves")
    with pytest.raises(runs.Stopped):
        jobs.work(run, job, watch=stop)
    assert run.status().state == "stopped"
    assert not (run.path / "model.safetensors").exists()
    jobs.work(run, job)
    assert (run.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()


def test_a_damaged_checkpoint_begins_again(sounds: Path, tmp_path: Path) -> None:
    whole, _ = trained(tmp_path, "whole", data_path=sounds)
    job = EventModelJob.validated({**SHORT, "data_path": sounds})
    run = job.open(tmp_path, "damaged")
    run.write("checkpoint.safetensors", b"nothing")
    jobs.work(run, job)
    assert (run.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()


def test_synthetic_scenes_alone_need_no_dataset(tmp_path: Path) -> None:
    run, report = trained(tmp_path, "alone", recordings=0)
    assert (report.recordings, report.dataset) == (0, "")
    assert EventModelJob.validated({"recordings": 0}).title == "Event model · synthetic scenes"
    assert (run.path / "heard.safetensors").is_file()


def test_only_training_clips_are_heard(sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distrack import datasets

    index = datasets.look("FOLDER", sounds)
    split = {clip.path: clip.split for clip in index.clips}
    seen: list[Path] = []
    decode = audio.decode_clip
    monkeypatch.setattr(event_model, "decode_clip", lambda path, **k: seen.append(path) or decode(path, **k))  # type: ignore[func-returns-value]
    trained(tmp_path, "clips", data_path=sounds, recordings=20)
    assert {split[path] for path in seen} == {"train"}
    assert len(seen) == 20


def test_a_dataset_that_is_absent_is_refused_before_any_work(tmp_path: Path) -> None:
    job = EventModelJob.validated({"data_path": tmp_path / "absent"})
    assert job.dataset == "FOLDER"
    with pytest.raises(DatasetError, match="absent"):
        job.check()


def test_a_decomposition_keeps_the_model_that_it_was_made_by(sounds: Path, tmp_path: Path) -> None:
    model, _ = trained(tmp_path, "mine", data_path=sounds)
    time = np.arange(8_000) / 8_000
    path = tmp_path / "note.wav"
    soundfile.write(path, 0.4 * np.exp(-5 * time) * np.sin(2 * np.pi * 330 * time), 8_000)
    given = {"file": path, "events": 2, "method": {"name": "siam", "model": "mine", "refine": 2}}
    job = DecomposeJob.validated(given)
    run = job.open(tmp_path, "notes")
    kept = (model.path / "model.safetensors").read_bytes()
    (model.path / "model.safetensors").unlink()
    report = jobs.work(run, job)
    assert (run.path / "model-used.safetensors").read_bytes() == kept
    assert report.floats == 17 * report.events
    assert report.common_floats > 0
    assert "shared by all clips" in DecomposeJob.tables(report, "notes")[0].title
    with pytest.raises(ConfigError, match="no model 'mine'"):
        job.open(tmp_path, "again")
    assert not (tmp_path / "again").exists()
