"""A preparation as a job: what it leaves behind, how it is stopped and goes on, what a download through it does."""

import io
import json
import os
import shutil
import signal
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import soundfile

from distrack import jobs, runs
from distrack.datasets import DATASETS
from distrack.errors import DatasetError, RunError
from distrack.images import Material
from distrack.jobs.preparation import Preparation, place, preparation_report
from distrack.settings import settings
from distrack.validation import from_preset

Until = Callable[..., None]


def preparation(**asked: object) -> Preparation:
    return from_preset(Preparation, asked)


def worked(**asked: object) -> Material:
    """The clips of a preparation done here."""
    material = jobs.work_on_preparation(preparation(**asked))
    assert material is not None
    return material


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data path of this test's own."""
    monkeypatch.setenv("DISTRACK_DATA_PATH", str(tmp_path / "data"))
    settings.cache_clear()
    yield tmp_path / "data"
    for run in runs.all_runs(tmp_path / "data" / "preparations"):
        if run.status().state in runs.ALIVE and run.status().pid != os.getpid():
            os.kill(run.status().pid, signal.SIGKILL)
    settings.cache_clear()


def test_it_tells_what_it_found_and_shows_the_command(own_data: Path, sounds: Path) -> None:
    job = preparation(dataset="folder", data_path=sounds, duration=0.5)
    (sounds / "tone" / "broken.wav").write_text("not a sound")
    try:
        done = jobs.work_on_preparation(job)
    finally:
        (sounds / "tone" / "broken.wav").unlink()
    run = place("FOLDER", sounds)
    assert run.path.is_relative_to(own_data)
    assert run.status().state == "done"
    found = preparation_report(run)
    assert found is not None
    assert done is not None
    assert (found.train, found.validation, found.test) == (len(done.train), 0, len(done.test))
    assert found.train + found.test == 120
    assert [Path(path).name for path, _ in found.skipped] == ["broken.wav"]
    assert job.command() == f"python -m distrack prepare --dataset FOLDER --data-path {sounds} --duration 0.5"


def test_two_folders_of_one_name_do_not_share_a_place(own_data: Path, tmp_path: Path) -> None:
    places = [
        tmp_path / name
        for name in ("a", "b", "日本", "中国", "my sounds", "my-sounds", "x" * 120 + "a", "x" * 120 + "b")
    ]
    assert len({place("FOLDER", place).path for place in places}) == len(places)
    assert place("FOLDER", tmp_path / "a" / ".." / "b").path == place("FOLDER", tmp_path / "b").path
    assert place("FSDD").path.parent == own_data / "preparations"


@pytest.mark.usefixtures("own_data")
def test_what_fails_is_said_and_stays_to_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="No FOLDER recordings"):
        jobs.work_on_preparation(preparation(dataset="FOLDER", data_path=tmp_path / "empty"))
    status = place("FOLDER", tmp_path / "empty").status()
    assert status.state == "failed"
    assert "No FOLDER recordings" in status.error
    assert preparation_report(place("FOLDER", tmp_path / "empty")) is None


def many(root: Path, count: int) -> Path:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 48_000)
    buffer = io.BytesIO()
    soundfile.write(buffer, noise, 48_000, format="WAV")
    for number in range(count):
        path = root / f"class{number % 2}" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())
    return root


def test_a_launched_one_outlives_a_kill_and_goes_on_where_it_was(own_data: Path, tmp_path: Path, until: Until) -> None:
    job = preparation(dataset="FOLDER", data_path=many(tmp_path / "many", 3000))
    run = jobs.launch_preparation(job)
    with pytest.raises(RunError, match="being prepared already"):
        jobs.launch_preparation(job)
    marks = [*(own_data / "cache").glob("*.partial/done.npy")]

    def decoded() -> int:
        nonlocal marks
        marks = marks or [*(own_data / "cache").glob("*.partial/done.npy")]
        try:
            return int(np.load(marks[0]).sum()) if marks else 0
        except (FileNotFoundError, ValueError, EOFError):
            return 0

    until(lambda: decoded() > 0)
    os.kill(run.status().pid, signal.SIGKILL)
    until(lambda: run.status().state == "stale")
    before = decoded()
    assert 0 < before <= 3000
    stamp = (marks[0].parent / "waveforms.npy").stat().st_ino
    jobs.launch_preparation(job)
    until(lambda: run.status().state == "done")
    found = preparation_report(run)
    assert found is not None
    assert found.train + found.test == 3000
    arrays = [*(own_data / "cache").glob("*/waveforms.npy")]
    assert [array.stat().st_ino for array in arrays] == [stamp], "what was decoded before is the same file"


@pytest.mark.usefixtures("own_data")
def test_it_can_be_stopped(tmp_path: Path, until: Until) -> None:
    job = preparation(dataset="FOLDER", data_path=many(tmp_path / "many", 3000))
    run = jobs.launch_preparation(job)
    until(lambda: run.status().state == "running" and run.status().steps)
    assert runs.stop(run).state == "stopped"
    assert preparation_report(run) is None


