"""Several servers and commands on one folder of runs; a folder that fails while a run works in it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from distrack.errors import RunError
from distrack.runs import ALIVE, Run, Session
from distrack.runs.folder import make_folder
from distrack.settings import PROJECT

_RUNS = 3
# What a server does when a page launches runs.
_SERVER = """
import sys
from pathlib import Path
from distrack import runs
from distrack.runs.folder import make_folder
folder = Path(sys.argv[1])
for name in sys.argv[2:]:
    run = make_folder(folder, name, "{}")
    runs.launch(run, "idle", name, "--runs-path", str(folder), device="cpu")
"""


@pytest.mark.usefixtures("workers")
def test_runs_of_two_servers_and_a_command_share_a_device_one_at_a_time(
    tmp_path: Path, until: Callable[..., None]
) -> None:
    environment = {**os.environ, "DISTRACK_PLUGINS": "tests.unit.runs.idle"}

    def start(*words: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, *words], cwd=PROJECT, env=environment)

    (tmp_path / ".alone").mkdir()  # a run fails that is at work beside another
    names = [[f"{server}{number}" for number in range(_RUNS)] for server in "ab"]
    servers = [start("-c", _SERVER, str(tmp_path), *each) for each in names]
    make_folder(tmp_path, "typed", "{}")
    typed = start("-m", "distrack", "idle", "typed", "--runs-path", str(tmp_path), "--quiet")
    assert [process.wait(120) for process in (*servers, typed)] == [0, 0, 0]
    every = [Run(tmp_path / name) for name in (*names[0], *names[1], "typed")]
    until(lambda: not any(run.status().state in ALIVE for run in every))
    assert [(run.status().state, run.status().error) for run in every] == [("done", "")] * len(every)


def test_a_run_whose_folder_is_removed_says_so_and_does_not_come_back(tmp_path: Path) -> None:
    run = make_folder(tmp_path, "run", "{}")

    def work() -> None:
        with Session(run, "cpu").working() as session:
            session.phase("distill", 2)
            shutil.rmtree(run.path)
            run.append_metrics(step=1)

    with pytest.raises(RunError, match=r"the folder of run run was removed while it was used"):
        work()
    assert not run.path.exists()


def test_a_run_that_loses_its_permission_says_so_and_goes_on_once_it_is_back(tmp_path: Path) -> None:
    run = make_folder(tmp_path, "run", "{}")
    run.path.chmod(0o500)
    if os.access(run.path, os.W_OK):
        pytest.skip("a superuser may write everywhere")
    with pytest.raises(RunError, match=r"Permission denied\. Make its folder writable, then resume the run"):
        run.write("status.json", "{}")
    run.path.chmod(0o700)
    run.write("status.json", "{}")
