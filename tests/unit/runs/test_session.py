"""The process of a run: it outlives its starter, obeys requests to stop, and leaves a status that says how it ended."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from distrack import runs
from distrack.errors import RunError
from distrack.process_environment import FAST_ON_CPU
from distrack.runs import Run, Session, Status
from distrack.runs.session import HOLD_AT, Stopped
from distrack.settings import PROJECT

Launched = Callable[..., Run]
Until = Callable[..., None]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """An empty run."""
    (tmp_path / "run").mkdir()
    return Run(tmp_path / "run")


def test_a_run_outlives_the_process_that_launched_it_until_it_is_stopped(
    until: Until,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: None,  # noqa: ARG001
) -> None:
    run = Run(tmp_path / "long")
    run.path.mkdir()
    monkeypatch.setenv("DISTRACK_PLUGINS", "tests.unit.runs.idle")
    monkeypatch.setenv(HOLD_AT, "idle:1")
    script = "import sys; from pathlib import Path; from distrack import runs; path = Path(sys.argv[1]); " + (
        "runs.launch(runs.Run(path), 'idle', path.name, '--runs-path', str(path.parent), device='cpu')"
    )
    environment = {name: value for name, value in os.environ.items() if name not in FAST_ON_CPU}
    subprocess.run([sys.executable, "-c", script, str(run.path)], cwd=PROJECT, env=environment, check=True)
    until(lambda: run.status().step == 1)
    status = run.status()
    assert (status.state, status.phase, status.steps, status.device) == ("running", "idle", 3, "cpu")
    assert os.getsid(status.pid) == status.pid != os.getsid(0)
    environ = psutil.Process(status.pid).environ()
    assert {name: environ.get(name) for name in FAST_ON_CPU} == FAST_ON_CPU
    with pytest.raises(RunError, match="running in another process"), Session(run, "cpu").working():
        pass
    with pytest.raises(RunError, match="is running"):
        runs.launch(run, "idle", run.id, device="cpu")

    before = time.time()
    assert runs.stop(run).state == "stopped"
    assert run.status().heartbeat - before < 3
    until(lambda: not run.stop_request.exists())
    with pytest.raises(RunError, match="run long is not running: it is stopped"):
        runs.stop(run)
    until(lambda: not status.process_is_alive())
    assert "works on long" in (run.path / "log.txt").read_text(), "what the process prints is in the log"


def test_a_process_that_is_still_starting_obeys_a_request_to_stop(
    launched: Launched, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOLD_AT, "idle:1")
    run = launched("new")
    run.write(run.stop_request.name, str(run.status().pid))
    until(lambda: run.status().state == "stopped")
    assert run.status().step < 3


@pytest.mark.parametrize("work", ["sleep", "one-call"])
def test_work_that_reports_no_progress_is_stopped_all_the_same(launched: Launched, until: Until, work: str) -> None:
    run = launched("deaf", "--without-progress", work)
    until(lambda: run.status().phase == "idle")
    status = run.status()
    assert runs.stop(run).state == "stopped"
    until(lambda: not status.process_is_alive())
    assert list(run.path.rglob("*.part")) == []


def test_a_signal_to_terminate_is_a_request_to_stop(
    launched: Launched, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOLD_AT, "idle:1")
    run = launched("terminated")
    until(lambda: run.status().step == 1)
    os.kill(run.status().pid, signal.SIGTERM)
    until(lambda: run.status().state == "stopped")


def test_work_that_is_held_goes_on_when_it_is_released(
    launched: Launched, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOLD_AT, "idle:2")
    run = launched("held")
    until(lambda: run.status().step == 2)
    beat = run.status().heartbeat
    until(lambda: run.status().heartbeat > beat)
    assert run.status().step == 2
    (run.path / "go").touch()
    until(lambda: run.status().state == "done")
    assert run.status().step == 3


def test_stopping_a_run_whose_process_is_gone_marks_it_as_stopped(run: Run) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    run.write("status.json", Status(state="running", pid=gone.pid, host=os.uname().nodename).model_dump_json())
    run.write(run.stop_request.name, str(gone.pid))
    assert run.status().state == "stale"
    assert runs.stop(run).state == "stopped"
    assert not run.stop_request.exists(), "a request that nobody heard"


def test_the_last_state_says_how_the_work_ended(run: Run) -> None:
    def work(error: Exception | None) -> None:
        with Session(run, "cpu").working() as session:
            session.phase("idle", 1)
            if error is not None:
                raise error

    with pytest.raises(RunError, match="no such file"):
        work(RunError("no such file"))
    assert (run.status().state, run.status().error) == ("failed", "no such file")
    work(None)
    assert (run.status().state, run.status().error) == ("done", "")
    with pytest.raises(RunError, match="run run is not running: it is done"):
        runs.stop(run)
    assert run.status().state == "done"


def shares_of(run: Run, phases: list[str], plan: dict[str, float], *, stop_in: str = "") -> list[float]:
    """The share that is done after each half of each phase; the run is stopped in the middle of one."""
    shares = []
    with suppress(Stopped), Session(run, "cpu").working() as session:
        session.plan(plan)
        for phase in phases:
            session.phase(phase, 2)
            for step in (1, 2):
                session.progress(step, 2)
                session._publish()
                shares.append(run.status().share)
                if phase == stop_in:
                    raise Stopped
    return shares


def test_the_share_that_is_done_goes_over_all_planned_phases_and_never_falls(run: Run) -> None:
    plan = {"prepare": 10.0, "distill": 60.0, "evaluate": 30.0}
    before = shares_of(run, ["prepare", "distill"], plan, stop_in="distill")
    assert before == pytest.approx([0.05, 0.1, 0.4])
    # The run goes on: the data are prepared again, and the plan has changed a little.
    after = shares_of(run, [*plan, "unplanned"], {**plan, "prepare": 20.0})
    assert after == pytest.approx([0.4, 0.4, 50 / 110, 80 / 110, 95 / 110, 1, 1, 1])
    assert run.status().state == "done"
    assert shares_of(run, ["prepare"], plan) == pytest.approx([0.05, 0.1]), "a later job in the folder starts anew"


def test_without_a_plan_the_share_is_that_of_the_phase(run: Run) -> None:
    assert shares_of(run, ["measure", "listen"], {}) == [0.5, 1, 0.5, 1]


def test_on_a_full_disk_the_status_is_written_over_the_old_one(run: Run) -> None:
    """There is no room for a second copy, and the reason must not be lost."""

    def work_on_a_full_disk() -> None:
        with Session(run, "cpu").working() as session:
            session.phase("distill", 4)
            (run.path / f".status.json.{os.getpid()}.{threading.get_ident()}.part").mkdir()
            raise RunError("no space")

    with pytest.raises(RunError, match="no space"):
        work_on_a_full_disk()
    assert (run.status().state, run.status().error) == ("failed", "no space")


def test_progress_of_fast_steps_is_reported_some_times_a_second_and_at_the_end(run: Run) -> None:
    reported: list[int] = []
    session = Session(run, "cpu", lambda _phase, step, *_: reported.append(step))
    with session.working():
        session.phase("decompose", 5_000)
        began = time.monotonic()
        for step in range(1, 5_001):
            session.progress_often(step, 5_000)
        seconds = time.monotonic() - began
    assert (reported[0], reported[-1]) == (1, 5_000)
    assert len(reported) <= 3 + 50 * seconds
    assert run.status().step == 5_000


def test_a_request_to_stop_is_obeyed_between_fast_steps(run: Run) -> None:
    session = Session(run, "cpu")

    def work() -> None:
        with session.working():
            session.phase("decompose", 10**9)
            run.stop_request.write_text(str(os.getpid()))
            for step in range(10**9):
                session.progress_often(step, 10**9)

    with pytest.raises(Stopped):
        work()
    assert run.status().state == "stopped"