class Mirror(BaseHTTPRequestHandler):
    """Serves bytes by file name."""

    files: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        content = self.files.get(self.path.lstrip("/"))
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """A server that has the datasets' files under their own names."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("DISTRACK_MIRROR", f"http://127.0.0.1:{server.server_port}/")
    settings.cache_clear()
    Mirror.files = {}
    yield Mirror.files
    server.shutdown()
    server.server_close()
    thread.join()


def fsdd_zip(takes: int = 8) -> bytes:
    noise = np.random.default_rng(0)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for digit in range(10):
            for take in range(takes):
                sound = io.BytesIO()
                soundfile.write(sound, noise.uniform(-0.5, 0.5, 4000), 8000, format="WAV")
                name = f"free-spoken-digit-dataset-1.0.10/recordings/{digit}_theo_{take}.wav"
                file.writestr(name, sound.getvalue())
    return archive.getvalue()


def test_a_dataset_is_downloaded_and_prepared_in_one_go(own_data: Path, mirror: dict[str, bytes]) -> None:
    mirror["fsdd/v1.0.10.zip"] = fsdd_zip()
    material = worked(dataset="FSDD", download=True)
    assert (len(material.train), len(material.test)) == (30, 50)
    assert (own_data / "fsdd").is_dir()
    assert any("Subset: 80 of 3,000" in note for note in material.prepared.index.notes)
    assert place("FSDD").status().state == "done"
    mirror.clear()
    again = worked(dataset="FSDD", download=True)
    assert len(again.train) == 30, "what is here is not fetched again"


def test_a_download_goes_where_it_is_asked_to(own_data: Path, mirror: dict[str, bytes], tmp_path: Path) -> None:
    mirror["fsdd/v1.0.10.zip"] = fsdd_zip()
    jobs.work_on_preparation(preparation(dataset="FSDD", data_path=tmp_path / "here", download=True))
    assert len([*(tmp_path / "here").rglob("*.wav")]) == 80
    assert not (own_data / "fsdd").exists()


def test_a_download_that_is_not_what_its_authors_published_is_refused(own_data: Path, mirror: dict[str, bytes]) -> None:
    mirror[f"esc50/{DATASETS['ESC50'].downloads[0].url.rpartition('/')[2]}"] = fsdd_zip()
    with pytest.raises(DatasetError, match="checksum"):
        jobs.work_on_preparation(preparation(dataset="ESC50", download=True))
    assert "checksum" in place("ESC50").status().error
    assert not (own_data / "esc50").exists()


@pytest.mark.usefixtures("mirror")
def test_a_file_that_is_not_there_is_said_in_one_line(own_data: Path) -> None:
    with pytest.raises(DatasetError, match="404") as error:
        jobs.work_on_preparation(preparation(dataset="FSDD", download=True))
    assert "\n" not in str(error.value)
    assert not (own_data / "fsdd").exists()


@pytest.mark.usefixtures("own_data")
def test_what_asks_for_a_form_says_where_to_go() -> None:
    with pytest.raises(DatasetError, match="GTZAN cannot be downloaded"):
        jobs.work_on_preparation(preparation(dataset="GTZAN", download=True))


def test_a_data_path_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DISTRACK_DATA_PATH", str(tmp_path / "file"))
    settings.cache_clear()
    with pytest.raises(RunError, match="cannot write below the data path"):
        jobs.work_on_preparation(preparation(dataset="FSDD", data_path=tmp_path))
    settings.cache_clear()


def test_the_report_is_json_that_outside_tools_can_read(own_data: Path, sounds: Path) -> None:
    jobs.work_on_preparation(preparation(dataset="FOLDER", data_path=sounds, duration=0.5))
    report = json.loads((place("FOLDER", sounds).path / "report.json").read_text())
    assert report["classes"] == ["chirp", "noise", "tone"]
    shutil.rmtree(own_data)


def test_pieces_are_ready_when_they_are_there(own_data: Path, tmp_path: Path) -> None:
    many(tmp_path / "pieces" / "train_data", 3)
    for number, path in enumerate(sorted((tmp_path / "pieces").rglob("*.wav"))):
        path.rename(tmp_path / "pieces" / "train_data" / f"{1700 + number}.wav")
    assert jobs.work_on_preparation(preparation(dataset="MUSICNET", data_path=tmp_path / "pieces")) is None
    assert place("MUSICNET", tmp_path / "pieces").status().state == "done"
    assert own_data.is_dir()


@pytest.mark.usefixtures("own_data")
def test_a_name_that_is_no_text_does_not_spoil_the_report(sounds: Path, tmp_path: Path) -> None:
    shutil.copytree(sounds, tmp_path / "odd")
    try:
        Path(os.fsdecode(os.fsencode(tmp_path / "odd" / "tone") + b"/caf\xe9.wav")).write_bytes(b"no sound")
    except OSError:
        pytest.skip("this disk takes no such names")
    worked(dataset="FOLDER", data_path=tmp_path / "odd", duration=0.5)
    found = preparation_report(place("FOLDER", tmp_path / "odd"))
    assert found is not None
    assert [Path(path).name for path, _ in found.skipped] == ["caf\ufffd.wav"]
