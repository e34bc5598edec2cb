"""The worker: a run that is cut off in any way, and finished later, ends equal to one that was not."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from distrack import jobs, runs
from distrack.distill import Distiller, SyntheticSet
from distrack.errors import DatasetError, RunError
from distrack.jobs.distillation import DistillJob
from distrack.jobs.distillation import work as worker
from distrack.jobs.results import evaluation_report, synthetic_file
from distrack.process_environment import FAST_ON_CPU, worker_environment
from distrack.runs import Run
from distrack.runs.session import Session
from distrack.settings import PROJECT

MakeJob = Callable[..., DistillJob]
Until = Callable[..., None]


pytestmark = pytest.mark.usefixtures("one_thread", "workers")


# Long enough to be cut off in the middle, whatever the machine.
POOLED = {
    **{"optimiser": "adam", "parameterisation": "dct", "factor": 4, "objective": "cf", "classification": 0.1},
    "pool": {"size": 3, "refresh_every": 300, "training": 5},
    "augmentation": {"time_shift": 0.1, "gain": 0.2, "noise": 0.1},
    "steps": 1200,
}
WAVES = {
    **{"optimiser": "adam", "domain": "waveform", "parameterisation": "multiformation", "objective": "mmd"},
    **{"ipc": 2, "tracks_per_step": 1, "steps": 400},
}
FRESH = {"optimiser": "sgd", "learning_rate": 1.0, "pool": {"size": 0}, "schedule": "constant", "steps": 600}


def last_step(run: Run) -> int:
    return max((record.get("step", 0) for record in run.metrics()), default=0)


def at_step(run: Run, step: int) -> Callable[[], bool]:
    return lambda: last_step(run) >= step


def in_state(run: Run, *states: str) -> Callable[[], bool]:
    return lambda: run.status().state in states


def files(run: Run) -> dict[str, bytes]:
    """Everything that has to be equal, by name."""
    kept = [synthetic_file(run), *(run.path / "snapshots").iterdir(), *(run.path / "audio").iterdir()]
    return {str(path.relative_to(run.path)): path.read_bytes() for path in kept}


def losses(run: Run) -> dict[int, float]:
    found = [(record["step"], record["loss"]) for record in run.metrics() if "step" in record]
    assert [step for step, _ in found] == sorted({step for step, _ in found})
    return dict(found)


@pytest.mark.parametrize("changes", [POOLED, WAVES, FRESH], ids=["pool-and-dct", "waveforms", "sgd-and-fresh-networks"])
def test_stopped_then_killed_then_resumed_equals_never_cut_off(
    changes: dict[str, Any], tiny_job: MakeJob, until: Until, tmp_path: Path
) -> None:
    job = tiny_job(**changes)
    run = job.create(tmp_path, "cut-off")
    jobs.resume(run)
    until(at_step(run, 50))
    os.kill(run.status().pid, signal.SIGTERM)
    until(in_state(run, "stopped"), 10)
    reached = int(load_file(run.checkpoint)["step"])
    assert 50 <= reached < job.steps
    assert not run.stop_request.exists()
    at_first = run.status().seconds["distill"]

    jobs.resume(run)
    until(at_step(run, reached + 50))
    os.kill(run.status().pid, signal.SIGKILL)
    until(in_state(run, "stale"), 10)
    assert last_step(run) < job.steps
    assert not synthetic_file(run).exists()
    assert run.status().seconds["distill"] > at_first > 0

    report = jobs.work(run)
    whole = job.create(tmp_path, "whole")
    expected = jobs.work(whole)
    assert run.status().state == "done"
    assert files(run) == files(whole)
    assert losses(run) == losses(whole)
    assert list(losses(run)) == list(range(1, job.steps + 1))
    assert report.evaluations == expected.evaluations
    assert not run.checkpoint.exists()
    assert report.seconds["distill"] > at_first


class OnAnAccelerator(Distiller):
    """Thinks that waiting for a loss costs time; all that it has is on the CPU."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.device = torch.device("cuda")


