"""Runs: one execution of one job is one folder. Written by a worker, read by anyone, launched, stopped and resumed."""

from distrack.runs import decomposition, series
from distrack.runs.cells import Cell
from distrack.runs.condensation import CondenseReport
from distrack.runs.control import launch, stop, tail
from distrack.runs.folder import ALIVE, Run, State, Status, all_runs, create, find
from distrack.runs.grid import CondenseJob, Grid, condense_job, fitting, possible
from distrack.runs.job import DistillJob
from distrack.runs.listening import Listening, Source
from distrack.runs.material import Material
from distrack.runs.preparation import (
    Found,
    Preparation,
    found,
    launch_preparation,
    place,
    work_on_preparation,
)
from distrack.runs.session import Stopped
from distrack.runs.sweep import SweepJob, SweepReport, sweep_of
from distrack.runs.worker import inspect, listen, measure, work

__all__ = [
    "ALIVE",
    "Cell",
    "CondenseJob",
    "CondenseReport",
    "DistillJob",
    "Found",
    "Grid",
    "Listening",
    "Material",
    "Preparation",
    "Run",
    "Source",
    "State",
    "Status",
    "Stopped",
    "SweepJob",
    "SweepReport",
    "all_runs",
    "condense_job",
    "create",
    "decomposition",
    "find",
    "fitting",
    "found",
    "inspect",
    "launch",
    "launch_preparation",
    "listen",
    "measure",
    "place",
    "possible",
    "series",
    "stop",
    "sweep_of",
    "tail",
    "work",
    "work_on_preparation",
]
