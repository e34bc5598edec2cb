"""The queue of a device: runs take turns in the order in which they were launched, however the one before ends."""

import os
import signal
from collections.abc import Callable

import pytest

from distrack import runs
from distrack.runs import Run
from distrack.runs.queue import ahead
from distrack.runs.session import HOLD_AT

Launched = Callable[..., Run]
Until = Callable[..., None]


def works(run: Run) -> bool:
    return run.status().phase == "idle"


def waits(run: Run) -> bool:
    """Whether the run's process has started, and waits for the device."""
    return run.status().state == "queued" and (run.path / ".lock").exists()


def test_runs_take_turns_in_the_order_in_which_they_were_launched(
    launched: Launched, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Names and ages are in another order than the queue: the last of the queue is the oldest run.
    last = launched("a")
    until(lambda: last.status().state == "done")
    monkeypatch.setenv(HOLD_AT, "idle:1")
    first = launched("d")
    until(lambda: works(first))
    monkeypatch.delenv(HOLD_AT)
    second, third, _ = launched("c"), launched("b"), launched("a")
    # The order is known before the processes have started: it does not matter which of them is ready first.
    assert [run.status().device for run in (second, third, last)] == ["cpu"] * 3
    assert last.status().started < second.status().started
    for run in (second, third, last):
        until(lambda run=run: waits(run))
    assert [run.status().state for run in (first, second, third, last)] == ["running", *["queued"] * 3]
    assert [ahead(run, run.status()) for run in (second, third, last)] == [1, 2, 3]

    # A run that waits can be stopped; the one behind it moves up.
    assert runs.stop(third).state == "stopped"
    assert third.metrics() == []

    # The device is free once the process that holds it is killed.
    os.kill(first.status().pid, signal.SIGKILL)
    until(lambda: last.status().state == "done")
    assert [run.status().state for run in (first, second, third)] == ["stale", "done", "stopped"]
    assert last.status().phase_started >= second.status().heartbeat


def test_a_run_that_is_killed_while_it_waits_holds_nobody_up(
    launched: Launched, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOLD_AT, "idle:1")
    first = launched("first")
    until(lambda: works(first))
    monkeypatch.delenv(HOLD_AT)
    second, third = launched("second"), launched("third")
    until(lambda: waits(second) and waits(third))
    os.kill(second.status().pid, signal.SIGKILL)
    (first.path / "go").touch()
    until(lambda: third.status().state == "done")
    assert (first.status().state, second.status().state) == ("done", "stale")
