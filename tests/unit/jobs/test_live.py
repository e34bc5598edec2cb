"""Runs that are written to a store while they are worked on: followed, stopped and taken over from elsewhere."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from distrack import jobs
from distrack.engines import LOCAL, EngineConfig
from distrack.errors import DistrackError, EngineError, RunError, StoreError
from distrack.jobs.decomposition import DecomposeJob
from distrack.jobs.distillation import DistillJob
from distrack.jobs.live import Follower, Mirror, follow, is_followed
from distrack.jobs.live.sending import Sender
from distrack.jobs.on_cluster import Handed, work_elsewhere
from distrack.jobs.results import synthetic_file
from distrack.jobs.series import SweepJob, run_of, sweep_of
from distrack.jobs.transfer import PullJob, PushJob, Transferred
from distrack.progress import unwatched
from distrack.runs import Run, Status, stop
from distrack.runs.session import HOLD_AT
from distrack.settings import PROJECT
from distrack.store import Store, open_store
from distrack.store.package import Manifest, read_manifest
from tests.s3_server import proxy
from tests.unit.jobs.conftest import BUCKET, KEYS

Until = Callable[..., None]


@contextmanager
def held_job(
    job: DistillJob | SweepJob, name: str, runs_path: Path, live_store: str
) -> Iterator["subprocess.Popen[str]"]:
    """The command that does a job, in a process that waits at a step of distillation."""
    words = [*job.words(), "--name", name, "--runs-path", str(runs_path), "--live-store", live_store]
    process = subprocess.Popen(
        [sys.executable, "-m", "distrack", *words, "--quiet"],
        cwd=PROJECT,
        env={**os.environ, HOLD_AT: "distill:2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def pulling(run_id: str, runs_path: Path, where: str) -> Iterator[list[Transferred | DistrackError]]:
    """Pulls a run in a thread; yields a list that gets the report or the error, at the latest at the block's end."""
    job, ended = PullJob(run=run_id, store=where), list[Transferred | DistrackError]()

    def pull() -> None:
        try:
            ended.append(jobs.work(job.open(runs_path), job))
        except DistrackError as error:
            ended.append(error)

    thread = threading.Thread(target=pull)
    thread.start()
    yield ended
    thread.join(120)
    assert not thread.is_alive()


def at_step(run: Run, step: int) -> bool:
    """Whether the distillation of a run has come to a step."""
    status = run.status()
    return status.state == "running" and status.phase == "distill" and status.step >= step


def files_of(run: Run) -> dict[str, bytes]:
    """The files of a run that a store has."""
    kept = {".safetensors", ".json", ".jsonl", ".flac", ".txt"}
    paths = (path for path in run.path.rglob("*") if path.suffix in kept and not path.name.startswith("."))
    named = {path.relative_to(run.path).as_posix(): path for path in paths}
    return {name: path.read_bytes() for name, path in named.items() if not name.startswith("listening")}


@pytest.mark.timeout(300)
def test_a_run_is_watched_and_stopped_from_elsewhere_and_ends_there_as_here(
    bucket: str, tiny_job: Callable[..., DistillJob], tmp_path: Path, until: Until
) -> None:
    job = tiny_job()
    here, there = Run(tmp_path / "here" / "one"), Run(tmp_path / "there" / "one")
    with held_job(job, "one", here.path.parent, bucket) as process:
        until(lambda: at_step(here, 2), 120)
        until(lambda: "one" in {each.id for each in listed_in(bucket)})
        with pulling("one", there.path.parent, bucket) as ended:
            until(lambda: at_step(there, 2), 60)
            assert not ended, "the run is still worked on"
            until(lambda: bool(there.snapshots()) and "phase distill" in (there.path / "log.txt").read_text())
            assert stop(there).state == "stopped"
            out, _ = process.communicate(timeout=60)
        assert process.returncode == 0, out
    assert here.status().state == "stopped"
    assert files_of(there) == files_of(here)
    assert is_followed(there)
    # It goes on here, and is followed there once more.
    jobs.work(here, engine=LOCAL.model_copy(update={"live_store": bucket}))
    with pulling("one", there.path.parent, bucket) as ended:
        pass
    assert isinstance(ended[0], Transferred)
    assert ended[0].runs == ("one",)
    assert there.status().state == "done"
    assert files_of(there) == files_of(here)
    alone = job.create(tmp_path / "alone", "one")
    jobs.work(alone)
    assert synthetic_file(there).read_bytes() == synthetic_file(alone).read_bytes()
    leftovers = [name for name in open_store(bucket).names("runs/one/") if "." not in name]
    assert leftovers == [], "the objects of a run in progress are gone"


