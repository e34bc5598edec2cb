"""A preparation as a job: its report, its errors, how it continues after it was killed, and its downloads."""

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
from distrack.jobs.preparation import Preparation, PreparationReport, place, preparation_report
from distrack.runs.session import HOLD_AT
from distrack.settings import settings

Until = Callable[..., None]


def preparation(**given: object) -> Preparation:
    return Preparation.validated(given)


def worked(**given: object) -> PreparationReport:
    """The report of a preparation that is worked on in this process."""
    job = preparation(**given)
    report: PreparationReport = jobs.work(job.open(settings().runs_path), job)
    return report


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


def test_the_report_counts_clips_and_names_the_files_that_cannot_be_used(
    own_data: Path, sounds: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(sounds, tmp_path / "sounds"))
    (folder / "tone" / "broken.wav").write_text("not a sound")
    report = worked(dataset="folder", data_path=folder, duration=0.5)
    run = place("FOLDER", folder)
    assert run.path.is_relative_to(own_data)
    assert run.status().state == "done"
    assert preparation_report(run) == report
    assert json.loads((run.path / "report.json").read_text())["classes"] == ["chirp", "noise", "tone"]
    assert (report.train, report.validation, report.test) == (96, 0, 24)
    assert [Path(path).name for path, _ in report.skipped] == ["broken.wav"]
    job = preparation(dataset="folder", data_path=folder, duration=0.5)
    assert job.command() == f"python -m distrack prepare --dataset FOLDER --data-path {folder} --duration 0.5"


def test_two_folders_of_one_name_do_not_share_a_place(own_data: Path, tmp_path: Path) -> None:
    names = ("a", "b", "日本", "中国", "my sounds", "my-sounds", "x" * 120 + "a", "x" * 120 + "b")
    assert len({place("FOLDER", tmp_path / name).path for name in names}) == len(names)
    assert place("FOLDER", tmp_path / "a" / ".." / "b").path == place("FOLDER", tmp_path / "b").path
    assert place("FSDD").path.parent == own_data / "preparations"


@pytest.mark.usefixtures("own_data")
def test_the_error_of_a_preparation_that_failed_stays_to_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no FOLDER recordings"):
        worked(dataset="FOLDER", data_path=tmp_path / "empty")
    status = place("FOLDER", tmp_path / "empty").status()
    assert status.state == "failed"
    assert "no FOLDER recordings" in status.error
    assert preparation_report(place("FOLDER", tmp_path / "empty")) is None


def many(root: Path, count: int) -> Path:
    draw = np.random.default_rng(0)
    for number in range(count):
        path = root / f"class{number % 2}" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, draw.uniform(-0.5, 0.5, 48_000), 48_000)
    return root


def test_one_that_is_killed_continues_where_it_was(
    own_data: Path, tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = preparation(dataset="FOLDER", data_path=many(tmp_path / "many", 300))
    monkeypatch.setenv(HOLD_AT, "prepare:256")  # the first chunk that is decoded
    run = jobs.launch(job, settings().runs_path)
    until(lambda: run.status().step == 256)
    with pytest.raises(RunError, match="is running"):
        jobs.launch(job, settings().runs_path)
    os.kill(run.status().pid, signal.SIGKILL)
    until(lambda: run.status().state == "stale")
    (marks,) = (own_data / "cache").glob("*.partial/done.npy")
    assert np.load(marks).sum() == 256
    file = (marks.parent / "waveforms.npy").stat().st_ino

    monkeypatch.delenv(HOLD_AT)
    decoded: list[int] = []

    def watch(_phase: str, step: int, _steps: int, detail: str, _loss: float | None) -> None:
        if detail == "decoding":
            decoded.append(step)

    report = jobs.work(run, watch=watch)
    assert report.train + report.test == 300
    assert decoded == [300], "44 clips were left"
    arrays = [*(own_data / "cache").glob("*/waveforms.npy")]
    assert [array.stat().st_ino for array in arrays] == [file]


@pytest.mark.usefixtures("own_data")
def test_one_that_is_stopped_has_no_report(sounds: Path) -> None:
    job = preparation(dataset="FOLDER", data_path=sounds, duration=0.5)
    run = job.open(settings().runs_path)

    def stop(phase: str, step: int, *_: object) -> None:
        if phase == "prepare" and step:
            raise runs.Stopped

    with pytest.raises(runs.Stopped):
        jobs.work(run, watch=stop)
    assert run.status().state == "stopped"
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
    report = worked(dataset="FSDD", download=True)
    assert (report.train, report.test) == (30, 50)
    assert (own_data / "fsdd").is_dir()
    assert any("Subset: 80 of 3,000" in note for note in report.notes)
    assert place("FSDD").status().state == "done"
    mirror.clear()
    assert worked(dataset="FSDD", download=True).train == 30, "what is here is not fetched again"


def test_a_download_goes_where_it_is_asked_to(own_data: Path, mirror: dict[str, bytes], tmp_path: Path) -> None:
    mirror["fsdd/v1.0.10.zip"] = fsdd_zip()
    worked(dataset="FSDD", data_path=tmp_path / "here", download=True)
    assert len([*(tmp_path / "here").rglob("*.wav")]) == 80
    assert not (own_data / "fsdd").exists()


def test_a_download_that_is_not_what_its_authors_published_is_refused(own_data: Path, mirror: dict[str, bytes]) -> None:
    mirror[f"esc50/{DATASETS['ESC50'].downloads[0].url.rpartition('/')[2]}"] = fsdd_zip()
    with pytest.raises(DatasetError, match="checksum"):
        worked(dataset="ESC50", download=True)
    assert "checksum" in place("ESC50").status().error
    assert not (own_data / "esc50").exists()


@pytest.mark.usefixtures("mirror")
def test_a_file_that_is_not_there_is_said_in_one_line(own_data: Path) -> None:
    with pytest.raises(DatasetError, match="404") as error:
        worked(dataset="FSDD", download=True)
    assert "\n" not in str(error.value)
    assert not (own_data / "fsdd").exists()


@pytest.mark.usefixtures("own_data")
def test_what_asks_for_a_form_says_where_to_go() -> None:
    with pytest.raises(DatasetError, match="GTZAN cannot be downloaded"):
        worked(dataset="GTZAN", download=True)


def test_a_data_path_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DISTRACK_DATA_PATH", str(tmp_path / "file"))
    settings.cache_clear()
    with pytest.raises(RunError, match="cannot write below the data path"):
        worked(dataset="FSDD", data_path=tmp_path)
    settings.cache_clear()


def test_pieces_are_ready_when_they_are_there(own_data: Path, tmp_path: Path) -> None:
    many(tmp_path / "pieces" / "train_data", 3)
    for number, path in enumerate(sorted((tmp_path / "pieces").rglob("*.wav"))):
        path.rename(tmp_path / "pieces" / "train_data" / f"{1700 + number}.wav")
    assert worked(dataset="MUSICNET", data_path=tmp_path / "pieces").pieces == 3
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