def test_a_loss_that_was_not_read_leaves_no_point_in_the_curve_and_the_result_is_the_same(
    tiny_job: MakeJob, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job = tiny_job(steps=45)
    whole = job.create(tmp_path, "read")
    jobs.work(whole)
    monkeypatch.setattr(worker, "Distiller", OnAnAccelerator)
    run = job.create(tmp_path, "unread")
    told: list[tuple[str, int, float | None]] = []
    jobs.work(run, watch=lambda phase, done, _total, _detail, loss: told.append((phase, done, loss)))
    assert list(losses(run)) == [1, 20, 40, 45]
    assert losses(run).items() <= losses(whole).items()
    assert files(run) == files(whole)
    # The bar goes on at every step.
    steps = [(done, loss is not None) for phase, done, loss in told if phase == "distill"]
    assert steps == [(step, step in (1, 20, 40, 45)) for step in range(1, 46)]


def test_a_disk_without_room_fails_the_run_in_words_and_room_finishes_it(
    tiny_job: MakeJob, until: Until, tmp_path: Path
) -> None:
    job = tiny_job(steps=600, snapshots=61, ipc=2)
    whole = job.create(tmp_path / "elsewhere", "whole")
    jobs.work(whole)
    run = job.create(tmp_path, "full")
    jobs.resume(run)
    until(lambda: len(run.snapshots()) > 3)
    # From here on there is no room for a snapshot of 12 kB; a status, the log and a hundred lines of metrics still fit.
    psutil.Process(run.status().pid).rlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    until(in_state(run, "failed", "done"))
    status = run.status()
    assert status.state == "failed"
    assert f"cannot write {run.path}/snapshots/" in status.error
    assert os.strerror(errno.EFBIG) in status.error
    assert "python -m distrack resume full" in status.error
    assert list(run.path.rglob("*.part")) == []
    for path in run.snapshots().values():
        SyntheticSet.load(path)
    assert status.error in (run.path / "log.txt").read_text()
    assert "Traceback" not in (run.path / "log.txt").read_text()
    until(lambda: not status.process_is_alive())

    jobs.work(run)
    assert (run.status().state, run.status().error) == ("done", "")
    assert files(run) == files(whole)
    assert losses(run) == losses(whole)


def test_where_the_status_cannot_be_replaced_it_is_written_over(tiny_job: MakeJob, tmp_path: Path) -> None:
    """A full disk has no room for a second copy; the reason must not be lost with it."""
    run = tiny_job().create(tmp_path, "full")

    def work_on_a_full_disk() -> None:
        with Session(run, "cpu").working() as session:
            session.phase("distill", 4)
            (run.path / f".status.json.{os.getpid()}.{threading.get_ident()}.part").mkdir()
            raise RunError("no space")

    with pytest.raises(RunError, match="no space"):
        work_on_a_full_disk()
    assert (run.status().state, run.status().error) == ("failed", "no space")


def long_run(tiny_job: MakeJob, tmp_path: Path, name: str = "long", **changes: Any) -> Run:
    return tiny_job(steps=1_000_000, **changes).create(tmp_path, name)


def test_a_request_to_stop_is_heard_by_a_process_that_is_still_starting(
    tiny_job: MakeJob, until: Until, tmp_path: Path
) -> None:
    run = long_run(tiny_job, tmp_path)
    jobs.resume(run)
    pid = run.status().pid
    run.write(run.stop_request.name, str(pid))
    assert not (run.path / "environment.json").exists()
    until(in_state(run, "stopped"))
    assert last_step(run) < 10_000
    until(lambda: not psutil.pid_exists(pid), 10)


def test_a_step_that_takes_long_does_not_keep_a_run_from_stopping(
    tiny_job: MakeJob, until: Until, tmp_path: Path
) -> None:
    run = long_run(
        tiny_job,
        tmp_path,
        network={"width": 256, "depth": 2},
        pool={"size": 0, "clips_per_class": 3_000},
    )
    jobs.resume(run)
    until(lambda: len(run.snapshots()) == 1)
    pid = run.status().pid
    runs.stop(run, timeout=10)
    assert run.status().state == "stopped"
    until(lambda: not psutil.pid_exists(pid), 10)
    assert list(run.path.rglob("*.part")) == []


def test_ctrl_c_stops_while_the_dataset_is_made_and_says_how_to_go_on(until: Until, tmp_path: Path) -> None:
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
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out == "stopped. Go on with: python -m distrack resume early\n"
    assert "Traceback" not in err
    assert (run.status().state, run.status().phase) == ("stopped", "prepare")
    assert not list((tmp_path / "data").glob("spoken_digits"))


def test_a_run_stops_while_it_is_evaluated_and_goes_on_there(tiny_job: MakeJob, until: Until, tmp_path: Path) -> None:
    evaluation = {"evaluators": ("prototype", "random-cnn"), "baselines": (), "seeds": 100}
    run = tiny_job(evaluation=evaluation).create(tmp_path, "measured")
    jobs.resume(run)
    until(lambda: "random-cnn" in run.status().detail)
    made = synthetic_file(run).stat().st_mtime_ns
    assert runs.stop(run).state == "stopped"
    assert run.status().phase == "evaluate"
    report = evaluation_report(run)
    assert report is not None
    assert [line.evaluator for line in report.evaluations] == ["prototype"]
    config = tiny_job(evaluation={"evaluators": ("prototype", "random-cnn"), "seeds": 1})
    run.write("config.json", config.model_dump_json())
    finished = jobs.work(run)
    # What was measured before is not measured again.
    assert [len(line.accuracy.runs) for line in finished.evaluations] == [100, 1]
    assert synthetic_file(run).stat().st_mtime_ns == made


def test_stopping_what_is_gone_marks_it_stopped(tiny_job: MakeJob, until: Until, tmp_path: Path) -> None:
    run = long_run(tiny_job, tmp_path)
    jobs.resume(run)
    pid = run.status().pid
    os.kill(pid, signal.SIGKILL)
    until(in_state(run, "stale"), 10)
    run.write(run.stop_request.name, str(pid))  # a request that nobody heard any more
    assert runs.stop(run).state == "stopped"
    assert not run.stop_request.exists()
    with pytest.raises(RunError, match="not at work: it is stopped"):
        runs.stop(run)


def test_stopping_a_finished_run_is_an_error(tiny_job: MakeJob, tmp_path: Path) -> None:
    run = tiny_job(steps=1).create(tmp_path, "done")
    jobs.work(run)
    with pytest.raises(RunError, match="run done is not at work: it is done"):
        runs.stop(run)
    assert run.status().state == "done"


def test_a_failure_is_in_the_status_and_in_the_log(tiny_job: MakeJob, tmp_path: Path) -> None:
    data = tmp_path / "gone"
    job = tiny_job(steps=1)
    shutil.copytree(str(job.data_path), data)
    run = job.model_copy(update={"data_path": data}).create(tmp_path, "failed")
    shutil.rmtree(data)
    with pytest.raises(DatasetError, match="gone") as failed:
        jobs.work(run)
    status = run.status()
    assert (status.state, status.error) == ("failed", str(failed.value))
    assert str(failed.value) in (run.path / "log.txt").read_text()
    shutil.copytree(str(job.data_path), data)
    jobs.work(run)
    assert (run.status().state, run.status().error) == ("done", "")


def test_a_launched_run_outlives_whoever_launched_it_until_the_command_stops_it(
    tiny_job: MakeJob, until: Until, typed: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    run = long_run(tiny_job, tmp_path)
    script = "import sys; from pathlib import Path; from distrack import runs; runs.launch(runs.Run(Path(sys.argv[1])))"
    environment = {name: value for name, value in os.environ.items() if name not in FAST_ON_CPU}
    subprocess.run([sys.executable, "-c", script, str(run.path)], cwd=PROJECT, env=environment, check=True)
    until(at_step(run, 5))
    status = run.status()
    assert status.state == "running"
    assert os.getsid(status.pid) == status.pid != os.getsid(0)
    environ = psutil.Process(status.pid).environ()
    assert {name: environ.get(name) for name in FAST_ON_CPU} == FAST_ON_CPU
    with pytest.raises(RunError, match="at work in another process"):
        jobs.work(run)
    with pytest.raises(RunError, match="at work"):
        jobs.resume(run)

    asked = time.time()
    assert typed("stop", "long", "--runs-path", str(tmp_path)) == (0, "long is stopped\n", "")
    assert run.status().heartbeat - asked < 3
    assert run.checkpoint.is_file()
    assert not run.stop_request.exists()
    code, out, err = typed("stop", "long", "--runs-path", str(tmp_path))
    assert (code, out, err) == (2, "", "distrack: run long is not at work: it is stopped\n")
    until(lambda: not status.process_is_alive())
    log = (run.path / "log.txt").read_text()
    # The log's own lines, and what the process printed.
    assert "INFO phase distill" in log
    assert "stopped. Go on with: python -m distrack resume long" in log
    assert "the run failed" not in log


def test_the_count_of_phases_is_kept(tiny_job: MakeJob, tmp_path: Path) -> None:
    run = tiny_job(steps=2).create(tmp_path, "phases")
    jobs.work(run)
    counted = Counter(record["phase"] for record in run.metrics() if "phase" in record)
    assert counted == {"prepare": 1, "distill": 1, "invert": 1, "evaluate": 1}