def listed_in(address: str) -> list[Manifest]:
    """The manifests in a store."""
    from distrack.store import listed

    return listed(open_store(address))


@pytest.mark.timeout(300)
def test_a_series_is_followed_with_its_cells(tiny_job: Callable[..., DistillJob], tmp_path: Path, until: Until) -> None:
    shelf = str(tmp_path / "shelf")
    job = sweep_of([tiny_job(steps=2)], seeds=2)
    there = tmp_path / "there"
    with held_job(job, "table", tmp_path / "here", shelf) as process:
        until((tmp_path / "shelf" / "runs" / "table-seed0" / "manifest.json").exists, 120)
        with pulling("table", there, shelf) as ended:
            until(lambda: at_step(Run(there / "table-seed0"), 2), 60)
            (tmp_path / "here" / "table-seed0" / "go").touch()
            until(lambda: at_step(Run(there / "table-seed1"), 2), 60)
            (tmp_path / "here" / "table-seed1" / "go").touch()
            process.communicate(timeout=120)
    assert isinstance(ended[0], Transferred), ended
    assert ended[0].runs == ("table-seed0", "table-seed1", "_sweeps/table")
    series = jobs.find(there, "table")
    for cell in job.cells("table"):
        here = Run(tmp_path / "here" / cell.run_id)
        assert run_of(series, cell).status().state == "done"
        assert synthetic_file(run_of(series, cell)).read_bytes() == synthetic_file(here).read_bytes()


@pytest.fixture
def shelf(tmp_path: Path) -> Store:
    """A folder as a store."""
    return open_store(str(tmp_path / "shelf"))


