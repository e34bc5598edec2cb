"""The queue: runs on one device take turns in the order they came, whatever becomes of the one before."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from distrack import jobs, runs
from distrack.errors import ConfigError
from distrack.jobs.distillation import DistillJob
from distrack.process_environment import worker_environment
from distrack.runs import Run
from distrack.settings import PROJECT

MakeJob = Callable[..., DistillJob]
Until = Callable[..., None]


pytestmark = pytest.mark.usefixtures("one_thread", "workers")


def at_work(run: Run) -> bool:
    return any("step" in record for record in run.metrics())


def speaks_for_itself(run: Run) -> bool:
    """Whether the process has started and says where it stands: only then a queued run waits for its turn."""
    status = run.status()
    return status.state == "queued" and (run.path / ".lock").exists()


def test_runs_take_turns_in_the_order_they_came(tiny_job: MakeJob, until: Until, tmp_path: Path) -> None:
    # Names and ages in another order than the queue's: the last one is the oldest, and was stopped before its end.
    last = tiny_job(steps=1).create(tmp_path, "a")
    jobs.work(last)
    last.synthetic.unlink()
    endless = tiny_job(steps=1_000_000)
    first, second, third = (
        job.create(tmp_path, name) for job, name in ((endless, "d"), (tiny_job(steps=1), "c"), (endless, "b"))
    )
    jobs.resume(first)
    until(lambda: at_work(first))
    for run in (second, third, last):
        jobs.resume(run)
    # Known before their processes have started: which of these is the first to be ready is not the order of the queue.
    assert [run.status().device for run in (second, third, last)] == ["cpu"] * 3
    assert last.status().started < second.status().started
    for run in (second, third, last):
        until(lambda run=run: speaks_for_itself(run))
    assert [run.status().state for run in (first, second, third, last)] == ["running", *["queued"] * 3]

    # One that waits can be stopped, and is passed over.
    assert runs.stop(third).state == "stopped"
    assert not at_work(third)

    # The device is free when the one that has it is killed.
    os.kill(first.status().pid, signal.SIGKILL)
    until(lambda: last.status().state == "done")
    assert [run.status().state for run in (first, second, third)] == ["stale", "done", "stopped"]
    began = (last.path / "environment.json").stat().st_mtime
    assert began >= (second.path / "status.json").stat().st_mtime


def test_of_two_that_resume_a_run_one_works_and_the_other_says_so(
    tiny_job: MakeJob, until: Until, tmp_path: Path
) -> None:
    run = tiny_job(steps=1_000_000).create(tmp_path, "wanted")
    words = [sys.executable, "-m", "distrack", "resume", "wanted", "--runs-path", str(tmp_path), "--quiet"]
    both = [
        subprocess.Popen(
            words,
            cwd=PROJECT,
            env=worker_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    until(lambda: any(process.poll() is not None for process in both))
    refused, working = sorted(both, key=lambda process: process.poll() is None)
    out, err = refused.communicate(timeout=30)
    assert (refused.returncode, out) == (2, "")
    assert err == "distrack: run wanted is at work in another process: stop it first\n"
    until(lambda: at_work(run))
    assert run.status().pid == working.pid
    working.send_signal(signal.SIGTERM)
    out, err = working.communicate(timeout=30)
    assert working.returncode == 0
    assert "stopped. Go on with" in out
    assert run.status().state == "stopped"


def test_a_device_that_is_not_here_is_refused_before_a_process_starts(tiny_job: MakeJob, tmp_path: Path) -> None:
    run = tiny_job(device="cuda:99").create(tmp_path, "elsewhere")
    with pytest.raises(ConfigError, match="cuda:99"):
        jobs.resume(run)
    assert not (run.path / "log.txt").exists()
