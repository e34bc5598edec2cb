"""A real Ray cluster of two nodes: runs end there with the bits of this machine, although a node is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import psutil
import pytest

from distrack import jobs
from distrack.engines import EngineConfig, cluster, node
from distrack.errors import EngineError
from distrack.jobs.distillation import DistillJob
from distrack.jobs.results import synthetic_file
from distrack.jobs.series import SweepJob, sweep_of
from distrack.runs import ALIVE, Run
from distrack.runs.session import HOLD_AT
from distrack.settings import PROJECT, settings
from tests.s3_server import free_port, s3_bucket

Until = Callable[..., None]
# Keys that nodes have of their own.
KEYS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
# Its processes run in an interpreter of their own: Ray warns, and leaves sockets open.
ALONE = """
import json, os, sys
from ray.cluster_utils import Cluster
two = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
second = two.add_node(num_cpus=1)
print(json.dumps({"address": two.address}), flush=True)
for order in sys.stdin:
    if order.strip() == "kill":
        two.remove_node(second, allow_graceful=False)
    else:
        second = two.add_node(num_cpus=1)
    print("done", flush=True)
two.shutdown()
"""


class TwoNodes:
    """A cluster of two nodes with a core each, on this machine."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", ALONE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", **KEYS},
            start_new_session=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line.startswith("{"), "the cluster did not start"
        self.address = str(json.loads(line)["address"])

    def kill_second(self) -> None:
        """Kills one node, as a power cut would."""
        self._order("kill")

    def add_second(self) -> None:
        """Starts a node in place of the one that was killed."""
        self._order("add")

    def _order(self, word: str) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def stop(self) -> None:
        """Ends all of its processes."""
        assert self._process.stdin
        children = psutil.Process(self._process.pid).children(recursive=True)
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        for child in children:
            with suppress(psutil.Error):
                child.kill()


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[TwoNodes]:
    """A cluster for all tests here; whoever kills its second node adds another."""
    running = TwoNodes()
    yield running
    running.stop()


def command(job: SweepJob | DistillJob, address: str, runs_path: Path, name: str) -> list[str]:
    """The words of the command that does a job on a cluster."""
    words = [*job.words(), "--engine", "ray", "--address", address, "--name", name, "--runs-path", str(runs_path)]
    return [sys.executable, "-m", "distrack", *words, "--quiet"]


def done_here(job: DistillJob, runs_path: Path) -> bytes:
    """The synthetic set of a job that is done in this process."""
    run = job.create(runs_path, f"here-{job.seed}")
    jobs.work(run)
    return synthetic_file(run).read_bytes()


def of_cells(job: SweepJob, series: str, runs_path: Path) -> dict[int, Run]:
    """The runs of a series by their seeds."""
    return {cell.job.seed: Run(runs_path / cell.run_id) for cell in job.cells(series)}


