"""Runs: one execution of one job is one folder. Written by a worker, read by anyone, launched, stopped and resumed."""

from distrack.runs.control import launch, stop, tail
from distrack.runs.folder import ALIVE, Run, State, Status, all_runs, create, find
from distrack.runs.job import DistillJob
from distrack.runs.preparation import (
    Found,
    Preparation,
    found,
    launch_preparation,
    place,
    work_on_preparation,
)
from distrack.runs.session import Stopped
from distrack.runs.worker import Material, measure, work

__all__ = [
    "ALIVE",
    "DistillJob",
    "Found",
    "Material",
    "Preparation",
    "Run",
    "State",
    "Status",
    "Stopped",
    "all_runs",
    "create",
    "find",
    "found",
    "launch",
    "launch_preparation",
    "measure",
    "place",
    "stop",
    "tail",
    "work",
    "work_on_preparation",
]
