"""A warm worker does what a new process does, once."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from distrack import jobs
from distrack.engines import local
from distrack.jobs.distillation import DistillJob
from distrack.jobs.results import synthetic_file


@pytest.fixture
def nobody_waits() -> Iterator[None]:
    yield
    while local._waiting:
        process = local._waiting.pop()
        process.communicate(timeout=60)


@pytest.mark.usefixtures("workers", "nobody_waits")
def test_a_warm_worker_gives_the_bits_of_a_new_process(
    tmp_path: Path, tiny_job: Callable[..., DistillJob], until: Callable[..., None]
) -> None:
    job = tiny_job(steps=4)
    cold = jobs.launch(job, tmp_path, "cold")
    until(lambda: cold.status().state == "done")
    local.keep_ready()
    local.keep_ready()
    (waiting,) = local._waiting
    run = jobs.launch(job, tmp_path, "warm")
    assert run.status().pid == waiting.pid
    assert not local._waiting
    until(lambda: run.status().state == "done")
    assert synthetic_file(run).read_bytes() == synthetic_file(cold).read_bytes()
    assert (run.path / "log.txt").read_text()
    assert waiting.wait(60) == 0


@pytest.mark.usefixtures("nobody_waits")
def test_a_worker_that_nobody_needs_ends_with_its_starter(tmp_path: Path) -> None:
    local.keep_ready()
    (waiting,) = local._waiting
    assert waiting.stdin is not None
    waiting.stdin.close()
    assert waiting.wait(60) == 0
    other = local.start(["runs", "--runs-path", str(tmp_path)], tmp_path / "log.txt")
    assert other.pid != waiting.pid, "a worker that has ended is given no command"
    assert other.wait(60) == 0
