"""Runs: a run is a folder and a process. This package knows nothing of what a job does."""

from distrack.runs.control import launch, stop
from distrack.runs.folder import ALIVE, Run, State, Status, all_runs, find
from distrack.runs.log import tail
from distrack.runs.session import Session, Stopped

__all__ = ["ALIVE", "Run", "Session", "State", "Status", "Stopped", "all_runs", "find", "launch", "stop", "tail"]
