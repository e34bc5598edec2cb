"""A listening: each sound is what it says, is made once, and is found again; what belongs to other tracks is not."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from distrack import jobs, runs
from distrack.audio import SAMPLE_RATE, Wave, decibels, decode_clip, level, loudness
from distrack.distill import SyntheticSet
from distrack.images import class_means, load
from distrack.inversion import inversion_error, invert
from distrack.jobs.distillation import DistillJob, distillation_job
from distrack.jobs.inspection import inspection_of
from distrack.jobs.listening import Listening, ListeningJob, Source, listening_of
from distrack.jobs.results import synthetic_file, track_file
from distrack.runs import Run

MakeJob = Callable[..., DistillJob]
Typed = Callable[..., tuple[int | str | None, str, str]]


@pytest.fixture(scope="module")
def finished(tiny_job: MakeJob, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two tracks of each of three classes, three snapshots, one of them the result; nothing was listened to yet."""
    job = tiny_job(ipc=2).model_copy(update={"evaluation": None})
    run = job.create(tmp_path_factory.mktemp("finished"), "run")
    jobs.work(run)
    return run


@pytest.fixture(scope="module")
def heard(finished: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same after a listening."""
    run = copied(finished, tmp_path_factory.mktemp("heard"))
    jobs.work(run, ListeningJob(run=run.id))
    return run


def copied(run: Run, to: Path) -> Run:
    return Run(Path(shutil.copytree(run.path, to / "run")))


def listening(run: Run) -> Listening:
    found = listening_of(run)
    assert found is not None
    return found


def sound(run: Run, source: Source) -> Wave:
    wave, rate = soundfile.read(run.path / source.file, dtype="float32")
    assert rate == SAMPLE_RATE
    samples: Wave = wave
    return samples


def only(run: Run, track: str, kind: str) -> Source:
    (source,) = (source for source in listening(run).sources(track) if source.kind == kind)
    return source


def close(wave: Wave, expected: Wave) -> bool:
    """But for the rounding to 16 bits, and that of a batch."""
    return wave.shape == expected.shape and bool(np.abs(wave - expected).max() < 1e-3)


# What is heard


def test_a_track_is_heard_beside_its_nearest_clip_a_random_one_the_mean_and_its_own_past(heard: Run) -> None:
    first, second = (listening(heard).sources(name) for name in ("noise_0", "noise_1"))
    kinds = ["track", "nearest", "random", "class-mean"]
    assert [source.kind for source in first] == [*kinds, "snapshot", "snapshot", "snapshot"]
    assert [source.kind for source in second] == kinds
    assert [source.step for source in first[4:]] == list(heard.snapshots())
    assert first[2:4] == second[2:4], "a class has one random clip and one mean"
    assert first[0].file == "audio/noise_0.flac"
    assert listening(heard).sources("nothing") == ()
    assert listening(heard).has_snapshots("noise_0")
    assert not listening(heard).has_snapshots("noise_1")


def test_every_file_is_listed_can_be_played_and_is_as_loud_as_the_list_says(heard: Run) -> None:
    every = listening(heard).every
    files = {path.relative_to(heard.path).as_posix() for path in (heard.path / "listening").iterdir()}
    assert files == {source.file for source in every if source.file.startswith("listening/")}
    for source in every:
        wave = sound(heard, source)
        assert len(wave) == SAMPLE_RATE // 2
        assert np.abs(wave).max() < 0.95
        # A track has the level of its image; the player evens out all loudnesses.
        assert source.file.startswith("audio/") or decibels(wave) <= -20 + 0.01
        assert source.loudness == pytest.approx(loudness(wave), abs=0.1)
        assert source.loudness is not None
        assert -45 < source.loudness < -5


def test_real_clips_are_what_they_are_said_to_be(heard: Run) -> None:
    job, synthetic = distillation_job(heard), SyntheticSet.load(synthetic_file(heard))
    assert job.data_path is not None
    inspection = inspection_of(heard)
    assert inspection is not None
    near, material = (
        inspection.memorisation.of("feature", "train"),
        load(job.dataset, job.data_path, test_fold=job.test_fold, seconds=job.seconds, feature=job.feature),
    )
    clips = [material.prepared.index.clips[row].path for row in material.train.rows]
    for position, name in enumerate(synthetic.track_names()):
        nearest, drawn = only(heard, name, "nearest"), only(heard, name, "random")
        assert nearest.distance == near.distances[position]
        assert job.data_path / nearest.clip == clips[near.clips[position]]
        for source in (nearest, drawn):
            clip = decode_clip(job.data_path / source.clip, seconds=job.seconds).wave
            assert source.clip.split("/")[0] == synthetic.classes[source.label]
            assert close(sound(heard, source), level(clip))
        assert drawn.label == synthetic.labels[position]


def test_the_mean_of_a_class_is_that_of_its_training_clips(heard: Run) -> None:
    job = distillation_job(heard)
    train = load(job.dataset, job.data_path, test_fold=job.test_fold, seconds=job.seconds, feature=job.feature).train
    means = train.normalisation.undo(class_means(train.batches(torch.device("cpu")), 3))
    for label, name in enumerate(("chirp_0", "noise_0", "tone_0")):
        wave = invert(means[label][None], job.feature, samples=job.samples)
        source = only(heard, name, "class-mean")
        assert close(sound(heard, source), level(wave[0].numpy()))
        error = inversion_error(means[label][None], wave, job.feature)
        assert source.error == pytest.approx(error.item(), abs=0.05)


def test_snapshots_are_the_track_as_it_was_and_the_last_is_the_track(heard: Run) -> None:
    job = distillation_job(heard)
    first, middle, last = listening(heard).sources("tone_0")[4:]
    assert (last.file, last.error) == ("audio/tone_0.flac", only(heard, "tone_0", "track").error)
    for source in (first, middle):
        assert source.step is not None
        then = SyntheticSet.load(heard.snapshots()[source.step]).images()[4:5]
        wave = invert(then, job.feature, samples=job.samples)
        assert close(sound(heard, source), level(wave[0].numpy()))
        assert source.error == pytest.approx(inversion_error(then, wave, job.feature).item(), abs=0.05)


def test_the_error_of_a_track_is_that_of_its_inversion_though_it_was_levelled(heard: Run) -> None:
    job, synthetic = distillation_job(heard), SyntheticSet.load(synthetic_file(heard))
    images = synthetic.images()
    errors = inversion_error(images, invert(images, job.feature, samples=job.samples), job.feature)
    assert listening(heard).unit == "dB"
    for name, error in zip(synthetic.track_names(), errors.tolist(), strict=True):
        assert only(heard, name, "track").error == pytest.approx(error, abs=0.3)


def test_waveforms_are_heard_as_they_were_distilled(tiny_job: MakeJob, tmp_path: Path) -> None:
    run = tiny_job(domain="waveform").model_copy(update={"evaluation": None}).create(tmp_path, "waves")
    jobs.work(run)
    jobs.work(run, ListeningJob(run=run.id))
    first = listening(run).sources("chirp_0")[4]
    then = SyntheticSet.load(run.snapshots()[0]).render()[0].clamp(-1, 1).numpy()
    assert first.step == 0
    assert close(sound(run, first), then)
    assert [source.kind for source in listening(run).every if source.error is not None] == ["class-mean"] * 3


# Made once


def test_what_is_there_is_not_made_again_and_another_track_adds_its_snapshots(
    heard: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copied(heard, tmp_path)
    before = listening(run)
    times = {path: path.stat().st_mtime_ns for path in (run.path / "listening").iterdir()}

    def gone(*_: object) -> None:
        raise AssertionError("no clip is needed")

    monkeypatch.setattr("distrack.jobs.listening.job.prepared_material", gone)
    assert jobs.work(run, ListeningJob(run=run.id)) == before
    after = jobs.work(run, ListeningJob(run=run.id, tracks=("tone_1",)))
    assert after == listening(run)
    assert [source.kind for source in after.sources("tone_1")[4:]] == ["snapshot"] * 3
    assert set(after.every) - set(before.every) == set(after.sources("tone_1")[4:])
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_a_file_that_is_gone_is_made_again(heard: Run, tmp_path: Path) -> None:
    run = copied(heard, tmp_path)
    lost = only(run, "tone_0", "nearest")
    (run.path / lost.file).unlink()
    jobs.work(run, ListeningJob(run=run.id))
    assert set(listening(run).every) == set(listening(heard).every)
    assert (run.path / lost.file).read_bytes() == (heard.path / lost.file).read_bytes()


def test_stopped_and_taken_up_again_it_is_the_same(finished: Run, heard: Run, tmp_path: Path) -> None:
    run = copied(finished, tmp_path)

    def stop(phase: str, done: int, _total: int, _detail: str, _loss: float | None) -> None:
        if phase == "listen" and done:
            raise runs.Stopped

    with pytest.raises(runs.Stopped):
        jobs.work(run, ListeningJob(run=run.id), watch=stop)
    assert run.status().state == "stopped"
    some = listening(run).every
    assert 0 < len(some) < len(listening(heard).every)
    progress: list[tuple[int, int]] = []

    def watch(phase: str, done: int, total: int, *_: object) -> None:
        if phase == "listen":
            progress.append((done, total))

    jobs.work(run, ListeningJob(run=run.id), watch=watch)
    assert listening(run) == listening(heard)
    assert progress[-1] == (len(listening(heard).every) - len(some),) * 2
    for source in listening(run).every:
        assert (run.path / source.file).read_bytes() == (heard.path / source.file).read_bytes()


def test_what_belongs_to_other_tracks_is_not_there_and_is_made_anew(heard: Run, tmp_path: Path) -> None:
    run = copied(heard, tmp_path)
    earlier = SyntheticSet.load(synthetic_file(run))
    run.write("synthetic.safetensors", replace(earlier, parameters=earlier.parameters + 0.5).to_bytes())
    synthetic = SyntheticSet.load(synthetic_file(run))
    (run.path / "listening" / "left.flac").write_bytes(b"from before")
    assert listening_of(run) is None
    jobs.work(run, ListeningJob(run=run.id))
    assert listening(run).tracks == synthetic.fingerprint != listening(heard).tracks
    assert not (run.path / "listening" / "left.flac").exists()
    assert len(listening(run).sources("chirp_0")) == 7


@pytest.mark.parametrize("content", [b"", b"{}", b'{"tracks": "x", "unit": "dB", "every": [{"kind": "noise"}]}'])
def test_a_damaged_list_is_none(heard: Run, tmp_path: Path, content: bytes) -> None:
    run = copied(heard, tmp_path)
    (run.path / "listening.json").write_bytes(content)
    assert listening_of(run) is None
    (run.path / "listening.json").unlink()
    assert listening_of(run) is None


def test_without_its_synthetic_set_there_is_nothing_to_listen_to(heard: Run, tmp_path: Path) -> None:
    run = copied(heard, tmp_path)
    synthetic_file(run).unlink()
    assert listening_of(run) is None


# The command


def test_the_command_makes_them_and_says_so(finished: Run, typed: Typed, tmp_path: Path) -> None:
    run = copied(finished, tmp_path)
    common = ("--runs-path", str(tmp_path))
    code, out, err = typed("listen", "run", "--track", "tone_1", "--track", "noise_0", "--json", *common)
    assert code == 0, err
    assert Listening.model_validate_json(out) == listening(run)
    assert [name for name in ("tone_0", "tone_1", "noise_0") if listening(run).has_snapshots(name)] == [
        "tone_1",
        "noise_0",
    ]
    assert run.status().state == "done"
    assert any(line.startswith("listen ") for line in err.splitlines())
    code, out, _ = typed("listen", "run", "--track", "tone_1", *common)
    assert code == 0
    assert "class-mean" in out


def test_what_cannot_be_made_is_said_in_one_line(finished: Run, typed: Typed, tmp_path: Path) -> None:
    run = copied(finished, tmp_path)

    def refusal(*words: str) -> str:
        code, out, err = typed("listen", "run", *words, "--runs-path", str(tmp_path))
        assert (code, out) == (2, "")
        assert "Traceback" not in err
        return err.splitlines()[-1]

    assert refusal("--track", "tone_9").startswith("distrack: unknown track 'tone_9'. Did you mean tone_1")
    first = next(iter(run.snapshots().values()))
    damaged = SyntheticSet.load(first)
    damaged.parameters[0] = torch.nan
    first.write_bytes(damaged.to_bytes())
    assert "track chirp_0 was not made of numbers at step 0" in refusal()
    first.write_bytes(b"")
    assert "is not a synthetic set" in refusal()
    track_file(run, "noise_1").write_bytes(b"")
    (run.path / "listening.json").unlink()
    assert "the sound of track noise_1 is missing or damaged" in refusal()
    synthetic_file(run).unlink()
    assert "no synthetic set yet" in refusal()
