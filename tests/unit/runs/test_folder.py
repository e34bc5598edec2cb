"""A run's folder: it is read in every state, files are replaced whole, and its process is told from others."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from distrack import runs
from distrack.errors import RunError
from distrack.runs import Run, Session, Status, folder
from distrack.runs.folder import make_folder

STEPS = (1, 2, 3, 4)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The folder of a run that is done."""
    run = make_folder(tmp_path, "run", '{"kind": "distillation"}')
    with Session(run, "cpu").working() as session:
        session.phase("distill", len(STEPS))
        for step in STEPS:
            run.append_metrics(step=step, loss=1 / step)
        run.write("snapshots/4.safetensors", b"tracks")
    return run


GARBAGE = [b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe\x00garbage", b"{}", b"1e999", b"[" * 500]


@pytest.mark.parametrize("content", GARBAGE)
def test_a_damaged_status_is_unreadable_and_damaged_metrics_are_left_out(run: Run, content: bytes) -> None:
    for name in ("status.json", "metrics.jsonl"):
        (run.path / name).write_bytes(content)
    assert run.status().state == "unreadable"
    assert run.metrics() in ([], [{}])
    assert [found.id for found in runs.all_runs(run.path.parent)] == ["run"]


@pytest.mark.parametrize("name", ["status.json", "config.json", "metrics.jsonl", "snapshots"])
def test_a_missing_file_or_a_folder_in_its_place_is_no_error_for_a_reader(run: Run, name: str) -> None:
    def read() -> None:
        run.status(), run.metrics(), run.snapshots()
        assert [found.id for found in runs.all_runs(run.path.parent)] == ["run"]
        if name == "config.json":
            with pytest.raises(RunError, match=r"config\.json is missing or damaged"):
                run.config()

    target = run.path / name
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    read()
    target.mkdir()
    read()


@pytest.mark.parametrize("cut", [1, 20])
def test_a_truncated_file_is_no_error_for_a_reader(run: Run, cut: int) -> None:
    for name in ("status.json", "config.json"):
        path = run.path / name
        path.write_bytes(path.read_bytes()[:-cut])
    assert run.status().state == "unreadable"
    with pytest.raises(RunError, match=r"config\.json is missing or damaged") as refused:
        run.config()
    assert "\n" not in str(refused.value)


def test_half_a_line_of_metrics_is_left_out(run: Run) -> None:
    whole = run.metrics()
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"t": 1.5, "step": 5, "lo')
    assert run.metrics() == whole
    assert [record["step"] for record in whole if "step" in record] == list(STEPS)


def test_what_is_no_run_is_not_listed_and_an_empty_folder_is_unreadable(run: Run) -> None:
    runs_path = run.path.parent
    (runs_path / "file.txt").write_text("not a run")
    (runs_path / ".queue").mkdir(exist_ok=True)
    (runs_path / "empty").mkdir()
    (runs_path / "dangling").symlink_to(runs_path / "nowhere")
    found = {run.id: run.status().state for run in runs.all_runs(runs_path)}
    assert found == {"run": "done", "empty": "unreadable"}
    assert list(runs.all_runs(runs_path / "nowhere")) == []


def test_the_newest_run_is_listed_first(tmp_path: Path) -> None:
    for age, name in enumerate(["newest", "middle", "oldest"]):
        run = make_folder(tmp_path, name, "{}")
        moment = time.time() - 10 * age
        os.utime(run.path / "config.json", (moment, moment))
    assert [run.id for run in runs.all_runs(tmp_path)] == ["newest", "middle", "oldest"]


# Whose process counts


def said_by(pid: int, process_started: float, **other: object) -> Status:
    plain = Status(
        state="running", pid=pid, process_started=process_started, host=socket.gethostname(), heartbeat=time.time()
    )
    return plain.model_copy(update=other)


def seen(run: Run, status: Status) -> str:
    run.write("status.json", status.model_dump_json())
    return run.status().state


def test_a_number_that_another_process_got_since_is_not_taken_for_the_worker(run: Run) -> None:
    started = psutil.Process().create_time()
    assert seen(run, said_by(os.getpid(), started)) == "running"
    assert seen(run, said_by(os.getpid(), started - 100)) == "stale"


@pytest.mark.parametrize("pid", [0, -1, 2**31 - 2, 2**63, 2**70])
def test_a_number_that_no_process_has_is_a_process_that_is_gone(run: Run, pid: int) -> None:
    assert seen(run, said_by(pid, 0.0)) == "stale"


def test_a_zombie_counts_as_gone(run: Run, until: Callable[..., None]) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        child = psutil.Process(process.pid)
        started = child.create_time()
        until(lambda: child.status() == psutil.STATUS_ZOMBIE)
        assert seen(run, said_by(process.pid, started)) == "stale"


def test_on_another_machine_the_heartbeat_tells(run: Run) -> None:
    there = said_by(os.getpid(), 0.0, host="another-machine")
    assert seen(run, there) == "running"
    assert seen(run, there.model_copy(update={"heartbeat": time.time() - 60})) == "stale"


@pytest.mark.parametrize("hours", [-30, -1, 1, 30])
def test_the_clock_of_another_machine_may_be_wrong(run: Run, hours: float) -> None:
    """A heartbeat that goes on is one, whatever its time; one that does not is none."""
    there = said_by(os.getpid(), 0.0, host="another-machine", heartbeat=time.time() + 3600 * hours)
    assert seen(run, there) == "stale"
    for beat in (1, 2):
        later = there.model_copy(update={"heartbeat": there.heartbeat + beat})
        assert seen(run, later) == "running"
    beats = iter(range(3, 100))
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(0.3):
            run.write(
                "status.json", there.model_copy(update={"heartbeat": there.heartbeat + next(beats)}).model_dump_json()
            )

    folder._heard.clear()  # as in a new process, which has heard nothing
    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert run.status().state == "running"
    finally:
        ended.set()
        writer.join()


def test_a_folder_that_was_copied_from_another_machine_while_its_run_worked_is_stale(run: Run, tmp_path: Path) -> None:
    run.write("status.json", said_by(os.getpid(), 0.0, host="another-machine", heartbeat=1e9).model_dump_json())
    copy = Run(Path(shutil.copytree(run.path, tmp_path / "copies" / run.id)))
    assert copy.status().state == "stale"


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_while_a_run_works_changes_no_state(
    run: Run, hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Setting the clock changes the time of the machine's start, and with it when every process began."""
    status = Status.queued(Status(state="queued"), psutil.Process(), device="cpu").model_copy(
        update={"state": "running"}
    )
    began, boot = psutil.Process().create_time(), psutil.boot_time()
    monkeypatch.setattr(psutil, "boot_time", lambda: boot + 3600 * hours)
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: began + 3600 * hours)
    now = time.time() + 3600 * hours
    monkeypatch.setattr(time, "time", lambda: now)
    assert seen(run, status) == "running"


def test_a_time_zone_that_changes_changes_no_state(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    status = Status.queued(Status(state="queued"), psutil.Process(), device="cpu")
    for zone in ("UTC", "Asia/Kolkata", "America/St_Johns"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert seen(run, status.model_copy(update={"state": "running"})) == "running"
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("state", ["done", "stopped", "failed"])
def test_a_run_that_ended_is_never_stale(run: Run, state: str) -> None:
    assert seen(run, said_by(2**31 - 2, 0.0, state=state)) == state


# Writing


def test_a_file_is_replaced_whole_or_not_at_all(run: Run) -> None:
    run.write("report.json", "first")
    (run.path / "snapshots" / "9.safetensors").mkdir()
    with pytest.raises(RunError, match=r"cannot write .*9\.safetensors.*python -m distrack resume run"):
        run.write("snapshots/9.safetensors", b"content")
    assert (run.path / "report.json").read_text() == "first"
    assert list(run.path.rglob("*.part")) == []


def test_a_run_that_was_deleted_does_not_come_back(run: Run) -> None:
    shutil.rmtree(run.path)
    for name in ("status.json", "snapshots/1.safetensors"):
        with pytest.raises(RunError, match="cannot write"):
            run.write(name, "{}")
    assert not run.path.exists()


def test_what_a_killed_process_left_half_written_is_removed_by_the_next(run: Run) -> None:
    gone = 2**31 - 2
    (run.path / f".status.json.{gone}.1.part").write_text("{")
    (run.path / "snapshots" / f".3.safetensors.{gone}.1.part").write_text("half")
    in_the_making = run.path / f".stop.{os.getppid()}.1.part"
    in_the_making.write_text("1")
    with Session(run, "cpu").working():
        pass
    assert list(run.path.rglob("*.part")) == [in_the_making]


@pytest.mark.parametrize("name", ["..", "a/b", ".hidden", "-x", "a b", "", "é", "x" * 101, "a\n"])
def test_a_name_that_no_folder_should_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="use letters"):
        make_folder(tmp_path / "runs", name, "{}")
    with pytest.raises(RunError, match="no run"):
        runs.find(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_the_phases_of_the_work_are_in_the_metrics_and_their_times_in_the_status(run: Run) -> None:
    assert [record["phase"] for record in run.metrics() if "phase" in record] == ["distill"]
    with Session(run, "cpu").working() as session:
        session.phase("evaluate")
    assert run.status().seconds.keys() == {"distill", "evaluate"}
    assert json.loads((run.path / "status.json").read_text())["state"] == "done"
