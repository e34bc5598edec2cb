"""Atomic writes: a reader never sees a part, whatever fails, is killed, or is written by several at once."""

import errno
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from distrack.files import (
    fill_once,
    locked,
    remove_abandoned_parts,
    remove_unfinished,
    replacing,
    size_text,
    write_atomically,
)
from distrack.settings import PROJECT

# Fills the folder argv[1] and ends without a chance to clean up.
KILLED = """
import os, signal, sys
from pathlib import Path
from distrack.files import fill_once

def fill(unfinished):
    (unfinished / "first").write_text("whole")
    os.kill(os.getpid(), signal.SIGKILL)

fill_once(Path(sys.argv[1]), fill)
"""


def names(folder: Path) -> list[str]:
    """Files and folders except locks."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def write_one(folder: Path) -> None:
    (folder / "one").write_text("1")


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    for content in ("old", "new, Käuze", b"\0"):
        write_atomically(tmp_path / "file", content)
    assert (tmp_path / "file").read_bytes() == b"\0"
    assert names(tmp_path) == ["file"]


def test_a_failed_write_leaves_the_old_content_and_nothing_beside_it(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", "old")

    def fail() -> None:
        with replacing(tmp_path / "file") as part:
            part.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_temporary_files_of_ended_processes_are_removed(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / ".file.999999999.1.part").touch()
    (tmp_path / "below" / ".file.1.1.part").touch()  # of a process that runs
    remove_abandoned_parts(tmp_path)
    assert names(tmp_path / "below") == [".file.1.1.part"]


def test_a_folder_is_filled_once_and_seen_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "folder"

    def fill(unfinished: Path) -> None:
        assert not target.exists()
        write_one(unfinished)

    assert fill_once(target, fill)
    assert not fill_once(target, fill)
    assert names(target) == ["one"]
    assert names(target.parent) == ["folder"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "disk full")])
@pytest.mark.parametrize("resume", [True, False])
def test_an_interrupted_fill_is_continued_if_that_is_wanted_but_never_on_a_full_disk(
    error: BaseException, resume: bool, tmp_path: Path
) -> None:
    def fail(unfinished: Path) -> None:
        (unfinished / "first").touch()
        raise error

    with pytest.raises(type(error)):
        fill_once(tmp_path / "folder", fail, resume=resume)
    continued = resume and not isinstance(error, OSError)
    assert names(tmp_path) == [".folder.partial"] * continued
    fill_once(tmp_path / "folder", write_one, resume=resume)
    assert names(tmp_path / "folder") == ["first"] * continued + ["one"]


@pytest.mark.parametrize("resume", [True, False])
def test_a_killed_fill_shows_nothing_and_the_next_one_ends_it(resume: bool, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "folder")]
    assert subprocess.run(command, cwd=PROJECT, check=False).returncode == -signal.SIGKILL
    assert names(tmp_path) == [".folder.partial"]
    assert fill_once(tmp_path / "folder", write_one, resume=resume)
    assert names(tmp_path / "folder") == ["first", "one"] if resume else ["one"]


def test_unfinished_folders_are_removed_unless_they_are_being_filled(tmp_path: Path) -> None:
    (tmp_path / ".killed.partial" / "deep").mkdir(parents=True)

    def fill(unfinished: Path) -> None:
        remove_unfinished(tmp_path)
        assert names(tmp_path) == [".folder.partial"]
        write_one(unfinished)

    assert fill_once(tmp_path / "folder", fill)


def test_two_that_want_the_same_folder_fill_it_once(tmp_path: Path) -> None:
    filling, go, results = threading.Event(), threading.Event(), list[bool]()

    def slowly(unfinished: Path) -> None:
        filling.set()
        assert go.wait(30)
        write_one(unfinished)

    first = threading.Thread(target=lambda: results.append(fill_once(tmp_path / "folder", slowly)))
    first.start()
    assert filling.wait(30)
    # The second waits, and lets the first go on as soon as it says so.
    results.append(fill_once(tmp_path / "folder", slowly, waiting=go.set))
    first.join(30)
    assert sorted(results) == [False, True]
    assert names(tmp_path / "folder") == ["one"]


def test_waiting_for_a_lock_can_be_stopped(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with locked(tmp_path / "lock"), pytest.raises(KeyboardInterrupt), locked(tmp_path / "lock", waiting=stop):
        pytest.fail("two hold the lock")
    with locked(tmp_path / "lock", waiting=stop):
        pass


def test_sizes_are_written_in_the_unit_that_fits() -> None:
    sizes = [size_text(count) for count in (12, 1234, 999_600, 5_600_000, 61_300_000_000)]
    assert sizes == ["12 bytes", "1 kB", "1 MB", "6 MB", "61.3 GB"]