@pytest.fixture(autouse=True)
def own_pace(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Mirrors of tests that have one in this process send when they are told to; all of them end with the test."""
    if "shelf" not in request.fixturenames:
        yield
        return
    begun = list[Mirror]()
    begin = Mirror.begin

    def noted(mirror: Mirror) -> None:
        begun.append(mirror)
        begin(mirror)

    monkeypatch.setattr("distrack.jobs.live.mirror._PERIOD", 1000.0)
    monkeypatch.setattr(Mirror, "begin", noted)
    monkeypatch.setattr(Mirror, "_beats", lambda *_: False)
    yield
    for mirror in begun:
        mirror._ended.set()


@pytest.fixture
def run(tiny_job: Callable[..., DistillJob], tmp_path: Path) -> Run:
    """A run that this process seems to work on."""
    run = tiny_job().create(tmp_path / "here", "one")
    run.write("status.json", alive().model_dump_json())
    (run.path / "log.txt").write_text("begun\n")
    return run


def alive(**changes: object) -> Status:
    """The status of a run that this process works on."""
    return Status.queued(Status(state="done"), psutil.Process(), device="cpu").model_copy(
        update={"state": "running", "phase": "distill", **changes}
    )


def test_who_takes_a_run_over_stops_the_one_before(shelf: Store, run: Run) -> None:
    first, second = Mirror(run, shelf.where), Mirror(run, shelf.where)
    first.begin()
    second.begin()
    first.beat()
    assert run.stop_request.read_text() == str(os.getpid())
    run.write("report.json", '{"of": "the first"}')
    first.send()
    first.end()
    assert shelf.read("runs/one/report.json", 100) is None, "who was taken over writes no more"
    second.end()
    assert shelf.read("runs/one/report.json", 100) == b'{"of": "the first"}'
    assert shelf.read("runs/one/worker", 100) is None


def test_what_a_worker_that_was_taken_over_still_sends_is_sent_again(shelf: Store, run: Run, tmp_path: Path) -> None:
    other = Run(shutil.copytree(run.path, tmp_path / "other" / "one"))
    first, second = Mirror(run, shelf.where), Mirror(other, shelf.where)
    first.begin()
    second.begin()
    other.write("report.json", '{"of": "the second"}')
    second.send()
    manifest = shelf.read("runs/one/manifest.json", 10**6)
    run.write("report.json", '{"of": "the first"}')
    first.send()  # it does not know yet
    assert shelf.read("runs/one/manifest.json", 10**6) == manifest
    assert shelf.read("runs/one/report.json", 100) == b'{"of": "the first"}'
    second.end()
    assert shelf.read("runs/one/report.json", 100) == b'{"of": "the second"}'


def test_a_run_that_is_worked_on_elsewhere_is_not_taken_over(
    shelf: Store, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("distrack.jobs.live.mirror._PERIOD", 0.2)
    other = Run(shutil.copytree(run.path, tmp_path / "other" / "one"))
    first, beats = Mirror(run, shelf.where), iter(range(10**6))
    first.begin()
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.02):
            run.write("status.json", alive(step=next(beats)).model_dump_json())

    thread = threading.Thread(target=work)
    thread.start()
    with pytest.raises(RunError, match="run one is worked on elsewhere: stop it first"):
        Mirror(other, shelf.where).begin()
    ended.set()
    thread.join()
    first.end()
    assert not run.stop_request.exists()


def test_a_process_that_ends_itself_leaves_the_last_state(shelf: Store, run: Run) -> None:
    mirror = Mirror(run, shelf.where)
    mirror.begin()
    shelf.write("runs/one/stop", str(os.getpid()).encode(), public=False)
    run.write("status.json", alive(state="stopped").model_dump_json())
    mirror.leave()
    assert Follower(shelf, "one", run.path.parent).look().state == "stopped"
    assert read_manifest(shelf, "one").in_progress is False
    assert [name for name in shelf.names("runs/one/") if "." not in name] == []


def test_a_fetch_that_breaks_off_leaves_nothing_and_is_repeated(
    shelf: Store, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Mirror(run, shelf.where).begin()
    there = Follower(shelf, "one", tmp_path / "there")

    def broken(*_: object, **__: object) -> None:
        raise StoreError("the connection broke")

    with monkeypatch.context() as patch:
        patch.setattr(shelf, "get", broken)
        with pytest.raises(StoreError, match="the connection broke"):
            there.look()
    assert not there.run.path.exists()
    assert there.look().state == "running"
    assert (there.run.path / "config.json").read_bytes() == (run.path / "config.json").read_bytes()


def test_a_followed_run_is_not_replaced_from_another_store(
    shelf: Store, run: Run, tmp_path: Path, tiny_job: Callable[..., DistillJob]
) -> None:
    done = alive(state="done")
    run.write("status.json", done.model_dump_json())
    mirror = Mirror(run, shelf.where)
    mirror.begin()
    mirror.end()
    Follower(shelf, "one", tmp_path / "there").look()
    other = tiny_job(seed=7).create(tmp_path / "other", "one")
    other.write("status.json", done.model_dump_json())
    second = open_store(str(tmp_path / "second"))
    mirror = Mirror(other, second.where)
    mirror.begin()
    mirror.end()
    with pytest.raises(StoreError, match="run one is here with another content"):
        follow(second, "one", tmp_path / "there", allow=lambda _: None, watch=lambda _: None)
    assert json.loads((tmp_path / "there" / "one" / "config.json").read_text())["seed"] == 0


def test_a_title_that_was_given_here_stays(shelf: Store, run: Run, tmp_path: Path) -> None:
    run.write("notes.json", '{"title": "theirs"}')
    mirror, there = Mirror(run, shelf.where), Follower(shelf, "one", tmp_path / "there")
    mirror.begin()
    there.look()
    assert "theirs" in (there.run.path / "notes.json").read_text()
    there.run.write("notes.json", '{"title": "ours"}')
    run.write("notes.json", '{"title": "theirs, again"}')
    mirror.end()
    there.look()
    assert "ours" in (there.run.path / "notes.json").read_text()


def test_a_run_that_nobody_follows_any_more_is_not_said_to_be_stopped(shelf: Store, run: Run, tmp_path: Path) -> None:
    there = Follower(shelf, "one", tmp_path / "there")
    Sender(shelf, run, None).send(last=False)
    gone = alive(pid=2**22 + 1, process_started=1.0)
    shelf.write("runs/one/status.json", gone.model_dump_json().encode(), public=False)
    assert there.look().state == "stale"
    with pytest.raises(
        RunError, match="run one is worked on elsewhere, and is not followed any more: python -m distrack"
    ):
        jobs.stop(there.run)


def test_an_older_state_does_not_replace_a_newer_one(shelf: Store, run: Run, tmp_path: Path) -> None:
    older = Run(shutil.copytree(run.path, tmp_path / "older" / "one"))
    run.write("report.json", '{"half": 2}')
    run.write("status.json", alive(state="done").model_dump_json())
    mirror = Mirror(run, shelf.where)
    mirror.begin()
    mirror.end()
    with pytest.raises(RunError, match=r"has another state of run one\. To go on from there, delete it here and"):
        Mirror(older, shelf.where).begin()
    older.write("status.json", alive(state="done").model_dump_json())
    with pytest.raises(RunError, match="has another state of run one"):
        Follower(shelf, "one", tmp_path / "older").hand_over(alive(state="queued"))
    assert shelf.read("runs/one/report.json", 100) == b'{"half": 2}'


class NoNode:
    """A cluster without a node that could begin; `answers` are those of tasks that have ended."""

    def __init__(self) -> None:
        self.tasks: list[str] = []
        self.cancelled: list[str] = []
        self.answers: dict[str, dict[str, str]] = {}

    def submit(self, *arguments: object) -> str:
        """Keeps the task."""
        self.tasks.append(str(arguments[1]))
        return self.tasks[-1]

    def ended(self, tasks: Iterable[str], *, wait: float) -> list[str]:
        """The tasks that have an answer."""
        time.sleep(min(wait, 0.01))
        return [task for task in tasks if task in self.answers]

    def result(self, task: str) -> dict[str, str]:
        """The answer."""
        return self.answers.pop(task)

    def cancel(self, task: str) -> None:
        """Notes it."""
        self.cancelled.append(task)


@pytest.fixture
def waiting(
    shelf: Store, tiny_job: Callable[..., DistillJob], tmp_path: Path
) -> Iterator[tuple[NoNode, Handed, list[Run]]]:
    """Three runs that wait for a node of a cluster."""
    cluster = NoNode()
    handed = Handed(cast(Any, cluster), shelf)
    made = [tiny_job(seed=seed).create(tmp_path / "driver", f"run{seed}") for seed in range(3)]
    assert handed.hand([(run, jobs.job_of(run)) for run in made]) == [None] * 3
    assert cluster.tasks == ["run0", "run1", "run2"]
    yield cluster, handed, made
    handed.close()


def test_what_a_node_could_not_begin_has_failed_here_and_in_the_store(
    waiting: tuple[NoNode, Handed, list[Run]], shelf: Store, tmp_path: Path
) -> None:
    cluster, handed, made = waiting
    cluster.answers = {"run1": {"problem": "no such dataset", "remedy": "get it"}}
    (ended,) = handed.ended()
    assert str(ended.error) == "no such dataset: get it"
    assert [run.status().state for run in made] == ["queued", "failed", "queued"]
    there = Follower(shelf, "run1", tmp_path / "there")
    assert (there.look().state, there.run.status().error) == ("failed", "no such dataset")
    handed.stop()
    assert cluster.cancelled == ["run0", "run2"]
    assert [run.status().state for run in made] == ["stopped", "failed", "stopped"]
    pull = PullJob(run="run0", store=shelf.where)
    jobs.work(pull.open(tmp_path / "there"), pull)
    assert Run(tmp_path / "there" / "run0").status().state == "stopped", "a run that never began is whole"


def test_a_store_that_is_out_of_reach_does_not_end_a_series(
    waiting: tuple[NoNode, Handed, list[Run]], shelf: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, handed, made = waiting
    monkeypatch.setattr("distrack.jobs.on_cluster._BEAT", 0.0)
    monkeypatch.setattr("distrack.jobs.on_cluster._PUBLISH", 0.0)

    def unreachable(*_: object, **__: object) -> None:
        raise StoreError("it does not answer")

    for name in ("read", "write", "remove", "put"):
        monkeypatch.setattr(shelf, name, unreachable)
    assert list(handed.ended()) == []
    assert [run.status().state for run in made] == ["queued"] * 3
    handed.stop()
    assert cluster.cancelled == ["run0", "run1", "run2"]
    assert [run.status().state for run in made] == ["stopped"] * 3


def test_a_decomposition_is_not_sent_through_a_store(tmp_path: Path) -> None:
    job = DecomposeJob.validated({"file": tmp_path / "x.wav"})
    engine = EngineConfig(engine="ray", address="auto", live_store=str(tmp_path / "shelf"))
    with pytest.raises(EngineError, match="has a recording in its folder, which no store gets: leave --live-store out"):
        work_elsewhere(Run(tmp_path), job, engine, watch=unwatched)


def test_another_run_of_the_same_name_is_refused(
    shelf: Store, run: Run, tiny_job: Callable[..., DistillJob], tmp_path: Path
) -> None:
    mirror = Mirror(run, shelf.where)
    mirror.begin()
    mirror.end()
    before = shelf.read("runs/one/manifest.json", 10**6)
    other = tiny_job(seed=1).create(tmp_path / "other", "one")
    with pytest.raises(RunError, match="has another run one with other settings: choose another --name"):
        jobs.work(other, engine=LOCAL.model_copy(update={"live_store": shelf.where}))
    with pytest.raises(RunError, match="has another run one with other settings"):
        Follower(shelf, "one", other.path.parent).hand_over(alive(state="queued"))
    assert shelf.read("runs/one/manifest.json", 10**6) == before
    with pytest.raises(StoreError, match="run one is here with another content: delete that one first"):
        follow(shelf, "one", other.path.parent, allow=lambda _: None, watch=lambda _: None)
    assert json.loads((other.path / "config.json").read_text())["seed"] == 1


def test_a_run_that_was_worked_on_here_since_is_not_overwritten(shelf: Store, run: Run, tmp_path: Path) -> None:
    mirror = Mirror(run, shelf.where)
    mirror.begin()
    there = Follower(shelf, "one", tmp_path / "there")
    assert there.look().state == "running"
    assert is_followed(there.run)
    there.run.write("status.json", alive(state="done").model_dump_json())
    assert not is_followed(there.run)
    with pytest.raises(StoreError, match="run one is here with another content"):
        follow(shelf, "one", tmp_path / "there", allow=lambda _: None, watch=lambda _: None)
    mirror.end()


def test_a_run_has_ended_when_all_of_its_files_are_there(shelf: Store, run: Run, tmp_path: Path) -> None:
    mirror, there = Mirror(run, shelf.where), Follower(shelf, "one", tmp_path / "there")
    mirror.begin()
    assert there.look().state == "running"
    run.write("report.json", '{"half": 1}')
    run.write("status.json", alive(state="done").model_dump_json())
    mirror.beat()
    assert (there.look().state, there.has_ended) == ("running", False), "its last files are not in the store yet"
    mirror.end()
    (tmp_path / "shelf" / "runs" / "one" / "report.json").write_text('{"half": 2}')
    assert (there.look().state, there.has_ended) == ("running", False), "a file is being written"
    assert not (there.run.path / "report.json").exists()
    (tmp_path / "shelf" / "runs" / "one" / "report.json").write_text('{"half": 1}')
    assert there.look().state == "done"
    assert files_of(there.run) == files_of(run)


def test_what_is_gone_here_goes_there(shelf: Store, run: Run, tmp_path: Path) -> None:
    mirror, there = Mirror(run, shelf.where), Follower(shelf, "one", tmp_path / "there")
    run.write("snapshots/0.safetensors", b"zero")
    mirror.begin()
    there.look()
    assert (there.run.path / "snapshots" / "0.safetensors").read_bytes() == b"zero"
    (run.path / "snapshots" / "0.safetensors").unlink()
    (run.path / "log.txt").write_text("begun\nmore\n")
    mirror.end()
    there.look()
    assert not (there.run.path / "snapshots" / "0.safetensors").exists()
    assert (there.run.path / "log.txt").read_text() == "begun\nmore\n"
    assert "runs/one/snapshots/0.safetensors" not in shelf.names("runs/one/")
    assert there.run.path.joinpath("config.json").exists()


def test_a_run_that_waits_is_stopped_by_whoever_watches_it(shelf: Store, run: Run, tmp_path: Path) -> None:
    driver, there = Follower(shelf, "one", run.path.parent), Follower(shelf, "one", tmp_path / "there")
    driver.hand_over(alive(state="queued", phase=""))
    assert there.look().state == "queued"
    there.run.write("stop", str(os.getpid()))
    there.look()
    driver.look()
    assert run.stop_request.read_text() == str(os.getpid())
    driver.settle(alive(state="stopped"))
    assert there.look().state == "stopped"
    assert not there.run.stop_request.exists()


def test_a_store_that_fills_up_loses_nothing_here(
    server: str, monkeypatch: pytest.MonkeyPatch, tiny_job: Callable[..., DistillJob], tmp_path: Path
) -> None:
    monkeypatch.setattr("distrack.jobs.live.mirror._PAUSES", (0.01,))
    with proxy(server) as (address, faults):
        for name, value in {"AWS_ENDPOINT_URL": address, **KEYS}.items():
            monkeypatch.setenv(name, value)
        where = f"s3://{BUCKET}/{tmp_path.name}"
        run = tiny_job().create(tmp_path, "one")

        def fill(*_: object) -> None:
            faults.full = True

        with pytest.raises(
            StoreError, match=r"run one is done, but s3://.* lacks its last state: .*bucket is full"
        ) as raised:
            jobs.work(run, watch=fill, engine=LOCAL.model_copy(update={"live_store": where}))
        assert raised.value.remedy == f"python -m distrack push one --store {where}"
        assert run.status().state == "done"
        faults.full = False
        push = PushJob(run="one", store=where)
        jobs.work(push.open(tmp_path), push)
        pull = PullJob(run="one", store=where)
        jobs.work(pull.open(tmp_path / "there"), pull)
    assert synthetic_file(Run(tmp_path / "there" / "one")).read_bytes() == synthetic_file(run).read_bytes()


def test_a_store_that_cannot_be_reached_ends_the_run_before_its_work(
    monkeypatch: pytest.MonkeyPatch, tiny_job: Callable[..., DistillJob], tmp_path: Path
) -> None:
    for name, value in {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", **KEYS}.items():
        monkeypatch.setenv(name, value)
    run = tiny_job().create(tmp_path, "one")
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:9 does not answer"):
        jobs.work(run, engine=LOCAL.model_copy(update={"live_store": "s3://nowhere/x"}))
    assert run.status().state == "failed"
    assert not run.snapshots()


@pytest.mark.parametrize(
    "status",
    [
        b"",
        b"[]",
        b'{"state": "running", "pid": "x"}',
        b'{"state": "celebrating"}',
        b'{"state": "running", "share": NaN}',
        b'{"state": "done", "started": 1e300}',
    ],
)
def test_a_status_that_is_none_is_refused(shelf: Store, run: Run, tmp_path: Path, status: bytes) -> None:
    Sender(shelf, run, None).send(last=False)
    shelf.write("runs/one/status.json", status, public=False)
    there = Follower(shelf, "one", tmp_path / "there")
    with pytest.raises(StoreError, match=r"the status of run one in .* is refused"):
        there.look()
    assert not (there.run.path / "status.json").exists()


@pytest.mark.parametrize("part", ["../elsewhere", "_strange/x", "_transfers/x"])
def test_parts_that_are_no_runs_are_not_fetched(shelf: Store, run: Run, tmp_path: Path, part: str) -> None:
    Sender(shelf, run, None).send(last=False)
    manifest = json.loads(shelf.read("runs/one/manifest.json", 10**6) or b"")
    shelf.write("runs/one/manifest.json", json.dumps({**manifest, "parts": [part]}).encode(), public=False)
    shelf.write("runs/one/status.json", alive().model_dump_json().encode(), public=False)
    pull = PullJob(run="one", store=shelf.where)
    with pytest.raises(StoreError, match="refused"):
        jobs.work(pull.open(tmp_path / "there"), pull)
    assert not list(tmp_path.rglob("elsewhere*"))


def test_a_run_that_nobody_works_on_any_more_is_not_followed_for_ever(
    shelf: Store, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distrack.jobs.live.following._PATIENCE", 0.0)
    Sender(shelf, run, None).send(last=False)
    gone = alive(pid=2**22 + 1, process_started=1.0)
    shelf.write("runs/one/status.json", gone.model_dump_json().encode(), public=False)
    with pytest.raises(StoreError, match=r"nobody has worked on run one for 0 s\. It is here as far as it got"):
        follow(shelf, "one", tmp_path / "there", allow=lambda _: None, watch=lambda _: None)
    assert Run(tmp_path / "there" / "one").status().state == "stale"
