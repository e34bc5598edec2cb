"""Jobs: everything that can be run. One file or folder a kind; importing this package registers all of them."""

from distrack.jobs.contract import (
    JOBS,
    Job,
    all_runs,
    as_json,
    find,
    from_json,
    job_of,
    kind_of,
    report_of,
    runs_path_of,
    shell_text,
)
from distrack.jobs.control import launch, resume, stop, work
from distrack.registry import discover

discover(__name__, __path__)

__all__ = [
    "JOBS",
    "Job",
    "all_runs",
    "as_json",
    "find",
    "from_json",
    "job_of",
    "kind_of",
    "launch",
    "report_of",
    "resume",
    "runs_path_of",
    "shell_text",
    "stop",
    "work",
]