@pytest.mark.timeout(900)
def test_a_single_run_is_done_by_a_node_and_bad_requests_are_refused(
    two_nodes: TwoNodes, tiny_job: Callable[..., DistillJob], tmp_path: Path
) -> None:
    job = tiny_job()
    ended = subprocess.run(
        command(job, two_nodes.address, tmp_path / "there", "one"),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    there = Run(tmp_path / "there" / "one")
    assert there.status().state == "done"
    assert synthetic_file(there).read_bytes() == done_here(job, tmp_path / "here")
    assert "phase evaluate" in (there.path / "log.txt").read_text()
    assert not list((tmp_path / "there").glob(".shared-*"))
    words = [*command(tiny_job(seed=1), two_nodes.address, tmp_path / "there", "two"), "--gpus-per-run", "1"]
    ended = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "no node has 1 cores and 1 GPUs for a run: the largest has 1 cores and 0 GPUs" in ended.stderr


@pytest.mark.timeout(900)
def test_a_sweep_is_stopped_and_resumed_and_loses_a_node_and_ends_with_the_same_bits(
    two_nodes: TwoNodes, tiny_job: Callable[..., DistillJob], tmp_path: Path, until: Until
) -> None:
    job = sweep_of([tiny_job(steps=12)], seeds=6)
    there = tmp_path / "there"
    cells = of_cells(job, "table", there)
    words = command(job, two_nodes.address, there, "table")
    held = {**os.environ, HOLD_AT: "distill:5"}

    def states(*wanted: str) -> list[int]:
        return [seed for seed, run in cells.items() if run.path.is_dir() and run.status().state in wanted]

    driver = subprocess.Popen(words, cwd=PROJECT, env=held, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until(lambda: len([seed for seed in states("running") if cells[seed].status().step >= 5]) == 2, 300)
    assert sorted(states("queued")) == [2, 3, 4, 5]
    driver.send_signal(signal.SIGINT)
    out, _ = driver.communicate(timeout=400)
    assert driver.returncode == 0, out
    assert not states(*ALIVE)
    assert len(states("stopped")) == 6

    # Once more: one of the two nodes dies while both are at work.
    driver = subprocess.Popen(words, cwd=PROJECT, env=held, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until(lambda: len([seed for seed in states("running") if cells[seed].status().step >= 5]) == 2, 300)
    two_nodes.kill_second()
    for run in cells.values():
        (run.path / "go").touch()
    out, _ = driver.communicate(timeout=400)
    two_nodes.add_second()
    assert driver.returncode == 0, out[-2000:]
    assert states("done") == list(range(6))
    cell_jobs = {cell.job.seed: cell.job for cell in job.cells("table")}
    for seed, run in cells.items():
        assert synthetic_file(run).read_bytes() == done_here(cell_jobs[seed], tmp_path / "here")


@pytest.mark.timeout(900)
def test_nodes_that_share_no_folder_work_through_a_bucket_and_one_of_them_dies(
    two_nodes: TwoNodes,
    tiny_job: Callable[..., DistillJob],
    tmp_path: Path,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = sweep_of([tiny_job(steps=12)], seeds=4)
    cells = of_cells(job, "table", tmp_path / "driver")
    with s3_bucket("cluster") as address:
        for name, value in {"AWS_ENDPOINT_URL": address, **KEYS}.items():
            monkeypatch.setenv(name, value)
        words = [*command(job, two_nodes.address, tmp_path / "driver", "table"), "--live-store", "s3://cluster/x"]
        held = {**os.environ, HOLD_AT: "distill:5"}

        def at_work() -> list[Path]:
            """Folders of the nodes' own in which runs are held."""
            with suppress(FileNotFoundError):  # other folders of this name come and go
                folders = list(Path(gettempdir()).glob("distrack-*/table-seed*"))
                return [folder for folder in folders if Run(folder).status().step >= 5]
            return []

        def of_driver(*wanted: str) -> list[int]:
            return [seed for seed, run in cells.items() if run.path.is_dir() and run.status().state in wanted]

        driver = subprocess.Popen(
            words, cwd=PROJECT, env=held, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        until(lambda: len(of_driver("running")) == 2 and len(at_work()) == 2, 300)
        assert len(of_driver("queued")) == 2
        driver.send_signal(signal.SIGINT)
        out, _ = driver.communicate(timeout=400)
        assert driver.returncode == 0, out
        assert len(of_driver("stopped")) == 4
        until(lambda: not at_work(), 60)

        driver = subprocess.Popen(
            words, cwd=PROJECT, env=held, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        until(lambda: len(of_driver("running")) == 2 and len(at_work()) == 2, 300)
        two_nodes.kill_second()
        ended = threading.Event()

        def let_go() -> None:
            while not ended.wait(0.2):
                for folder in at_work():
                    with suppress(OSError):
                        (folder / "go").touch()

        thread = threading.Thread(target=let_go)
        thread.start()
        out, _ = driver.communicate(timeout=400)
        ended.set()
        thread.join()
        assert driver.returncode == 0, out[-2000:]
    two_nodes.add_second()
    assert of_driver("done") == list(range(4)), {seed: run.status() for seed, run in cells.items()}
    cell_jobs = {cell.job.seed: cell.job for cell in job.cells("table")}
    for seed, run in cells.items():
        assert synthetic_file(run).read_bytes() == done_here(cell_jobs[seed], tmp_path / "here")
        assert "phase evaluate" in (run.path / "log.txt").read_text()


def test_nobody_at_the_address_is_refused(typed: Callable[..., Any], tmp_path: Path) -> None:
    for address, says in (
        (f"ray://127.0.0.1:{free_port()}", "nobody answers at ray://127.0.0.1:"),
        (f"127.0.0.1:{free_port()}", "nobody answers at 127.0.0.1:"),
        ("elsewhere", "--address elsewhere: expected auto, HOST:PORT or ray://HOST:PORT"),
    ):
        code, _, err = typed(
            *("distill", "--ipc", "1", "--seeds", "2", "--engine", "ray", "--address", address),
            *("--runs-path", str(tmp_path), "--name", f"n{abs(hash(address))}"),
        )
        assert (code, err.count("\n")) == (2, 1), err
        assert says in err


def test_a_node_that_does_not_fit_says_why(tmp_path: Path) -> None:
    here = node.versions()
    shared = tmp_path / ".shared"
    shared.touch()
    other = node.call("json:loads", ("{}",), {**here, "torch": "0.1"}, str(shared))
    assert f"torch {here['torch']} instead of 0.1: install the same versions on all nodes" in other["unfit"]
    alone = node.call("json:loads", ("{}",), here, str(tmp_path / "gone" / ".shared"))
    assert f"does not see {tmp_path / 'gone'}: use a runs path (--runs-path) that all nodes share" in alone["unfit"]
    assert node.call("json:loads", ('{"a": 1}',), here, str(shared)) == {"a": 1}


def test_without_ray_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    config = EngineConfig(engine="ray")
    with (
        pytest.raises(EngineError, match=r"a cluster needs Ray, which is not installed: pip install 'distrack\[ray\]'"),
        cluster.connected(config, tmp_path),
    ):
        pass


def test_the_environment_names_the_usual_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTRACK_ENGINE", "ray")
    monkeypatch.setenv("DISTRACK_ADDRESS", "ray://head:10001")
    settings.cache_clear()
    try:
        assert (EngineConfig().engine, EngineConfig().address) == ("ray", "ray://head:10001")
        assert EngineConfig(engine="local").engine == "local"
    finally:
        monkeypatch.undo()
        settings.cache_clear()
