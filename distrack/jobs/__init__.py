"""Jobs: what can be run. One file or folder a kind."""

from distrack.jobs import decomposition
from distrack.jobs.distillation.job import DistillJob
from distrack.jobs.distillation.work import inspect, listen, measure, work
from distrack.jobs.listening.sounds import Listening, Source
from distrack.jobs.preparation import Found, Preparation, found, launch_preparation, place, work_on_preparation
from distrack.jobs.series import series
from distrack.jobs.series.cells import Cell
from distrack.jobs.series.condensation import CondenseReport
from distrack.jobs.series.grid import CondenseJob, Grid, condense_job, fitting, possible
from distrack.jobs.series.sweep import SweepJob, SweepReport, sweep_of
from distrack.runs.folder import create

__all__ = [
    "Cell",
    "CondenseJob",
    "CondenseReport",
    "DistillJob",
    "Found",
    "Grid",
    "Listening",
    "Preparation",
    "Source",
    "SweepJob",
    "SweepReport",
    "condense_job",
    "create",
    "decomposition",
    "fitting",
    "found",
    "inspect",
    "launch_preparation",
    "listen",
    "measure",
    "place",
    "possible",
    "series",
    "sweep_of",
    "work",
    "work_on_preparation",
]
