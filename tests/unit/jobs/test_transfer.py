"""Runs, series and trained models go to a store and come back from it, by the command, whole and unchanged."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from distrack import jobs
from distrack.decompose.siam.model_files import SHIPPED, model_file
from distrack.errors import RunError, StoreError
from distrack.jobs.contract import title_of
from distrack.jobs.distillation import DistillJob
from distrack.jobs.event_model import EventModelJob
from distrack.jobs.results import evaluation_report
from distrack.jobs.series import run_of, sweep_of, tabulated
from distrack.jobs.transfer import PullJob, PushJob, Transferred
from distrack.runs import Run, Status
from distrack.settings import PROJECT, settings
from distrack.store import open_store
from tests.s3_server import s3_bucket

Typed = Callable[..., tuple[int | str | None, str, str]]
BUCKET = "runs-of-tests"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """An S3 server with an empty bucket."""
    with s3_bucket(BUCKET) as address:
        yield address


@pytest.fixture
def bucket(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The address of a store of the test's own, which the environment names."""
    where = f"s3://{BUCKET}/{tmp_path.name}"
    for name, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "S3_BUCKET": where,
    }.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield where
    monkeypatch.undo()
    settings.cache_clear()


def transfer(job: PushJob | PullJob, runs_path: Path) -> Transferred:
    """Does a transfer in this process."""
    report: Transferred = jobs.work(job.open(runs_path), job)
    return report


def contents(folder: Path) -> dict[str, bytes]:
    """What of a run is pushed."""
    kept = {".safetensors", ".json", ".jsonl", ".flac"}
    files = (path for path in folder.rglob("*") if path.suffix in kept and not path.name.startswith("."))
    named = {path.relative_to(folder).as_posix(): path for path in files}
    stays = ("listening", "listening.json", "blind-tests", "answered.json")
    return {name: path.read_bytes() for name, path in named.items() if name.split("/")[0] not in stays}


def test_a_run_comes_back_from_the_bucket_as_it_was(bucket: str, tiny_run: Run, tmp_path: Path, typed: Typed) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    run = Run(shutil.copytree(tiny_run.path, here / "finished"))
    assert list((run.path / "listening").glob("*.flac")), "real recordings to compare the tracks with"
    code, out, err = typed("push", "finished", "--runs-path", str(here), "--json")
    assert (code, err.count("Error")) == (0, 0)
    pushed = json.loads(out)
    assert (pushed["where"], pushed["runs"], pushed["moved"]) == (bucket, ["finished"], pushed["size"])
    code, out, _ = typed("models", "--all", "--runs-path", str(there), "--json")
    assert code == 0
    (row,) = (row for row in json.loads(out) if row["name"] == "finished")
    assert (row["kind"], row["title"], row["places"]) == ("distillation", title_of(run), [bucket])
    code, out, _ = typed("pull", "finished", "--runs-path", str(there))
    assert code == 0
    assert "finished pulled from s3://" in " ".join(out.split())
    assert contents(there / "finished") == contents(run.path)
    assert not (there / "finished" / "listening").exists(), "real recordings stay"
    assert not (there / "finished" / "listening.json").exists()
    pulled = Run(there / "finished")
    assert pulled.status().state == "done"
    assert evaluation_report(pulled) == evaluation_report(run)
    assert transfer(PullJob(run="finished"), there).moved == 0, "it is here"
    assert not (there / "finished" / "log.txt").exists()


def test_a_series_brings_its_cells(bucket: str, tiny_job: Callable[..., DistillJob], tmp_path: Path) -> None:
    del bucket
    here, there = tmp_path / "here", tmp_path / "there"
    job = sweep_of([tiny_job(steps=1)], seeds=2)
    series = job.create(here, "table")
    jobs.work(series)
    assert transfer(PushJob(run="table"), here).runs == ("table-seed0", "table-seed1", "_sweeps/table")
    assert transfer(PullJob(run="table"), there).runs == ("table-seed0", "table-seed1", "_sweeps/table")
    pulled = jobs.find(there, "table")
    assert tabulated(pulled, job) == tabulated(series, job)
    assert all(run_of(pulled, cell).status().state == "done" for cell in job.cells("table"))


