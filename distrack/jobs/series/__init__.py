"""Series of distillations: sweeps and temporal condensations."""

from distrack.jobs.series.bench import BenchJob, BenchReport, BenchRow, Protocol, table_texts
from distrack.jobs.series.condensation import CondenseJob, CondenseReport, Grid, condense_job, fitting, possible, usual
from distrack.jobs.series.series import Cell, Series, finished_report, run_of, tabulated
from distrack.jobs.series.sweep import SweepJob, SweepReport, SweepRow, sweep_of

__all__ = [
    "BenchJob",
    "BenchReport",
    "BenchRow",
    "Cell",
    "CondenseJob",
    "CondenseReport",
    "Grid",
    "Protocol",
    "Series",
    "SweepJob",
    "SweepReport",
    "SweepRow",
    "condense_job",
    "finished_report",
    "fitting",
    "possible",
    "run_of",
    "sweep_of",
    "table_texts",
    "tabulated",
    "usual",
]
