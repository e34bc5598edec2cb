"""The work of a distillation: however it was interrupted, it ends equal to one that never was."""

import errno
import itertools
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from distrack import jobs, runs
from distrack.distill import Distiller, SyntheticSet
from distrack.errors import ConfigError, DatasetError, RunError
from distrack.evaluate import Accuracy, Measurement
from distrack.export.comparison import read
from distrack.jobs.distillation import DistillJob, distillation_job, work
from distrack.jobs.listening import listening_of
from distrack.jobs.results import SCORES, evaluation_report, report_so_far, synthetic_file
from distrack.process_environment import worker_environment
from distrack.runs import Run
from distrack.runs.session import HOLD_AT
from distrack.settings import PROJECT
from tests.unit.jobs import processes

MakeJob = Callable[..., DistillJob]
Typed = Callable[..., tuple[int | str | None, str, str]]
Until = Callable[..., None]

pytestmark = pytest.mark.usefixtures("workers")

POOLED = {
    **{"optimiser": "adam", "parameterisation": "dct", "factor": 4, "objective": "cf", "classification": 0.1},
    "pool": {"size": 3, "grow_every": 5, "refresh_every": 8, "training": 5},
    "students": {"count": 2, "lesson": 2, "stay": 2},
    "augmentation": {"time_shift": 0.1, "gain": 0.2, "noise": 0.1},
}
WAVES = {
    **{"optimiser": "adam", "domain": "waveform", "parameterisation": "multiformation", "objective": "mmd"},
    **{"ipc": 2, "tracks_per_step": 1},
}
CELLS = {"optimiser": "adam", "domain": "waveform", "parameterisation": "mdct", "objective": "mmd", "ipc": 2}
HEARD = {"domain": "waveform", "parameterisation": "vocoder", "factor": 8, "hearings": 3, "tracks_per_step": 5}
FRESH = {"optimiser": "sgd", "learning_rate": 1.0, "pool": {"size": 0}, "schedule": "constant"}


def last_step(run: Run) -> int:
    return max((record.get("step", 0) for record in run.metrics()), default=0)


def files(run: Run) -> dict[str, bytes]:
    """All files that an interruption must not change, by name."""
    paths = [synthetic_file(run), *(run.path / "snapshots").iterdir(), *(run.path / "audio").iterdir()]
    return {str(path.relative_to(run.path)): path.read_bytes() for path in paths}


def losses(run: Run) -> dict[int, float]:
    points = [(record["step"], record["loss"]) for record in run.metrics() if "step" in record]
    assert [step for step, _ in points] == sorted({step for step, _ in points})
    return dict(points)


def check_equal(run: Run, whole: Run) -> None:
    assert run.status().state == whole.status().state == "done"
    assert files(run) == files(whole)
    assert losses(run) == losses(whole)
    assert run.metrics(SCORES) == whole.metrics(SCORES)
    report, expected = evaluation_report(run), evaluation_report(whole)
    assert report is not None
    assert expected is not None
    assert report.evaluations == expected.evaluations
    assert not run.checkpoint.exists()