def test_a_trained_model_is_used_where_it_was_pulled(bucket: str, tmp_path: Path, typed: Typed) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    run = EventModelJob().create(here, "my-notes")
    shutil.copyfile(SHIPPED / "notes.safetensors", run.path / "model.safetensors")
    run.write("status.json", Status(state="done").model_dump_json())
    transfer(PushJob(run="my-notes"), here)
    code, out, _ = typed("models", "--runs-path", str(here), "--json")
    places = {row["name"]: row["places"] for row in json.loads(out)}
    assert code == 0
    assert places == {"notes": ["included"], "my-notes": ["here", bucket]}
    transfer(PullJob(run="my-notes"), there)
    assert model_file("my-notes", there).read_bytes() == (SHIPPED / "notes.safetensors").read_bytes()


def test_what_cannot_be_pushed_or_pulled_is_said(bucket: str, tiny_run: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "busy"))
    job = PushJob(run="busy")
    busy = json.loads((run.path / "status.json").read_text())
    job.open(tmp_path)
    with pytest.raises(RunError, match="no run 'nowhere'"):
        transfer(PushJob(run="nowhere"), tmp_path)
    with pytest.raises(StoreError, match=f"there is no run busy in {bucket}"):
        transfer(PullJob(run="busy"), tmp_path)
    # This process lives, so that the run does.
    alive = Status.queued(Status(state="done"), psutil.Process(), device="cpu")
    run.write("status.json", alive.model_dump_json())
    with pytest.raises(RunError, match="run busy is running: push it when it is done"):
        transfer(job, tmp_path)
    run.write("status.json", json.dumps(busy))
    transfer(job, tmp_path)
    other = tmp_path / "other"
    Run(shutil.copytree(tiny_run.path, other / "busy")).write("report.json", "{}")
    with pytest.raises(StoreError, match="run busy is here with another content"):
        transfer(PullJob(run="busy"), other)
    assert (other / "busy" / "report.json").read_text() == "{}"


def test_a_run_that_would_lie_where_no_run_lies_is_refused(bucket: str, tiny_run: Run, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    shutil.copytree(tiny_run.path, here / "finished")
    transfer(PushJob(run="finished"), here)
    store = open_store(bucket)
    manifest = json.loads(store.read("runs/finished/manifest.json", 10**6) or b"")
    for parts, run_id in ((["_transfers/finished"], "finished"), ([], "_elsewhere/finished")):
        content = json.dumps({**manifest, "id": run_id, "parts": parts}).encode()
        store.write(f"runs/{run_id}/manifest.json", content, public=False)
        with pytest.raises(StoreError, match="no kind of run has that folder"):
            transfer(PullJob(run=run_id), there)
    assert not any(path.name == "finished" for path in there.rglob("*"))


def test_without_a_store_the_command_says_what_to_set(
    tiny_run: Run, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("S3_BUCKET", raising=False)
    settings.cache_clear()
    runs_path = ("--runs-path", str(tiny_run.path.parent))
    code, _, err = typed("push", tiny_run.id, *runs_path)
    assert code == 2
    assert "no store is named: set S3_BUCKET, or pass --store s3://BUCKET/PREFIX or a folder" in " ".join(err.split())
    code, out, _ = typed("models", *runs_path)
    assert code == 0
    assert "notes" in out


def test_a_folder_that_machines_share_is_a_store_too(tiny_run: Run, typed: Typed, tmp_path: Path) -> None:
    shared = ("--store", str(tmp_path / "shared"))
    assert typed("push", tiny_run.id, *shared, "--runs-path", str(tiny_run.path.parent))[0] == 0
    assert typed("pull", tiny_run.id, *shared, "--runs-path", str(tmp_path / "there"))[0] == 0
    assert contents(tmp_path / "there" / tiny_run.id) == contents(tiny_run.path)


@pytest.mark.parametrize("words", [["--help"], ["models"], ["push", "any", "--store", "s3://bucket"]])
def test_nothing_heavy_is_imported_before_it_is_needed_and_its_absence_is_one_line(words: list[str]) -> None:
    code = (
        "import sys; sys.modules['boto3'] = sys.modules['ray'] = None; sys.argv[0] = 'distrack'\n"
        "from distrack.cli import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if "push" in words:
        assert ended.returncode == 2
        assert ended.stderr.count("\n") == 1
        assert "a bucket needs boto3, which is not installed: pip install 'distrack[s3]'" in ended.stderr
    else:
        assert (ended.returncode, ended.stderr) == (0, "")
