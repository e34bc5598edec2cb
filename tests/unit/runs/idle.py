"""A command that owns a run and computes nothing: with it, processes are launched, queued, stopped and killed quickly.

A plugin: `DISTRACK_PLUGINS=tests.unit.runs.idle` adds `python -m distrack idle RUN`.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from distrack.cli.commands import app
from distrack.cli.options import QUIET, RUNS_PATH
from distrack.runs import Run, Session, Stopped

STEPS = 3


def _sleep() -> None:
    time.sleep(1_000)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Fails where another run is at work, if a test asks for that by making this folder."""
    if not place.is_dir():
        yield
        return
    (place / "at work").touch(exist_ok=False)
    time.sleep(0.5)  # work that is over at once meets no other
    yield
    (place / "at work").unlink()


def _in_one_call() -> None:
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # minutes, in which no signal is handled


@app.command(
    params=[
        click.Argument(["run_id"]),
        click.Option(["--without-progress"], type=click.Choice(["sleep", "one-call"])),
        RUNS_PATH,
        QUIET,
    ]
)
def idle(run_id: str, without_progress: str | None, runs_path: Path, quiet: bool) -> None:  # noqa: ARG001
    """Takes three steps that do nothing."""
    run = Run(runs_path / run_id)
    with suppress(Stopped), Session(run, "cpu").working() as session:
        click.echo(f"works on {run_id}")
        session.phase("idle", STEPS)
        if without_progress is not None:
            {"sleep": _sleep, "one-call": _in_one_call}[without_progress]()
        with _alone(runs_path / ".alone"):
            for step in range(1, STEPS + 1):
                session.progress(step, STEPS)
