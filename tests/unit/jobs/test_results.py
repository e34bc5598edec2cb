"""Readers of the results in a run's folder: whatever is damaged or missing, they answer, and the list of runs too."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from distrack import jobs
from distrack.errors import RunError
from distrack.jobs.inspection import inspection_of
from distrack.jobs.listening import listening_of
from distrack.jobs.results import evaluation_report, track_file
from distrack.runs import Run

Typed = Callable[..., tuple[int | str | None, str, str]]

GARBAGE = [b"", b"null", b'"text"', b"\xff\xfe\x00garbage", b"{}", b"1e999", b"[" * 500]


@pytest.fixture
def run(tiny_run: Run, tmp_path: Path) -> Run:
    """A copy of a finished run, to be damaged."""
    return Run(shutil.copytree(tiny_run.path, tmp_path / "run"))


def read(run: Run) -> None:
    """Reads all that pages and commands read; only the config's damage is an error."""
    with contextlib.suppress(RunError):
        jobs.job_of(run)
    run.status(), run.metrics(), run.snapshots(), track_file(run, "tone_0")
    jobs.kind_of(run), jobs.report_of(run), evaluation_report(run), inspection_of(run), listening_of(run)


@pytest.mark.parametrize("name", ["status.json", "config.json", "report.json", "metrics.jsonl"])
def test_a_damaged_file_is_no_error_for_a_reader_nor_for_the_list(run: Run, name: str, typed: Typed) -> None:
    for content in (*GARBAGE, (run.path / name).read_bytes()[:-40]):
        (run.path / name).write_bytes(content)
        read(run)
        assert run.status().state == ("unreadable" if name == "status.json" else "done")
        code, out, err = typed("runs", "--runs-path", str(run.path.parent))
        assert (code, err) == (0, "")
        assert run.id in out


@pytest.mark.parametrize("name", ["status.json", "config.json", "report.json", "metrics.jsonl", "snapshots", "audio"])
def test_a_missing_part_or_a_folder_in_its_place_is_no_error_for_a_reader(run: Run, name: str) -> None:
    target = run.path / name
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    read(run)
    target.mkdir()
    read(run)
    assert [found.id for found in jobs.all_runs(run.path.parent)] == ["run"]


def test_a_run_with_a_damaged_config_can_be_neither_resumed_nor_worked_on(run: Run) -> None:
    (run.path / "config.json").write_text("{")
    for attempt in (jobs.work, jobs.resume):
        with pytest.raises(RunError, match=r"config\.json is missing or damaged"):
            attempt(run)
    assert run.status().state == "done"


def test_the_list_is_empty_where_there_are_no_runs(tmp_path: Path, typed: Typed) -> None:
    assert typed("runs", "--runs-path", str(tmp_path / "nowhere"), "--json") == (0, "[]\n", "")