def test_stopped_then_killed_then_resumed_in_processes_equals_never_interrupted(
    tiny_job: MakeJob, until: Until, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tiny_job(**POOLED, steps=30)
    run = job.create(tmp_path, "cut-off")
    monkeypatch.setenv(HOLD_AT, "distill:10")
    jobs.resume(run)
    until(lambda: last_step(run) >= 10)
    with pytest.raises(RunError, match="is running"):
        jobs.resume(run)
    assert typed("stop", "cut-off", "--runs-path", str(tmp_path)) == (0, "cut-off is stopped\n", "")
    reached = int(load_file(run.checkpoint)["step"])
    assert 10 <= reached < 20
    at_first = run.status().seconds["distill"]
    # The process writes its last line when the run is stopped already.
    until(lambda: "stopped. Continue with: python -m distrack resume cut-off" in (run.path / "log.txt").read_text())
    log = (run.path / "log.txt").read_text()
    assert "INFO phase distill" in log
    assert "the run failed" not in log

    monkeypatch.setenv(HOLD_AT, "distill:20")
    jobs.resume(run)
    until(lambda: last_step(run) >= 20)
    os.kill(run.status().pid, signal.SIGKILL)
    until(lambda: run.status().state == "stale")
    assert last_step(run) < job.steps
    assert not synthetic_file(run).exists()
    assert run.status().seconds["distill"] > at_first > 0

    monkeypatch.delenv(HOLD_AT)
    whole = job.create(tmp_path, "whole")
    jobs.work(whole)
    report = jobs.work(run)
    check_equal(run, whole)
    assert list(losses(run)) == list(range(1, job.steps + 1))
    assert report.seconds["distill"] > at_first


@pytest.mark.parametrize(
    "changes", [WAVES, CELLS, HEARD, FRESH], ids=["waveforms", "mdct", "heard", "sgd-and-fresh-networks"]
)
def test_killed_with_an_older_checkpoint_it_ends_equal(
    changes: dict[str, Any], tiny_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_CHECKPOINT_SECONDS", 0.0)  # after every step
    whole = tiny_job(**changes, steps=20, snapshots=5).create(tmp_path, "whole")
    killed = Run(tmp_path / "killed")

    def watch(phase: str, step: int, _steps: int, _detail: str, _loss: float | None) -> None:
        """Copies the folder as a process leaves it that is killed in step 13, three steps after its checkpoint."""
        if (phase, step) == ("distill", 10):
            shutil.copy(whole.checkpoint, tmp_path / "checkpoint")
        if (phase, step) == ("distill", 13):
            shutil.copytree(whole.path, killed.path)
            shutil.copy(tmp_path / "checkpoint", killed.checkpoint)

    jobs.work(whole, watch=watch)
    assert (last_step(killed), max(killed.snapshots())) == (13, 10)
    jobs.work(killed)
    check_equal(killed, whole)
    assert "continues after step 10" in (killed.path / "log.txt").read_text()


def test_with_a_damaged_checkpoint_it_starts_again_and_ends_equal(
    tiny_job: MakeJob, tiny_run: Run, tmp_path: Path
) -> None:
    run = tiny_job().create(tmp_path, "damaged")
    run.checkpoint.write_bytes(b"half of a checkpoint")
    jobs.work(run)
    check_equal(run, tiny_run)
    assert "the checkpoint cannot be read" in (run.path / "log.txt").read_text()


class OnAnAccelerator(Distiller):
    """Reads losses as seldom as on a device where waiting for them costs time; everything is on the CPU."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.device = torch.device("cuda")


def test_a_loss_that_is_not_read_leaves_no_point_in_the_curve_and_the_result_is_the_same(
    tiny_job: MakeJob, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job = tiny_job(steps=25)
    whole = job.create(tmp_path, "read")
    jobs.work(whole)
    monkeypatch.setattr("distrack.distill.workers.Distiller", OnAnAccelerator)
    run = job.create(tmp_path, "unread")
    progress: list[tuple[int, bool]] = []

    def watch(phase: str, step: int, _steps: int, _detail: str, loss: float | None) -> None:
        if phase == "distill":
            progress.append((step, loss is not None))

    jobs.work(run, watch=watch)
    assert list(losses(run)) == [1, 20, 25]
    # Losses may be summed in another order there.
    assert losses(run) == pytest.approx({step: losses(whole)[step] for step in (1, 20, 25)}, rel=1e-5)
    assert files(run).keys() == files(whole).keys()
    tracks, expected = (SyntheticSet.load(synthetic_file(one)).parameters for one in (run, whole))
    assert torch.allclose(tracks, expected, atol=1e-5)
    # The bar moves at every step.
    assert progress == [(step, step in (1, 20, 25)) for step in range(1, 26)]


def test_a_disk_without_room_fails_the_run_with_a_reason_and_room_finishes_it(
    tiny_job: MakeJob, tmp_path: Path
) -> None:
    job = tiny_job(steps=30, snapshots=7, ipc=2)
    run = job.create(tmp_path, "full")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_the_disk(phase: str, step: int, *_: object) -> None:
        """From step 12 on no file may have more than 10 kB: no snapshot, but a status, the log and the metrics."""
        if (phase, step) == ("distill", 12):
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))

    try:
        with pytest.raises(RunError, match="snapshots/"):
            jobs.work(run, watch=fill_the_disk)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    status = run.status()
    assert status.state == "failed"
    assert f"cannot write {run.path}/snapshots/" in status.error
    assert os.strerror(errno.EFBIG) in status.error
    assert "python -m distrack resume full" in (run.path / "log.txt").read_text()
    assert "python -m" not in status.error
    assert list(run.path.rglob("*.part")) == []
    for path in run.snapshots().values():
        SyntheticSet.load(path)
    assert status.error in (run.path / "log.txt").read_text()
    assert "Traceback" not in (run.path / "log.txt").read_text()

    jobs.work(run)
    whole = job.create(tmp_path / "elsewhere", "whole")
    jobs.work(whole)
    check_equal(run, whole)


def test_ctrl_c_stops_while_the_dataset_is_made_and_says_how_to_continue(
    until: Until, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOLD_AT, "prepare:1")
    words = ["distill", "--dataset", "SPOKEN_DIGITS", "--runs-path", str(tmp_path / "runs"), "--name", "early"]
    run = Run(tmp_path / "runs" / "early")
    with subprocess.Popen(
        [sys.executable, "-m", "distrack", *words],
        cwd=PROJECT,
        env={**worker_environment(), "DISTRACK_DATA_PATH": str(tmp_path / "data")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until(lambda: run.status().phase == "prepare" and run.status().step > 0)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out == "stopped. Continue with: python -m distrack resume early\n"
    assert "Traceback" not in err
    assert (run.status().state, run.status().phase) == ("stopped", "prepare")
    assert not list((tmp_path / "data").glob("spoken_digits"))


def test_a_run_that_is_stopped_during_its_evaluation_continues_there(tiny_job: MakeJob, tmp_path: Path) -> None:
    evaluation: dict[str, Any] = {
        "evaluators": ("prototype", "random-cnn"),
        "baselines": (),
        "forms": ("image",),
        "seeds": 3,
    }
    evaluation |= {"steps": 5, "network": {"width": 4}}
    run = tiny_job(evaluation=evaluation).create(tmp_path, "measured")

    def stop(phase: str, _step: int, _steps: int, detail: str, _loss: float | None) -> None:
        if phase == "evaluate" and detail == "4 of 6 networks":
            raise runs.Stopped

    with pytest.raises(runs.Stopped):
        jobs.work(run, watch=stop)
    assert (run.status().state, run.status().phase) == ("stopped", "evaluate")
    made = synthetic_file(run).stat().st_mtime_ns
    report = evaluation_report(run)
    assert report is not None
    assert [line.evaluator for line in report.evaluations] == ["prototype"]
    assert not distillation_job(run).is_done(run)
    run.write("config.json", jobs.as_json(tiny_job(evaluation={**evaluation, "seeds": 1})))
    finished = jobs.work(run)
    # The first evaluator is not measured again.
    assert [len(line.accuracy.runs) for line in finished.evaluations] == [3, 1]
    assert synthetic_file(run).stat().st_mtime_ns == made


def test_each_network_is_in_the_report_and_an_unfinished_measurement_is_no_result(
    tiny_job: MakeJob, tmp_path: Path
) -> None:
    run = tiny_job(evaluation={"evaluators": ("prototype",), "baselines": (), "forms": ("image",), "seeds": 3}).create(
        tmp_path, "measured"
    )
    jobs.work(run)
    whole = report_so_far(run)
    assert whole is not None
    (line,) = whole.evaluations
    two = line.model_copy(update={"accuracy": Accuracy.of(line.accuracy.runs[:2])})
    run.write("report.json", whole.model_copy(update={"evaluations": (two,)}).model_dump_json())
    so_far = report_so_far(run)
    assert so_far is not None
    assert not so_far.evaluations[0].finished
    assert evaluation_report(run) is None
    assert not distillation_job(run).is_done(run)
    (unusable,) = read([run])[1]
    assert unusable.reason == "not evaluated yet"
    assert jobs.work(run).evaluations == whole.evaluations, "it is finished where the run goes on"


def test_a_run_ends_with_the_sounds_that_its_tracks_are_compared_with(tiny_job: MakeJob, tmp_path: Path) -> None:
    run = tiny_job().create(tmp_path, "heard")
    seen: dict[str, bool] = {}

    def watch(phase: str, _step: int, _steps: int, _detail: str, _loss: float | None) -> None:
        seen.setdefault(phase, evaluation_report(run) is not None)

    jobs.work(run, watch=watch)
    assert seen["listen"], "accuracy does not wait for them"
    listening = listening_of(run)
    assert listening is not None
    assert {source.kind for source in listening.every} == {"track", "nearest", "random", "class-mean"}
    without = tiny_job().model_copy(update={"evaluation": None}).create(tmp_path, "unheard")
    jobs.work(without)
    assert listening_of(without) is None


def test_classes_of_any_size_are_distilled_and_the_report_says_which_are_small(
    tiny_job: MakeJob, sounds: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(sounds, tmp_path / "sounds"))
    for file in sorted((folder / "tone").glob("*.wav"))[5:]:
        file.unlink()
    evaluation = {
        "evaluators": ("prototype",),
        "baselines": ("random-selection", "same-storage", "herding"),
        "forms": ("image",),
        "seeds": 1,
    }
    run = tiny_job(data_path=folder, ipc=6, evaluation=evaluation).create(tmp_path, "small")
    jobs.work(run)
    report = evaluation_report(run)
    assert report is not None
    assert report.tracks_per_class == 6
    (note,) = (note for note in report.split.notes if "fewer training clips than tracks" in note)
    assert note.startswith("1 class has fewer training clips than tracks, tone only 4: clips are repeated, with")
    assert {line.trained_on for line in report.evaluations} == {
        *("synthetic", "random-selection", "same-storage", "herding")
    }


def test_the_report_names_the_inversion_of_sounds_that_are_not_stored_as_samples(
    tiny_job: MakeJob, tmp_path: Path
) -> None:
    run = tiny_job(**HEARD).create(tmp_path, "heard")
    jobs.work(run)
    report = evaluation_report(run)
    assert report is not None
    (note,) = (note for note in report.split.notes if "fixed inversion" in note)
    assert "Griffin-Lim" in note
    assert report.floats_per_class <= 8_001


def test_a_failure_is_in_the_status_and_in_the_log(tiny_job: MakeJob, tmp_path: Path) -> None:
    data = tmp_path / "gone"
    job = tiny_job(steps=1)
    run = job.model_copy(update={"data_path": data}).create(tmp_path, "failed")
    with pytest.raises(DatasetError, match="gone") as failed:
        jobs.work(run)
    status = run.status()
    assert (status.state, status.error) == ("failed", failed.value.problem)
    assert str(failed.value) in (run.path / "log.txt").read_text()
    shutil.copytree(str(job.data_path), data)
    jobs.work(run)
    assert (run.status().state, run.status().error) == ("done", "")


def test_every_phase_is_gone_through_once(tiny_run: Run) -> None:
    counted = Counter(record["phase"] for record in tiny_run.metrics() if "phase" in record)
    assert counted == {"prepare": 1, "distill": 1, "invert": 1, "evaluate": 1, "inspect": 1, "listen": 1}


def test_a_device_that_is_not_here_is_refused_before_a_process_starts(tiny_job: MakeJob, tmp_path: Path) -> None:
    job = tiny_job(device="cuda:99")
    run = job.create(tmp_path, "elsewhere")
    for start in (lambda: jobs.resume(run), lambda: jobs.launch(job, tmp_path, "other")):
        with pytest.raises(ConfigError, match="cuda:99"):
            start()
    assert not (run.path / "log.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]


def test_a_measuring_process_that_ends_by_itself_is_an_error() -> None:
    plan = [Measurement("prototype", "synthetic")]
    with pytest.raises(RunError, match="ended by itself: evaluate in fewer processes"):
        work._in_processes(processes.end, plan, 1, lambda _done, _total: None)


def test_a_stop_ends_the_measuring_processes() -> None:
    looks = itertools.count()

    def stop(_done: int, _total: int) -> None:
        if next(looks):
            raise runs.Stopped

    with pytest.raises(runs.Stopped):
        work._in_processes(processes.sleep, [Measurement("prototype", "synthetic")], 1, stop)
    assert not multiprocessing.active_children()
