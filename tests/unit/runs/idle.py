"""A command that owns a run and computes nothing: with it, processes are launched, queued, stopped and killed quickly.

A plugin: `DISTRACK_PLUGINS=tests.unit.runs.idle` adds `python -m distrack idle RUN`.
"""

import hashlib
import time
from contextlib import suppress
from pathlib import Path

import click

from distrack.cli.commands import app
from distrack.cli.options import QUIET, RUNS_PATH
from distrack.runs import Run, Session, Stopped

STEPS = 3


def _sleep() -> None:
    time.sleep(1_000)


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
        for step in range(1, STEPS + 1):
            session.progress(step, STEPS)
